//! Where a backup goes: a file that is there only when it is whole, or standard output.

use std::{ffi::OsStr, fs::File};

use super::{
    CopyError, Error,
    containers::failed,
    copy::host,
    copy_find,
    copy_out::standard_output,
    copy_rule::{Found, Typed},
};
use crate::sys::{FileKind, NewFile};

/// An open place for a backup.
#[derive(Debug)]
pub(super) enum Output {
    Stream(File),
    File(Fresh),
}

/// A file that is to be.
#[derive(Debug)]
pub(super) struct Fresh {
    new: NewFile,
    /// How the final name is told.
    shown: String,
    replaces: bool,
}

impl Output {
    pub(super) fn stream() -> Result<Self, Error> {
        Ok(Self::Stream(standard_output()?))
    }

    /// A path that a user has typed; what is there is replaced if that is wanted.
    pub(super) fn file(path: &OsStr, replaces: bool) -> Result<Self, Error> {
        let (root, here) = host()?;
        let to = Typed::new(&here, path);
        let target = copy_find::target(&root, &to)
            .map_err(|miss| CopyError::host("stat", &miss.path, &miss.source))?;
        let shown = path.display().to_string();
        let refuse = |why: &str| Error::Usage {
            what: format!("write backup {shown}: {why}"),
        };
        let dir = root
            .open_dir(target.parent())
            .map_err(|source| failed(&format!("write backup {shown}"), source))?;
        let found = dir.find(target.name());
        let found = found.map_err(|source| failed(&format!("write backup {shown}"), source))?;
        match found.map(|found| found.kind()) {
            _ if target.found == Found::Directory || to.asserts_directory => {
                return Err(refuse("it is a directory: name a file"));
            }
            Some(FileKind::File) if !replaces => {
                return Err(refuse("it is there already: name a file with -o"));
            }
            None | Some(FileKind::File) => {}
            Some(_) => return Err(refuse("it is no regular file: use -o - and a redirection")),
        }
        let new = NewFile::begin(dir, target.name());
        let new = new.map_err(|source| failed(&format!("write backup {shown}"), source))?;
        Ok(Self::File(Fresh {
            new,
            shown,
            replaces,
        }))
    }
}

impl Fresh {
    pub(super) fn file(&self) -> &File {
        self.new.file()
    }

    /// Gives it its name, durably; answers the name.
    pub(super) fn publish(self) -> Result<String, Error> {
        let named = self.new.publish(self.replaces);
        named.map_err(|source| failed(&format!("write backup {}", self.shown), source))?;
        Ok(self.shown)
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}
