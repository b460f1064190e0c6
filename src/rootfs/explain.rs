//! Why each path is in a container's upper dir, and what it cost.
//!
//! The kernel leaves no log of copy-ups. What can be known is what the upper dir holds beside what is
//! below it: bytes that are the same were copied up, the others were written.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    Error, Snapshot,
    content::{other_metadata, same_content, written},
    image_diff::DEPTH_MAX,
    merged::{Leaf, Merged, Seen, bytes_of},
};
use crate::{
    layer::{Elsewhere, Marked, Marks},
    sys::{Dir, FileKind, Metadata, Result as SysResult, SysError, xattr},
};

/// Why a path is in the upper dir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopyOnWrite {
    /// It is new.
    Created,
    /// Its content, or what is in the directory, was changed.
    Modified,
    /// Only mode, owner, time or attributes were changed; the whole file was copied for it.
    MetadataCopyUp,
    /// It is as it was below: opened for writing, or changed back, or on the way to another path.
    UnchangedCopyUp,
    /// It hides what is below.
    Whiteout,
    /// A directory that hides what is in the one below.
    Opaque,
    /// It was another path's, below.
    Renamed,
    /// The runtime made it to mount something on.
    MountStub,
}

impl CopyOnWrite {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::MetadataCopyUp => "metadata-only copy-up",
            Self::UnchangedCopyUp => "unchanged copy-up",
            Self::Whiteout => "whiteout",
            Self::Opaque => "opaque",
            Self::Renamed => "renamed",
            Self::MountStub => "mount stub",
        }
    }
}

/// One path of the upper dir.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// As the container sees it.
    pub path: PathBuf,
    /// Why it is there.
    pub kind: CopyOnWrite,
    /// Bytes that are the same as below: what copy-up cost.
    pub copied: u64,
    /// Bytes that are not.
    pub written: u64,
    /// Bytes below that cannot be seen any more.
    pub hidden: u64,
    /// Where a renamed file was.
    pub from: Option<PathBuf>,
    /// What of a copied-up inode is different: `mode`, `owner`, `time`, `xattrs`.
    pub what: Vec<&'static str>,
}

/// Explains a snapshot's upper dir; parents before children, in byte order. `targets` are where
/// things are mounted.
pub fn explain(snapshot: &Snapshot, targets: &[PathBuf]) -> Result<Vec<Explained>, Error> {
    let look = || -> SysResult<Vec<Explained>> {
        let overlay = &snapshot.overlay;
        let upper = Dir::open(&overlay.base.join(&overlay.upper))?;
        let lowers = snapshot.lower_paths();
        let open = lowers.iter().map(|lower| Dir::open(lower)).enumerate();
        let lowers = open.map(|(number, dir)| Ok((number, dir?)));
        let lowers = Merged::new(lowers.collect::<SysResult<_>>()?);
        explain_dirs(&upper, &lowers, targets, snapshot.marks())
    };
    crate::sys::process::raise_file_limit();
    look().map_err(|source| Error::System {
        what: "explain upper dir".to_owned(),
        source,
    })
}

fn explain_dirs(
    upper: &Dir,
    lowers: &Merged,
    targets: &[PathBuf],
    marks: Marks,
) -> SysResult<Vec<Explained>> {
    let ways = targets.iter().flat_map(|target| target.ancestors());
    let mut walk = Walk {
        top: lowers,
        marks,
        all: Vec::new(),
        ways: ways.map(Path::to_owned).collect(),
        targets: targets.iter().cloned().collect(),
        seen: HashSet::new(),
        gone: Vec::new(),
        strangers: Vec::new(),
    };
    let top = Path::new("/");
    walk.directory(upper, lowers, (top, top), 0)?;
    walk.find_renamed()?;
    walk.show_again();
    Ok(walk.all)
}

/// A file below that a whiteout hides.
pub(super) struct Gone {
    pub(super) path: PathBuf,
    pub(super) name: OsString,
    pub(super) leaf: Leaf,
}

/// A file that is not below, and was copied up all the same.
pub(super) struct Stranger {
    /// Its number in `all`.
    pub(super) number: usize,
    pub(super) dir: Dir,
    pub(super) name: OsString,
    pub(super) metadata: Metadata,
    pub(super) origin: Vec<u8>,
}

pub(super) struct Walk<'m> {
    /// What is below all.
    pub(super) top: &'m Merged,
    /// Which marks in the upper dir are the kernel's.
    pub(super) marks: Marks,
    pub(super) all: Vec<Explained>,
    pub(super) targets: BTreeSet<PathBuf>,
    /// The targets and all directories on the way to them.
    pub(super) ways: BTreeSet<PathBuf>,
    /// Inodes with several names: the first one has the bytes.
    pub(super) seen: HashSet<u64>,
    pub(super) gone: Vec<Gone>,
    pub(super) strangers: Vec<Stranger>,
}

const ORIGIN: &str = "trusted.overlay.origin";

fn explained(path: &Path, kind: CopyOnWrite) -> Explained {
    Explained {
        path: path.to_owned(),
        kind,
        copied: 0,
        written: 0,
        hidden: 0,
        from: None,
        what: Vec::new(),
    }
}

/// A path in the container, and the one that the layers below have it under.
type Paths<'p> = (&'p Path, &'p Path);

impl Walk<'_> {
    fn directory(
        &mut self,
        upper: &Dir,
        lowers: &Merged,
        (path, old): Paths<'_>,
        depth: usize,
    ) -> SysResult<()> {
        if depth > DEPTH_MAX {
            let detail = format!("more than {DEPTH_MAX} directories deep");
            return Err(SysError::new("openat", detail, Errno::ELOOP));
        }
        for name in upper.sorted_entries()? {
            let metadata = upper.metadata(&name)?;
            let marked = Marked::read(upper, &name, self.marks)?;
            let (path, from) = (path.join(&name), from(&marked, old));
            let below = match &from {
                Some(from) => self.top.lookup(from)?,
                None => lowers.find(&name)?,
            };
            let was = from.clone().unwrap_or_else(|| old.join(&name));
            let at = self.all.len();
            if metadata.is_whiteout() {
                self.whiteout(&path, &name, below)?;
            } else if metadata.is_dir() {
                self.subdirectory((upper, &name, &metadata), below, (&path, &was), depth)?;
            } else if marked.is_metacopy {
                self.all.push(explained(&path, CopyOnWrite::MetadataCopyUp));
            } else {
                self.leaf((upper, &name, &metadata), below, &path)?;
            }
            if let (Some(from), Some(one)) = (from, self.all.get_mut(at)) {
                one.kind = CopyOnWrite::Renamed;
                one.from = Some(from);
            }
        }
        Ok(())
    }

    /// One that hides nothing is not told of.
    fn whiteout(&mut self, path: &Path, name: &OsStr, below: Seen) -> SysResult<()> {
        let hidden = match &below {
            Seen::Nothing => return Ok(()),
            Seen::Directory(dir, _) => dir.size(DEPTH_MAX)?.0,
            Seen::Leaf(leaf) => leaf.bytes(),
        };
        let kind = CopyOnWrite::Whiteout;
        self.all.push(Explained {
            hidden,
            ..explained(path, kind)
        });
        if let Seen::Leaf(leaf) = below {
            self.gone.push(Gone {
                path: path.to_owned(),
                name: name.to_owned(),
                leaf,
            });
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        (upper, name, metadata): (&Dir, &OsStr, &Metadata),
        below: Seen,
        (path, old): Paths<'_>,
        depth: usize,
    ) -> SysResult<()> {
        let here = upper.open_dir(name)?;
        let dot = OsStr::new(".");
        let (mut one, lowers) = match below {
            Seen::Nothing if self.ways.contains(path) => {
                (explained(path, CopyOnWrite::MountStub), Merged::empty())
            }
            Seen::Nothing => (explained(path, CopyOnWrite::Created), Merged::empty()),
            Seen::Leaf(leaf) => {
                let hidden = leaf.bytes();
                let modified = explained(path, CopyOnWrite::Modified);
                (Explained { hidden, ..modified }, Merged::empty())
            }
            Seen::Directory(dirs, _) if xattr::is_opaque(&here) => {
                let hidden = dirs.size(DEPTH_MAX)?.0;
                let opaque = explained(path, CopyOnWrite::Opaque);
                (Explained { hidden, ..opaque }, Merged::empty())
            }
            Seen::Directory(dirs, old) => {
                let what = match dirs.front() {
                    Some(front) => other_metadata((front, dot, &old), (&here, dot, metadata))?,
                    None => Vec::new(),
                };
                let kind = match what[..] {
                    [] => CopyOnWrite::UnchangedCopyUp,
                    // Entries came or went.
                    ["time"] => CopyOnWrite::Modified,
                    _ => CopyOnWrite::MetadataCopyUp,
                };
                (
                    Explained {
                        what,
                        ..explained(path, kind)
                    },
                    dirs,
                )
            }
        };
        let at = self.all.len();
        // What is in a new directory was made there by somebody: then it is more than a stub.
        let is_stub = one.kind == CopyOnWrite::MountStub;
        self.directory(&here, &lowers, (path, old), depth + 1)?;
        let own = |one: &Explained| one.kind != CopyOnWrite::MountStub;
        if is_stub && self.all[at..].iter().any(own) {
            one.kind = CopyOnWrite::Created;
        }
        for stranger in &mut self.strangers {
            if stranger.number >= at {
                stranger.number += 1;
            }
        }
        self.all.insert(at, one);
        Ok(())
    }

    fn leaf(
        &mut self,
        (upper, name, metadata): (&Dir, &OsStr, &Metadata),
        below: Seen,
        path: &Path,
    ) -> SysResult<()> {
        let another = metadata.nlink() > 1 && !self.seen.insert(metadata.ino());
        // A hole is not written.
        let bytes = if another {
            0
        } else {
            bytes_of(metadata).min(metadata.allocated())
        };
        let new = (upper, name, metadata);
        let one = match below {
            Seen::Nothing if self.is_stub(path, metadata) => {
                explained(path, CopyOnWrite::MountStub)
            }
            Seen::Nothing => {
                if let Some(origin) = xattr::get(upper, name, ORIGIN)? {
                    self.strangers.push(Stranger {
                        number: self.all.len(),
                        dir: upper.try_clone()?,
                        name: name.to_owned(),
                        metadata: *metadata,
                        origin,
                    });
                }
                let created = explained(path, CopyOnWrite::Created);
                Explained {
                    written: bytes,
                    ..created
                }
            }
            Seen::Directory(dir, _) => Explained {
                hidden: dir.size(DEPTH_MAX)?.0,
                written: bytes,
                ..explained(path, CopyOnWrite::Modified)
            },
            Seen::Leaf(leaf) => {
                let old = (&leaf.dir, name, &leaf.metadata);
                let what = other_metadata(old, new)?;
                let kind = if !same_content(old, new)? {
                    CopyOnWrite::Modified
                } else if what.is_empty() {
                    CopyOnWrite::UnchangedCopyUp
                } else {
                    CopyOnWrite::MetadataCopyUp
                };
                let (copied, written) = split((&leaf.dir, name, &leaf.metadata), new, bytes)?;
                Explained {
                    copied,
                    written,
                    what,
                    ..explained(path, kind)
                }
            }
        };
        self.all.push(one);
        Ok(())
    }

    fn is_stub(&self, path: &Path, metadata: &Metadata) -> bool {
        metadata.kind() == FileKind::File && metadata.size() == 0 && self.targets.contains(path)
    }
}

/// Where the layers below have what is marked so; `old` is their name of the directory it is in.
fn from(marked: &Marked, old: &Path) -> Option<PathBuf> {
    marked.elsewhere.as_ref().map(|elsewhere| match elsewhere {
        Elsewhere::Path(path) => Path::new("/").join(path.as_path()),
        Elsewhere::Name(name) => old.join(name.as_path()),
    })
}

/// Of `bytes`, those that are the same as before, and those that are not.
pub(super) fn split(
    old: (&Dir, &OsStr, &Metadata),
    new: (&Dir, &OsStr, &Metadata),
    bytes: u64,
) -> SysResult<(u64, u64)> {
    if old.2.kind() != FileKind::File || new.2.kind() != FileKind::File {
        return Ok((0, bytes));
    }
    let written = written((old.0, old.1), (new.0, new.1))?.min(bytes);
    Ok((bytes - written, written))
}
