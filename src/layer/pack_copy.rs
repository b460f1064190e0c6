//! A tree that others may change at this moment to a tar of plain files.
//!
//! What vanishes is left out, what shrinks is filled up, what grows is cut off, as GNU tar does it;
//! each with a remark. Everything about a file is read from one descriptor, so that no swap can
//! give one file's bytes the rights of another.

use std::{collections::HashMap, ffi::OsStr, io::Write, os::unix::ffi::OsStrExt as _};

use nix::errno::Errno;
use tar::{Builder, EntryType};

use super::{
    Error, PathBytes, Remarks, draft::Draft, entry::Dialect, file_parts::FileParts, metadata,
};
use crate::sys::{At as _, Dir, FileKind, Metadata, RootDir, SysError, metadata_of, open_regular};

/// What is packed.
#[derive(Debug)]
pub enum Subject<'a> {
    /// A directory with everything below it.
    Tree(&'a Dir),
    /// A name in a directory that is none itself.
    Name(&'a Dir, &'a OsStr),
}

/// How it is packed.
#[derive(Debug, Clone, Copy)]
pub struct CopyForm<'a> {
    /// What the subject is called; empty leaves the top of a tree out.
    pub name: &'a [u8],
    /// Leaves holes out (GNU.sparse 1.0), which not every reader understands.
    pub sparse: bool,
    /// Devices (stat(2), `st_dev`) whose directories are left empty, but for the one that the
    /// subject is on.
    pub without: &'a [u64],
}

/// Writes a tar of plain files: `.wh.` names are names, all `user.*` attributes are kept, sockets
/// are left out with a remark. Memory depends on the number of hard links, not on sizes.
pub fn pack_copy(
    subject: &Subject<'_>,
    form: CopyForm<'_>,
    out: impl Write,
) -> Result<Remarks, Error> {
    let top = PathBytes::default();
    let mut packer = Packer {
        form,
        out: Builder::new(out),
        links: HashMap::new(),
        remarks: Remarks::default(),
    };
    match *subject {
        Subject::Tree(dir) => packer.tree(dir, &top)?,
        Subject::Name(dir, name) => drop(packer.node(dir, name, &top)?),
    }
    packer
        .out
        .finish()
        .at("write", || "end of the tar")
        .on(&top)?;
    Ok(packer.remarks)
}

struct Packer<'a, W: Write> {
    form: CopyForm<'a>,
    out: Builder<W>,
    /// First names of inodes that have several.
    links: HashMap<(u64, u64), Vec<u8>>,
    remarks: Remarks,
}

impl<W: Write> Packer<'_, W> {
    fn tree(&mut self, dir: &Dir, top: &PathBytes) -> Result<(), Error> {
        if !self.form.name.is_empty() {
            self.node(dir, OsStr::new("."), top)?;
        }
        let root = RootDir::new(dir.try_clone().on(top)?);
        let own = dir.own_metadata().on(top)?.dev();
        // Open directories are not stacked: trees may be deeper than descriptors are many.
        let mut pending = vec![top.clone()];
        while let Some(path) = pending.pop() {
            let mut below = self.directory(&root, own, &path)?;
            below.reverse();
            pending.append(&mut below);
        }
        Ok(())
    }

    /// Writes everything in a directory; returns its subdirectories.
    fn directory(
        &mut self,
        root: &RootDir,
        own: u64,
        path: &PathBytes,
    ) -> Result<Vec<PathBytes>, Error> {
        let opened = root.open_dir_without_links(path.as_path());
        let dir = match opened {
            Err(error) if !path.is_root() && is_gone(&error) => {
                self.remarks
                    .add(format!("{path}: removed while it was copied"));
                return Ok(Vec::new());
            }
            opened => opened.on(path)?,
        };
        let mut below = Vec::new();
        let device = dir.own_metadata().on(path)?.dev();
        if device != own && self.form.without.contains(&device) {
            return Ok(below);
        }
        for name in dir.sorted_entries().on(path)? {
            let path = path.join(&name);
            if self.node(&dir, &name, &path)? {
                below.push(path);
            }
        }
        Ok(below)
    }

    /// Writes one name; tells whether it is a directory to go into.
    fn node(&mut self, dir: &Dir, name: &OsStr, path: &PathBytes) -> Result<bool, Error> {
        match self.inode(dir, name, path) {
            Err(Error::Pack { source, .. }) if !path.is_root() && is_gone(&source) => {
                self.remarks
                    .add(format!("{path}: removed while it was copied"));
                Ok(false)
            }
            written => written,
        }
    }

    fn inode(&mut self, dir: &Dir, name: &OsStr, path: &PathBytes) -> Result<bool, Error> {
        let found = dir.metadata(name).on(path)?;
        let kind = match found.kind() {
            FileKind::File => return self.file(dir, name, path),
            FileKind::Socket => {
                self.remarks.add(format!("{path}: sockets are not copied"));
                return Ok(false);
            }
            FileKind::Directory => EntryType::Directory,
            FileKind::Symlink => EntryType::Symlink,
            FileKind::CharDevice => EntryType::Char,
            FileKind::BlockDevice => EntryType::Block,
            FileKind::Fifo => EntryType::Fifo,
        };
        if self.linked(&found, path)? {
            return Ok(false);
        }
        let mut draft = self.draft(kind, &found, path);
        for (key, value) in metadata::xattrs(dir, name, Dialect::Plain).on(path)? {
            draft.record(&[b"SCHILY.xattr.", key.as_bytes()].concat(), &value);
        }
        match found.kind() {
            FileKind::Symlink => draft.link(dir.read_symlink(name).on(path)?.as_bytes()),
            FileKind::CharDevice | FileKind::BlockDevice => {
                let device = draft.device(found.rdev());
                device.at("write", || "device number").on(path)?;
            }
            FileKind::File | FileKind::Directory | FileKind::Fifo | FileKind::Socket => {}
        }
        self.append(&draft, path, std::io::empty())?;
        self.remember(&found, path);
        Ok(found.is_dir())
    }

    fn file(&mut self, dir: &Dir, name: &OsStr, path: &PathBytes) -> Result<bool, Error> {
        let Some((file, found)) = open_regular(dir, name).on(path)? else {
            self.remarks
                .add(format!("{path}: replaced while it was copied"));
            return Ok(false);
        };
        if self.linked(&found, path)? {
            return Ok(false);
        }
        let mut draft = self.draft(EntryType::Regular, &found, path);
        for (key, value) in metadata::xattrs_of_file(&file, Dialect::Plain).on(path)? {
            draft.record(&[b"SCHILY.xattr.", key.as_bytes()].concat(), &value);
        }
        let size = found.size();
        let mut parts = if self.form.sparse {
            FileParts::without_holes(&file, &found).on(path)?
        } else {
            FileParts::whole(&file, size)
        };
        if parts.has_holes() {
            let name = self.name_of(path);
            let real_size = size.to_string();
            let records: [(&[u8], &[u8]); 4] = [
                (b"GNU.sparse.major", b"1"),
                (b"GNU.sparse.minor", b"0"),
                (b"GNU.sparse.name", &name),
                (b"GNU.sparse.realsize", real_size.as_bytes()),
            ];
            for (key, value) in records {
                draft.record(key, value);
            }
        }
        draft.header.set_size(parts.stored());
        self.append(&draft, path, &mut parts)?;
        if parts.filled() > 0 {
            let count = parts.filled();
            let line = format!("{path}: shrank while it was copied, {count} bytes are zeros");
            self.remarks.add(line);
        } else if metadata_of(&file).on(path)?.size() > size {
            let line = format!("{path}: grew while it was copied, cut off at {size} bytes");
            self.remarks.add(line);
        }
        self.remember(&found, path);
        Ok(false)
    }

    /// Writes a hard link where this inode was written before under another name.
    fn linked(&mut self, found: &Metadata, path: &PathBytes) -> Result<bool, Error> {
        let key = (found.dev(), found.ino());
        let first = self.links.get(&key).filter(|_| has_names(found)).cloned();
        let Some(first) = first else {
            return Ok(false);
        };
        let mut draft = self.draft(EntryType::Link, found, path);
        draft.link(&first);
        self.append(&draft, path, std::io::empty())?;
        Ok(true)
    }

    fn remember(&mut self, found: &Metadata, path: &PathBytes) {
        if has_names(found) {
            let name = self.name_of(path);
            self.links.insert((found.dev(), found.ino()), name);
        }
    }

    fn draft(&self, kind: EntryType, found: &Metadata, path: &PathBytes) -> Draft {
        let mut name = self.name_of(path);
        if kind == EntryType::Directory {
            name.push(b'/');
        }
        let mut draft = Draft::new(kind, &name);
        draft.metadata(found.mode(), (found.uid(), found.gid()), found.mtime());
        draft
    }

    /// The path under the name that the subject was given.
    fn name_of(&self, path: &PathBytes) -> Vec<u8> {
        match (self.form.name, path.as_bytes()) {
            (b"", path) => path.to_vec(),
            (name, b"") => name.to_vec(),
            (name, path) => [name, b"/", path].concat(),
        }
    }

    fn append(
        &mut self,
        draft: &Draft,
        path: &PathBytes,
        data: impl std::io::Read,
    ) -> Result<(), Error> {
        let written = draft.append(&mut self.out, data);
        written.at("write", || "tar").on(path)
    }
}

fn has_names(found: &Metadata) -> bool {
    !found.is_dir() && found.nlink() > 1
}

/// Removed, or replaced by something else, since its directory was read.
fn is_gone(error: &SysError) -> bool {
    let gone = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
    error.call() != "write" && error.errno().is_some_and(|errno| gone.contains(&errno))
}

/// Puts the path to a failed call.
trait On<T> {
    fn on(self, path: &PathBytes) -> Result<T, Error>;
}

impl<T> On<T> for Result<T, SysError> {
    fn on(self, path: &PathBytes) -> Result<T, Error> {
        self.map_err(|source| Error::Pack {
            path: path.clone(),
            source,
        })
    }
}
