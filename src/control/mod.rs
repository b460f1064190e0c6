//! The conversation with a running container: its control socket, the clients attached to it, and
//! the supervisor's poll loop between them and the process.
//!
//! ```text
//! Console (a command line) <──Link──> Pump (the supervisor) <──pipes, pty, pidfd──> the program
//! ```
//!
//! The foreground `run`, `attach` and `exec` are the same [`Console`] at one end of a [`Link`] and
//! the same [`Pump`] at the other; detached only means that nobody is at the first end. Everything
//! else that acts on a running container (`stop`, `kill`, `wait`, `restart`) is one [`Request`].
//!
//! Not here: what is recorded about a container, and what happens after its end (`container`).

mod client;
mod console;
mod detach_keys;
mod input;
mod link;
mod program;
mod protocol;
mod pump;
mod serve;
mod sink;
mod source;
mod stop;
mod wait;

pub use console::{Attachment, Console, Finish, Parting};
pub use detach_keys::DetachKeys;
pub use link::{Link, Listener};
pub use protocol::{Attach, Reply, Request, Told};
pub use pump::{Idle, Keeper, Pump};
pub use stop::StopRequest;

use crate::{
    error::{ErrorKind, Failure},
    sys::SysError,
};

/// Why a conversation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `--detach-keys` cannot be understood. Docker's text.
    #[error("invalid detach keys ({text}) provided")]
    DetachKeys {
        /// As asked for.
        text: String,
    },
    /// The other side speaks another language: it is of another version.
    #[error("read control socket: the other side said what this version does not know")]
    Unknown,
    /// A system call failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: &'static str,
        /// Why.
        source: SysError,
    },
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::DetachKeys { .. } => ErrorKind::Invalid,
            Error::Unknown => ErrorKind::Unsupported,
            Error::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::DetachKeys { .. } => {
                Some("keys are single letters or ctrl-LETTER, as in ctrl-p,ctrl-q".to_owned())
            }
            Error::Unknown => Some(
                "the container was started by another version: use that one, or restart it"
                    .to_owned(),
            ),
            Error::System { source, .. } => source.hint(),
        }
    }
}
