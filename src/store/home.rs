//! `Store`: the open root and its top-level directories. Every path of the store is built here.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use nix::errno::Errno;

use super::{Durability, Error, Graves, format, record};
use crate::sys::{Dir, sync};

/// The journal that is written, in the root.
pub const EVENTS: &str = "events";

/// What was the journal before it grew too large.
pub const EVENTS_OLD: &str = "events.1";

/// Where `system check --repair` puts what it cannot mend, with a record of each; made when needed.
pub const QUARANTINE: &str = "quarantine";

/// A top-level directory of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "the layout is documented in the room's front door"
)]
pub enum Place {
    Blobs,
    Images,
    Layers,
    Containers,
    ContainerNames,
    Volumes,
    Tmp,
    Trash,
    Merged,
}

impl Place {
    /// In the order they are made.
    pub const ALL: [Place; 9] = [
        Place::Blobs,
        Place::Images,
        Place::Layers,
        Place::Containers,
        Place::ContainerNames,
        Place::Volumes,
        Place::Tmp,
        Place::Trash,
        Place::Merged,
    ];

    /// Relative to the root.
    pub fn path(self) -> &'static Path {
        Path::new(match self {
            Place::Blobs => "blobs/sha256",
            Place::Images => "images",
            Place::Layers => "overlay2",
            Place::Containers => "containers",
            Place::ContainerNames => "containers/by-name",
            Place::Volumes => "volumes",
            Place::Tmp => "tmp",
            Place::Trash => "trash",
            Place::Merged => "merged",
        })
    }
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    root: Dir,
    path: PathBuf,
    /// Opened when first asked for.
    places: [OnceLock<Dir>; Place::ALL.len()],
}

impl Store {
    /// Opens the store at `path`, making an empty one where there is nothing.
    ///
    /// # Errors
    ///
    /// A store of another format, a directory that holds something else, or a system call.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Open {
            path: path.to_owned(),
            source,
        };
        let (absolute, root) = match Dir::open(path) {
            Ok(root) => (absolute(path)?, root),
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                make_dir(path)?;
                (absolute(path)?, Dir::open(path).map_err(failed)?)
            }
            Err(error) => return Err(failed(error)),
        };
        let store = Self::of(root, absolute);
        match store.root.find(format::FILE).map_err(failed)? {
            Some(_) => format::check(&store)?,
            None => store.initialise()?,
        }
        Ok(store)
    }

    fn of(root: Dir, path: PathBuf) -> Self {
        Self {
            root,
            path,
            places: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Opens what is at `path` as it is, for whoever proves that it is a store; `None` where there is
    /// nothing.
    ///
    /// # Errors
    ///
    /// A store of another format: its rules are others. Or a system call.
    pub fn open_unproved(path: &Path) -> Result<Option<Self>, Error> {
        let root = match Dir::open(path) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
            root => root.map_err(|source| Error::Open {
                path: path.to_owned(),
                source,
            })?,
        };
        let store = Self::of(root, absolute(path)?);
        match store.header_fault() {
            Some(error @ (Error::Format { .. } | Error::Feature { .. })) => Err(error),
            _ => Ok(Some(store)),
        }
    }

    /// What is wrong with the header.
    pub fn header_fault(&self) -> Option<Error> {
        format::check(self).err()
    }

    /// Whether something in the root has a name that the store gives.
    pub fn is_own_name(name: &OsStr) -> bool {
        let own = [format::FILE, EVENTS, EVENTS_OLD, QUARANTINE, "lost+found"];
        let mut places = Place::ALL.iter();
        own.iter().any(|own| name == *own)
            || places.any(|place| place.path().iter().next() == Some(name))
    }

    /// Writes the header anew; durable when it returns.
    pub fn write_header(&self) -> Result<(), Error> {
        let (header, synced) = (format::header(), Durability::Synced);
        record::replace(self, &self.root, format::FILE, &header, synced)
    }

    fn initialise(&self) -> Result<(), Error> {
        let failed = |source| Error::Open {
            path: self.path(),
            source,
        };
        let ours = |name: &std::ffi::OsString| {
            Place::ALL
                .iter()
                .any(|place| place.path().starts_with(name))
                || name == "lost+found"
                || name == format::FILE
        };
        if !self.root.entries().map_err(failed)?.iter().all(ours) {
            return Err(Error::NotAStore { path: self.path() });
        }
        for place in Place::ALL {
            let mut here = self.root.try_clone().map_err(failed)?;
            for part in place.path() {
                // Layers hold setuid files and volumes hold data: nobody else walks in
                // (CVE-2021-41091).
                here.ensure_dir(part, 0o700).map_err(failed)?;
                here = here.open_dir(part).map_err(failed)?;
            }
        }
        // Written last: a store with it is whole.
        self.write_header()
    }

    /// The root as an absolute path.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The root.
    pub fn root(&self) -> &Dir {
        &self.root
    }

    /// A top-level directory, opened once.
    ///
    /// Not for locks: those belong to an open file, see [`super::lease_place`].
    pub fn open_dir(&self, place: Place) -> Result<&Dir, Error> {
        let cell = &self.places[place as usize];
        if let Some(dir) = cell.get() {
            return Ok(dir);
        }
        let dir = self.open_place(place)?;
        Ok(cell.get_or_init(|| dir))
    }

    fn open_place(&self, place: Place) -> Result<Dir, Error> {
        let open = || {
            let mut parts = place.path().iter();
            let first = parts.next().expect("a place has a path");
            parts.try_fold(self.root.open_dir(first)?, |dir, part| dir.open_dir(part))
        };
        open().map_err(|source| Error::System {
            what: format!("open {}", self.path.join(place.path()).display()),
            source,
        })
    }

    /// The absolute path of something in a top-level directory.
    pub fn path_in(&self, place: Place, name: &str) -> PathBuf {
        self.path.join(place.path()).join(name)
    }

    /// Sees to it that the names in a top-level directory are on disk: what was made there, moved
    /// there or removed.
    pub fn sync_names(&self, place: Place) -> Result<(), Error> {
        let dir = self.open_dir(place)?;
        sync::directory(dir).map_err(|source| Error::System {
            what: format!("sync {}", self.path.join(place.path()).display()),
            source,
        })
    }

    /// Moves a directory out of sight at once and then deletes it. The caller syncs the names of where it
    /// was if somebody is told that it is gone.
    ///
    /// A crash in between leaves it in `trash/`, where anybody may finish.
    pub fn discard(&self, from: &Dir, name: &str) -> Result<(), Error> {
        let mut graves = Graves::new(self)?;
        graves.bury(from, name)?;
        graves.empty()
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| Error::Open {
        path: path.to_owned(),
        source: crate::sys::SysError::from_io("getcwd", "", &error),
    })
}

fn make_dir(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o711)
        .create(path)
        .map_err(|error| Error::Open {
            path: path.to_owned(),
            source: crate::sys::SysError::from_io("mkdir", path.display().to_string(), &error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_is_made_and_found_again() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("a/b");
        Store::open(&root).unwrap();
        let store = Store::open(&root).unwrap();
        assert!(store.open_dir(Place::Blobs).is_ok());
        assert_eq!(store.path(), root);
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("photos")).unwrap();
        assert!(matches!(
            Store::open(scratch.path()),
            Err(Error::NotAStore { .. })
        ));
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    fn open_again(format: &serde_json::Value) -> Error {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let root = store.root();
        record::replace(&store, root, format::FILE, format, Durability::Volatile).unwrap();
        Store::open(scratch.path()).unwrap_err()
    }

    #[test]
    fn a_newer_store_is_refused() {
        let error = open_again(&serde_json::json!({"format": 99, "driver": "overlay2"}));
        assert!(matches!(error, Error::Format { found: 99, .. }));
    }

    #[test]
    fn a_store_with_an_unknown_feature_is_refused_by_its_name() {
        let newer =
            serde_json::json!({"format": 1, "driver": "overlay2", "incompatible": ["packs"]});
        let error = open_again(&newer);
        assert!(matches!(error, Error::Feature { feature, .. } if feature == "packs"));
    }
}
