//! Where in an image something goes: links are followed inside its root, what is missing is made.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path, PathBuf},
};

use nix::errno::Errno;

use crate::sys::{Dir, FileKind, Result, RootDir, SysError};

/// As many links as the kernel follows on one path (path_resolution(7)).
const LINKS_MAX: usize = 40;

const MODE: u32 = 0o755;

/// Who owns the directories that had to be made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Makes {
    /// Root owns them, and this one the last.
    Last((u32, u32)),
    /// All of them belong to this one.
    All((u32, u32)),
}

/// Opens a directory, and makes it and those above it where they are missing. Whether it was made.
pub(super) fn directory(root: &RootDir, path: &Path, makes: Makes) -> Result<(Dir, bool)> {
    let missing = first_missing(root, path)?;
    let (dir, _) = root.make_dirs(path, MODE)?;
    let Some(missing) = missing else {
        return Ok((dir, false));
    };
    match makes {
        Makes::Last((uid, gid)) => dir.chown(".", uid, gid)?,
        Makes::All((uid, gid)) => {
            for prefix in prefixes(path).skip(missing) {
                root.open_dir(&prefix)?.chown(".", uid, gid)?;
            }
        }
    }
    Ok((dir, true))
}

/// `/a`, `/a/b` of `/a/b`.
fn prefixes(path: &Path) -> impl Iterator<Item = PathBuf> {
    let mut so_far = PathBuf::from("/");
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    parts.map(move |part| {
        so_far.push(part);
        so_far.clone()
    })
}

/// The number of the first prefix that is not there.
fn first_missing(root: &RootDir, path: &Path) -> Result<Option<usize>> {
    for (number, prefix) in prefixes(path).enumerate() {
        match root.open_dir(&prefix) {
            Ok(_) => {}
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(Some(number)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether there is a directory, links followed.
pub(super) fn is_directory(root: &RootDir, path: &Path) -> bool {
    root.open_dir(path).is_ok()
}

/// The directory and the name that a file at `path` gets: where there is a link, what it leads to.
pub(super) fn file(root: &RootDir, path: &Path, makes: Makes) -> Result<(Dir, OsString)> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            break;
        };
        let (dir, _) = directory(root, parent, makes)?;
        let is_link = dir
            .find(name)?
            .is_some_and(|found| found.kind() == FileKind::Symlink);
        if !is_link {
            return Ok((dir, name.to_owned()));
        }
        let target = dir.read_symlink(name)?;
        path = if target.as_bytes().starts_with(b"/") {
            PathBuf::from(target)
        } else {
            parent.join(target)
        };
    }
    let shown = path.display().to_string();
    Err(SysError::new("openat2", shown, Errno::ELOOP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> (u32, u32) {
        (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw(),
        )
    }

    #[test]
    fn links_are_followed_inside_and_dangling_ones_to_what_they_name() {
        let scratch = tempfile::tempdir().unwrap();
        let root = RootDir::open(scratch.path()).unwrap();
        let link = |target: &str, name: &str| {
            root.top().make_symlink(OsStr::new(target), name).unwrap();
        };
        link("/nowhere/x", "dangling");
        link("../../../etc", "up");
        link("loop", "loop");
        let place = |path: &str| file(&root, Path::new(path), Makes::All(me()));
        let (dir, name) = place("/dangling").unwrap();
        dir.create_file(&name, 0o644).unwrap();
        assert!(scratch.path().join("nowhere/x").is_file());
        let (dir, name) = place("/up/file").unwrap();
        dir.create_file(&name, 0o644).unwrap();
        assert!(scratch.path().join("etc/file").is_file());
        assert!(place("/loop").is_err());
        assert!(place("/").is_err());
    }

    #[test]
    fn what_is_missing_is_made_once() {
        let scratch = tempfile::tempdir().unwrap();
        let root = RootDir::open(scratch.path()).unwrap();
        let make = |path: &str| {
            directory(&root, Path::new(path), Makes::Last(me()))
                .unwrap()
                .1
        };
        assert!(make("/a/b/c"));
        assert!(!make("/a/b"));
        assert!(!make("/"));
        assert!(is_directory(&root, Path::new("/a/b/c")));
        assert!(!is_directory(&root, Path::new("/x")));
    }
}
