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

use super::{
    Error, Ledger, PathBytes, Remarks, Sink, TarWriter, Unledgered,
    digester::{self, Digester},
    draft::On as _,
    entry::Dialect,
};
use crate::sys::{Dir, FileKind, Result as SysResult, RootDir, SysError};

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
    out: &mut TarWriter<impl Sink>,
    ledger: &mut (dyn Ledger + Send),
) -> Result<Remarks, Error> {
    let top = PathBytes::default();
    digester::beside(ledger, |digester| {
        let mut packer = Packer {
            form,
            out,
            links: HashMap::new(),
            remarks: Remarks::default(),
            digester,
        };
        match *subject {
            Subject::Tree(dir) => packer.tree(dir, &top)?,
            Subject::Name(dir, name) => drop(packer.node(dir, (name, None), &top)?),
        }
        Ok(packer.remarks)
    })
}

pub(super) struct Packer<'a, S: Sink> {
    pub(super) form: CopyForm<'a>,
    pub(super) out: &'a mut TarWriter<S>,
    /// First names of inodes that have several.
    pub(super) links: HashMap<(u64, u64), PathBytes>,
    pub(super) remarks: Remarks,
    /// Where somebody wants to be told.
    pub(super) digester: Option<&'a mut Digester>,
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
    names: std::vec::IntoIter<(OsString, Option<FileKind>)>,
    dir: Option<Dir>,
}

impl<S: Sink> Packer<'_, S> {
    fn tree(&mut self, dir: &Dir, top: &PathBytes) -> Result<(), Error> {
        if !self.form.name.is_empty() {
            self.node(dir, (OsStr::new("."), None), top)?;
        }
        let walk = Walk {
            root: RootDir::new(dir.try_clone().on(top)?),
            own: dir.own_metadata().on(top)?.dev(),
        };
        let mut above = Vec::new();
        above.extend(self.enter_directory(&walk, dir.reopen(), top.clone())?);
        while let Some(mut here) = above.pop() {
            let Some((name, kind)) = here.names.next() else {
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
            let below = if self.node(&dir, (&name, kind), &path)? {
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
    fn unless_gone<T>(
        &mut self,
        opened: SysResult<T>,
        path: &PathBytes,
    ) -> Result<Option<T>, Error> {
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
        let Some(mut names) = self.unless_gone(dir.sorted_typed_entries(), &path)? else {
            return Ok(None);
        };
        if path.is_root() {
            let before = names.len();
            names.retain(|(name, _)| name.as_bytes() != self.form.reserved);
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
}

/// Removed, or replaced by something else, since its directory was read.
pub(super) fn is_gone(error: &SysError) -> bool {
    let gone = [Errno::ENOENT, Errno::ENOTDIR, Errno::ELOOP];
    let is_no_link = error.call() == "readlinkat" && error.errno() == Some(Errno::EINVAL);
    let is_absent = error.errno().is_some_and(|errno| gone.contains(&errno));
    error.call() != "write" && (is_absent || is_no_link)
}
