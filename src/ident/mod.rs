//! Names: newtypes that are parsed once at the edge and valid for ever after.
//!
//! Not here: where anything is stored (`store`), what an image contains (`image`).

mod chain;
mod digest;
mod duration;
mod moment;
mod name;
mod reference;
mod size;
mod time;

pub use chain::{ChainId, DiffId};
pub use digest::{Digest, Hasher};
pub use duration::{parse_duration, show_duration};
pub use moment::parse_moment;
pub use name::{ContainerId, ContainerName, VolumeName};
pub use reference::Reference;
pub use size::{Units, parse_integer, parse_size};
pub use time::Timestamp;

use crate::error::{ErrorKind, Failure};

/// A text that is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not `sha256:` and 64 lower-case hexadecimal digits.
    #[error("{text:?} is not a sha256 digest")]
    Digest {
        /// What was given.
        text: String,
    },
    /// A digest algorithm that this version does not compute.
    #[error("digest algorithm {algorithm:?} is not supported")]
    Algorithm {
        /// The part before the colon.
        algorithm: String,
    },
    /// Not an image reference.
    #[error("invalid reference format: {text:?}: {why}")]
    Reference {
        /// What was given.
        text: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// Not a container id.
    #[error("{text:?} is not a container id")]
    ContainerId {
        /// What was given.
        text: String,
    },
    /// Not a container name; the text is Docker's.
    #[error("Invalid container name ({text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    ContainerName {
        /// What was given.
        text: String,
    },
    /// A volume name of one character; the text is Docker's.
    #[error("volume name is too short, names should be at least two alphanumeric characters")]
    VolumeNameShort,
    /// Not a volume name; the text is Docker's.
    #[error(
        "{text:?} includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use \
         absolute path"
    )]
    VolumeName {
        /// What was given.
        text: String,
    },
    /// Not a moment; the text is Docker's.
    #[error("failed to parse value as time or duration: {text:?}")]
    Moment {
        /// What was given.
        text: String,
    },
    /// Not a duration; the text is Go's.
    #[error("time: {why} duration {text:?}")]
    Duration {
        /// What was given.
        text: String,
        /// `invalid`, `missing unit in`, `unknown unit "d" in`.
        why: String,
    },
    /// Not an RFC 3339 time.
    #[error("{text:?} is not an RFC 3339 time")]
    Time {
        /// What was given.
        text: String,
    },
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Algorithm { .. } => ErrorKind::Unsupported,
            Error::Digest { .. }
            | Error::Reference { .. }
            | Error::ContainerId { .. }
            | Error::ContainerName { .. }
            | Error::VolumeNameShort
            | Error::VolumeName { .. }
            | Error::Moment { .. }
            | Error::Duration { .. }
            | Error::Time { .. } => ErrorKind::Invalid,
        }
    }
}
