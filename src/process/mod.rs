//! From a spec to a running, waited-for process in namespaces.
//!
//! Flow: [`ProcessSpec`] and the mount plan become a list of [`InitStep`]s; [`spawn()`] forks, the
//! child performs them in order and executes the program. [`join`] does the same inside a container
//! that runs already.
//!
//! Not here: moving its bytes (`control`); records, locks and clean-up (`container`).

mod explain;
mod init;
mod joining;
mod reaper;
mod report;
mod security;
mod spawn;
mod spec;
mod step;
mod ulimit;
mod user;

pub use init::find_ids;
pub use joining::Joining;
pub use security::{Security, SecurityError};
pub use spawn::{Observer, Running, begin_join, join, spawn};
pub use spec::{Console, ExecSpec, Network, ProcessSpec, Rights};
pub use step::InitStep;
pub use ulimit::{Ulimit, UlimitError, apply as apply_ulimits};
pub use user::{Identity, UserError, resolve as resolve_user};

use crate::{
    error::{ErrorKind, Failure},
    sys::SysError,
};

/// Why a process did not start or could not be waited for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is not there. Docker's text, exit code 127.
    #[error("exec: {program:?}: {}", not_found(program))]
    ProgramNotFound {
        /// What was asked for.
        program: String,
        /// The last attempt.
        source: SysError,
    },
    /// The program is there and cannot be executed: exit code 126.
    #[error("exec: {program:?}: cannot be executed")]
    ProgramNotExecutable {
        /// What was asked for.
        program: String,
        /// Why.
        source: SysError,
    },
    /// The user or group is not known to the image.
    #[error(transparent)]
    User(#[from] UserError),
    /// A step on the way into the container failed.
    #[error("set up container: step {number} of {total}, {title}")]
    Step {
        /// From 1.
        number: usize,
        /// Of how many.
        total: usize,
        /// Its name.
        title: String,
        /// Why.
        source: SysError,
    },
    /// The process vanished before it executed anything.
    #[error("set up container: its first process ended with code {code} before it was ready")]
    Vanished {
        /// Its exit code.
        code: i32,
    },
    /// A NUL byte in an argument or variable.
    #[error("{what} contains a NUL byte")]
    Nul {
        /// Which text.
        what: String,
    },
    /// Another system call failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: &'static str,
        /// Why.
        source: SysError,
    },
}

fn not_found(program: &str) -> &'static str {
    if program.contains('/') {
        "no such file or directory"
    } else {
        "executable file not found in $PATH"
    }
}

impl Error {
    /// What a shell would answer: 127 not found, 126 not executable; 125 where it is our failure.
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::ProgramNotFound { .. } => 127,
            Error::ProgramNotExecutable { .. } => 126,
            Error::User(_)
            | Error::Step { .. }
            | Error::Vanished { .. }
            | Error::Nul { .. }
            | Error::System { .. } => 125,
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::ProgramNotFound { .. } => ErrorKind::NotFound,
            Error::ProgramNotExecutable { .. } => ErrorKind::Denied,
            Error::User(_) | Error::Nul { .. } => ErrorKind::Invalid,
            Error::Vanished { .. } => ErrorKind::System,
            Error::Step { source, .. } | Error::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::ProgramNotFound { program, .. } if program.contains('/') => {
                "the file or its interpreter is missing in the image: try sh -c, or ls in it"
            }
            Error::ProgramNotFound { .. } => {
                "the image may have no such program: cowshed image inspect shows its PATH"
            }
            Error::ProgramNotExecutable { .. } => {
                "is it a program for this machine, a regular file and executable (chmod +x)?"
            }
            Error::User(error) => return error.hint(),
            Error::Vanished { .. } => "see dmesg | tail: out of memory?",
            Error::Nul { .. } => "remove it",
            Error::Step { source, .. } | Error::System { source, .. } => return source.hint(),
        };
        Some(hint.to_owned())
    }
}
