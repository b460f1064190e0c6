//! Makes a layer's entries on disk.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    io::{BufRead, Read},
};

use nix::errno::Errno;

use super::{
    Compression, EntryMetadata, Error, Limits, Notes, PathBytes, content,
    entry::{self, Change, Dialect, LayerEntry},
    frame::Frames,
    index::Made,
    metadata,
    pipe::{self, Input},
    places::{Named as _, Parent, Places},
    sparse::SparseMap,
};
use crate::{
    ident::{DiffId, Digest},
    sys::{Dir, FileKind, RootDir, SysError, process},
};

/// An unpacked layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The digest of the blob as it came in.
    pub blob: Digest,
    /// Its size in bytes.
    pub blob_size: u64,
    /// The digest of the tar.
    pub diff_id: DiffId,
    /// The tar's size in bytes.
    pub tar_size: u64,
    /// What [`settle`](super::settle()) needs.
    pub notes: Notes,
}

impl From<pipe::Digested> for Unpacked {
    /// A blob that was read and not unpacked.
    fn from(digested: pipe::Digested) -> Self {
        let pipe::Digested {
            blob,
            blob_size,
            diff_id,
            tar_size,
        } = digested;
        Self {
            blob,
            blob_size,
            diff_id,
            tar_size,
            notes: Notes::default(),
        }
    }
}

/// Unpacks a blob into the empty directory `target`; nothing outside it is touched.
///
/// Whiteouts are noted, not applied. Directories that no entry describes are root's, 0755, with the
/// time they were made: see [`settle`](super::settle()). The blob is also written to `copy_to` as
/// it comes in. Nothing is synced to disk.
///
/// The digests are of what was read; comparing them with what was expected is the caller's part.
///
/// # Errors
///
/// On any error `target` is left half filled, to be removed by the caller.
pub fn unpack(
    blob: impl Read + Send,
    compression: Compression,
    target: &Dir,
    limits: &Limits,
    copy_to: Option<&File>,
) -> Result<Unpacked, Error> {
    let input = Input {
        blob,
        compression,
        limits,
        copy_to,
    };
    let (digested, notes) = pipe::run(input, |tar| {
        process::unmask_this_thread().map_err(at_root)?;
        unpack_tar(tar, target, limits)
    })?;
    Ok(Unpacked {
        blob: digested.blob,
        blob_size: digested.blob_size,
        diff_id: digested.diff_id,
        tar_size: digested.tar_size,
        notes,
    })
}

fn at_root(source: SysError) -> Error {
    Error::Entry {
        entry: PathBytes::default(),
        source,
    }
}

/// Makes the entries of a tar that was decoded already.
fn unpack_tar(tar: impl BufRead, target: &Dir, limits: &Limits) -> Result<Notes, Error> {
    let target = target.try_clone().map_err(at_root)?;
    let mut sink = Sink {
        limits,
        places: Places::new(RootDir::new(target)),
        whiteouts: BTreeSet::new(),
        opaques: BTreeSet::new(),
        notes: Notes::default(),
        noted: 0,
    };
    let mut frames = Frames::new(tar, limits);
    while let Some(frame) = frames.next()? {
        let entry = entry::read(&frame, limits, Dialect::Layer)?;
        sink.count(&entry)?;
        let path = entry.path.clone();
        sink.apply(entry, &mut frames)?;
        sink.check_kept(&path)?;
    }
    sink.finish()
}

struct Sink<'a> {
    limits: &'a Limits,
    places: Places,
    whiteouts: BTreeSet<PathBytes>,
    opaques: BTreeSet<PathBytes>,
    notes: Notes,
    /// Bytes in `whiteouts` and `opaques`.
    noted: u64,
}

impl Sink<'_> {
    /// Counts against the limits before anything is made.
    fn count(&mut self, entry: &LayerEntry) -> Result<(), Error> {
        self.notes.entries += 1;
        if let Change::File { size, .. } = entry.change {
            self.notes.bytes = self.notes.bytes.saturating_add(size);
        }
        let limit = |what, limit| {
            Err(Error::Limit {
                entry: entry.path.clone(),
                what,
                limit,
            })
        };
        if self.notes.entries > self.limits.entries {
            return limit("entries", self.limits.entries);
        }
        if self.notes.bytes > self.limits.bytes {
            return limit("bytes of files", self.limits.bytes);
        }
        Ok(())
    }

    fn check_kept(&self, path: &PathBytes) -> Result<(), Error> {
        let limit = self.limits.kept_bytes;
        if self.places.index.weight() + self.noted <= limit {
            return Ok(());
        }
        let what = "bytes of directories, links and whiteouts";
        Err(Error::Limit {
            entry: path.clone(),
            what,
            limit,
        })
    }

    fn apply(
        &mut self,
        entry: LayerEntry,
        frames: &mut Frames<'_, impl BufRead>,
    ) -> Result<(), Error> {
        let LayerEntry {
            path,
            change,
            metadata,
        } = entry;
        match change {
            Change::Skipped => Ok(()),
            Change::Opaque if path.is_root() => {
                self.notes.opaque_root = true;
                Ok(())
            }
            Change::Opaque => {
                self.note(path, true);
                Ok(())
            }
            Change::Whiteout => {
                self.note(path, false);
                Ok(())
            }
            Change::Directory if path.is_root() => {
                self.notes.root = Some(metadata);
                Ok(())
            }
            Change::Directory => self.make_directory(&path, metadata),
            Change::File { sparse, .. } => {
                self.make_file(&path, &metadata, sparse.as_ref(), frames)
            }
            Change::Symlink(target) => self.make_symlink(&path, &metadata, target),
            Change::Node { kind, device } => self.make_node(&path, &metadata, kind, device),
            Change::HardLink(target) => self.make_hard_link(&path, &target),
        }
    }

    /// As named: below a link of this layer there is nothing to hide, whichever came first.
    fn note(&mut self, path: PathBytes, is_opaque: bool) {
        let length = path.as_bytes().len() as u64 + 64;
        let notes = if is_opaque {
            &mut self.opaques
        } else {
            &mut self.whiteouts
        };
        if notes.insert(path) {
            self.noted += length;
        }
    }

    fn make_directory(&mut self, path: &PathBytes, metadata: EntryMetadata) -> Result<(), Error> {
        let (parent, name) = self.places.parent(path)?;
        // What is above the permission bits, and taking rights away, must wait for the children.
        let mode = metadata.mode & 0o777 | 0o700;
        let exists = |errno| errno == Some(Errno::EEXIST);
        match parent.dir.make_dir(name, mode) {
            Err(error) if exists(error.errno()) => {
                let found = parent.dir.metadata(name).named(path)?;
                if !found.is_dir() {
                    self.places.remove(&parent, name, path)?;
                    parent.dir.make_dir(name, mode).named(path)?;
                }
            }
            done => done.named(path)?,
        }
        self.places
            .index
            .insert(parent.path.join(name), Made::Directory(metadata));
        Ok(())
    }

    fn make_file(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        sparse: Option<&SparseMap>,
        frames: &mut Frames<'_, impl BufRead>,
    ) -> Result<(), Error> {
        let (parent, name) = self.places.parent(path)?;
        let make = |dir: &Dir| dir.create_file(name, metadata.mode);
        let mut file = self.make_new(&parent, path, make)?;
        let sink = content::Sink {
            file: &mut file,
            hasher: None,
            path,
        };
        content::write(frames, sparse, sink)?;
        metadata::to_new_file(&file, metadata).named(path)
    }

    fn make_symlink(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        target: Vec<u8>,
    ) -> Result<(), Error> {
        let (parent, name) = self.places.parent(path)?;
        let text = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&target);
        self.make_new(&parent, path, |dir| dir.make_symlink(text, name))?;
        metadata::to_name(&parent.dir, name, metadata, true).named(path)?;
        self.places
            .index
            .insert(parent.path.join(name), Made::Symlink(target));
        Ok(())
    }

    fn make_node(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        kind: FileKind,
        device: (u64, u64),
    ) -> Result<(), Error> {
        let (parent, name) = self.places.parent(path)?;
        let make = |dir: &Dir| dir.make_node(name, kind, metadata.mode, device);
        self.make_new(&parent, path, make)?;
        metadata::to_name(&parent.dir, name, metadata, false).named(path)
    }

    fn make_hard_link(&mut self, path: &PathBytes, target: &PathBytes) -> Result<(), Error> {
        let missing = || Error::LinkTarget {
            entry: path.clone(),
            target: target.clone(),
        };
        let (from, old_name) = self
            .places
            .existing_parent(path, target)?
            .ok_or_else(missing)?;
        let found = from.dir.find(old_name).named(path)?.ok_or_else(missing)?;
        if found.is_dir() {
            let why = "a hard link to a directory".into();
            return Err(Error::Malformed {
                entry: path.clone(),
                why,
            });
        }
        let (parent, name) = self.places.parent(path)?;
        let (old, new) = (from.path.join(old_name), parent.path.join(name));
        if old == new {
            return Ok(());
        }
        match self.make_new(&parent, path, |dir| from.dir.link(old_name, dir, name)) {
            // The target was below what had to make room.
            Err(Error::Entry { source, .. }) if source.errno() == Some(Errno::ENOENT) => {
                return Err(missing());
            }
            made => made?,
        }
        if let Some(Made::Symlink(text)) = self.places.index.get(old.as_bytes()) {
            self.places.index.insert(new, Made::Symlink(text.clone()));
        }
        Ok(())
    }

    /// Makes something under a name that is free afterwards: the last entry of a name wins.
    fn make_new<T>(
        &mut self,
        parent: &Parent,
        path: &PathBytes,
        make: impl Fn(&Dir) -> crate::sys::Result<T>,
    ) -> Result<T, Error> {
        match make(&parent.dir) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {
                self.places.remove(parent, path.split().1, path)?;
                make(&parent.dir).named(path)
            }
            done => done.named(path),
        }
    }

    /// Gives directories their metadata, children first: a time would not survive later children,
    /// and a mode of 0 would keep us out.
    fn finish(mut self) -> Result<Notes, Error> {
        for (path, made) in self.places.index.deepest_first() {
            match made {
                Made::Implied => self.notes.implied.push(path.clone()),
                Made::Directory(metadata) => {
                    let dir = self.places.open(path).named(path)?;
                    metadata::to_directory(&dir, metadata).named(path)?;
                }
                Made::Symlink(_) => {}
            }
        }
        if let Some(metadata) = &self.notes.root {
            metadata::to_directory(self.places.top(), metadata).named(&PathBytes::default())?;
        }
        self.notes.implied.reverse();
        self.notes.whiteouts = self.whiteouts.into_iter().collect();
        self.notes.opaques = self.opaques.into_iter().collect();
        Ok(self.notes)
    }
}
