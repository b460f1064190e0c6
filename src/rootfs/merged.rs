//! `Merged`: what a stack of layers shows, by overlayfs's rules, without a mount.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use crate::sys::{Dir, Metadata, Result, xattr};

/// A directory of the union: where it is in each layer that has a part in it, topmost first, each
/// with the number that its layer was given.
#[derive(Debug)]
pub struct Merged {
    parts: Vec<(usize, Dir)>,
}

/// What the union shows at a name.
#[derive(Debug)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// A directory, and what its topmost part is like.
    Directory(Merged, Metadata),
    /// Something else.
    Leaf(Leaf),
}

/// Something that is no directory.
#[derive(Debug)]
pub struct Leaf {
    /// The number of its layer.
    pub layer: usize,
    /// The directory that it is in, in its layer.
    pub dir: Dir,
    /// What it is like.
    pub metadata: Metadata,
}

impl Merged {
    /// A union's top.
    pub fn new(parts: Vec<(usize, Dir)>) -> Self {
        Self { parts }
    }

    /// One that shows nothing.
    pub fn empty() -> Self {
        Self { parts: Vec::new() }
    }

    /// The layers that have a part in it, topmost first: whatever has the same ones of them in the
    /// same place is the same.
    pub fn layers(&self) -> Vec<usize> {
        self.parts.iter().map(|(layer, _)| *layer).collect()
    }

    /// The topmost of its directories: owner, mode and time are that one's.
    pub fn front(&self) -> Option<&Dir> {
        self.parts.first().map(|(_, dir)| dir)
    }

    /// What it shows at `name`.
    pub fn find(&self, name: &OsStr) -> Result<Seen> {
        let mut found: Option<(Vec<(usize, Dir)>, Metadata)> = None;
        for (layer, dir) in &self.parts {
            let Some(metadata) = dir.find(name)? else {
                continue;
            };
            if metadata.is_whiteout() {
                break;
            }
            if !metadata.is_dir() {
                if found.is_none() {
                    return Ok(Seen::Leaf(Leaf {
                        layer: *layer,
                        dir: dir.try_clone()?,
                        metadata,
                    }));
                }
                break;
            }
            let below = dir.open_dir(name)?;
            let opaque = xattr::is_opaque(&below);
            let parts = &mut found.get_or_insert_with(|| (Vec::new(), metadata)).0;
            parts.push((*layer, below));
            if opaque {
                break;
            }
        }
        Ok(found.map_or(Seen::Nothing, |(parts, metadata)| {
            Seen::Directory(Merged { parts }, metadata)
        }))
    }

    /// What it shows at a path below it; links are not followed.
    pub fn lookup(&self, path: &Path) -> Result<Seen> {
        let mut seen = Seen::Nothing;
        for (number, name) in path.iter().filter(|name| *name != "/").enumerate() {
            seen = match &seen {
                Seen::Directory(dir, _) => dir.find(name)?,
                Seen::Nothing if number == 0 => self.find(name)?,
                Seen::Nothing | Seen::Leaf(_) => return Ok(Seen::Nothing),
            };
        }
        Ok(seen)
    }

    /// Every name that a part has, in byte order; hidden ones, too.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        for (_, dir) in &self.parts {
            names.extend(dir.entries()?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Bytes of all files that it shows, and how many entries that are; each hard-linked inode counts
    /// once. Not deeper than `depth`.
    pub fn size(&self, depth: usize) -> Result<(u64, u64)> {
        let mut seen = std::collections::HashSet::new();
        self.add_up(depth, &mut seen)
    }

    fn add_up(
        &self,
        depth: usize,
        seen: &mut std::collections::HashSet<(u64, u64)>,
    ) -> Result<(u64, u64)> {
        let (mut bytes, mut entries) = (0, 0);
        if depth == 0 {
            return Ok((bytes, entries));
        }
        for name in self.names()? {
            match self.find(&name)? {
                Seen::Nothing => {}
                Seen::Directory(below, _) => {
                    let (more, inside) = below.add_up(depth - 1, seen)?;
                    bytes += more;
                    entries += inside + 1;
                }
                Seen::Leaf(leaf) => {
                    entries += 1;
                    let inode = (leaf.metadata.dev(), leaf.metadata.ino());
                    if leaf.metadata.nlink() < 2 || seen.insert(inode) {
                        bytes += leaf.bytes();
                    }
                }
            }
        }
        Ok((bytes, entries))
    }
}

impl Leaf {
    /// What a file holds, in bytes; nothing for whatever else it is.
    pub fn bytes(&self) -> u64 {
        bytes_of(&self.metadata)
    }
}

/// What a file holds, in bytes; nothing for whatever else it is.
pub(super) fn bytes_of(metadata: &Metadata) -> u64 {
    if metadata.kind() == crate::sys::FileKind::File {
        metadata.size()
    } else {
        0
    }
}
