//! `Staging`: a directory in `tmp/` that somebody is filling.
//!
//! It is locked as long as its maker lives; an unlocked one is garbage that anybody may remove.
//! `tmp/` itself is the gate between the two: it is shared by makers until theirs is locked.

use std::ffi::OsString;

use nix::errno::Errno;

use super::{BLOB_PREFIX, Error, Place, Store, record};
use crate::sys::{
    Dir, FileKind, Result as SysResult, SysError, lock::Lock, random_bytes, remove_tree,
};

/// Keeps sweepers out of `tmp/` until what was made there is locked, or has its final name.
pub(super) fn gate(tmp: &Dir) -> SysResult<Lock> {
    // Opened anew: a lock belongs to the open file, which a duplicate would share.
    Lock::shared(tmp.open_dir(".")?.into_fd().into())
}

/// A locked directory in `tmp/`; dropping it without [`Staging::publish`] removes it.
#[derive(Debug)]
pub struct Staging {
    tmp: Dir,
    name: String,
    dir: Dir,
    lock: Option<Lock>,
}

impl Staging {
    /// Makes one called `name` (unique: a digest or an id), after removing the leftovers of a
    /// maker of the same name that died.
    pub fn begin(store: &Store, name: &str) -> Result<Self, Error> {
        let failed = |source| Error::System {
            what: format!("make tmp/{name}"),
            source,
        };
        let tmp = store.open_dir(Place::Tmp)?;
        let gate = gate(&tmp).map_err(failed)?;
        tmp.make_dir(name, 0o700).map_err(failed)?;
        let dir = tmp.open_dir(name).map_err(failed)?;
        let own = dir.try_clone().map_err(failed)?;
        let lock = Lock::exclusive(own.into_fd().into()).map_err(failed)?;
        drop(gate);
        Ok(Self {
            tmp,
            name: name.to_owned(),
            dir,
            lock: Some(lock),
        })
    }

    /// One with a random name.
    pub fn begin_unnamed(store: &Store) -> Result<Self, Error> {
        let failed = |source| Error::System {
            what: "make tmp directory".to_owned(),
            source,
        };
        let random = random_bytes().map_err(failed)?;
        Self::begin(store, &crate::ident::Digest::of(&random).hex())
    }

    /// The directory to fill.
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Moves it, whole, to its final name and keeps the lock. `None` where that name is taken
    /// already: somebody made the same thing meanwhile.
    pub fn publish(mut self, into: &Dir, name: &str) -> Result<Option<(Dir, Lock)>, Error> {
        let failed = |source: SysError| Error::System {
            what: format!("publish {name}"),
            source,
        };
        match self.tmp.rename_new(&self.name, into, name) {
            Ok(()) => {
                let lock = self.lock.take().expect("taken here only");
                let dir = self.dir.try_clone().map_err(failed)?;
                Ok(Some((dir, lock)))
            }
            Err(error) if matches!(error.errno(), Some(Errno::EEXIST | Errno::ENOTEMPTY)) => {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes what dead makers left in `tmp/`.
    pub fn sweep(store: &Store) -> Result<(), Error> {
        let failed = |source| Error::System {
            what: "sweep tmp".to_owned(),
            source,
        };
        let tmp = store.open_dir(Place::Tmp)?;
        let own = tmp.open_dir(".").map_err(failed)?;
        let Some(gate) = Lock::try_exclusive(own.into_fd().into()).map_err(failed)? else {
            return Ok(());
        };
        let mut dead = Vec::new();
        for name in tmp.entries().map_err(failed)? {
            match tmp.find(&name).map_err(failed)?.map(|found| found.kind()) {
                Some(FileKind::Directory) => dead.extend(dead_dir(&tmp, &name)),
                Some(FileKind::File) => sweep_file(&tmp, &name).map_err(failed)?,
                _ => {}
            }
        }
        // Trees take a while to go; they are locked, by us.
        drop(gate);
        for (name, _lock) in dead {
            remove_tree(&tmp, &name).map_err(failed)?;
        }
        Ok(())
    }
}

fn dead_dir(tmp: &Dir, name: &OsString) -> Option<(OsString, Lock)> {
    let dir = tmp.open_dir(name).ok()?;
    let lock = Lock::try_exclusive(dir.into_fd().into()).ok()??;
    Some((name.clone(), lock))
}

/// Blobs are locked by their writers, records are written behind the gate.
fn sweep_file(tmp: &Dir, name: &OsString) -> SysResult<()> {
    let text = name.to_string_lossy();
    let is_dead = if text.starts_with(BLOB_PREFIX) {
        Lock::try_exclusive(tmp.open_file(name)?)?.is_some()
    } else {
        text.starts_with(record::PREFIX)
    };
    if is_dead {
        tmp.remove_file(name)?;
    }
    Ok(())
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // The last resort of an error path: what stays is swept by the next command.
            remove_tree(&self.tmp, &self.name).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_published_disappears() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let staging = Staging::begin(&store, "x").unwrap();
        staging.dir().make_dir("sub", 0o755).unwrap();
        drop(staging);
        assert!(
            store
                .open_dir(Place::Tmp)
                .unwrap()
                .entries()
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn the_second_of_two_equal_makers_steps_back() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let layers = store.open_dir(Place::Layers).unwrap();
        let first = Staging::begin(&store, "a").unwrap();
        let second = Staging::begin(&store, "b").unwrap();
        assert!(first.publish(&layers, "same").unwrap().is_some());
        assert!(second.publish(&layers, "same").unwrap().is_none());
    }

    #[test]
    fn sweep_spares_what_is_being_filled() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        let busy = Staging::begin(&store, "busy").unwrap();
        tmp.make_dir("dead", 0o700).unwrap();
        for dead in ["blob-1", "record-1"] {
            tmp.create_file(dead, 0o600).unwrap();
        }
        let blob = crate::store::Blobs::open(&store).unwrap().begin().unwrap();
        Staging::sweep(&store).unwrap();
        let mut left = tmp.sorted_entries().unwrap();
        assert_eq!(left.pop().unwrap(), "busy");
        assert_eq!(left.len(), 1);
        drop((busy, blob));
        assert!(tmp.entries().unwrap().is_empty());
    }

    #[test]
    fn nobody_sweeps_while_somebody_begins() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        let gate = gate(&tmp).unwrap();
        tmp.make_dir("not-locked-yet", 0o700).unwrap();
        Staging::sweep(&store).unwrap();
        assert_eq!(tmp.entries().unwrap(), ["not-locked-yet"]);
        drop(gate);
        Staging::sweep(&store).unwrap();
        assert!(tmp.entries().unwrap().is_empty());
    }
}
