//! What one image's tree has otherwise than another's.
//!
//! Both unions are walked side by side without a mount. Where the same layers show the same
//! directory, nothing below it can differ: images that share layers cost what is above those.

use std::{
    collections::HashMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    ChangeKind, Error, Layers,
    content::{other_metadata, same_content},
    image_view::open_stack,
    merged::{Leaf, Merged, Seen},
};
use crate::{
    ident::ChainId,
    store::Store,
    sys::{Dir, Metadata, Result as SysResult, SysError},
};

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageChange {
    /// As a container sees it.
    pub path: PathBuf,
    /// Whether it is added, deleted or changed on the way to the second image.
    pub kind: ChangeKind,
    /// Bytes in the first image; of a directory that is gone, with all below it.
    pub before: u64,
    /// Bytes in the second.
    pub after: u64,
    /// What is different: `type`, `content`, `mode`, `owner`, `time`, `xattrs`; nothing where it is
    /// on one side only.
    pub what: Vec<&'static str>,
}

/// Compares two stacks of chains (lowest first); parents before children, in byte order.
///
/// What was added is listed with all below it, what was deleted is listed once. A directory's time is
/// not looked at.
pub fn image_diff(
    store: &Store,
    old: &[ChainId],
    new: &[ChainId],
) -> Result<Vec<ImageChange>, Error> {
    let layers = Layers::open(store)?;
    let mut numbers = HashMap::new();
    for chain in old.iter().chain(new) {
        let next = numbers.len();
        numbers.entry(*chain).or_insert(next);
    }
    // The same layer has the same number in both.
    let open = |chains: &[ChainId]| -> Result<Merged, Error> {
        let stack = open_stack(&layers, chains)?.into_iter();
        Ok(Merged::new(
            stack
                .map(|(place, dir)| (numbers[&chains[place]], dir))
                .collect(),
        ))
    };
    let (old, new) = (open(old)?, open(new)?);
    let mut walk = Walk {
        changes: Vec::new(),
    };
    let walked = walk.root(&old, &new);
    walked.map_err(|source| Error::System {
        what: "compare images".to_owned(),
        source,
    })?;
    Ok(walk.changes)
}

struct Walk {
    changes: Vec<ImageChange>,
}

/// A layer can have directories in directories almost without an end, and our stack has one.
pub(super) const DEPTH_MAX: usize = 1000;

impl Walk {
    fn root(&mut self, old: &Merged, new: &Merged) -> SysResult<()> {
        if let (Some(one), Some(other)) = (old.front(), new.front()) {
            let (before, now) = (one.own_metadata()?, other.own_metadata()?);
            self.directories(
                Path::new("/"),
                (one, OsStr::new("."), &before),
                (other, OsStr::new("."), &now),
            )?;
        }
        self.directory(old, new, Path::new("/"), 0)
    }

    fn directory(
        &mut self,
        old: &Merged,
        new: &Merged,
        path: &Path,
        depth: usize,
    ) -> SysResult<()> {
        if old.layers() == new.layers() {
            return Ok(());
        }
        if depth > DEPTH_MAX {
            let detail = format!("more than {DEPTH_MAX} directories deep");
            return Err(SysError::new("openat", detail, Errno::ELOOP));
        }
        let mut names = old.names()?;
        names.extend(new.names()?);
        names.sort();
        names.dedup();
        for name in names {
            let child = path.join(&name);
            let (before, now) = (old.find(&name)?, new.find(&name)?);
            self.entry((&name, &child, depth), before, now)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        (name, path, depth): (&OsStr, &Path, usize),
        before: Seen,
        now: Seen,
    ) -> SysResult<()> {
        match (before, now) {
            (Seen::Nothing, Seen::Nothing) => Ok(()),
            (Seen::Nothing, now) => self.added(path, now, depth),
            (before, Seen::Nothing) => {
                let before = bytes_below(&before)?;
                self.push(path, ChangeKind::Deleted, (before, 0), Vec::new());
                Ok(())
            }
            (Seen::Leaf(one), Seen::Leaf(other)) => self.leaves(path, name, &one, &other),
            (Seen::Directory(one, before), Seen::Directory(other, now)) => {
                if let (Some(here), Some(there)) = (one.front(), other.front())
                    && one.layers().first() != other.layers().first()
                {
                    let dot = OsStr::new(".");
                    self.directories(path, (here, dot, &before), (there, dot, &now))?;
                }
                self.directory(&one, &other, path, depth + 1)
            }
            (before, now) => {
                let before = bytes_below(&before)?;
                let after = match &now {
                    Seen::Leaf(leaf) => leaf.bytes(),
                    Seen::Nothing | Seen::Directory(..) => 0,
                };
                self.push(path, ChangeKind::Modified, (before, after), vec!["type"]);
                match now {
                    Seen::Directory(now, _) => {
                        self.directory(&Merged::empty(), &now, path, depth + 1)
                    }
                    Seen::Nothing | Seen::Leaf(_) => Ok(()),
                }
            }
        }
    }

    fn added(&mut self, path: &Path, now: Seen, depth: usize) -> SysResult<()> {
        let after = match &now {
            Seen::Leaf(leaf) => leaf.bytes(),
            Seen::Nothing | Seen::Directory(..) => 0,
        };
        self.push(path, ChangeKind::Added, (0, after), Vec::new());
        match now {
            Seen::Directory(now, _) => self.directory(&Merged::empty(), &now, path, depth + 1),
            Seen::Nothing | Seen::Leaf(_) => Ok(()),
        }
    }

    fn leaves(&mut self, path: &Path, name: &OsStr, one: &Leaf, other: &Leaf) -> SysResult<()> {
        if one.layer == other.layer {
            return Ok(());
        }
        let (old, new) = (
            (&one.dir, name, &one.metadata),
            (&other.dir, name, &other.metadata),
        );
        let mut what = Vec::new();
        if one.metadata.kind() != other.metadata.kind() {
            what.push("type");
        } else if !same_content(old, new)? {
            what.push("content");
        }
        what.extend(other_metadata(old, new)?);
        if !what.is_empty() {
            self.push(
                path,
                ChangeKind::Modified,
                (one.bytes(), other.bytes()),
                what,
            );
        }
        Ok(())
    }

    fn directories(
        &mut self,
        path: &Path,
        old: (&Dir, &OsStr, &Metadata),
        new: (&Dir, &OsStr, &Metadata),
    ) -> SysResult<()> {
        let mut what = other_metadata(old, new)?;
        what.retain(|what| *what != "time");
        if !what.is_empty() {
            self.push(path, ChangeKind::Modified, (0, 0), what);
        }
        Ok(())
    }

    fn push(
        &mut self,
        path: &Path,
        kind: ChangeKind,
        (before, after): (u64, u64),
        what: Vec<&'static str>,
    ) {
        self.changes.push(ImageChange {
            path: path.to_owned(),
            kind,
            before,
            after,
            what,
        });
    }
}

/// With all below it.
fn bytes_below(seen: &Seen) -> SysResult<u64> {
    match seen {
        Seen::Nothing => Ok(0),
        Seen::Leaf(leaf) => Ok(leaf.bytes()),
        Seen::Directory(dir, _) => Ok(dir.size(DEPTH_MAX)?.0),
    }
}
