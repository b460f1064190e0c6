//! Puts the files of a tar into a tree that exists already and that others may change.
//!
//! Unlike a layer's target, the tree may have links: those on the way to an entry are followed
//! inside its root, as the container would follow them, never out of it. A file that is there is
//! replaced when the new one is whole.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use nix::errno::Errno;

use super::{
    Compression, EntryMetadata, Error, Limits, PathBytes, content,
    entry::{self, Change, Dialect, LayerEntry},
    frame::Frames,
    metadata,
    places::Named as _,
    sparse::SparseMap,
};
use crate::sys::{self, Dir, FileKind, Metadata, RootDir, SysError, random_bytes};

/// Where the files go.
#[derive(Debug)]
pub struct Destination<'a> {
    /// Links are followed inside it.
    pub root: &'a RootDir,
    /// A directory below the root.
    pub dir: &'a Path,
    /// What the top of the archive, the entry `.`, is called there; without one only what is
    /// below the top is put there.
    pub name: Option<&'a OsStr>,
    /// Who gets the files.
    pub owner: Owner,
}

/// Who owns what is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whom the archive names.
    Archive,
    /// Whoever makes it.
    Maker,
}

/// What was put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Placed {
    /// Bytes of a plain tar of it.
    pub tar_bytes: u64,
}

/// Reads a tar, compressed or not, to its end. Umask must be 0.
///
/// # Errors
///
/// What was put there before the error stays; a file that is not whole does not.
pub fn place(tar: impl Read, destination: &Destination<'_>) -> Result<Placed, Error> {
    let limits = limits();
    let mut tar = tar;
    let mut head = Vec::new();
    let beginning = tar.by_ref().take(6).read_to_end(&mut head);
    beginning.map_err(|source| Error::Stream { source })?;
    let compression = Compression::detect(&head);
    let tar = BufReader::with_capacity(1 << 17, Cursor::new(head).chain(tar));
    let mut tar = BufReader::with_capacity(1 << 17, compression.decoder(tar, &limits));
    let mut placer = Placer {
        to: destination,
        parent: None,
        directories: Vec::new(),
        weight: 0,
        limits: &limits,
        placed: Placed { tar_bytes: 1024 },
    };
    let read = placer.entries(&mut tar);
    let finished = placer.finish();
    read.and(finished)?;
    // Whoever writes the archive may still be writing what fills its last block.
    io::copy(&mut tar, &mut io::sink()).map_err(|source| Error::Stream { source })?;
    Ok(placer.placed)
}

/// A user's own files may be as many and as large as they are.
fn limits() -> Limits {
    Limits {
        entries: u64::MAX,
        bytes: u64::MAX,
        kept_bytes: 512 << 20,
        ..Limits::default()
    }
}

struct Placer<'a> {
    to: &'a Destination<'a>,
    /// The directory of the last entry, by its path in the archive.
    parent: Option<(Vec<u8>, Rc<Dir>)>,
    /// Path below the root, which inode it was, what it shall be like.
    directories: Vec<(PathBuf, (u64, u64), EntryMetadata)>,
    weight: u64,
    limits: &'a Limits,
    placed: Placed,
}

impl Placer<'_> {
    fn entries(&mut self, tar: &mut impl BufRead) -> Result<(), Error> {
        let mut frames = Frames::new(tar, self.limits);
        while let Some(frame) = frames.next()? {
            let LayerEntry {
                path,
                change,
                metadata,
            } = entry::read(&frame, self.limits, Dialect::Plain)?;
            self.placed.tar_bytes += 512;
            let Some(path) = self.renamed(path) else {
                continue;
            };
            match change {
                Change::Directory => self.directory(&path, metadata)?,
                Change::File { size, sparse } => {
                    self.placed.tar_bytes += size.next_multiple_of(512);
                    self.file(&path, &self.owned(metadata), sparse, &mut frames)?;
                }
                Change::Symlink(target) => self.symlink(&path, &self.owned(metadata), &target)?,
                Change::Node { kind, device } => {
                    self.device(&path, &self.owned(metadata), kind, device)?;
                }
                Change::HardLink(target) => self.hard_link(&path, target)?,
                Change::Whiteout | Change::Opaque | Change::Skipped => {}
            }
        }
        Ok(())
    }

    /// The path below the destination; `None` for the destination itself, which stays as it is.
    fn renamed(&self, path: PathBytes) -> Option<PathBytes> {
        let Some(name) = self.to.name else {
            return (!path.is_root()).then_some(path);
        };
        let top = PathBytes::new(name.as_bytes());
        Some(if path.is_root() {
            top
        } else {
            top.join(path.as_path().as_os_str())
        })
    }

    /// New files are their maker's without our doing.
    fn owned(&self, metadata: EntryMetadata) -> EntryMetadata {
        match self.to.owner {
            Owner::Archive => metadata,
            Owner::Maker => EntryMetadata {
                uid: 0,
                gid: 0,
                ..metadata
            },
        }
    }

    /// The directory of an entry, made where it is missing, and the entry's name in it.
    fn parent<'p>(&mut self, path: &'p PathBytes) -> Result<(Rc<Dir>, &'p OsStr), Error> {
        let (above, name) = path.split();
        if let Some((known, dir)) = &self.parent
            && known == above
        {
            return Ok((Rc::clone(dir), name));
        }
        let place = self.to.dir.join(OsStr::from_bytes(above));
        let (dir, _) = self.to.root.make_dirs(&place, 0o755).named(path)?;
        let dir = Rc::new(dir);
        self.parent = Some((above.to_vec(), Rc::clone(&dir)));
        Ok((dir, name))
    }

    fn directory(&mut self, path: &PathBytes, metadata: EntryMetadata) -> Result<(), Error> {
        let (parent, name) = self.parent(path)?;
        // What is above the permission bits, and taking rights away, must wait for the children.
        match parent.make_dir(name, metadata.mode & 0o777 | 0o700) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {
                if !parent.metadata(name).named(path)?.is_dir() {
                    return Err(mixed(path, true));
                }
            }
            made => made.named(path)?,
        }
        let found = parent.metadata(name).named(path)?;
        self.weight += metadata.weight() + path.as_bytes().len() as u64 + 64;
        if self.weight > self.limits.kept_bytes {
            return Err(Error::Limit {
                entry: path.clone(),
                what: "bytes of directories",
                limit: self.limits.kept_bytes,
            });
        }
        let place = self.to.dir.join(path.as_path());
        self.directories.push((place, id(&found), metadata));
        Ok(())
    }

    fn file(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        sparse: Option<SparseMap>,
        frames: &mut Frames<'_, impl BufRead>,
    ) -> Result<(), Error> {
        let make = |dir: &Dir, name: &OsStr| dir.create_file(name, metadata.mode & 0o777);
        self.put(path, make, |mut file: File, _, _| {
            match sparse {
                None => content::copy(frames, &mut file, u64::MAX, path)?,
                Some(map) => content::copy_sparse(frames, &mut file, &map, path)?,
            }
            metadata::to_new_file(&file, metadata).named(path)
        })
    }

    fn symlink(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        target: &[u8],
    ) -> Result<(), Error> {
        let make = |dir: &Dir, name: &OsStr| dir.make_symlink(OsStr::from_bytes(target), name);
        self.put(path, make, |(), dir, name| {
            metadata::to_name(dir, name, metadata, true).named(path)
        })
    }

    fn device(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        kind: FileKind,
        device: (u64, u64),
    ) -> Result<(), Error> {
        let make = |dir: &Dir, name: &OsStr| dir.make_node(name, kind, metadata.mode, device);
        self.put(path, make, |(), dir, name| {
            metadata::to_name(dir, name, metadata, false).named(path)
        })
    }

    fn hard_link(&mut self, path: &PathBytes, target: PathBytes) -> Result<(), Error> {
        let missing = Error::LinkTarget {
            entry: path.clone(),
            target: target.clone(),
        };
        let Some(target) = self.renamed(target) else {
            return Err(missing);
        };
        let (above, old) = target.split();
        let place = self.to.dir.join(OsStr::from_bytes(above));
        let from = match self.to.root.open_dir(&place) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Err(missing),
            opened => opened.named(path)?,
        };
        match from.find(old).named(path)? {
            None => return Err(missing),
            Some(found) if found.is_dir() => {
                let why = "a hard link to a directory".into();
                return Err(Error::Malformed {
                    entry: path.clone(),
                    why,
                });
            }
            Some(_) => {}
        }
        if target == *path {
            return Ok(());
        }
        let make = |dir: &Dir, name: &OsStr| from.link(old, dir, name);
        self.put(path, make, |(), _, _| Ok(()))
    }

    /// Makes something under the entry's name. What has the name is replaced at the end, unless it
    /// is a directory.
    fn put<T>(
        &mut self,
        path: &PathBytes,
        make: impl Fn(&Dir, &OsStr) -> sys::Result<T>,
        complete: impl FnOnce(T, &Dir, &OsStr) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (parent, name) = self.parent(path)?;
        match make(&parent, name) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {}
            new => {
                let completed = complete(new.named(path)?, &parent, name);
                if completed.is_err() {
                    // The first error is the one to tell.
                    parent.remove_file(name).ok();
                }
                return completed;
            }
        }
        if parent.metadata(name).named(path)?.is_dir() {
            return Err(mixed(path, false));
        }
        // The kernel only protects mounts of our own namespace from a rename.
        if parent.is_mount_point(name).named(path)? {
            let busy = SysError::new("rename", name.display().to_string(), Errno::EBUSY);
            return Err(busy).named(path);
        }
        let random = random_bytes().named(path)?;
        let stem = u64::from_ne_bytes(std::array::from_fn(|at| random[at]));
        let fresh = format!(".cowshed-{stem:016x}");
        let fresh = OsStr::new(&fresh);
        let new = make(&parent, fresh).named(path)?;
        let completed = complete(new, &parent, fresh)
            .and_then(|()| parent.rename(fresh, &parent, name).named(path));
        // Still there after an error, and where both are names of one file (rename(2)).
        parent.remove_file(fresh).ok();
        completed
    }

    /// Gives directories their metadata, the last first: a time would not survive later children,
    /// and a mode of 0 would keep us out.
    fn finish(&mut self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for (place, wanted, metadata) in std::mem::take(&mut self.directories).into_iter().rev() {
            let finished = self.finish_directory(&place, wanted, metadata);
            let path = PathBytes::new(place.as_os_str().as_bytes());
            outcome = outcome.and(finished.named(&path));
        }
        outcome
    }

    fn finish_directory(
        &self,
        place: &Path,
        wanted: (u64, u64),
        mut metadata: EntryMetadata,
    ) -> sys::Result<()> {
        let dir = match self.to.root.open_dir(place) {
            Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR)) => {
                return Ok(());
            }
            opened => opened?,
        };
        let found = dir.own_metadata()?;
        // Somebody has put another one there: not ours to change.
        if id(&found) != wanted {
            return Ok(());
        }
        if self.to.owner == Owner::Maker {
            (metadata.uid, metadata.gid) = (found.uid(), found.gid());
        }
        metadata::to_directory(&dir, &metadata)
    }
}

fn mixed(path: &PathBytes, is_directory: bool) -> Error {
    Error::Mixed {
        entry: path.clone(),
        is_directory,
    }
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
