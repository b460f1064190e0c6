//! `BackupError`: why an archive cannot be written or is not what it says.

use crate::{
    error::{ErrorKind, Failure},
    layer,
    sys::SysError,
};

/// Why a backup or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A tar, but none of ours.
    #[error("the archive is no backup of a volume: it does not begin with its description")]
    Foreign,
    /// Written by a newer version.
    #[error("the archive has the format {found}, and this version knows {known}")]
    Newer {
        /// Its format.
        found: u32,
        /// The newest that we know.
        known: u32,
    },
    /// The description cannot be read.
    #[error("the archive's description is damaged: {why}")]
    Head {
        /// What is wrong with it.
        why: String,
    },
    /// The list of files cannot be read.
    #[error("the archive's list of files is damaged: {why}")]
    List {
        /// What is wrong with it.
        why: String,
    },
    /// The archive ends before its list.
    #[error("the archive has no list of files at its end: it is not whole")]
    Unlisted,
    /// An entry is not what the list says.
    #[error("\"{path}\" is not what the archive's list of files says: {what}")]
    Mismatch {
        /// Its path.
        path: layer::PathBytes,
        /// In what they differ.
        what: &'static str,
    },
    /// The tar could not be written or read.
    #[error(transparent)]
    Archive(#[from] layer::Error),
    /// A system call beside it failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: &'static str,
        /// Why.
        source: SysError,
    },
}

impl Failure for BackupError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Foreign => ErrorKind::Invalid,
            Self::Newer { .. } => ErrorKind::Unsupported,
            Self::Head { .. } | Self::List { .. } | Self::Unlisted | Self::Mismatch { .. } => {
                ErrorKind::Corrupt
            }
            Self::Archive(error) => error.kind(),
            Self::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Foreign => "cowshed volume import takes any tar",
            Self::Newer { .. } => "read it with the version that wrote it, or with tar(1)",
            Self::Head { .. } | Self::List { .. } | Self::Unlisted | Self::Mismatch { .. } => {
                "the archive is damaged: cowshed volume import takes what is left of it, unchecked"
            }
            Self::Archive(error) => return error.hint(),
            Self::System { source, .. } => return source.hint(),
        };
        Some(text.to_owned())
    }
}
