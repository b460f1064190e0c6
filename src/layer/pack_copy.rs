//! A tree that others may change at this moment to a tar of plain files.
//!
//! What vanishes is left out, what shrinks is filled up, what grows is cut off, as GNU tar does it;
//! each with a remark. Everything about a file is read from one descriptor, so that no swap can
//! give one file's bytes the rights of another.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io::Write,
    os::unix::ffi::OsStrExt as _,
};

use nix::errno::Errno;
use tar::EntryType;

use super::{
    EntryMetadata, Error, Item, ItemKind, Ledger, PathBytes, Remarks, TarWriter, Unledgered,
    draft::{Draft, On as _},
    entry::Dialect,
    file_parts::FileParts,
    metadata,
};
use crate::sys::{
    At as _, Dir, FileKind, Metadata, Result as SysResult, RootDir, SysError, metadata_of,
    open_regular,
};

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
    /// Which extended attributes go with the files.
    pub dialect: Dialect,
    /// A name at the top that is left out with a remark: the archive's own.
    pub reserved: &'a [u8],
}

/// Writes a tar of plain files: `.wh.` names are names, all `user.*` attributes are kept, sockets
/// are left out with a remark. Memory depends on the number of hard links and of names in one
/// directory, not on sizes.
pub fn pack_copy(
    subject: &Subject<'_>,
    form: CopyForm<'_>,
    out: impl Write,
) -> Result<Remarks, Error> {
    let mut out = TarWriter::new(out);
    let remarks = pack_tree(subject, form, &mut out, &mut Unledgered)?;
    out.finish().on(&PathBytes::default())?;
    Ok(remarks)
}

/// The same as a part of a tar, with a ledger that is told of every entry.
pub fn pack_tree(
    subject: &Subject<'_>,
    form: CopyForm<'_>,
    out: &mut TarWriter<impl Write>,
    ledger: &mut dyn Ledger,
) -> Result<Remarks, Error> {
    let top = PathBytes::default();
    let mut packer = Packer {
        form,
        out,
        links: HashMap::new(),
        remarks: Remarks::default(),
        ledger,
    };
    match *subject {
        Subject::Tree(dir) => packer.tree(dir, &top)?,
        Subject::Name(dir, name) => drop(packer.node(dir, name, &top)?),
    }
    Ok(packer.remarks)
}

struct Packer<'a, W: Write> {
    form: CopyForm<'a>,
    out: &'a mut TarWriter<W>,
    /// First names of inodes that have several.
    links: HashMap<(u64, u64), PathBytes>,
    remarks: Remarks,
    ledger: &'a mut dyn Ledger,
}

/// As many directories are open at once.
const OPEN_MAX: usize = 64;

/// The tree that is walked.
struct Walk {
    root: RootDir,
    /// Its device.
    own: u64,
}

/// A directory whose names are being written. What is below each comes right after it: GNU tar
/// gives a directory its time when it meets something that is not in it.
struct Entered {
    path: PathBytes,
    names: std::vec::IntoIter<OsString>,
    dir: Option<Dir>,
}

impl<W: Write> Packer<'_, W> {
    fn tree(&mut self, dir: &Dir, top: &PathBytes) -> Result<(), Error> {
        if !self.form.name.is_empty() {
            self.node(dir, OsStr::new("."), top)?;
        }
        let walk = Walk {
            root: RootDir::new(dir.try_clone().on(top)?),
            own: dir.own_metadata().on(top)?.dev(),
        };
        let mut above = Vec::new();
        above.extend(self.enter_directory(&walk, dir.reopen(), top.clone())?);
        while let Some(mut here) = above.pop() {
            let Some(name) = here.names.next() else {
                continue;
            };
            let opened = match here.dir.take() {
                Some(dir) => Ok(dir),
                None => walk.root.open_dir_without_links(here.path.as_path()),
            };
            let Some(dir) = self.unless_gone(opened, &here.path)? else {
                continue;
            };
            let path = here.path.join(&name);
            let below = if self.node(&dir, &name, &path)? {
                self.enter_directory(&walk, dir.open_dir(&name), path)?
            } else {
                None
            };
            // Open directories are stacked so far only: trees may be deeper than descriptors are many.
            here.dir = (above.len() < OPEN_MAX || below.is_none()).then_some(dir);
            above.push(here);
            above.extend(below);
        }
        Ok(())
    }

    /// `None`, with a remark, for what was removed meanwhile.
    fn unless_gone(
        &mut self,
        opened: SysResult<Dir>,
        path: &PathBytes,
    ) -> Result<Option<Dir>, Error> {
        match opened {
            Err(error) if !path.is_root() && is_gone(&error) => {
                let line = format!("{path}: removed while it was copied");
                self.remarks.add(line);
                Ok(None)
            }
            opened => opened.on(path).map(Some),
        }
    }

    /// Reads the names of a directory that was written; none where it is not gone into.
    fn enter_directory(
        &mut self,
        walk: &Walk,
        opened: SysResult<Dir>,
        path: PathBytes,
    ) -> Result<Option<Entered>, Error> {
        let Some(dir) = self.unless_gone(opened, &path)? else {
            return Ok(None);
        };
        let device = dir.own_metadata().on(&path)?.dev();
        if device != walk.own && self.form.without.contains(&device) {
            return Ok(None);
        }
        let mut names = dir.sorted_entries().on(&path)?;
        if path.is_root() {
            let before = names.len();
            names.retain(|name| name.as_bytes() != self.form.reserved);
            if names.len() < before {
                let name = PathBytes::new(self.form.reserved);
                let line = format!("{name}: left out, this name belongs to the archive itself");
                self.remarks.add(line);
            }
        }
        Ok(Some(Entered {
            path,
            names: names.into_iter(),
            dir: Some(dir),
        }))
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
        self.enter(path, kind, described(&found, xattrs), false)?;
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
        let mut parts = if self.form.sparse {
            FileParts::without_holes(&file, &found).on(path)?
        } else {
            FileParts::whole(&file, size)
        };
        if self.ledger.wants_items() {
            parts = parts.digested();
        }
        if parts.has_holes() {
            draft.sparse(&self.name_of(path), size);
        }
        let stored = parts.stored();
        draft.header.set_size(stored);
        self.out.member(&draft, stored, &mut parts).on(path)?;
        self.remember(&found, path);
        let now = metadata_of(&file).on(path)?;
        if parts.filled() > 0 {
            let count = parts.filled();
            let line = format!("{path}: shrank while it was copied, {count} bytes are zeros");
            self.remarks.add(line);
        } else if now.size() > size {
            let line = format!("{path}: grew while it was copied, cut off at {size} bytes");
            self.remarks.add(line);
        } else if now.mtime() != found.mtime() && parts.is_digested() {
            let line = format!("{path}: changed while it was copied");
            self.remarks.add(line);
        }
        let changed = parts.filled() > 0 || now.size() != size || now.mtime() != found.mtime();
        if let Some(digest) = parts.digest() {
            let kind = ItemKind::File { size, digest };
            self.enter(path, kind, described(&found, xattrs), changed)?;
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
        self.enter(
            path,
            ItemKind::HardLink(first),
            EntryMetadata::default(),
            false,
        )?;
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
        changed: bool,
    ) -> Result<(), Error> {
        if !self.ledger.wants_items() {
            return Ok(());
        }
        let item = Item {
            path: path.clone(),
            kind,
            metadata,
            changed,
        };
        self.ledger.item(item).on(path)
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

/// Removed, or replaced by something else, since its directory was read.
pub(super) fn is_gone(error: &SysError) -> bool {
    let gone = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
    let is_no_link = error.call() == "readlinkat" && error.errno() == Some(Errno::EINVAL);
    let is_absent = error.errno().is_some_and(|errno| gone.contains(&errno));
    error.call() != "write" && (is_absent || is_no_link)
}
