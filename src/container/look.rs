//! Looking into a tree that others filled: entries of its directories, and its files.
//!
//! Every path stays in the tree, and nothing but regular files is ever opened.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::fd::AsFd as _,
};

use super::{CopyError, Error, containers::failed, copy::inside, copy_find};
use crate::{
    ident::DiffId,
    sys::{self, Dir, FileKind, Metadata, RootDir, metadata_of, reopen},
};

/// One entry of a directory in a volume or an image.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// Its name; the path as it was asked for where that is no directory.
    pub name: OsString,
    /// What stat(2) tells of it.
    pub metadata: Metadata,
    /// Where a symbolic link leads.
    pub target: Option<OsString>,
    /// The layer that it is of, in an image.
    pub layer: Option<FileLayer>,
}

/// A layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLayer {
    /// From 1, lowest first.
    pub number: usize,
    /// Which one.
    pub diff_id: DiffId,
}

/// `None` for what was removed meanwhile.
pub(super) fn entry(dir: &Dir, name: &OsStr) -> sys::Result<Option<FileEntry>> {
    let Some(metadata) = dir.find(name)? else {
        return Ok(None);
    };
    let target = if metadata.kind() == FileKind::Symlink {
        dir.read_symlink(name).ok()
    } else {
        None
    };
    Ok(Some(FileEntry {
        name: name.to_owned(),
        metadata,
        target,
        layer: None,
    }))
}

/// Opens a regular file, links followed inside the root. `holder` is whose root it is, in words;
/// `missing` says that there is no such path.
pub(super) fn open_file(
    root: &RootDir,
    path: &OsStr,
    holder: &str,
    missing: impl FnOnce(String) -> CopyError,
) -> Result<File, Error> {
    let place = inside(path);
    let open = || -> sys::Result<Option<File>> {
        let handle = root.locate(&place.clean)?;
        if metadata_of(&handle)?.kind() != FileKind::File {
            return Ok(None);
        }
        reopen(handle.as_fd()).map(Some)
    };
    let path = place.shown();
    match open() {
        Ok(Some(file)) if !place.asserts_directory => Ok(file),
        Ok(_) => {
            let holder = holder.to_owned();
            Err(CopyError::NotAFile { path, holder }.into())
        }
        Err(error) if copy_find::is_absent(&error) => Err(missing(path).into()),
        Err(source) => Err(failed(&format!("open {path} in {holder}"), source)),
    }
}
