//! What a container changed: a walk of its upper dir beside the layers below.
//!
//! Costs what was changed, not what the image holds. Where a file was copied up and nothing about
//! it differs, nothing is listed (semantics 67).

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    Error, Snapshot, diff_marked,
    merged::{Leaf, Merged, Seen},
};
use crate::sys::{Dir, FileKind, Metadata, Result as SysResult, SysError, xattr};

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the words are Docker's")]
pub enum ChangeKind {
    Modified,
    Added,
    Deleted,
}

impl ChangeKind {
    /// `C`, `A` or `D`.
    pub fn letter(self) -> char {
        match self {
            ChangeKind::Modified => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        }
    }
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// As the container sees it.
    pub path: PathBuf,
    /// What happened.
    pub kind: ChangeKind,
}

/// The changes in a snapshot's upper dir, parents before children, in byte order.
pub fn diff(snapshot: &Snapshot) -> Result<Vec<Change>, Error> {
    if snapshot.marks().redirect {
        return diff_marked::diff(snapshot);
    }
    let look = || -> SysResult<Vec<Change>> {
        let overlay = &snapshot.overlay;
        let upper = Dir::open(&overlay.base.join(&overlay.upper))?;
        let lowers = snapshot.lower_paths();
        let open = lowers.iter().map(|lower| Dir::open(lower));
        let lowers = open.collect::<SysResult<Vec<_>>>()?;
        walk(&upper, lowers.into_iter().enumerate().collect())
    };
    look().map_err(|source| Error::System {
        what: "compare upper dir".to_owned(),
        source,
    })
}

/// The changes in an upper dir over these lower dirs, topmost first.
pub fn diff_dirs(upper: &Dir, lowers: &[&Dir]) -> SysResult<Vec<Change>> {
    let lowers = lowers.iter().map(|dir| dir.try_clone()).enumerate();
    let lowers = lowers.map(|(number, dir)| Ok((number, dir?)));
    walk(upper, lowers.collect::<SysResult<_>>()?)
}

fn walk(upper: &Dir, lowers: Vec<(usize, Dir)>) -> SysResult<Vec<Change>> {
    let mut walk = Walk {
        changes: Vec::new(),
        depth: 0,
    };
    walk.directory(upper, &Merged::new(lowers), Path::new("/"))?;
    Ok(walk.changes)
}

struct Walk {
    changes: Vec<Change>,
    /// How far below the top we are.
    depth: usize,
}

/// A container can make directories in directories without an end, and our stack has one.
const DEPTH_MAX: usize = 1000;

impl Walk {
    /// Whether anything at or below `path` changed.
    fn directory(&mut self, upper: &Dir, lowers: &Merged, path: &Path) -> SysResult<bool> {
        if self.depth > DEPTH_MAX {
            let detail = format!("more than {DEPTH_MAX} directories deep");
            return Err(SysError::new("openat", detail, Errno::ELOOP));
        }
        let before = self.changes.len();
        self.depth += 1;
        for name in upper.sorted_entries()? {
            self.entry(upper, lowers, &name, &path.join(&name))?;
        }
        self.depth -= 1;
        Ok(self.changes.len() > before)
    }

    fn push(&mut self, path: &Path, kind: ChangeKind) {
        self.changes.push(Change {
            path: path.to_owned(),
            kind,
        });
    }

    fn entry(&mut self, upper: &Dir, lowers: &Merged, name: &OsStr, path: &Path) -> SysResult<()> {
        let metadata = upper.metadata(name)?;
        let below = lowers.find(name)?;
        if metadata.is_whiteout() {
            if !matches!(below, Seen::Nothing) {
                self.push(path, ChangeKind::Deleted);
            }
            return Ok(());
        }
        match below {
            Seen::Nothing => {
                self.push(path, ChangeKind::Added);
                self.added_children(upper, name, &metadata, path)
            }
            Seen::Directory(dirs, old) if metadata.is_dir() => {
                self.merged(upper, name, path, (&dirs, &old, &metadata))
            }
            Seen::Directory(..) => {
                self.push(path, ChangeKind::Modified);
                Ok(())
            }
            Seen::Leaf(old) => {
                if metadata.is_dir() {
                    self.push(path, ChangeKind::Modified);
                    return self.added_children(upper, name, &metadata, path);
                }
                if differs(upper, &metadata, &old, name)? {
                    self.push(path, ChangeKind::Modified);
                }
                Ok(())
            }
        }
    }

    fn added_children(
        &mut self,
        upper: &Dir,
        name: &OsStr,
        metadata: &Metadata,
        path: &Path,
    ) -> SysResult<()> {
        if metadata.is_dir() {
            self.directory(&upper.open_dir(name)?, &Merged::empty(), path)?;
        }
        Ok(())
    }

    /// A directory on both sides: listed when it or anything in it changed.
    fn merged(
        &mut self,
        upper: &Dir,
        name: &OsStr,
        path: &Path,
        (dirs, old, new): (&Merged, &Metadata, &Metadata),
    ) -> SysResult<()> {
        let here = upper.open_dir(name)?;
        let at = self.changes.len();
        let opaque = xattr::is_opaque(&here);
        let mut changed = if opaque {
            self.replaced(&here, dirs, path)?
        } else {
            self.directory(&here, dirs, path)?
        };
        // Docker does not look at a directory's time: it says no more than its content.
        changed |= opaque || !same_metadata(old, new);
        if changed {
            let kind = ChangeKind::Modified;
            self.changes.insert(
                at,
                Change {
                    path: path.to_owned(),
                    kind,
                },
            );
        }
        Ok(())
    }

    /// An opaque directory: every old child is deleted or modified, every other one added.
    fn replaced(&mut self, here: &Dir, dirs: &Merged, path: &Path) -> SysResult<bool> {
        let before = self.changes.len();
        let mut names = dirs.names()?;
        names.extend(here.entries()?);
        names.sort();
        names.dedup();
        for name in names {
            let child = path.join(&name);
            let hidden = !matches!(dirs.find(&name)?, Seen::Nothing);
            match (here.find(&name)?, hidden) {
                (None, true) => self.push(&child, ChangeKind::Deleted),
                (None, false) => {}
                (Some(metadata), _) if metadata.is_whiteout() => {}
                (Some(metadata), hidden) => {
                    let kind = if hidden {
                        ChangeKind::Modified
                    } else {
                        ChangeKind::Added
                    };
                    self.push(&child, kind);
                    self.added_children(here, &name, &metadata, &child)?;
                }
            }
        }
        Ok(self.changes.len() > before)
    }
}

fn same_metadata(old: &Metadata, new: &Metadata) -> bool {
    (old.kind(), old.mode(), old.uid(), old.gid(), old.rdev())
        == (new.kind(), new.mode(), new.uid(), new.gid(), new.rdev())
}

/// Whether a file copied up is another one by now. A different time alone makes it one only when
/// size or bytes differ, too: a copy-up keeps the time.
fn differs(upper: &Dir, new: &Metadata, below: &Leaf, name: &OsStr) -> SysResult<bool> {
    let (lower, old) = (&below.dir, &below.metadata);
    if !same_metadata(old, new) || old.mtime() != new.mtime() {
        return Ok(true);
    }
    match new.kind() {
        FileKind::File => Ok(old.size() != new.size()),
        FileKind::Symlink => Ok(upper.read_symlink(name)? != lower.read_symlink(name)?),
        FileKind::Directory
        | FileKind::CharDevice
        | FileKind::BlockDevice
        | FileKind::Fifo
        | FileKind::Socket => Ok(false),
    }
}
