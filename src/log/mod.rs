//! A container's output on disk: Docker's json-file, one JSON object a line.
//!
//! ```text
//! log        {"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}
//! log.1      what was `log` before it reached its largest size; log.2 before that
//! ```
//!
//! Three keys are ours, and other readers pass over them: `raw` has the bytes of a line that is no
//! UTF-8, in base64; `lost` and `cause` tell of output that could not be written; `file`, on the
//! first line of a file of a log that is rotated, counts the files.
//!
//! Invariants: a line that is complete is never changed nor taken back; lines are in the order in
//! which they were written; a line is in one file.
//!
//! Not here: whose log it is, and when its container has ended (`container`).

mod append;
mod base64;
mod batch;
mod escape;
mod files;
mod follow;
mod line;
mod options;
mod reader;
mod tail;
mod writer;

pub use follow::Follow;
pub use options::{LogDriver, LogOptions};
pub use reader::{Query, Reader};
pub use writer::Writer;

use crate::{
    error::{ErrorKind, Failure},
    ident::Timestamp,
    sys::SysError,
};

/// The file that is written; older ones have `.1` and so on behind it.
const FILE: &str = "log";

/// Docker's longest line; longer ones come in pieces.
const PIECE_MAX: usize = 16 * 1024;

/// Where a container wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// A line of output, or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was written.
    pub stream: Stream,
    /// When it came.
    pub time: Timestamp,
    /// Exactly what was written, its newline included.
    pub bytes: Vec<u8>,
    /// Output is missing before this one, which then has no bytes.
    pub lost: Option<Lost>,
}

/// Output that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// It could not be written.
    Bytes {
        /// How many.
        count: u64,
        /// Why.
        cause: String,
    },
    /// Files were rotated away before they were read.
    Files {
        /// How many, where that is known.
        count: Option<u64>,
    },
}

/// Why a log cannot be read, or cannot be as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another log driver. Docker's text.
    #[error("logger: no log driver named '{name}' is registered")]
    Driver {
        /// As asked for.
        name: String,
    },
    /// An option that the driver does not have. Docker's text.
    #[error("unknown log opt '{key}' for {driver} log driver")]
    UnknownOption {
        /// As asked for.
        key: String,
        /// Whose.
        driver: LogDriver,
    },
    /// Options where there can be none. Docker's text.
    #[error("invalid logging opts for driver none")]
    NoOptions,
    /// An option whose value does not do.
    #[error("{what}")]
    Option {
        /// The rule.
        what: String,
    },
    /// A file of the log cannot be read.
    #[error("read log")]
    Read {
        /// Why.
        #[from]
        source: SysError,
    },
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Driver { .. } => ErrorKind::Unsupported,
            Error::UnknownOption { .. } | Error::NoOptions | Error::Option { .. } => {
                ErrorKind::Invalid
            }
            Error::Read { source } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Driver { .. } => Some("use json-file, local or none".to_owned()),
            Error::UnknownOption { .. } => Some("use max-size and max-file".to_owned()),
            Error::NoOptions | Error::Option { .. } => None,
            Error::Read { source } => source.hint(),
        }
    }
}
