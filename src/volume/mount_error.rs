//! Why a volume's file system cannot be mounted.

use std::{path::Path, time::Duration};

use nix::errno::Errno;

use super::{environment::Problem, options::MountSpec};
use crate::{
    error::{ErrorKind, Failure},
    sys::SysError,
};

/// Why a volume's file system cannot be mounted. Docker's text where the kernel refuses.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The kernel refused.
    #[error("failed to mount local volume: mount {device}:{path}")]
    Kernel {
        /// The option `device`.
        device: String,
        /// On which path.
        path: String,
        /// Why.
        source: SysError,
    },
    /// This machine lacks something.
    #[error("{what}")]
    Machine {
        /// What.
        what: String,
        /// What to do about it.
        remedy: Option<String>,
    },
    /// A helper failed.
    #[error("{program} failed with code {code}: {said}")]
    Helper {
        /// Its path.
        program: String,
        /// Its exit code.
        code: i32,
        /// What it said, on one line.
        said: String,
    },
    /// Nothing came back in time.
    #[error("{device} did not answer within {seconds} s")]
    Silent {
        /// The option `device`.
        device: String,
        /// How long we waited.
        seconds: f64,
    },
}

impl MountError {
    pub(super) fn at(path: impl AsRef<Path>, spec: &MountSpec, source: SysError) -> Self {
        Self::Kernel {
            device: spec.device.clone(),
            path: path.as_ref().display().to_string(),
            source,
        }
    }

    pub(super) fn silent(spec: &MountSpec, patience: Duration) -> Self {
        Self::Silent {
            device: spec.device.clone(),
            seconds: patience.as_secs_f64(),
        }
    }

    /// Whether what should be mounted is not there.
    pub fn is_missing_device(&self) -> bool {
        match self {
            Self::Kernel { source, .. } => source.errno() == Some(Errno::ENOENT),
            Self::Machine { .. } | Self::Helper { .. } | Self::Silent { .. } => false,
        }
    }
}

impl From<Problem> for MountError {
    fn from(problem: Problem) -> Self {
        Self::Machine {
            what: problem.what,
            remedy: problem.remedy,
        }
    }
}

impl Failure for MountError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Kernel { source, .. } => source.kind(),
            Self::Machine { .. } => ErrorKind::Unsupported,
            Self::Helper { .. } | Self::Silent { .. } => ErrorKind::System,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Kernel { source, .. } => hint(source),
            Self::Machine { remedy, .. } => remedy.clone(),
            Self::Helper { .. } => None,
            Self::Silent { .. } => Some(
                "is the server up and reachable? COWSHED_MOUNT_TIMEOUT=60s waits longer".to_owned(),
            ),
        }
    }
}

/// What a refused mount means, which is not what the same errno means elsewhere.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest is told as everywhere"
)]
fn hint(source: &SysError) -> Option<String> {
    let text = match source.errno()? {
        Errno::ENOENT => "the device is not there: cowshed volume inspect shows it",
        Errno::EINVAL | Errno::EUCLEAN => {
            "is the type right? lsblk -f and file -s tell what is on it; dmesg | tail says more"
        }
        Errno::ENODEV | Errno::ENOTBLK => {
            "a file system on a device needs a block device or an image"
        }
        Errno::EBUSY => "the device is in use: findmnt and lsblk tell by whom",
        Errno::EROFS | Errno::EACCES => "the device cannot be written: add -o o=ro",
        Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::ETIMEDOUT => {
            "the server cannot be reached"
        }
        _ => return source.hint(),
    };
    Some(text.to_owned())
}
