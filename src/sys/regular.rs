//! Regular files: in directories that somebody else may change at any moment, and without a name.

use std::{ffi::OsStr, fs::File, os::fd::AsFd as _};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use super::{At as _, Dir, FileKind, Metadata, Result, dir, metadata_of};

/// Opens the regular file `name` for reading, with what stat(2) tells of this very file; `None`
/// where it is anything else.
///
/// Looked at before it is opened: opening a device or a fifo has effects.
pub fn open_regular(parent: &Dir, name: &OsStr) -> Result<Option<(File, Metadata)>> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let handle = openat(parent, dir::one(name)?, flags, Mode::empty())
        .at("openat", || format!("{}, O_PATH", name.display()))?;
    let metadata = metadata_of(&handle)?;
    if metadata.kind() != FileKind::File {
        return Ok(None);
    }
    Ok(Some((super::reopen(handle.as_fd())?, metadata)))
}

/// A new file for reading and writing that has no name and goes with its last descriptor, in the
/// file system of `dir` (open(2), `O_TMPFILE`).
pub fn unnamed_file(dir: &Dir) -> Result<File> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    match openat(dir, ".", flags, Mode::S_IRUSR | Mode::S_IWUSR) {
        // Not every file system can.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR) => {
            let random = super::random_bytes()?;
            let stem = u64::from_ne_bytes(std::array::from_fn(|at| random[at]));
            let name = format!("record-{stem:016x}");
            let file = dir.create_file(&name, 0o600)?;
            dir.remove_file(&name)?;
            Ok(file)
        }
        opened => opened.map(File::from).at("openat", || "., O_TMPFILE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_opened() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.create_file("file", 0o600).unwrap();
        dir.make_symlink(OsStr::new("file"), "link").unwrap();
        dir.make_node("fifo", FileKind::Fifo, 0o600, (0, 0))
            .unwrap();
        let opens = |name: &str| open_regular(&dir, OsStr::new(name)).map(|found| found.is_some());
        assert!(opens("file").unwrap());
        for other in ["link", "fifo", "."] {
            assert!(!opens(other).unwrap(), "{other}");
        }
        assert!(opens("nothing").is_err());
    }
}
