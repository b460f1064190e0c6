//! Makes one entry after another in a tree that others may change.

use std::{ffi::OsStr, fs::File, io::BufRead, os::unix::ffi::OsStrExt as _, path::Path, rc::Rc};

use nix::errno::Errno;

use super::{
    EntryMetadata, Error, PathBytes, content,
    content_digest::ContentHasher,
    frame::Frames,
    metadata,
    place::{Owner, Placer},
    places::Named as _,
    sparse::SparseMap,
};
use crate::sys::{self, Dir, FileKind, Metadata, SysError, random_bytes};

impl Placer<'_> {
    /// The directory of an entry, made where it is missing, and the entry's name in it.
    fn parent<'p>(&mut self, path: &'p PathBytes) -> Result<(Rc<Dir>, &'p OsStr), Error> {
        let (above, name) = path.split();
        if let Some((known, dir)) = &self.parent
            && known == above
        {
            return Ok((Rc::clone(dir), name));
        }
        let place = self.to.dir.join(OsStr::from_bytes(above));
        let dir = if self.is_whole() {
            match self.to.root.open_dir_without_links(&place) {
                Err(error) if is_no_dir(&error) => {
                    let why = "its directory does not come before it, or is none";
                    return Err(malformed(path, why));
                }
                opened => opened.named(path)?,
            }
        } else {
            self.to.root.make_dirs(&place, 0o755).named(path)?.0
        };
        let dir = Rc::new(dir);
        self.parent = Some((above.to_vec(), Rc::clone(&dir)));
        Ok((dir, name))
    }

    pub(super) fn directory(
        &mut self,
        path: &PathBytes,
        metadata: EntryMetadata,
    ) -> Result<(), Error> {
        let (parent, name) = self.parent(path)?;
        // What is above the permission bits, and taking rights away, must wait for the children.
        match parent.make_dir(name, metadata.mode & 0o777 | 0o700) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => {
                self.refuse_twice(path)?;
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

    fn refuse_twice(&self, path: &PathBytes) -> Result<(), Error> {
        if self.is_whole() {
            return Err(malformed(path, "it is in the archive twice"));
        }
        Ok(())
    }

    pub(super) fn file(
        &mut self,
        path: &PathBytes,
        metadata: &EntryMetadata,
        sparse: Option<&SparseMap>,
        (frames, hasher): (&mut Frames<'_, impl BufRead>, Option<&mut ContentHasher>),
    ) -> Result<(), Error> {
        let make = |dir: &Dir, name: &OsStr| dir.create_file(name, metadata.mode & 0o777);
        self.put(path, make, |mut file: File, _, _| {
            let sink = content::Sink {
                file: &mut file,
                hasher,
                path,
            };
            content::write(frames, sparse, sink)?;
            metadata::to_new_file(&file, metadata).named(path)
        })
    }

    pub(super) fn symlink(
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

    pub(super) fn device(
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

    pub(super) fn hard_link(&mut self, path: &PathBytes, target: PathBytes) -> Result<(), Error> {
        let missing = Error::LinkTarget {
            entry: path.clone(),
            target: target.clone(),
        };
        let Some(target) = self.renamed(target) else {
            return Err(missing);
        };
        let (above, old) = target.split();
        let place = self.to.dir.join(OsStr::from_bytes(above));
        let from = if self.is_whole() {
            self.to.root.open_dir_without_links(&place)
        } else {
            self.to.root.open_dir(&place)
        };
        let from = match from {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Err(missing),
            Err(error) if self.is_whole() && is_no_dir(&error) => return Err(missing),
            opened => opened.named(path)?,
        };
        match from.find(old).named(path)? {
            None => return Err(missing),
            Some(found) if found.is_dir() => {
                return Err(malformed(path, "a hard link to a directory"));
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
        self.refuse_twice(path)?;
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
    pub(super) fn finish(&mut self) -> Result<(), Error> {
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

pub(super) fn malformed(path: &PathBytes, why: &'static str) -> Error {
    Error::Malformed {
        entry: path.clone(),
        why: why.into(),
    }
}

/// Nothing there, or something else, or a link on the way.
fn is_no_dir(error: &SysError) -> bool {
    let errnos = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
    error.errno().is_some_and(|errno| errnos.contains(&errno))
}

fn mixed(path: &PathBytes, is_directory: bool) -> Error {
    Error::Mixed {
        entry: path.clone(),
        is_directory,
    }
}

pub(super) fn id(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
