//! What is wrong with a template: where, and why.

use cowshed::error::{ErrorKind, Failure};

/// Why a template gives no text. Docker's words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be understood.
    #[error("template parsing error: template: :{line}: {why}")]
    Parse {
        /// From 1.
        line: usize,
        /// What.
        why: String,
    },
    /// It cannot be applied to this object.
    #[error(
        "template parsing error: template: :{}:{}: executing {name:?} at <{context}>: {why}",
        place.0, place.1
    )]
    Execute {
        /// Line from 1, byte in it from 0, as Go counts.
        place: (usize, usize),
        /// Which template.
        name: String,
        /// Which part of it.
        context: String,
        /// What.
        why: String,
        /// What would do.
        hint: Option<String>,
    },
}

impl Error {
    pub(super) fn parse(text: &str, at: usize, why: impl Into<String>) -> Self {
        let (line, _) = place(text, at);
        let why = why.into();
        Self::Parse { line, why }
    }
}

/// Line from 1, byte in it from 0.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.len() - start)
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Parse { .. } => None,
            Self::Execute { hint, .. } => hint.clone(),
        }
    }
}
