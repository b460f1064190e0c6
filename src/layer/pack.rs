//! A directory to a tar: deterministic, with everything that belongs to the tree.

use std::{borrow::Cow, collections::HashMap, ffi::OsStr, io::Write, os::unix::ffi::OsStrExt as _};

use tar::EntryType;

use super::{
    Error, PathBytes, TarWriter,
    draft::{Draft, On as _},
    entry::Dialect,
    metadata,
};
use crate::sys::{At as _, Dir, FileKind, Metadata, RootDir};

/// Writes the tree below `dir`, its root included, as it is on disk.
///
/// Names are in byte order within each directory, a directory before what is in it. Equal trees
/// give equal bytes: no access times, no user names. Sockets are left out, and so are extended
/// attributes that a layer could not bring back.
pub fn pack(dir: &Dir, out: impl Write) -> Result<(), Error> {
    let root = PathBytes::default();
    let top = dir.try_clone().on(&root)?;
    let mut packer = Packer {
        root: RootDir::new(top),
        out: TarWriter::new(out),
        links: HashMap::new(),
    };
    packer.node(&Node {
        dir,
        name: OsStr::new("."),
        path: &root,
    })?;
    // Open directories are not stacked: trees may be deeper than descriptors are many.
    let mut pending = vec![root];
    while let Some(path) = pending.pop() {
        let mut below = packer.directory(&path)?;
        below.reverse();
        pending.append(&mut below);
    }
    packer.out.finish().on(&PathBytes::default())
}

struct Packer<W: Write> {
    root: RootDir,
    out: TarWriter<W>,
    /// First names of inodes that have several.
    links: HashMap<(u64, u64), PathBytes>,
}

/// A name in an open directory.
struct Node<'a> {
    dir: &'a Dir,
    name: &'a OsStr,
    path: &'a PathBytes,
}

impl<W: Write> Packer<W> {
    /// Writes everything in a directory; returns its subdirectories.
    fn directory(&mut self, path: &PathBytes) -> Result<Vec<PathBytes>, Error> {
        let dir = self.root.open_dir_without_links(path.as_path()).on(path)?;
        let mut below = Vec::new();
        for name in dir.sorted_entries().on(path)? {
            let path = path.join(&name);
            if self.node(&Node {
                dir: &dir,
                name: &name,
                path: &path,
            })? {
                below.push(path);
            }
        }
        Ok(below)
    }

    /// Writes one name; tells whether it is a directory to go into.
    fn node(&mut self, node: &Node<'_>) -> Result<bool, Error> {
        let Node { dir, name, path } = *node;
        let found = if path.is_root() {
            dir.own_metadata()
        } else {
            dir.metadata(name)
        };
        let found = found.on(path)?;
        if found.kind() == FileKind::Socket {
            return Ok(false);
        }
        if !found.is_dir() && found.nlink() > 1 {
            let key = (found.dev(), found.ino());
            if let Some(first) = self.links.get(&key) {
                let mut draft = Draft::new(EntryType::Link, path.as_bytes());
                draft.metadata(found.mode(), (found.uid(), found.gid()), found.mtime());
                draft.link(first.as_bytes());
                self.out.header(&draft).on(path)?;
                return Ok(false);
            }
            self.links.insert(key, path.clone());
        }
        self.inode(node, &found)?;
        Ok(found.is_dir() && !path.is_root())
    }

    fn inode(&mut self, node: &Node<'_>, found: &Metadata) -> Result<(), Error> {
        let Node { dir, name, path } = *node;
        let kind = match found.kind() {
            FileKind::File | FileKind::Socket => EntryType::Regular,
            FileKind::Directory => EntryType::Directory,
            FileKind::Symlink => EntryType::Symlink,
            FileKind::CharDevice => EntryType::Char,
            FileKind::BlockDevice => EntryType::Block,
            FileKind::Fifo => EntryType::Fifo,
        };
        let text = match found.is_dir() {
            true if path.is_root() => Cow::Borrowed(&b"./"[..]),
            true => Cow::Owned([path.as_bytes(), b"/"].concat()),
            false => Cow::Borrowed(path.as_bytes()),
        };
        let mut draft = Draft::new(kind, &text);
        draft.metadata(found.mode(), (found.uid(), found.gid()), found.mtime());
        draft.xattrs(&metadata::xattrs(dir, name, Dialect::Layer).on(path)?);
        match found.kind() {
            FileKind::File => {
                let file = dir.open_file(name).on(path)?;
                let size = found.size();
                draft.header.set_size(size);
                // A file that grows is cut off, one that shrinks is an error.
                return self.out.member(&draft, size, file).on(path);
            }
            FileKind::Symlink => draft.link(dir.read_symlink(name).on(path)?.as_bytes()),
            FileKind::CharDevice | FileKind::BlockDevice => {
                draft
                    .device(found.rdev())
                    .at("write", || "device number")
                    .on(path)?;
            }
            FileKind::Directory | FileKind::Fifo | FileKind::Socket => {}
        }
        self.out.header(&draft).on(path)
    }
}
