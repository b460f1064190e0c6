//! Why a build ends without an image.

use super::Unfetched;
use crate::{
    container, control, dockerfile,
    error::{ErrorKind, Failure},
    image, rootfs, store,
    sys::SysError,
};

/// A build that failed. The finished steps stay in the cache.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Dockerfile is wrong.
    #[error(transparent)]
    Dockerfile(#[from] dockerfile::Error),
    /// A step of it failed.
    #[error("{file}:{line}: {text}")]
    Step {
        /// The Dockerfile.
        file: String,
        /// From 1.
        line: usize,
        /// The instruction.
        text: String,
        /// Why.
        source: Box<Error>,
    },
    /// A command of `RUN` failed. Docker's text.
    #[error("The command '{command}' returned a non-zero code: {code}")]
    Command {
        /// With the shell.
        command: String,
        /// Its exit code.
        code: i32,
    },
    /// Something is not there, or a rule is broken. Docker's text where it has one.
    #[error("{what}")]
    Refused {
        /// What.
        what: String,
        /// What to type or write instead.
        hint: Option<String>,
    },
    /// An image is not here and cannot be fetched.
    #[error("image {name} could not be fetched: {}", unfetched.cause)]
    NotFetched {
        /// As the Dockerfile names it.
        name: String,
        /// Why.
        unfetched: Unfetched,
    },
    /// A signal came.
    #[error("build: stopped by signal {signal}")]
    Interrupted {
        /// Its number.
        signal: i32,
    },
    /// A system call failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: String,
        /// Why.
        source: SysError,
    },
    /// The tar of the context, or an archive of it, cannot be read.
    #[error("unpack {what}")]
    Archive {
        /// Which one.
        what: String,
        /// Why.
        source: crate::layer::Error,
    },
    /// The container or the image could not be made.
    #[error(transparent)]
    Container(#[from] container::Error),
    /// Signals could not be caught.
    #[error(transparent)]
    Control(#[from] control::Error),
    /// An image cannot be had.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The layers cannot be stacked.
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        if let Self::Refused { what, .. } = self {
            let hint = Some(hint.into());
            return Self::Refused { what, hint };
        }
        self
    }

    /// What `build` exits with: the code of a command that failed, as Docker's does.
    pub fn exit_code(&self) -> i32 {
        #[expect(clippy::wildcard_enum_match_arm, reason = "everything else is 1")]
        match self {
            Self::Command { code, .. } => *code,
            Self::Interrupted { signal } => 128 + signal,
            Self::Step { source, .. } => source.exit_code(),
            _ => 1,
        }
    }
}

/// Says what was done when a system call failed.
pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(SysError) -> Error {
    let what = what.into();
    move |source| Error::System { what, source }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Dockerfile(error) => error.kind(),
            Self::Step { source, .. } => source.kind(),
            Self::Command { .. } | Self::NotFetched { .. } | Self::Interrupted { .. } => {
                ErrorKind::System
            }
            Self::Refused { .. } => ErrorKind::Invalid,
            Self::System { source, .. } => source.kind(),
            Self::Archive { source, .. } => source.kind(),
            Self::Container(error) => error.kind(),
            Self::Control(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Rootfs(error) => error.kind(),
            Self::Store(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Dockerfile(error) => error.hint(),
            Self::Step { source, .. } => source.hint(),
            Self::Command { .. } | Self::Interrupted { .. } => None,
            Self::NotFetched { unfetched, .. } => unfetched.hint.clone(),
            Self::Refused { hint, .. } => hint.clone(),
            Self::System { source, .. } => source.hint(),
            Self::Archive { source, .. } => source.hint(),
            Self::Container(error) => error.hint(),
            Self::Control(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Rootfs(error) => error.hint(),
            Self::Store(error) => error.hint(),
        }
    }
}
