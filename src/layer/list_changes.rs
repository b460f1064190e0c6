//! What a layer of an upper dir would hold, as a list.

use std::{fs::File, os::unix::ffi::OsStringExt as _};

use super::{
    Changes, Error, PathBytes,
    change_writer::{ChangeSink, Subject},
    draft::On as _,
    lowers,
    marks::Attributes,
    pack_changes::tell_changes,
};
use crate::sys::{Dir, FileKind, Metadata, Result as SysResult};

/// One entry.
#[derive(Debug)]
pub struct ListedChange {
    /// What it is about.
    pub path: PathBytes,
    /// What it says.
    pub what: Listed,
}

/// What an entry says of its path.
#[derive(Debug)]
pub enum Listed {
    /// It is hidden.
    Whiteout,
    /// What the layers below have in it is hidden.
    Opaque,
    /// It is this; a link leads there.
    Inode(Metadata, Option<Vec<u8>>),
}

/// Lists what [`pack_changes`](super::pack_changes()) would write, the root left out, without reading
/// any file.
pub fn list_changes(changes: &Changes<'_>) -> Result<Vec<ListedChange>, Error> {
    tell_changes(changes, List(Vec::new())).map(|list| list.0)
}

/// What is visible at a path of some layers, topmost first: where it is, and what it is like.
pub fn find_below(lowers: &[Dir], path: &PathBytes) -> SysResult<Option<Metadata>> {
    Ok(lowers::find(lowers, path)?.map(|found| found.metadata))
}

struct List(Vec<ListedChange>);

impl List {
    fn push(&mut self, path: &PathBytes, what: Listed) {
        let path = path.clone();
        self.0.push(ListedChange { path, what });
    }
}

impl ChangeSink for List {
    fn whiteout(&mut self, path: &PathBytes) -> Result<(), Error> {
        self.push(path, Listed::Whiteout);
        Ok(())
    }

    fn opaque(&mut self, path: &PathBytes) -> Result<(), Error> {
        self.push(path, Listed::Opaque);
        Ok(())
    }

    fn directory(
        &mut self,
        path: &PathBytes,
        found: &Metadata,
        _: &Attributes,
    ) -> Result<(), Error> {
        if !path.is_root() {
            self.push(path, Listed::Inode(*found, None));
        }
        Ok(())
    }

    fn file(&mut self, subject: Subject<'_>, _: Option<&File>) -> Result<(), Error> {
        let Subject { dir, name, path } = subject;
        let found = dir.metadata(name).on(path)?;
        self.push(path, Listed::Inode(found, None));
        Ok(())
    }

    fn node(&mut self, subject: Subject<'_>, found: &Metadata) -> Result<(), Error> {
        let Subject { dir, name, path } = subject;
        let target = if found.kind() == FileKind::Symlink {
            Some(dir.read_symlink(name).on(path)?.into_vec())
        } else {
            None
        };
        self.push(path, Listed::Inode(*found, target));
        Ok(())
    }

    fn remark(&mut self, _: String) {}
}
