//! `NewFile`: a file that is in its directory only when it is whole.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::ffi::OsStrExt as _,
    },
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, openat},
    sys::stat::Mode,
    unistd::{LinkatFlags, linkat},
};

use super::{At as _, Dir, Result, sync};

/// As much of a name as leaves room for what is put around it (`NAME_MAX` is 255).
const STEM_MAX: usize = 200;

/// A file that gets its name when it is whole; what dies before leaves nothing, but where a file
/// system cannot hold files without a name (`O_TMPFILE` of open(2)).
#[derive(Debug)]
pub struct NewFile {
    dir: Dir,
    name: OsString,
    file: File,
    /// The name it has until then, where it must have one.
    unfinished: Option<OsString>,
}

impl NewFile {
    /// Begins the file `name` of `dir`, for its owner alone; what is there stays for now.
    pub fn begin(dir: Dir, name: &OsStr) -> Result<Self> {
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let opened = openat(&dir, ".", flags, mode);
        let (file, unfinished) = match opened {
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => {
                let unfinished = unfinished(name);
                (dir.create_file(&unfinished, 0o600)?, Some(unfinished))
            }
            opened => {
                let file = opened
                    .map(File::from)
                    .at("openat", || format!("{}, O_TMPFILE", name.display()))?;
                (file, None)
            }
        };
        Ok(Self {
            name: name.to_owned(),
            dir,
            file,
            unfinished,
        })
    }

    /// What is written to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name, durably.
    ///
    /// # Errors
    ///
    /// `EEXIST` where there is such a name and it is not to be replaced.
    pub fn publish(mut self, replaces: bool) -> Result<()> {
        sync::data(&self.file)?;
        if self.unfinished.is_none() {
            match self.link(&self.name) {
                Err(error) if replaces && error.errno() == Some(Errno::EEXIST) => {
                    let unfinished = unfinished(&self.name);
                    self.link(&unfinished)?;
                    self.unfinished = Some(unfinished);
                }
                linked => linked?,
            }
        }
        if let Some(unfinished) = &self.unfinished {
            if replaces {
                self.dir.rename(unfinished, &self.dir, &self.name)?;
            } else {
                self.dir.rename_new(unfinished, &self.dir, &self.name)?;
            }
            // It has another name now.
            self.unfinished = None;
        }
        sync::directory(&self.dir)
    }

    /// Who has no `CAP_DAC_READ_SEARCH` needs the way over `/proc` (open(2)).
    fn link(&self, name: &OsStr) -> Result<()> {
        let from = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
        let follow = LinkatFlags::AT_SYMLINK_FOLLOW;
        linkat(AT_FDCWD, from.as_str(), &self.dir, name, follow)
            .at("linkat", || name.display().to_string())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            // The error that ended it is the one to tell.
            self.dir.remove_file(unfinished).ok();
        }
    }
}

/// `.NAME.cowshed-PID`: so that what a killed process left is known for what it is.
fn unfinished(name: &OsStr) -> OsString {
    let stem = name.as_bytes();
    let mut unfinished = OsString::from(".");
    unfinished.push(OsStr::from_bytes(&stem[..stem.len().min(STEM_MAX)]));
    unfinished.push(format!(".cowshed-{}", std::process::id()));
    unfinished
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = || Dir::open(scratch.path()).unwrap();
        let name = "가".repeat(84);
        let name = OsStr::new(&name);
        let make = |text: &str| {
            let new = NewFile::begin(dir(), name).unwrap();
            new.file().write_all(text.as_bytes()).unwrap();
            new
        };
        drop(make("given up"));
        assert!(dir().entries().unwrap().is_empty());
        make("one").publish(false).unwrap();
        let error = make("two").publish(false).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::EEXIST));
        let read = || std::fs::read_to_string(scratch.path().join(name)).unwrap();
        assert_eq!(read(), "one");
        make("three").publish(true).unwrap();
        assert_eq!(
            (read(), dir().entries().unwrap().len()),
            ("three".to_owned(), 1)
        );
    }
}
