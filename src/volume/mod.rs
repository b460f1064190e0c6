//! Named data that outlives containers: the local driver.
//!
//! A volume is a directory with `_data` and `volume.json`, born in `tmp/` and renamed into place.
//! Whoever has it mounted holds a shared lease on it (see `store`).
//!
//! Not here: which containers use a volume (`container` reads their records).

pub mod backup;
mod local;
mod open;
mod populate;
mod record;

pub use local::{Created, NewVolume, Volume, Volumes};
pub use open::{Draft, OpenVolume};
pub use populate::{Filled, fill, finish, is_empty};
pub use record::{Fill, Origin, VolumeRecord};

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
    /// An option that the local driver does not take yet.
    #[error("volume option {key:?} is not supported yet")]
    Option {
        /// As asked for.
        key: String,
    },
    /// The volume is mounted. Docker's text.
    #[error("remove {name}: volume is in use - [{}]", users.join(", "))]
    InUse {
        /// Which one.
        name: VolumeName,
        /// Ids of the containers that use it.
        users: Vec<String>,
    },
    /// Somebody uses a volume that must be ours alone.
    #[error("volume {name} is in use")]
    Busy {
        /// Which one.
        name: VolumeName,
    },
    /// A volume that must be new is not.
    #[error("a volume called {name} is there already")]
    Exists {
        /// Which one.
        name: VolumeName,
    },
    /// A volume that must be empty is not.
    #[error("volume {name} is not empty")]
    NotEmpty {
        /// Which one.
        name: VolumeName,
    },
    /// A backup cannot be written or read.
    #[error(transparent)]
    Backup(#[from] backup::BackupError),
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
            Error::Option { .. } => ErrorKind::Unsupported,
            Error::InUse { .. } | Error::Busy { .. } => ErrorKind::InUse,
            Error::Exists { .. } | Error::NotEmpty { .. } => ErrorKind::AlreadyExists,
            Error::Backup(error) => error.kind(),
            Error::System { source, .. } => source.kind(),
            Error::Store(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::NotFound { .. } => Some("cowshed volume ls lists all volumes".to_owned()),
            Error::Driver { .. } => Some("this version has the driver \"local\" only".to_owned()),
            Error::Option { .. } => {
                Some("this version has the local driver without options".to_owned())
            }
            Error::InUse { users, .. } => {
                let short: Vec<_> = users.iter().map(|id| id.get(..12).unwrap_or(id)).collect();
                Some(format!("cowshed rm {}", short.join(" ")))
            }
            Error::Busy { .. } => {
                Some("stop the containers that have it mounted: cowshed ps".to_owned())
            }
            Error::Exists { name } => Some(format!(
                "choose another name, or remove that one: cowshed volume rm {name}"
            )),
            Error::NotEmpty { .. } => Some("--replace takes the place of what it holds".to_owned()),
            Error::Backup(error) => error.hint(),
            Error::System { source, .. } => source.hint(),
            Error::Store(error) => error.hint(),
        }
    }
}
