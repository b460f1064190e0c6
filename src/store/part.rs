//! Blobs that come from far away: begun by one process, gone on with by the next.
//!
//! A part is named by the digest that the whole shall have. Its writer has its lock; without one it
//! waits for a day in `tmp/`, so that a download that was killed or broke need not begin anew.

use std::fs::File;

use super::{Blobs, Error, NewBlob, blob::failed, staging::gate};
use crate::{
    ident::Digest,
    sys::{At as _, Dir, Result as SysResult, lock::Lock, metadata_of},
};

/// What names of parts in `tmp/` begin with.
pub(super) const PREFIX: &str = "part-";

/// What names of turns in `tmp/` begin with.
pub(super) const TURN_PREFIX: &str = "turn-";

/// Less is not worth keeping.
const LEAST: u64 = 1 << 20;

/// That it is one's turn: nobody else does the same. Given back on drop or death.
#[derive(Debug)]
pub struct Turn<'s> {
    tmp: &'s Dir,
    name: String,
    _lock: Lock,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // What stays is swept by a later command.
        self.tmp.remove_file(&self.name).ok();
    }
}

impl<'s> Blobs<'s> {
    /// Goes on with a blob of this digest, or begins it: what its file has is its beginning.
    ///
    /// `None` while somebody else writes it.
    pub fn resume(&self, digest: Digest) -> Result<Option<NewBlob<'s>>, Error> {
        let name = format!("{PREFIX}{}", digest.hex());
        let _gate = gate(self.tmp).map_err(failed)?;
        let file = self.tmp.open_or_create_file(&name, 0o600).map_err(failed)?;
        let own = file
            .try_clone()
            .at("dup", || name.clone())
            .map_err(failed)?;
        let Some(lock) = Lock::try_exclusive(own).map_err(failed)? else {
            return Ok(None);
        };
        // Whoever had it may just have given it its final name.
        if !is_called(self.tmp, &name, &file).map_err(failed)? {
            return Ok(None);
        }
        Ok(Some(NewBlob {
            file,
            name,
            tmp: Some(self.tmp),
            kept_from: Some(LEAST),
            _lock: lock,
        }))
    }

    /// Forgets what is there of a blob: its bytes turned out to be others.
    pub fn forget_part(&self, digest: Digest) -> Result<(), Error> {
        match self.resume(digest)? {
            Some(mut part) => {
                part.kept_from = None;
                Ok(())
            }
            // Somebody else believes in it.
            None => Ok(()),
        }
    }

    /// Waits until nobody else has the turn for something; `waits` is told where it takes a while.
    pub fn turn(&self, digest: Digest, waits: impl FnOnce()) -> Result<Turn<'s>, Error> {
        let name = format!("{TURN_PREFIX}{}", digest.hex());
        let mut waits = Some(waits);
        loop {
            let open = || {
                let _gate = gate(self.tmp)?;
                let file = self.tmp.open_or_create_file(&name, 0o600)?;
                let own = file.try_clone().at("dup", || name.clone())?;
                Ok((Lock::try_exclusive(own)?, file))
            };
            let (lock, file) = open().map_err(failed)?;
            let lock = if let Some(lock) = lock {
                lock
            } else {
                if let Some(waits) = waits.take() {
                    waits();
                }
                let own = file.try_clone().at("dup", || name.clone());
                own.and_then(Lock::exclusive).map_err(failed)?
            };
            if is_called(self.tmp, &name, &file).map_err(failed)? {
                let tmp = self.tmp;
                return Ok(Turn {
                    tmp,
                    name,
                    _lock: lock,
                });
            }
        }
    }
}

/// Whether a name means this file still.
fn is_called(dir: &Dir, name: &str, file: &File) -> SysResult<bool> {
    let (now, own) = (dir.find(name)?, metadata_of(file)?);
    Ok(now.is_some_and(|now| (now.dev(), now.ino()) == (own.dev(), own.ino())))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::store::{Place, Store};

    fn store() -> (tempfile::TempDir, Store) {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        (scratch, store)
    }

    fn names(store: &Store) -> usize {
        store.open_dir(Place::Tmp).unwrap().entries().unwrap().len()
    }

    #[test]
    fn a_large_part_is_gone_on_with_and_a_small_one_goes() {
        let (_scratch, store) = store();
        let blobs = Blobs::open(&store).unwrap();
        let digest = Digest::of(b"x");
        let mut part = blobs.resume(digest).unwrap().unwrap();
        part.file.write_all(&[7; 1000]).unwrap();
        assert!(blobs.resume(digest).unwrap().is_none());
        drop(part);
        assert_eq!(names(&store), 0);
        let mut part = blobs.resume(digest).unwrap().unwrap();
        let large = vec![7; 1 << 20];
        part.file.write_all(&large).unwrap();
        drop(part);
        let part = blobs.resume(digest).unwrap().unwrap();
        assert_eq!(metadata_of(&part.file).unwrap().size(), 1 << 20);
        blobs.commit(part, digest).unwrap();
        assert_eq!(blobs.size(digest).unwrap(), Some(1 << 20));
        assert_eq!(names(&store), 0);
    }

    #[test]
    fn a_part_that_is_wrong_is_forgotten() {
        let (_scratch, store) = store();
        let blobs = Blobs::open(&store).unwrap();
        let digest = Digest::of(b"x");
        let mut part = blobs.resume(digest).unwrap().unwrap();
        part.file.write_all(&vec![7; 1 << 20]).unwrap();
        drop(part);
        blobs.forget_part(digest).unwrap();
        assert_eq!(names(&store), 0);
    }

    #[test]
    fn one_has_the_turn_and_the_other_waits() {
        let (_scratch, store) = store();
        let blobs = Blobs::open(&store).unwrap();
        let digest = Digest::of(b"x");
        let (told, waits) = std::sync::mpsc::channel();
        let first = blobs.turn(digest, || ()).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let blobs = Blobs::open(&store).unwrap();
                let turn = blobs.turn(digest, move || told.send(()).unwrap()).unwrap();
                drop(turn);
            });
            waits.recv().unwrap();
            assert!(!second.is_finished());
            drop(first);
        });
        assert_eq!(names(&store), 0);
    }
}
