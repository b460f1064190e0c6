//! Where a backup goes: a file that is there only when it is whole, or standard output.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::unix::ffi::OsStrExt as _,
};

use super::{
    CopyError, Error,
    containers::failed,
    copy::host,
    copy_find,
    copy_out::standard_output,
    copy_rule::{Found, Typed},
};
use crate::sys::{Dir, FileKind, sync};

/// As much of a name as is left room for what is put around it (NAME_MAX is 255).
const STEM_MAX: usize = 200;

/// An open place for a backup.
#[derive(Debug)]
pub(super) enum Output {
    Stream(File),
    File(Fresh),
}

/// A file beside its final name; removed unless it gets that name.
#[derive(Debug)]
pub(super) struct Fresh {
    dir: Dir,
    name: OsString,
    /// `.NAME.cowshed-backup-PID`: so that what a killed process left is known for what it is.
    unfinished: OsString,
    pub(super) file: File,
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
        let stem = target.name().as_bytes();
        let stem = OsStr::from_bytes(&stem[..stem.len().min(STEM_MAX)]);
        let mut fresh = OsString::from(".");
        fresh.push(stem);
        fresh.push(format!(".cowshed-backup-{}", std::process::id()));
        let file = dir.create_file(&fresh, 0o600);
        let file = file.map_err(|source| failed(&format!("write backup {shown}"), source))?;
        Ok(Self::File(Fresh {
            name: target.name().to_owned(),
            dir,
            unfinished: fresh,
            file,
            shown,
            replaces,
        }))
    }
}

impl Fresh {
    /// Gives it its name, durably; answers the name.
    pub(super) fn publish(mut self) -> Result<String, Error> {
        let named = (|| {
            sync::data(&self.file)?;
            if self.replaces {
                self.dir.rename(&self.unfinished, &self.dir, &self.name)?;
            } else {
                self.dir
                    .rename_new(&self.unfinished, &self.dir, &self.name)?;
            }
            sync::directory(&self.dir)
        })();
        named.map_err(|source| failed(&format!("write backup {}", self.shown), source))?;
        // It has another name now.
        self.unfinished.clear();
        Ok(std::mem::take(&mut self.shown))
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.unfinished.is_empty() {
            // The error that ended it is the one to tell.
            self.dir.remove_file(&self.unfinished).ok();
        }
    }
}
