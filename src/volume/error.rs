//! Why a volume cannot be had.

use std::path::{Path, PathBuf};

use super::{Difference, MountError, OptionError, backup};
use crate::{
    error::{ErrorKind, Failure},
    ident::VolumeName,
    mount::{self, Sharing},
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
    /// Somebody has it mounted who stands nobody beside him, or we are the one.
    #[error("use volume {name} ({}): {} it already", sharing.word(), has(holders))]
    KeptOut {
        /// Which one.
        name: VolumeName,
        /// What was wanted.
        sharing: Sharing,
        /// Who is in.
        holders: Vec<String>,
    },
    /// `volume-sharing` that does not exist.
    #[error(transparent)]
    Sharing(#[from] mount::Error),
    /// It is mounted and cannot get another name.
    #[error("rename {name}: volume is mounted - [{}]", users.join(", "))]
    Mounted {
        /// Which one.
        name: VolumeName,
        /// Names of the containers that run with it.
        users: Vec<String>,
    },
    /// The user protected it.
    #[error("remove {name}: volume is protected")]
    Protected {
        /// Which one.
        name: VolumeName,
    },
    /// A volume whose record cannot be read.
    #[error("read volume {name}")]
    Damaged {
        /// Which one.
        name: String,
        /// Where its data is.
        data: PathBuf,
        /// Why.
        source: Box<store::Error>,
    },
    /// Another volume has the name.
    #[error("{} {name}: a volume of this name exists", making.word())]
    Exists {
        /// What was wanted.
        making: Making,
        /// The name.
        name: VolumeName,
    },
    /// A volume of this name exists and is not what was asked for.
    #[error("create {name}: a volume of this name exists and differs")]
    Differs {
        /// The name.
        name: VolumeName,
        /// In what; never empty.
        differences: Vec<Difference>,
    },
    /// The trash has no such volume.
    #[error("restore {name}: no such volume in the trash")]
    NotInTrash {
        /// A name or an id, as asked for.
        name: String,
    },
    /// A text that a record cannot hold.
    #[error("{what}")]
    Text {
        /// The rule that was broken, with its object.
        what: String,
    },
    /// Somebody uses a volume that must be ours alone.
    #[error("volume {name} is in use{}", listed(users))]
    Busy {
        /// Which one.
        name: VolumeName,
        /// Names of the containers that run with it.
        users: Vec<String>,
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

/// What would have given a volume its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// Another name for a volume.
    Rename,
    /// A copy of a whole volume.
    Copy,
    /// A volume of a backup.
    Restore,
    /// One of the trash.
    Return,
    /// A volume of an archive, which somebody else made meanwhile.
    Import,
}

impl Making {
    fn word(self) -> &'static str {
        match self {
            Self::Rename => "rename to",
            Self::Copy => "copy to",
            Self::Restore | Self::Return => "restore",
            Self::Import => "import",
        }
    }

    fn hint(self, name: &VolumeName) -> String {
        match self {
            Self::Rename => {
                format!("choose another name, or remove that one: cowshed volume rm {name}")
            }
            Self::Copy => format!(
                "choose another name, or copy into it: cowshed volume cp VOLUME:/. {name}:/"
            ),
            Self::Restore => format!(
                "choose another name, or put the backup in the place of what it holds: cowshed \
                 volume restore --replace FILE {name}"
            ),
            Self::Return => {
                format!("take another name: cowshed volume trash restore --as NEW {name}")
            }
            Self::Import => "somebody has made it at this moment: try again".to_owned(),
        }
    }
}

fn listed(users: &[String]) -> String {
    if users.is_empty() {
        return String::new();
    }
    format!(" - [{}]", users.join(", "))
}

fn stop(users: &[String]) -> String {
    match users {
        [] => "another command works with it: try again in a moment".to_owned(),
        users => format!("cowshed stop {}", users.join(" ")),
    }
}

fn has(holders: &[String]) -> String {
    match holders {
        [] => "somebody uses".to_owned(),
        [one] => format!("{one} uses"),
        many => format!("{} use", many.join(", ")),
    }
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

fn damage_hint(name: &str, data: &Path, source: &store::Error) -> String {
    let reason = if matches!(source, store::Error::Parse { .. }) {
        "the disk, somebody else or a newer cowshed wrote it; "
    } else {
        ""
    };
    format!(
        "{reason}the data in {} is as it was: copy it away, then cowshed volume rm {name}",
        data.display()
    )
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. } | Error::Driver { .. } | Error::NotInTrash { .. } => {
                ErrorKind::NotFound
            }
            Error::InUse { .. }
            | Error::KeptOut { .. }
            | Error::Mounted { .. }
            | Error::Busy { .. }
            | Error::Held { .. } => ErrorKind::InUse,
            Error::Damaged { .. } => ErrorKind::Corrupt,
            Error::Sharing(error) => error.kind(),
            Error::Protected { .. } => ErrorKind::Denied,
            Error::Exists { .. } | Error::Differs { .. } | Error::NotEmpty { .. } => {
                ErrorKind::AlreadyExists
            }
            Error::Backup(error) => error.kind(),
            Error::Text { .. } => ErrorKind::Invalid,
            Error::Options { why, .. } => why.kind(),
            Error::Machine { why, .. } => why.kind(),
            Error::Mount { source, .. } => source.kind(),
            Error::System { source, .. } => source.kind(),
            Error::Store(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::NotFound { .. } => Some("cowshed volume ls lists all volumes".to_owned()),
            Error::Driver { .. } => Some("this version has the driver \"local\" only".to_owned()),
            Error::Mounted { users, .. } | Error::Busy { users, .. } => Some(stop(users)),
            Error::Protected { name } => Some(format!("cowshed volume unprotect {name}")),
            Error::Exists { making, name } => Some(making.hint(name)),
            Error::Differs { name, .. } => Some(format!(
                "remove it, choose another name, or take it as it is: cowshed volume create \
                 --exist-ok {name}"
            )),
            Error::NotInTrash { .. } => Some("cowshed volume trash ls".to_owned()),
            Error::Damaged { name, data, source } => Some(damage_hint(name, data, source)),
            Error::Text { .. } => None,
            Error::InUse { users, .. } if users.is_empty() => {
                Some("another command works with it: try again in a moment".to_owned())
            }
            Error::Options { why, .. } => why.hint(),
            Error::Machine { why, .. } => why.hint(),
            Error::Mount { source, .. } => source.hint(),
            Error::Held { .. } => Some("try again in a moment".to_owned()),
            Error::InUse { users, .. } => {
                let short: Vec<_> = users.iter().map(|id| id.get(..12).unwrap_or(id)).collect();
                Some(format!("cowshed rm {}", short.join(" ")))
            }
            Error::KeptOut { name, .. } => Some(format!(
                "wait until it is free: cowshed volume inspect {name} tells who uses it"
            )),
            Error::Sharing(error) => error.hint(),
            Error::NotEmpty { .. } => Some("--replace takes the place of what it holds".to_owned()),
            Error::Backup(error) => error.hint(),
            Error::System { source, .. } => source.hint(),
            Error::Store(error) => error.hint(),
        }
    }
}
