//! A Dockerfile as values: its instructions line by line, its variables, and `.dockerignore`.
//!
//! # Flow
//!
//! [`parse()`] turns a text into stages: comments and continuations go (`lexer`), each instruction is
//! taken apart (`instruction`) and everything that can be wrong without looking at an image is
//! refused with the line it stands on. What a word means is found later, when the variables are
//! known: [`Expander`].
//!
//! Nothing here acts: no file is opened, no image is looked at.
//!
//! Not here: what instructions do (`build`).

mod expand;
mod flags;
mod heredoc;
mod ignore;
mod instruction;
mod lexer;
mod pairs;
mod parse;
mod path;
mod pattern;
mod stages;
mod suggest;

pub use expand::Expander;
pub use ignore::Ignore;
pub use instruction::{ArgDefinition, Command, Instruction, Transfer};
pub use parse::parse_trigger;
pub use path::clean;
pub use pattern::{Glob, is_glob};
pub use stages::{Base, Dockerfile, Stage, Step, parse};

use crate::error::{ErrorKind, Failure};

/// What is wrong with a Dockerfile, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Error {
    /// As it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// Docker's text where it has one.
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// The same before anybody knows where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    what: String,
    hint: Option<String>,
}

impl Problem {
    fn at(self, file: &str, line: usize) -> Error {
        Error {
            file: file.to_owned(),
            line,
            what: self.what,
            hint: self.hint,
        }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { hint, ..self }
    }
}

impl From<String> for Problem {
    fn from(what: String) -> Self {
        Self { what, hint: None }
    }
}

impl From<&str> for Problem {
    fn from(what: &str) -> Self {
        Self::from(what.to_owned())
    }
}
