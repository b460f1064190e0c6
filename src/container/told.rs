//! Errors that cross from a supervisor to the command that waits for it.

use super::Error;
use crate::{control::Told, error::Failure as _};

/// One link of a chain of causes that another process found.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Cause {
    message: String,
    source: Option<Box<Cause>>,
}

/// An error as it would have been printed.
pub(super) fn pack(error: &Error) -> Told {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    Told {
        message: error.to_string(),
        causes,
        hint: error.hint(),
        exit_code: error.exit_code(),
    }
}

/// On one line, for a record.
pub(super) fn line(error: &Error) -> String {
    let Told {
        message, causes, ..
    } = pack(error);
    [&[message][..], &causes].concat().join(": ")
}

/// The same error on the other side.
pub(super) fn unpack(told: Told) -> Error {
    let causes = told.causes.into_iter().rev();
    let source = causes.fold(None, |source, message| {
        Some(Box::new(Cause { message, source }))
    });
    Error::Told {
        message: told.message,
        source,
        hint: told.hint,
        exit_code: told.exit_code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_the_same_on_both_sides() {
        let source = crate::sys::SysError::new("openat", "x", nix::errno::Errno::ENOENT);
        let error = Error::System {
            what: "open bind source".to_owned(),
            source,
        };
        let told = pack(&error);
        let back = unpack(told.clone());
        assert_eq!(back.to_string(), "open bind source");
        assert_eq!(pack(&back), told);
    }
}
