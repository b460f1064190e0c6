//! `Dir`: an open directory and what can be done to one name inside it.
//!
//! Invariant: a name is one component. Nothing here follows a symbolic link, so a name swapped
//! under our feet can make a call fail but never lead it elsewhere.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{
        AT_FDCWD, AtFlags, OFlag, OpenHow, RenameFlags, ResolveFlag, openat, openat2, readlinkat,
        renameat2,
    },
    sys::{
        stat::{
            FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, fstat, fstatat, makedev, mkdirat,
            mknodat, utimensat,
        },
        time::TimeSpec as NixTime,
    },
    unistd::{Gid, LinkatFlags, Uid, UnlinkatFlags, fchownat, linkat, symlinkat, unlinkat},
};

use super::{At as _, FileKind, Metadata, Result, SysError, TimeSpec, raw};

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

const OPEN_DIR: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

impl Dir {
    /// Opens a trusted path of ours or of the user; links on the way are followed.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(AT_FDCWD, path, flags, Mode::empty())
            .map(Self)
            .at("openat", || format!("{}, O_DIRECTORY", path.display()))
    }

    /// Takes over an open directory.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Gives the descriptor away.
    pub fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// A second descriptor of the same directory.
    pub fn try_clone(&self) -> Result<Self> {
        self.0.try_clone().map(Self).at("dup", String::new)
    }

    /// Opens the subdirectory `name`; a link or another type is an error.
    pub fn open_dir(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        openat(&self.0, one(name)?, OPEN_DIR, Mode::empty())
            .map(Self)
            .at("openat", || {
                format!("{}, O_DIRECTORY|O_NOFOLLOW", name.display())
            })
    }

    /// A handle on the subdirectory `name` that needs no right to read it, as root on a file system
    /// of somebody else may not have; a link or another type is an error.
    pub fn locate_dir(&self, name: impl AsRef<OsStr>) -> Result<OwnedFd> {
        let name = name.as_ref();
        let flags = OPEN_DIR | OFlag::O_PATH;
        openat(&self.0, one(name)?, flags, Mode::empty()).at("openat", || {
            format!("{}, O_PATH|O_DIRECTORY|O_NOFOLLOW", name.display())
        })
    }

    /// [`Dir::open_dir`], but EXDEV where something is mounted on it, of whatever file system.
    pub fn open_own_dir(&self, name: impl AsRef<OsStr>) -> Result<Self> {
        let name = name.as_ref();
        let resolve = ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_XDEV;
        openat2(
            &self.0,
            one(name)?,
            OpenHow::new().flags(OPEN_DIR).resolve(resolve),
        )
        .map(Self)
        .at("openat2", || format!("{}, RESOLVE_NO_XDEV", name.display()))
    }

    /// A handle on whatever is at `path`, itself where it is a link; `None` where there is nothing. A link on the way is an
    /// error.
    pub fn handle_below(&self, path: &Path) -> Result<Option<OwnedFd>> {
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        match openat2(&self.0, path, OpenHow::new().flags(flags).resolve(resolve)) {
            Err(Errno::ENOENT) => Ok(None),
            opened => opened
                .map(Some)
                .at("openat2", || format!("{}, O_PATH", path.display())),
        }
    }

    /// Opens the file `name` for reading; a fifo does not block, a link is an error.
    pub fn open_file(&self, name: impl AsRef<OsStr>) -> Result<File> {
        let name = name.as_ref();
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        openat(&self.0, one(name)?, flags, Mode::empty())
            .map(File::from)
            .at("openat", || {
                format!("{}, O_RDONLY|O_NOFOLLOW", name.display())
            })
    }

    /// [`Dir::open_file`] in the subdirectory `dir`: one call, for whoever opens thousands.
    pub fn open_file_in(&self, dir: impl AsRef<OsStr>, name: &str) -> Result<File> {
        let path = Path::new(one(dir.as_ref())?).join(one(name.as_ref())?);
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        openat2(&self.0, &path, OpenHow::new().flags(flags).resolve(resolve))
            .map(File::from)
            .at("openat2", || {
                format!("{}, RESOLVE_NO_SYMLINKS", path.display())
            })
    }

    /// Creates the file `name` for reading and writing; it must not exist.
    pub fn create_file(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<File> {
        let name = name.as_ref();
        let flags =
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.0, one(name)?, flags, permissions(mode))
            .map(File::from)
            .at("openat", || format!("{}, O_CREAT|O_EXCL", name.display()))
    }

    /// Opens the file `name` for reading and writing, creating it where it is missing.
    pub fn open_or_create_file(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<File> {
        let name = name.as_ref();
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.0, one(name)?, flags, permissions(mode))
            .map(File::from)
            .at("openat", || format!("{}, O_RDWR|O_CREAT", name.display()))
    }

    /// Opens the file `name` for reading and for writing at its end, creating it where it is missing.
    pub fn open_append(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<File> {
        let name = name.as_ref();
        let flags =
            OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.0, one(name)?, flags, permissions(mode))
            .map(File::from)
            .at("openat", || format!("{}, O_APPEND|O_CREAT", name.display()))
    }

    /// Makes a directory. mkdirat(2) ignores setuid and setgid: see [`Dir::chmod`].
    pub fn make_dir(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<()> {
        let name = name.as_ref();
        mkdirat(&self.0, one(name)?, permissions(mode))
            .at("mkdirat", || format!("{}, {mode:04o}", name.display()))
    }

    /// Makes a directory unless it is there.
    pub fn ensure_dir(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<()> {
        match self.make_dir(name, mode) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
            done => done,
        }
    }

    /// Makes a symbolic link called `name`.
    pub fn make_symlink(&self, target: &OsStr, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        symlinkat(target, &self.0, one(name)?).at("symlinkat", || {
            format!("{}, {}", target.display(), name.display())
        })
    }

    /// Reads the symbolic link `name`.
    pub fn read_symlink(&self, name: impl AsRef<OsStr>) -> Result<OsString> {
        let name = name.as_ref();
        readlinkat(&self.0, one(name)?).at("readlinkat", || name.display().to_string())
    }

    /// Reads the symbolic link `name` in the subdirectory `dir` of ours, `None` where there is none:
    /// one call, for whoever looks into thousands. `dir` must be nobody else's: it may be a link.
    pub fn find_symlink_in(&self, dir: &str, name: &str) -> Result<Option<OsString>> {
        let path = Path::new(one(dir.as_ref())?).join(one(name.as_ref())?);
        match readlinkat(&self.0, &path) {
            Err(Errno::ENOENT) => Ok(None),
            found => found
                .map(Some)
                .at("readlinkat", || path.display().to_string()),
        }
    }

    /// Makes `name` in `target` another name of our `from`; a link is linked, not followed.
    pub fn link(
        &self,
        from: impl AsRef<OsStr>,
        target: &Dir,
        name: impl AsRef<OsStr>,
    ) -> Result<()> {
        let (from, name) = (from.as_ref(), name.as_ref());
        linkat(
            &self.0,
            one(from)?,
            &target.0,
            one(name)?,
            LinkatFlags::empty(),
        )
        .at("linkat", || {
            format!("{}, {}", from.display(), name.display())
        })
    }

    /// Makes a fifo, socket or device node.
    pub fn make_node(
        &self,
        name: impl AsRef<OsStr>,
        kind: FileKind,
        mode: u32,
        (major, minor): (u64, u64),
    ) -> Result<()> {
        let name = name.as_ref();
        let flag = match kind {
            FileKind::CharDevice => SFlag::S_IFCHR,
            FileKind::BlockDevice => SFlag::S_IFBLK,
            FileKind::Fifo => SFlag::S_IFIFO,
            FileKind::Socket => SFlag::S_IFSOCK,
            FileKind::File | FileKind::Directory | FileKind::Symlink => SFlag::S_IFREG,
        };
        mknodat(
            &self.0,
            one(name)?,
            flag,
            permissions(mode),
            makedev(major, minor),
        )
        .at("mknodat", || {
            format!("{}, {kind:?} {major}:{minor}", name.display())
        })
    }

    /// stat(2) of `name` itself, not of what it links to.
    pub fn metadata(&self, name: impl AsRef<OsStr>) -> Result<Metadata> {
        let name = name.as_ref();
        fstatat(&self.0, one(name)?, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map(Metadata)
            .at("fstatat", || name.display().to_string())
    }

    /// [`Dir::metadata`], `None` where there is no such name.
    pub fn find(&self, name: impl AsRef<OsStr>) -> Result<Option<Metadata>> {
        match self.metadata(name) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether something is mounted on `name`, in whichever mount namespace this directory is.
    pub fn is_mount_point(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        let name = name.as_ref();
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV;
        let how = OpenHow::new().flags(flags).resolve(resolve);
        match openat2(&self.0, one(name)?, how) {
            Ok(handle) => {
                drop(handle);
                Ok(false)
            }
            Err(Errno::EXDEV) => Ok(true),
            Err(errno) => {
                Err(errno).at("openat2", || format!("{}, RESOLVE_NO_XDEV", name.display()))
            }
        }
    }

    /// stat(2) of the directory itself.
    pub fn own_metadata(&self) -> Result<Metadata> {
        fstat(&self.0).map(Metadata).at("fstat", String::new)
    }

    /// Sets owner and group of `name` itself.
    pub fn chown(&self, name: impl AsRef<OsStr>, uid: u32, gid: u32) -> Result<()> {
        let name = name.as_ref();
        let (owner, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        fchownat(
            &self.0,
            one(name)?,
            owner,
            group,
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .at("fchownat", || format!("{}, {uid}:{gid}", name.display()))
    }

    /// Sets the permission bits of `name` itself; links are refused (EOPNOTSUPP).
    pub fn chmod(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<()> {
        let name = name.as_ref();
        fchmodat(
            &self.0,
            one(name)?,
            permissions(mode),
            FchmodatFlags::NoFollowSymlink,
        )
        .at("fchmodat", || format!("{}, {mode:04o}", name.display()))
    }

    /// Sets both times of `name` itself.
    pub fn set_times(&self, name: impl AsRef<OsStr>, mtime: TimeSpec) -> Result<()> {
        let name = name.as_ref();
        let time = NixTime::new(mtime.seconds, mtime.nanoseconds);
        utimensat(
            &self.0,
            one(name)?,
            &time,
            &time,
            UtimensatFlags::NoFollowSymlink,
        )
        .at("utimensat", || name.display().to_string())
    }

    /// Sets both times of `name` itself to now, without waiting for a disk.
    pub fn touch(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        let (now, flag) = (NixTime::UTIME_NOW, UtimensatFlags::NoFollowSymlink);
        utimensat(&self.0, one(name)?, &now, &now, flag)
            .at("utimensat", || format!("{}, UTIME_NOW", name.display()))
    }

    /// Removes a name that is not a directory.
    pub fn remove_file(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        unlinkat(&self.0, one(name)?, UnlinkatFlags::NoRemoveDir)
            .at("unlinkat", || name.display().to_string())
    }

    /// Removes an empty directory.
    pub fn remove_dir(&self, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        unlinkat(&self.0, one(name)?, UnlinkatFlags::RemoveDir)
            .at("unlinkat", || format!("{}, AT_REMOVEDIR", name.display()))
    }

    /// Moves `from` here to `name` in `target`, replacing a file of that name.
    pub fn rename(
        &self,
        from: impl AsRef<OsStr>,
        target: &Dir,
        name: impl AsRef<OsStr>,
    ) -> Result<()> {
        self.rename_with(from.as_ref(), target, name.as_ref(), RenameFlags::empty())
    }

    /// Moves `from` here to `name` in `target`; EEXIST where the name is taken.
    pub fn rename_new(
        &self,
        from: impl AsRef<OsStr>,
        target: &Dir,
        name: impl AsRef<OsStr>,
    ) -> Result<()> {
        self.rename_with(
            from.as_ref(),
            target,
            name.as_ref(),
            RenameFlags::RENAME_NOREPLACE,
        )
    }

    /// Swaps `from` here and `name` in `target` in one step; both must be there.
    pub fn exchange(
        &self,
        from: impl AsRef<OsStr>,
        target: &Dir,
        name: impl AsRef<OsStr>,
    ) -> Result<()> {
        let flags = RenameFlags::RENAME_EXCHANGE;
        self.rename_with(from.as_ref(), target, name.as_ref(), flags)
    }

    fn rename_with(
        &self,
        from: &OsStr,
        target: &Dir,
        name: &OsStr,
        flags: RenameFlags,
    ) -> Result<()> {
        renameat2(&self.0, one(from)?, &target.0, one(name)?, flags).at("renameat2", || {
            format!("{}, {}", from.display(), name.display())
        })
    }

    /// A second open of the same directory: with a position and locks of its own.
    pub fn reopen(&self) -> Result<Self> {
        openat(&self.0, ".", OPEN_DIR, Mode::empty())
            .map(Self)
            .at("openat", || ".")
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A second open file of the same inode, with a position of its own, for reading.
pub fn reopen(file: BorrowedFd<'_>) -> Result<File> {
    let path = format!("/proc/self/fd/{}", raw::raw(&file));
    File::open(&path).at("open", || path.clone())
}

fn permissions(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode & 0o7777)
}

/// Refuses what is not one component before any system call sees it.
pub(super) fn one(name: &OsStr) -> Result<&OsStr> {
    match name.as_bytes() {
        b"" | b".." => Err(SysError::new(
            "openat",
            name.display().to_string(),
            Errno::EINVAL,
        )),
        bytes if bytes.contains(&b'/') => Err(SysError::new(
            "openat",
            name.display().to_string(),
            Errno::EXDEV,
        )),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_slashes_or_dotdot_never_reach_the_kernel() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        for name in ["", "..", "a/b", "/etc"] {
            assert!(dir.metadata(name).is_err(), "{name}");
            assert!(dir.make_dir(name, 0o755).is_err(), "{name}");
        }
    }

    #[test]
    fn a_link_is_never_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.make_symlink(OsStr::new("/etc"), "link").unwrap();
        assert_eq!(
            dir.open_dir("link").unwrap_err().errno(),
            Some(Errno::ENOTDIR)
        );
        assert_eq!(
            dir.locate_dir("link").unwrap_err().errno(),
            Some(Errno::ENOTDIR)
        );
        assert_eq!(dir.metadata("link").unwrap().kind(), FileKind::Symlink);
        assert_eq!(
            dir.open_file("link").unwrap_err().errno(),
            Some(Errno::ELOOP)
        );
    }

    #[test]
    fn rename_new_never_replaces() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.make_dir("a", 0o755).unwrap();
        dir.make_dir("b", 0o755).unwrap();
        assert_eq!(
            dir.rename_new("a", &dir, "b").unwrap_err().errno(),
            Some(Errno::EEXIST)
        );
    }
}
