//! Go's text/template over JSON: what `--format` takes.
//!
//! Flow: text → tokens (`lexer`) → tree (`parser`, `pipeline`, `syntax`) → text (`evaluate`,
//! `operand`), with values as Go
//! would hold them (`value`), Go's and Docker's functions (`function`) and Go's printing (`verb`).
//!
//! Two views of an object, as Docker has them: a *typed* one, where a field that the object lacks
//! is an error and integers are numbers, and a *plain* one, where every object is a map and numbers
//! are texts. `inspect` looks in the first way and, where that fails, in the second.
//!
//! A template is a stranger's text at worst: nesting, loops and what is made are bounded.

mod compare;
mod docker;
mod element;
mod error;
mod escape;
mod evaluate;
mod function;
mod lexer;
mod literal;
mod number;
mod operand;
mod parser;
mod pipeline;
mod row;
mod syntax;
#[cfg(test)]
mod tests;
mod value;
mod verb;

pub(crate) use error::Error;
pub(crate) use literal::quote;
pub(crate) use row::{Labels, Row};

use serde_json::Value as Json;

use evaluate::{Options, Run};
use parser::Parsed;
use value::{Value, View};

/// A template that was understood.
#[derive(Debug)]
pub(crate) struct Template {
    text: String,
    parsed: Parsed,
    for_terminal: bool,
}

/// What a template is applied to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Data<'d> {
    /// What `inspect` found: typed, then plain.
    Object(&'d Json),
    /// An object with these fields and no others.
    Record(&'d Json),
    /// A line of a list.
    Row(&'d Row),
    /// The headers of a list's columns; Docker's functions leave them as they are.
    Header(&'d Row),
}

impl Template {
    /// Understands a text, or says where it does not.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let parsed = parser::parse(text)?;
        Ok(Self {
            text: text.to_owned(),
            parsed,
            for_terminal: false,
        })
    }

    /// The same, making harmless what values could do to a terminal. A program that reads them
    /// gets them as they are.
    #[must_use]
    pub(crate) fn for_terminal(self, for_terminal: bool) -> Self {
        Self {
            for_terminal,
            ..self
        }
    }

    /// Whether a field of this name is asked for anywhere.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        let (mut tokens, _) = lexer::tokens(&self.text);
        tokens.retain(|token| token.kind == lexer::Kind::Field);
        tokens.iter().any(|token| token.text[1..] == *field)
    }

    /// What it makes of `data`.
    pub(crate) fn render(&self, data: Data<'_>) -> Result<String, Error> {
        match data {
            Data::Object(json) => {
                let typed = self.run(Value::of(json, "", View::Typed), false);
                // What the second attempt says is what Docker's users read.
                typed.or_else(|_| self.run(Value::of(json, "", View::Plain), false))
            }
            Data::Record(json) => self.run(Value::of(json, "", View::Typed), false),
            Data::Row(row) => self.run(Value::Row(row), false),
            Data::Header(row) => self.run(Value::Row(row), true),
        }
    }

    fn run(&self, data: Value<'_>, header: bool) -> Result<String, Error> {
        let options = Options {
            header,
            for_terminal: self.for_terminal,
        };
        let run = Run::new(&self.text, &self.parsed, data);
        run.with(options).finish()
    }
}
