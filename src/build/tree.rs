//! `Tree`: files that may be copied: a context, or another image. Nothing outside it is ever read.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::File,
    io::Read as _,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    Error,
    error::failed,
    listing::{Entry, Kind},
};
use crate::{
    dockerfile::Ignore,
    ident::{Digest, Hasher},
    layer::PathBytes,
    sys::{
        At as _, Dir, FileKind, Metadata, Result as SysResult, RootDir, metadata_of, open_regular,
        process, xattr,
    },
};

/// Read at once.
const BUFFER: usize = 256 << 10;

/// A tree and what of it counts.
pub(super) struct Tree<'a> {
    root: &'a RootDir,
    /// Its own path, which those of what is in it begin with.
    place: PathBuf,
    ignore: Option<&'a Ignore>,
    /// The copies belong to whom the originals do.
    keeps_owners: bool,
    /// Called again and again: a signal may have come.
    pulse: &'a dyn Fn() -> Result<(), Error>,
}

/// Something in a tree.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// Without links.
    pub(super) path: PathBytes,
    pub(super) is_directory: bool,
}

impl<'a> Tree<'a> {
    /// A context: of what is ignored there is nothing.
    pub(super) fn context(
        root: &'a RootDir,
        ignore: &'a Ignore,
        pulse: &'a dyn Fn() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        Ok(Self {
            ignore: Some(ignore),
            ..Self::image(root, false, pulse)?
        })
    }

    /// An image's root.
    pub(super) fn image(
        root: &'a RootDir,
        keeps_owners: bool,
        pulse: &'a dyn Fn() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let place = process::real_path_of(root).map_err(failed("look at the files to copy"))?;
        Ok(Self {
            root,
            place,
            ignore: None,
            keeps_owners,
            pulse,
        })
    }

    fn is_ignored(&self, path: &PathBytes) -> bool {
        !path.is_root()
            && self
                .ignore
                .is_some_and(|ignore| ignore.is_ignored(path.as_bytes()))
    }

    /// Finds a path, links followed inside the tree; `None` where there is nothing, or nothing that
    /// counts.
    pub(super) fn locate(&self, path: &str) -> Result<Option<Located>, Error> {
        let what = || failed(format!("look at {path}"));
        let handle = match self.root.locate(Path::new(path)) {
            Ok(handle) => handle,
            Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR)) => {
                return Ok(None);
            }
            Err(error) => return Err(what()(error)),
        };
        let is_directory = metadata_of(&handle).map_err(what())?.is_dir();
        let real = process::real_path_of(&handle).map_err(what())?;
        let below = real.strip_prefix(&self.place);
        let Ok(below) = below.or_else(|_| real.strip_prefix("/")) else {
            return Ok(None);
        };
        let path = PathBytes::new(below.as_os_str().as_bytes());
        let keeps = is_directory && self.ignore.is_some_and(Ignore::keeps_any);
        if self.is_ignored(&path) && !keeps {
            return Ok(None);
        }
        Ok(Some(Located { path, is_directory }))
    }

    /// What a located thing is; of a directory, everything in it.
    pub(super) fn entries(
        &self,
        located: &Located,
        remarks: &mut Vec<String>,
    ) -> Result<Vec<Entry>, Error> {
        if located.is_directory {
            return self.below(&located.path, remarks);
        }
        let (parent, name) = located.path.split();
        let parent = PathBytes::new(parent);
        let dir = self.open(&parent)?;
        let found = self.entry(&dir, name, &located.path, remarks)?;
        Ok(found.into_iter().collect())
    }

    fn open(&self, path: &PathBytes) -> Result<Dir, Error> {
        let dir = self.root.open_dir_without_links(path.as_path());
        dir.map_err(failed(format!("open directory {path}")))
    }

    fn below(&self, top: &PathBytes, remarks: &mut Vec<String>) -> Result<Vec<Entry>, Error> {
        let (mut entries, mut kept) = (Vec::new(), HashSet::new());
        self.walk(top, &mut |dir, name, path| {
            let ignored = self.is_ignored(path);
            if ignored && !dir.metadata(name).is_ok_and(|found| found.is_dir()) {
                return Ok(false);
            }
            let Some(entry) = self.entry(dir, name, path, remarks)? else {
                return Ok(false);
            };
            let is_directory = entry.kind == Kind::Directory;
            if !ignored {
                keep_parents(path, &mut kept);
            }
            entries.push((entry, ignored));
            Ok(is_directory && (!ignored || self.ignore.is_some_and(Ignore::keeps_any)))
        })?;
        let counts = |(entry, ignored): &(Entry, bool)| !ignored || kept.contains(&entry.path);
        entries.retain(counts);
        Ok(entries.into_iter().map(|(entry, _)| entry).collect())
    }

    /// Every path in the tree that counts, in byte order, for patterns.
    pub(super) fn paths(&self) -> Result<Vec<PathBytes>, Error> {
        let mut paths = Vec::new();
        self.walk(&PathBytes::default(), &mut |dir, name, path| {
            let ignored = self.is_ignored(path);
            if !ignored {
                paths.push(path.clone());
            }
            let is_directory = dir.metadata(name).is_ok_and(|found| found.is_dir());
            Ok(is_directory && (!ignored || self.ignore.is_some_and(Ignore::keeps_any)))
        })?;
        paths.sort();
        Ok(paths)
    }

    /// Shows every name below a directory, a directory before what is in it; `visit` says whether to
    /// go into it. Open directories are not stacked: trees may be deeper than descriptors are many.
    fn walk(
        &self,
        top: &PathBytes,
        visit: &mut dyn FnMut(&Dir, &OsStr, &PathBytes) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut pending = vec![top.clone()];
        while let Some(path) = pending.pop() {
            let dir = self.open(&path)?;
            let names = dir.sorted_entries();
            let names = names.map_err(failed(format!("list directory {path}")))?;
            let mut below = Vec::new();
            for name in names {
                (self.pulse)()?;
                let path = path.join(&name);
                if visit(&dir, &name, &path)? {
                    below.push(path);
                }
            }
            below.reverse();
            pending.append(&mut below);
        }
        Ok(())
    }

    fn entry(
        &self,
        dir: &Dir,
        name: &OsStr,
        path: &PathBytes,
        remarks: &mut Vec<String>,
    ) -> Result<Option<Entry>, Error> {
        let look = || -> SysResult<Option<Entry>> {
            let found = dir.metadata(name)?;
            let kind = match found.kind() {
                FileKind::Directory => Kind::Directory,
                FileKind::Fifo => Kind::Fifo,
                FileKind::Symlink => Kind::Symlink {
                    target: PathBytes::new(dir.read_symlink(name)?.as_bytes()),
                },
                FileKind::File => match open_regular(dir, name)? {
                    Some((file, found)) => {
                        return Ok(Some(Entry {
                            kind: content(file)?,
                            ..self.described(dir, name, path, &found)?
                        }));
                    }
                    None => return Ok(None),
                },
                FileKind::Socket | FileKind::CharDevice | FileKind::BlockDevice => {
                    return Ok(None);
                }
            };
            Ok(Some(Entry {
                kind,
                ..self.described(dir, name, path, &found)?
            }))
        };
        let found = look().map_err(failed(format!("read {path}")))?;
        if found.is_none() {
            remarks.push(format!("{path}: sockets and devices are left out"));
        }
        Ok(found)
    }

    fn described(
        &self,
        dir: &Dir,
        name: &OsStr,
        path: &PathBytes,
        found: &Metadata,
    ) -> SysResult<Entry> {
        Ok(Entry {
            path: path.clone(),
            kind: Kind::Fifo,
            // A link's own mode means nothing, and differs from one file system to the next.
            mode: if found.kind() == FileKind::Symlink {
                0o777
            } else {
                found.mode()
            },
            owner: self.keeps_owners.then(|| (found.uid(), found.gid())),
            xattrs: attributes(dir, name)?,
        })
    }
}

/// What is kept below an ignored directory needs it.
fn keep_parents(path: &PathBytes, kept: &mut HashSet<PathBytes>) {
    let mut parent = path.clone();
    while !parent.is_root() {
        parent = PathBytes::new(parent.split().0);
        if !kept.insert(parent.clone()) {
            return;
        }
    }
}

/// The digest of a file's bytes.
pub(super) fn content(mut file: File) -> SysResult<Kind> {
    let (mut hasher, mut size, mut buffer) = (Hasher::new(), 0, vec![0; BUFFER]);
    loop {
        let count = file.read(&mut buffer).at("read", String::new)?;
        if count == 0 {
            let content = hasher.finish();
            return Ok(Kind::File { size, content });
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

/// Those that a layer keeps; what others mean to this host only does not count.
fn attributes(dir: &Dir, name: &OsStr) -> SysResult<Option<Digest>> {
    let mut keys = xattr::list(dir, name)?;
    keys.retain(|key| is_kept(key));
    if keys.is_empty() {
        return Ok(None);
    }
    keys.sort();
    let mut hasher = Hasher::new();
    for key in keys {
        let value = xattr::get(dir, name, OsStr::from_bytes(&key))?.unwrap_or_default();
        for part in [&key, &value] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(Some(hasher.finish()))
}

pub(super) fn is_kept(key: &[u8]) -> bool {
    key.starts_with(b"user.") && !key.starts_with(b"user.overlay.")
        || key == b"security.capability"
        || key.starts_with(b"system.posix_acl_")
}
