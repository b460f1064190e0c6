//! One name of a tree that is packed as a copy: what it is, read from one descriptor, and its entry.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use tar::EntryType;

use super::{
    EntryMetadata, Error, Item, ItemKind, PathBytes, Sink,
    digester::FileEnd,
    draft::{Draft, On as _},
    file_parts::FileParts,
    metadata,
    pack_copy::{Packer, is_gone},
};
use crate::sys::{At as _, Dir, FileKind, Metadata, metadata_of, open_regular};

impl<S: Sink> Packer<'_, S> {
    /// Writes one name, which was of this kind when its directory was read; tells whether it is a
    /// directory to go into.
    pub(super) fn node(
        &mut self,
        dir: &Dir,
        (name, kind): (&OsStr, Option<FileKind>),
        path: &PathBytes,
    ) -> Result<bool, Error> {
        // What is no file any more is told by the one that opens it.
        let written = match kind {
            Some(FileKind::File) => self.file(dir, name, path),
            _ => self.inode(dir, name, path),
        };
        match written {
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
        let xattrs = metadata::xattrs(dir, name, self.form.dialect).on(path)?;
        draft.xattrs(&xattrs);
        let kind = match found.kind() {
            FileKind::Symlink => {
                let target = dir.read_symlink(name).on(path)?.as_bytes().to_vec();
                draft.link(&target);
                ItemKind::Symlink(target)
            }
            FileKind::CharDevice | FileKind::BlockDevice => {
                let device = draft.device(found.rdev());
                device.at("write", || "device number").on(path)?;
                let (kind, device) = (found.kind(), found.device_number());
                ItemKind::Node { kind, device }
            }
            FileKind::Fifo => ItemKind::Node {
                kind: FileKind::Fifo,
                device: (0, 0),
            },
            FileKind::File | FileKind::Directory | FileKind::Socket => ItemKind::Directory,
        };
        self.out.header(&draft).on(path)?;
        self.remember(&found, path);
        self.enter(path, kind, described(&found, xattrs))?;
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
        let xattrs = metadata::xattrs_of_file(&file, self.form.dialect).on(path)?;
        draft.xattrs(&xattrs);
        let size = found.size();
        let parts = if self.form.sparse {
            FileParts::without_holes(&file, &found).on(path)?
        } else {
            FileParts::whole(&file, size)
        };
        if parts.has_holes() {
            draft.sparse(&self.name_of(path), size);
        }
        let stored = parts.stored();
        draft.header.set_size(stored);
        let mut parts = parts.digested(self.digester.as_deref_mut());
        self.out.member(&draft, stored, &mut parts).on(path)?;
        let filled = parts.end();
        self.remember(&found, path);
        let now = metadata_of(&file).on(path)?;
        let changed = filled > 0 || now.size() != size || now.mtime() != found.mtime();
        if filled > 0 {
            let line = format!("{path}: shrank while it was copied, {filled} bytes are zeros");
            self.remarks.add(line);
        } else if now.size() > size {
            let line = format!("{path}: grew while it was copied, cut off at {size} bytes");
            self.remarks.add(line);
        } else if changed && self.digester.is_some() {
            let line = format!("{path}: changed while it was copied");
            self.remarks.add(line);
        }
        if let Some(digester) = &mut self.digester {
            digester.file(FileEnd {
                path: path.clone(),
                size,
                metadata: described(&found, xattrs),
                changed,
            })?;
        }
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
        draft.link(&self.name_of(&first));
        self.out.header(&draft).on(path)?;
        self.enter(path, ItemKind::HardLink(first), EntryMetadata::default())?;
        Ok(true)
    }

    fn remember(&mut self, found: &Metadata, path: &PathBytes) {
        if has_names(found) {
            self.links.insert((found.dev(), found.ino()), path.clone());
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

    fn enter(
        &mut self,
        path: &PathBytes,
        kind: ItemKind,
        metadata: EntryMetadata,
    ) -> Result<(), Error> {
        let Some(digester) = &mut self.digester else {
            return Ok(());
        };
        digester.entry(Item {
            path: path.clone(),
            kind,
            metadata,
            changed: false,
        })
    }
}

fn described(found: &Metadata, xattrs: Vec<(PathBytes, Vec<u8>)>) -> EntryMetadata {
    let mtime = found.mtime();
    EntryMetadata {
        mode: found.mode(),
        uid: found.uid(),
        gid: found.gid(),
        mtime: (mtime.seconds, mtime.nanoseconds),
        xattrs,
    }
}

fn has_names(found: &Metadata) -> bool {
    !found.is_dir() && found.nlink() > 1
}
