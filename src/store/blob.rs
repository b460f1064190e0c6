//! Blobs: bytes named by their digest, as received.

use std::{
    fs::File,
    io::{Read as _, Write as _},
};

use nix::errno::Errno;

use super::{Error, Graves, Place, Store, staging};
use crate::{
    ident::{Digest, Hasher},
    sys::{
        At as _, Dir, SysError,
        lock::{Lock, is_range_shared, try_range},
        metadata_of, random_bytes, sync,
    },
};

/// `blobs/sha256`.
#[derive(Debug)]
pub struct Blobs<'s> {
    dir: &'s Dir,
    pub(super) tmp: &'s Dir,
}

/// A blob that is being written; its name is only known at the end. Dropped without
/// [`Blobs::commit`] it disappears.
#[derive(Debug)]
pub struct NewBlob<'s> {
    /// Write here.
    pub file: File,
    pub(super) name: String,
    pub(super) tmp: Option<&'s Dir>,
    /// From this length on it stays when it is dropped, for whoever goes on with it.
    pub(super) kept_from: Option<u64>,
    /// Tells sweepers that somebody writes it.
    pub(super) _lock: Lock,
}

/// The byte of a config that builds lock: saves and imports hold the whole file for less.
const BUILDS: u64 = 0;

/// What names in `tmp/` begin with.
pub(super) const PREFIX: &str = "blob-";

impl Drop for NewBlob<'_> {
    fn drop(&mut self) {
        let length = || metadata_of(&self.file).map_or(0, |metadata| metadata.size());
        if self.kept_from.is_some_and(|least| length() >= least) {
            return;
        }
        if let Some(tmp) = self.tmp {
            // The last resort of an error path: what stays is swept by a later command.
            tmp.remove_file(&self.name).ok();
        }
    }
}

impl NewBlob<'_> {
    /// It is no longer in `tmp/`.
    fn is_placed(&mut self) {
        self.tmp = None;
        self.kept_from = Some(0);
    }
}

impl<'s> Blobs<'s> {
    /// The blobs of a store.
    pub fn open(store: &'s Store) -> Result<Self, Error> {
        Ok(Self {
            dir: store.open_dir(Place::Blobs)?,
            tmp: store.open_dir(Place::Tmp)?,
        })
    }

    /// The size of a blob in bytes, `None` where there is none of this digest.
    pub fn size(&self, digest: Digest) -> Result<Option<u64>, Error> {
        let found = self
            .dir
            .find(digest.hex())
            .map_err(|source| Error::Blob { digest, source })?;
        Ok(found.map(|metadata| metadata.size()))
    }

    /// Opens a blob for reading.
    pub fn open_blob(&self, digest: Digest) -> Result<File, Error> {
        self.dir
            .open_file(digest.hex())
            .map_err(|source| Error::Blob { digest, source })
    }

    /// Reads a small blob whole and verifies it.
    pub fn read(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut file = self.open_blob(digest)?;
        file.read_to_end(&mut bytes)
            .at("read", || digest.hex())
            .map_err(|source| Error::Blob { digest, source })?;
        let found = Digest::of(&bytes);
        if found == digest {
            Ok(bytes)
        } else {
            Err(Error::Corrupt { digest, found })
        }
    }

    /// Begins a blob in `tmp/`.
    pub fn begin(&self) -> Result<NewBlob<'s>, Error> {
        let random = random_bytes().map_err(failed)?;
        let name = format!("{PREFIX}{}", Digest::of(&random).short());
        let gate = staging::gate(self.tmp).map_err(failed)?;
        let file = self.tmp.create_file(&name, 0o600).map_err(failed)?;
        let own = file.try_clone().at("dup", || name.clone());
        let lock = own.and_then(Lock::exclusive).map_err(failed)?;
        drop(gate);
        let tmp = Some(self.tmp);
        Ok(NewBlob {
            file,
            name,
            tmp,
            kept_from: None,
            _lock: lock,
        })
    }

    /// Gives a written blob its name. One that is there already stays if it is whole, for whoever relies on
    /// it has locked that one; else this one takes its place.
    pub fn commit(&self, mut blob: NewBlob<'_>, digest: Digest) -> Result<(), Error> {
        let failed = |source| Error::Blob { digest, source };
        match self.tmp.rename_new(&blob.name, self.dir, digest.hex()) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {}
            renamed => {
                renamed.map_err(failed)?;
                blob.is_placed();
                return Ok(());
            }
        }
        let size = metadata_of(&blob.file).map_err(failed)?.size();
        // What cannot be read is not whole.
        if self.size(digest)? == Some(size) && matches!(self.is_whole(digest), Ok(true)) {
            blob.kept_from = None;
            // What was written with `--sync=none` must not pass for what was synced.
            let kept = self.open_blob(digest)?;
            return sync::data(&kept).map_err(failed);
        }
        self.tmp
            .rename(&blob.name, self.dir, digest.hex())
            .map_err(failed)?;
        blob.is_placed();
        Ok(())
    }

    /// Whether a blob has the digest that is its name; reads all of it.
    pub fn is_whole(&self, digest: Digest) -> Result<bool, Error> {
        let mut hasher = Hasher::new();
        let read = std::io::copy(&mut self.open_blob(digest)?, &mut hasher);
        read.at("read", || digest.hex())
            .map_err(|source| Error::Blob { digest, source })?;
        Ok(hasher.finish() == digest)
    }

    /// Stores bytes under their digest; they survive a power cut, their name after
    /// [`Blobs::sync_names`].
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        // One that is there and damaged is written again.
        if self.size(digest)? == Some(bytes.len() as u64) && self.read(digest).is_ok() {
            return Ok(digest);
        }
        let mut blob = self.begin()?;
        blob.file
            .write_all(bytes)
            .at("write", || digest.hex())
            .and_then(|()| sync::data(&blob.file))
            .map_err(|source| Error::Blob { digest, source })?;
        self.commit(blob, digest)?;
        Ok(digest)
    }

    /// Makes the names of all blobs survive a power cut: before a record tells of them.
    pub fn sync_names(&self) -> Result<(), Error> {
        sync::directory(self.dir).map_err(failed)
    }

    /// Keeps a blob from being removed as long as the answer lives; with its size in bytes. `None`
    /// where there is none of this digest.
    pub fn hold(&self, digest: Digest) -> Result<Option<(u64, Lock)>, Error> {
        let failed = |source| Error::Blob { digest, source };
        loop {
            let file = match self.dir.open_file(digest.hex()) {
                Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
                file => file.map_err(failed)?,
            };
            let own = metadata_of(&file).map_err(failed)?;
            let lock = Lock::shared(file).map_err(failed)?;
            // It may have gone while we waited, and another may have come.
            let now = self.dir.find(digest.hex()).map_err(failed)?;
            if now.is_some_and(|now| (now.dev(), now.ino()) == (own.dev(), own.ino())) {
                return Ok(Some((own.size(), lock)));
            }
        }
    }

    /// Says that somebody builds on the image of this config, as long as the answer lives; `None`
    /// where there is none. The caller sees to it that nobody removes it at that moment.
    pub fn rely_on(&self, digest: Digest) -> Result<Option<File>, Error> {
        let failed = |source| Error::Blob { digest, source };
        let file = match self.dir.open_file(digest.hex()) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
            file => file.map_err(failed)?,
        };
        // Nobody takes it alone.
        let got = try_range(&file, BUILDS, false).map_err(failed)?;
        Ok(got.then_some(file))
    }

    /// Whether somebody does.
    pub fn is_relied_on(&self, digest: Digest) -> Result<bool, Error> {
        let failed = |source| Error::Blob { digest, source };
        match self.dir.open_file(digest.hex()) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
            file => is_range_shared(&file.map_err(failed)?, BUILDS).map_err(failed),
        }
    }

    /// Keeps everybody else from a blob, if nobody holds it.
    pub fn try_hold_alone(&self, digest: Digest) -> Result<Option<Lock>, Error> {
        let failed = |source| Error::Blob { digest, source };
        let file = self.dir.open_file(digest.hex()).map_err(failed)?;
        Lock::try_exclusive(file).map_err(failed)
    }

    /// Removes a blob that nobody holds; tells whether it is gone.
    pub fn bury(&self, digest: Digest, graves: &mut Graves<'_>) -> Result<bool, Error> {
        let failed = |source| Error::Blob { digest, source };
        let file = match self.dir.open_file(digest.hex()) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(true),
            file => file.map_err(failed)?,
        };
        match Lock::try_exclusive(file).map_err(failed)? {
            Some(_lock) => graves.bury(self.dir, &digest.hex()).map(|()| true),
            None => Ok(false),
        }
    }

    /// The digests of all blobs.
    pub fn list(&self) -> Result<Vec<Digest>, Error> {
        let names = self.dir.entries().map_err(failed)?;
        let digest = |name: &std::ffi::OsString| Digest::from_hex(name.to_str()?).ok();
        Ok(names.iter().filter_map(digest).collect())
    }

    /// For `syncfs`: the directory itself.
    pub fn dir(&self) -> &Dir {
        self.dir
    }
}

pub(super) fn failed(source: SysError) -> Error {
    Error::System {
        what: "write blob".to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_empty(store: &Store, place: Place) -> bool {
        store.open_dir(place).unwrap().entries().unwrap().is_empty()
    }

    #[test]
    fn a_blob_that_was_put_meanwhile_keeps_its_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let blobs = Blobs::open(&store).unwrap();
        let digest = blobs.put(b"config").unwrap();
        let relied_on = blobs.rely_on(digest).unwrap().unwrap();
        let another = |bytes: &[u8]| {
            let mut blob = blobs.begin().unwrap();
            blob.file.write_all(bytes).unwrap();
            blobs.commit(blob, digest).unwrap();
        };
        another(b"config");
        assert!(blobs.is_relied_on(digest).unwrap());
        assert!(is_empty(&store, Place::Tmp));
        drop(relied_on);
        // A damaged one gives way.
        blobs.dir.remove_file(digest.hex()).unwrap();
        let mut file = blobs.dir.create_file(digest.hex(), 0o600).unwrap();
        file.write_all(b"c0nfig").unwrap();
        another(b"config");
        assert_eq!(blobs.read(digest).unwrap(), b"config");
    }

    #[test]
    fn a_blob_that_somebody_relies_on_is_not_replaced() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let blobs = Blobs::open(&store).unwrap();
        let digest = blobs.put(b"some bytes").unwrap();
        let held = blobs.hold(digest).unwrap();
        let mut again = blobs.begin().unwrap();
        again.file.write_all(b"some bytes").unwrap();
        blobs.commit(again, digest).unwrap();
        let mut graves = Graves::new(&store).unwrap();
        assert!(!blobs.bury(digest, &mut graves).unwrap());
        assert_eq!(blobs.read(digest).unwrap(), b"some bytes");
        assert!(is_empty(&store, Place::Tmp));
        drop(held);
        assert!(blobs.bury(digest, &mut graves).unwrap());
    }
}
