//! The on-disk home: layout, format version, locks, records, blobs.
//!
//! ```text
//! /var/lib/cowshed/            --root, COWSHED_ROOT
//!   store.json                 format number and driver; newer or unknown is refused
//!   blobs/sha256/<hex>         manifests, configs and layers as received
//!   images/<hex>.json          one record an image, named by its manifest's digest
//!   images/names.json          names to manifest digests
//!   images/mounted/            images that are mounted on the host: one record each, and the
//!                              directories that were made for them
//!   overlay2/<chain>/diff      one unpacked layer in overlay form; layer.json beside it, and size.json
//!                              once somebody has measured it
//!   containers/<id>/           config.json, state.json, upper, work, log (and log.1, ...), control,
//!                              the supervisor's socket
//!   containers/by-name/<name>  links to ids, for names that somebody chose
//!   volumes/<name>/_data       and volume.json beside it
//!   tmp/                       everything is born here and renamed into place
//!   trash/                     what is being removed
//!   events, events.1           the journal: what was done, one JSON object a line
//!   quarantine/                what a repair could not mend: never made or emptied by anything else
//!   merged/                    empty here; each container has its union there, in its own
//!                              mount namespace
//! ```
//!
//! # Locks
//!
//! A lock is a flock(2) on the thing itself (a directory can be locked as well as a file), so
//! there are no lock files to go stale: a killed process lets go by dying, and a directory that is
//! born in `tmp/` keeps its lock when it is renamed into place.
//!
//! | lock | shared by | exclusive for | waits |
//! |---|---|---|---|
//! | the root | every command and supervisor, as long as it lives | a migration; the end of `system destroy` | shared: only for a migration; exclusive: 5 s |
//! | `merged/` | – | `system destroy` | no |
//! | `tmp/turn-<x>` | – | whoever fetches the image x from a registry | yes |
//! | `tmp/part-<x>` | – | whoever fetches the blob x | no |
//! | `overlay2/` | whoever relies on a layer that no record of its own names yet, for a moment | removing layers and blobs | both |
//! | `overlay2/<chain>/`, `blobs/sha256/<hex>` | whoever relies on it for longer: an import, a verification | removing it | users only |
//! | byte 0 of an image's config in `blobs/` (fcntl(2), of the open file) | builds that rely on the image | – (removals look whether anybody has it) | no |
//! | `images/` | – | changing names and image records | yes |
//! | `tmp/` | whoever begins something in it, until that is locked | sweeping | makers only |
//! | `tmp/<x>` | – | whoever fills it | no: it is new |
//! | `containers/<id>/` | listers, for a moment | the supervisor, as long as it runs; `rm` | no |
//! | `volumes/` | – | renaming a volume, or ending what a killed renamer began | yes |
//! | `volumes/<name>/` | containers that have it mounted, or are being created with it | removing, renaming | users only |
//! | `volumes/<name>/fill.lock` | – | filling it from an image | yes |
//! | `volumes/<name>/edit.lock` | – | changing its record | yes |
//! | `events` | whoever writes a line | putting it aside | no |
//!
//! Whoever waits takes them in this order, so that nobody waits in a circle; whoever wants one of a
//! container, a volume or the journal exclusively only tries. Whoever fills or edits a volume holds nothing that another
//! one of them wants.
//! `system check` looks without waiting: of `tmp/`, what is in it, `volumes/`, and what a dead command may have left it
//! only tries the lock, for a moment; bytes are read without any, because blobs and trees never change, and one that
//! was removed meanwhile is no fault. Its repairs have alone what they change: an unpacked layer is swapped by whoever
//! holds `overlay2/` and all containers on it exclusively; of a container, a volume or a blob they only try the lock.
//!
//! A layer that was made without a sync before the machine went down is had alone for as long as it is
//! unpacked again; who does that holds no other one of them.
//! Records are read without a lock: they are replaced by rename, so a reader sees a whole one.

//!
//! # What survives
//!
//! What a command reported as done is there after a kill at any moment, and after a power cut:
//!
//! | what | how |
//! |---|---|
//! | layers and blobs (`load`, `import`, `pull`, `build`, `commit`) | one syncfs(2) when all is written, begun early; then the final names, and fsync(2) of their directories |
//! | records of images and volumes, names, store.json, records of overlays and mounts | born in `tmp/`, fdatasync(2), rename, fsync of the directory |
//! | a container that is kept (`create`, `run`, `run -d`) | its record and its directory before the name; then `containers/`, and `by-name/` for a chosen name |
//! | removals (`rm`, `rmi`, `volume rm`, the prunes) | fsync of the directory that the name was in, before it is told |
//! | the data of a volume after `restore`, `clone`, filling | syncfs before the rename |
//! | `--sync=none`: layers and blobs | not synced; the layer's record is, and says in which boot it was made: in another one it is unpacked again from its blob before its first use (`rootfs::renew`), and where the blob is damaged the image has to be loaded again |
//!
//! Not synced, because nobody is told of them, or a crash of the machine ends them anyway: containers with
//! `--rm`; `state.json` and `health.json` (a container does not run after a reboot; of a state that is lost it
//! is said that it ended); logs and the journal, which lose their last lines; what a container writes,
//! into its upper dir or a volume, until it syncs that itself; the emptying of `trash/` and `tmp/`; known sizes
//! (`overlay2/<chain>/size.json`). `run --volatile` and `--ephemeral` ask for less still.
//!
//! A store on a tmpfs goes with the machine: nothing of this means anything there, and nothing costs.
//!
//! Ctrl-C, SIGTERM and SIGHUP are a kill after which the same process puts away what was begun
//! (`sys::last_words`).

mod blob;
mod claim;
mod destroy;
mod format;
mod graves;
mod home;
mod lease;
mod migrate;
mod part;
mod quarantine;
pub mod record;
mod staging;
mod sweep;
mod verified;

pub use blob::{Blobs, NewBlob};
pub use destroy::{Doom, Razed};
pub use format::{DRIVER, FORMAT};
pub use graves::Graves;
pub use home::{EVENTS, EVENTS_OLD, Place, QUARANTINE, Store};
pub use lease::{Lease, Tried, lease_place, try_lease};
pub use part::Turn;
pub use quarantine::{Aside, in_quarantine, keep_copy, put_aside};
pub use record::Durability;
pub use staging::{Replaced, Staging};
pub use sweep::{KEPT, leftovers, sweep, sweep_now};
pub use verified::VerifiedBlob;

use blob::PREFIX as BLOB_PREFIX;

use std::path::PathBuf;

use nix::errno::Errno;

use crate::{
    error::{ErrorKind, Failure},
    ident::Digest,
    sys::SysError,
};

/// Why the store cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root cannot be opened or made.
    #[error("open store {path}", path = path.display())]
    Open {
        /// The root.
        path: PathBuf,
        /// Why.
        source: SysError,
    },
    /// Another version of cowshed wrote this store.
    #[error("open store {path}: it has format {found}, this version knows {FORMAT}", path = path.display())]
    Format {
        /// The root.
        path: PathBuf,
        /// Its format number.
        found: u64,
    },
    /// The store needs something that this version cannot do.
    #[error("open store {path}: it needs {feature:?}, which this version does not know", path = path.display())]
    Feature {
        /// The root.
        path: PathBuf,
        /// From its header.
        feature: String,
    },
    /// `system destroy` is at work, or was killed.
    #[error("open store {path}: it is being destroyed", path = path.display())]
    Doomed {
        /// The root.
        path: PathBuf,
    },
    /// Another process destroys it at this moment.
    #[error("destroy store {path}: another process is at it", path = path.display())]
    DoomedElsewhere {
        /// The root.
        path: PathBuf,
    },
    /// Others work with a store that somebody wants alone.
    #[error("have store {path} alone: commands or containers still work with it", path = path.display())]
    Busy {
        /// The root.
        path: PathBuf,
    },
    /// What is not the store's would go with it.
    #[error("destroy store {path}: it also holds {names}, which is nothing of a store", path = path.display())]
    Strangers {
        /// The root.
        path: PathBuf,
        /// In the root.
        names: String,
    },
    /// The directory holds something else.
    #[error("open store {path}: it is not empty and has no store.json", path = path.display())]
    NotAStore {
        /// The root.
        path: PathBuf,
    },
    /// A record cannot be read.
    #[error("read record {name}")]
    Read {
        /// Its file name.
        name: String,
        /// Why.
        source: SysError,
    },
    /// A record is not what this version writes.
    #[error("parse record {name}")]
    Parse {
        /// Its file name.
        name: String,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A record cannot be written.
    #[error("write record {name}")]
    Write {
        /// Its file name.
        name: String,
        /// Why.
        source: SysError,
    },
    /// A blob is missing or unreadable.
    #[error("open blob {digest}")]
    Blob {
        /// Which one.
        digest: Digest,
        /// Why.
        source: SysError,
    },
    /// A blob's bytes are not what its name says.
    #[error("verify blob {digest}: its content has digest {found}")]
    Corrupt {
        /// What it should be.
        digest: Digest,
        /// What it is.
        found: Digest,
    },
    /// Another system call failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: String,
        /// Why.
        source: SysError,
    },
}

const NEWER: &str = "a newer cowshed wrote it: use that one, or another --root";

impl Error {
    /// Whether there is no room for a record: removing something may make some.
    pub fn is_lack_of_room(&self) -> bool {
        matches!(self, Error::Write { source, .. }
            if matches!(source.errno(), Some(Errno::ENOSPC | Errno::EDQUOT)))
    }

    /// Whether a record is there and is not what it should be: nothing that goes away by itself.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Parse { .. } => true,
            Error::Read { source, .. } => !matches!(
                source.errno(),
                Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)
            ),
            Error::Open { .. }
            | Error::Format { .. }
            | Error::Feature { .. }
            | Error::NotAStore { .. }
            | Error::Doomed { .. }
            | Error::DoomedElsewhere { .. }
            | Error::Busy { .. }
            | Error::Strangers { .. }
            | Error::Write { .. }
            | Error::Blob { .. }
            | Error::Corrupt { .. }
            | Error::System { .. } => false,
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Format { .. } | Error::Feature { .. } => ErrorKind::Unsupported,
            Error::NotAStore { .. } | Error::Strangers { .. } => ErrorKind::Invalid,
            Error::Doomed { .. } | Error::DoomedElsewhere { .. } | Error::Busy { .. } => {
                ErrorKind::InUse
            }
            Error::Parse { .. } | Error::Corrupt { .. } => ErrorKind::Corrupt,
            Error::Open { source, .. }
            | Error::Read { source, .. }
            | Error::Write { source, .. }
            | Error::Blob { source, .. }
            | Error::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Feature { .. } => Some(NEWER.to_owned()),
            Error::Format { found, .. } if *found > FORMAT => Some(NEWER.to_owned()),
            Error::Format { .. } | Error::NotAStore { .. } => {
                Some("choose an empty directory with --root or COWSHED_ROOT".to_owned())
            }
            Error::Doomed { .. } => Some(
                "cowshed system destroy finishes it; or choose another directory with --root"
                    .to_owned(),
            ),
            Error::DoomedElsewhere { .. } => None,
            Error::Busy { .. } => {
                let hint =
                    "let them end, such as cowshed events or cowshed logs -f, then do it again";
                Some(hint.to_owned())
            }
            Error::Strangers { .. } => Some("move it elsewhere first".to_owned()),
            Error::Parse { .. } => {
                let hint = "the disk, somebody else or a newer cowshed wrote it: cowshed system check tells more";
                Some(hint.to_owned())
            }
            Error::Corrupt { .. } => {
                let hint = "the disk or somebody else changed it: cowshed system check --repair mends what can be \
                            mended, and tells which images to load again";
                Some(hint.to_owned())
            }
            Error::Open { source, .. }
            | Error::Read { source, .. }
            | Error::Write { source, .. }
            | Error::Blob { source, .. }
            | Error::System { source, .. } => source.hint(),
        }
    }
}
