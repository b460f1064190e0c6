//! Named data that outlives containers: the local driver.
//!
//! A volume is a directory with `_data` and `volume.json`, born in `tmp/` and renamed into place.
//! Whoever has it mounted holds a shared lease on it (see `store`). One with driver options has a
//! file system mounted on `_data` while it is in use (`mounting`).
//!
//! Not here: which containers use a volume (`container` reads their records).

mod address;
mod environment;
mod local;
mod mount_error;
mod mounter;
mod mounting;
mod narrate;
mod option_word;
mod options;
mod populate;
mod record;

pub use local::{Created, NewVolume, Volume, Volumes};
pub use mount_error::MountError;
pub use mounting::Hold;
pub use options::{MountSpec, OptionError, redacted};
pub use populate::{Filled, fill, fill_mounted, finish, is_empty};
pub use record::{Fill, Origin, VolumeRecord};

use std::path::PathBuf;

use crate::{
    error::{ErrorKind, Failure},
    ident::VolumeName,
    store,
    sys::SysError,
};

/// Why a volume cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No volume of this name. Docker's text.
    #[error("get {name}: no such volume")]
    NotFound {
        /// As asked for.
        name: String,
    },
    /// A driver that this version does not have. Docker's text.
    #[error("error looking up volume plugin {driver}: plugin {driver:?} not found")]
    Driver {
        /// As asked for.
        driver: String,
    },
    /// Driver options that make no sense.
    #[error("create {name}: {why}")]
    Options {
        /// Which volume.
        name: VolumeName,
        /// Docker says it in the same line.
        why: OptionError,
    },
    /// What this machine cannot mount.
    #[error("create {name}: {why}")]
    Machine {
        /// Which volume.
        name: VolumeName,
        /// Docker says such things in the same line.
        why: MountError,
    },
    /// The file system behind a volume cannot be had. Docker's text.
    #[error("error while mounting volume '{}'", path.display())]
    Mount {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: Box<MountError>,
    },
    /// Somebody mounts or unmounts it and does not come to an end.
    #[error(
        "lock volume {name}: another command mounts or unmounts it and does not come to an end"
    )]
    Held {
        /// Which one.
        name: VolumeName,
    },
    /// The volume is mounted. Docker's text.
    #[error("remove {name}: volume is in use - [{}]", users.join(", "))]
    InUse {
        /// Which one.
        name: VolumeName,
        /// Ids of the containers that use it.
        users: Vec<String>,
    },
    /// A system call on a volume failed.
    #[error("{what} volume {name}")]
    System {
        /// Operation.
        what: &'static str,
        /// Which one.
        name: String,
        /// Why.
        source: SysError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// The system call at the bottom, for a child that can only pass that on.
    pub fn into_system(self) -> SysError {
        if let Error::System { source, .. } = self {
            return source;
        }
        SysError::new("populate", self.to_string(), nix::errno::Errno::EIO)
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. } | Error::Driver { .. } => ErrorKind::NotFound,
            Error::Options { why, .. } => why.kind(),
            Error::Machine { why, .. } => why.kind(),
            Error::Mount { source, .. } => source.kind(),
            Error::InUse { .. } | Error::Held { .. } => ErrorKind::InUse,
            Error::System { source, .. } => source.kind(),
            Error::Store(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::NotFound { .. } => Some("cowshed volume ls lists all volumes".to_owned()),
            Error::Driver { .. } => Some("this version has the driver \"local\" only".to_owned()),
            Error::Options { why, .. } => why.hint(),
            Error::Machine { why, .. } => why.hint(),
            Error::Mount { source, .. } => source.hint(),
            Error::Held { .. } => Some("try again in a moment".to_owned()),
            Error::InUse { users, .. } => {
                let short: Vec<_> = users.iter().map(|id| id.get(..12).unwrap_or(id)).collect();
                Some(format!("cowshed rm {}", short.join(" ")))
            }
            Error::System { source, .. } => source.hint(),
            Error::Store(error) => error.hint(),
        }
    }
}
