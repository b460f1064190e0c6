//! What every room's error can say about itself: its kind and what to type next.
//!
//! A leaf that every room may use. There is no crate-wide error enum: each room has its own, the
//! binary holds them as `Box<dyn Failure>`.

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// Somebody uses the thing at this moment.
    InUse,
    /// The user's input cannot be understood or contradicts itself.
    Invalid,
    /// Bytes do not match what they are said to be.
    Corrupt,
    /// This kernel, file system or version cannot do it.
    Unsupported,
    /// The caller lacks a right.
    Denied,
    /// The input tried to leave its tree.
    Escape,
    /// A system call failed for another reason.
    System,
}

/// An error that knows its kind and can suggest a next step.
pub trait Failure: std::error::Error {
    /// The kind, which decides exit codes.
    fn kind(&self) -> ErrorKind;

    /// What to type or check next, without a full stop; `None` where nothing useful is known.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An error's causes in a line.
pub fn in_a_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl<E: Failure + 'static> From<E> for Box<dyn Failure> {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}
