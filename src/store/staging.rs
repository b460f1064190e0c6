//! `Staging`: a directory in `tmp/` that somebody is filling.
//!
//! It is locked as long as its maker lives; an unlocked one is garbage that anybody may remove.
//! `tmp/` itself is the gate between the two: it is shared by makers until theirs is locked.

use nix::errno::Errno;

use super::{Error, Place, Store};
use crate::sys::{Dir, Result as SysResult, SysError, gone, lock::Lock, random_bytes, remove_tree};

/// Keeps sweepers out of `tmp/` until what was made there is locked, or has its final name.
pub(super) fn gate(tmp: &Dir) -> SysResult<Lock> {
    // Opened anew: a lock belongs to the open file, which a duplicate would share.
    Lock::shared(tmp.reopen()?.into_fd().into())
}

/// A locked directory in `tmp/`; dropping it without [`Staging::publish`] removes it.
#[derive(Debug)]
pub struct Staging<'s> {
    tmp: &'s Dir,
    name: String,
    dir: Dir,
    lock: Option<Lock>,
}

impl<'s> Staging<'s> {
    /// Makes one called `name` (unique: a digest or an id), after removing the leftovers of a
    /// maker of the same name that died.
    pub fn begin(store: &'s Store, name: &str) -> Result<Self, Error> {
        let failed = |source| Error::System {
            what: format!("make tmp/{name}"),
            source,
        };
        let tmp = store.open_dir(Place::Tmp)?;
        let gate = gate(tmp).map_err(failed)?;
        tmp.make_dir(name, 0o700).map_err(failed)?;
        let locked = tmp.open_dir(name).and_then(|dir| {
            let lock = Lock::exclusive(dir.try_clone()?.into_fd().into())?;
            Ok((dir, lock))
        });
        if locked.is_err() {
            tmp.remove_dir(name).ok();
        }
        drop(gate);
        let (dir, lock) = locked.map_err(failed)?;
        Ok(Self {
            tmp,
            name: name.to_owned(),
            dir,
            lock: Some(lock),
        })
    }

    /// One with a random name.
    pub fn begin_unnamed(store: &'s Store) -> Result<Self, Error> {
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

    /// Moves it, whole, to its final name in one step; what had that name is the answer's. Durable when it
    /// returns, as far as its content is. The caller sees to it that nobody uses the old one.
    ///
    /// A crash in between leaves the old one in `tmp/`, where anybody may remove it.
    pub fn replace(mut self, into: &Dir, name: &str) -> Result<Replaced<'s>, Error> {
        let failed = |source: SysError| Error::System {
            what: format!("replace {name}"),
            source,
        };
        if into.find(name).map_err(failed)?.is_none() {
            self.tmp.rename_new(&self.name, into, name)
        } else {
            self.tmp.exchange(&self.name, into, name)
        }
        .map_err(failed)?;
        // What lies in `tmp/` now is not locked any more, and nobody waits for the new one.
        self.lock = None;
        crate::sys::sync::directory(into).map_err(failed)?;
        Ok(Replaced {
            tmp: self.tmp,
            name: self.name.clone(),
        })
    }
}

/// What was in the place of something new, and is nobody's.
#[derive(Debug)]
pub struct Replaced<'s> {
    tmp: &'s Dir,
    name: String,
}

impl Replaced<'_> {
    /// Removes it, which takes a while; whoever does not leaves it to the next sweep.
    pub fn remove(self) -> Result<(), Error> {
        let removed = gone(remove_tree(self.tmp, &self.name));
        removed.map_err(|source| Error::System {
            what: "remove what was replaced".to_owned(),
            source,
        })
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // The last resort of an error path: what stays is swept by the next command.
            remove_tree(self.tmp, &self.name).ok();
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
    fn what_is_replaced_goes_and_a_name_that_is_free_is_taken() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let layers = store.open_dir(Place::Layers).unwrap();
        for round in ["first", "second"] {
            let staging = Staging::begin_unnamed(&store).unwrap();
            staging.dir().make_dir(round, 0o755).unwrap();
            staging.replace(layers, "same").unwrap().remove().unwrap();
            let now = layers.open_dir("same").unwrap().entries().unwrap();
            assert_eq!(now, [round]);
        }
        let tmp = store.open_dir(Place::Tmp).unwrap();
        assert!(tmp.entries().unwrap().is_empty());
    }

    #[test]
    fn the_second_of_two_equal_makers_steps_back() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let layers = store.open_dir(Place::Layers).unwrap();
        let first = Staging::begin(&store, "a").unwrap();
        let second = Staging::begin(&store, "b").unwrap();
        assert!(first.publish(layers, "same").unwrap().is_some());
        assert!(second.publish(layers, "same").unwrap().is_none());
    }
}
