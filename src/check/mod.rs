//! The store's invariants: proved, and restored.
//!
//! ```text
//! Facts::gather(engine)     what records and directories say, without a lock
//! INVARIANTS ──> Finding …  pure: what is wrong, and what would mend it
//! blobs, trees              the same of bytes, which takes longer
//! repair(finding)           acts
//! ```
//!
//! It may run beside any other command. What somebody is just doing is no fault: what is made, moved or
//! removed is behind a lock, which is only tried, or is gone at the next look.

mod blobs;
mod containers;
mod examine;
mod facts;
mod finding;
mod ground;
mod images;
mod journal;
mod layers;
mod machine;
mod mend_layers;
mod repair;
mod trees;
mod volumes;

pub use examine::{Examination, invariants};
pub use finding::{Finding, Remedy, Weight};

use std::{path::PathBuf, time::Duration};

use crate::{
    cgroup, container,
    error::{ErrorKind, Failure},
    event, image, rootfs, store,
    sys::SysError,
    volume,
};

/// What is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Records and directories.
    Records,
    /// Bytes of blobs.
    Blobs {
        /// So many were read.
        done: u64,
        /// Of so many.
        total: u64,
    },
    /// Unpacked layers.
    Layers {
        /// So many were compared.
        done: usize,
        /// Of so many.
        total: usize,
    },
}

/// Is told what is being looked at, by several threads.
pub type Watcher<'w> = &'w (dyn Fn(&Progress) + Sync);

/// What a repair did about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What was wrong.
    pub finding: Finding,
    /// What came of it.
    pub outcome: Effect,
}

/// What came of a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It is as it must be.
    Mended,
    /// It is, and the old one is here, relative to the store.
    Kept(PathBuf),
    /// It is out of the way: here, relative to the store.
    Aside(PathBuf),
    /// It was not done, and why.
    Refused(String),
    /// It could not be done.
    Failed {
        /// Why.
        why: String,
        /// What to do about that.
        hint: Option<String>,
    },
}

/// What was proved, and what could not be.
#[derive(Debug, Default)]
pub struct Examined {
    /// What is wrong, or worth to know.
    pub findings: Vec<Finding>,
    /// What is not.
    pub proved: Proved,
    /// Whether everything was looked at; not where directories of the store are missing.
    pub is_whole: bool,
    /// How long it took.
    pub took: Duration,
}

impl Examined {
    /// Whether the store is not whole.
    pub fn has_faults(&self) -> bool {
        self.findings.iter().any(Finding::is_fault)
    }
}

/// How much was looked at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Proved {
    /// Blobs that have their digests.
    pub blobs: u64,
    /// Bytes of all blobs.
    pub blob_bytes: u64,
    /// Trees that are what their blobs unpack to.
    pub trees: u64,
    /// Trees that could not be compared: there is no whole blob of theirs.
    pub unproved_trees: u64,
    /// Unpacked layers.
    pub layers: usize,
    /// Images.
    pub images: usize,
    /// Containers.
    pub containers: usize,
    /// Volumes.
    pub volumes: usize,
    /// Lines of the journal.
    pub events: u64,
}

/// Why it cannot be found out whether the store is whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("check the store")]
    Store(#[from] store::Error),
    /// A container's part.
    #[error("check the store")]
    Container(#[from] container::Error),
    /// Images.
    #[error("check the store")]
    Image(#[from] image::Error),
    /// Layers.
    #[error("check the store")]
    Rootfs(#[from] rootfs::Error),
    /// Volumes.
    #[error("check the store")]
    Volume(#[from] volume::Error),
    /// Control groups.
    #[error("check the store")]
    Cgroup(#[from] cgroup::Error),
    /// The journal.
    #[error("check the store")]
    Event(#[from] event::Error),
    /// A system call failed.
    #[error("check the store")]
    System(#[from] SysError),
}

impl Error {
    fn cause(&self) -> &dyn Failure {
        match self {
            Error::Store(error) => error,
            Error::Container(error) => error,
            Error::Image(error) => error,
            Error::Rootfs(error) => error,
            Error::Volume(error) => error,
            Error::Cgroup(error) => error,
            Error::Event(error) => error,
            Error::System(error) => error,
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        self.cause().kind()
    }

    fn hint(&self) -> Option<String> {
        self.cause().hint()
    }
}
