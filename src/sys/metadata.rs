//! What stat(2) tells of an inode.

use std::{os::fd::AsFd, path::Path};

use nix::sys::stat::{FileStat, SFlag, fstat, major, minor, stat};

use super::{At as _, Result};

/// Seconds and nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TimeSpec {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// 0 to 999 999 999.
    pub nanoseconds: i64,
}

/// The type of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket,
}

/// What stat(2) tells.
#[derive(Debug, Clone, Copy)]
pub struct Metadata(pub(super) FileStat);

#[expect(missing_docs, reason = "the fields of stat(2) under their names")]
impl Metadata {
    pub fn kind(&self) -> FileKind {
        match SFlag::from_bits_truncate(self.0.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFDIR => FileKind::Directory,
            SFlag::S_IFLNK => FileKind::Symlink,
            SFlag::S_IFCHR => FileKind::CharDevice,
            SFlag::S_IFBLK => FileKind::BlockDevice,
            SFlag::S_IFIFO => FileKind::Fifo,
            SFlag::S_IFSOCK => FileKind::Socket,
            _ => FileKind::File,
        }
    }

    pub fn is_dir(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    /// Permission bits with setuid, setgid and sticky.
    pub fn mode(&self) -> u32 {
        self.0.st_mode & 0o7777
    }

    pub fn uid(&self) -> u32 {
        self.0.st_uid
    }

    pub fn gid(&self) -> u32 {
        self.0.st_gid
    }

    pub fn size(&self) -> u64 {
        u64::try_from(self.0.st_size).unwrap_or(0)
    }

    /// Bytes allocated on disk.
    pub fn allocated(&self) -> u64 {
        u64::try_from(self.0.st_blocks).unwrap_or(0) * 512
    }

    pub fn dev(&self) -> u64 {
        self.0.st_dev
    }

    pub fn ino(&self) -> u64 {
        self.0.st_ino
    }

    pub fn nlink(&self) -> u64 {
        self.0.st_nlink
    }

    pub fn rdev(&self) -> u64 {
        self.0.st_rdev
    }

    /// Major and minor number of a device node.
    pub fn device_number(&self) -> (u64, u64) {
        (major(self.0.st_rdev), minor(self.0.st_rdev))
    }

    pub fn mtime(&self) -> TimeSpec {
        TimeSpec {
            seconds: self.0.st_mtime,
            nanoseconds: self.0.st_mtime_nsec,
        }
    }

    /// When anything about the inode changed, its name included; in seconds since the epoch.
    pub fn changed(&self) -> i64 {
        self.0.st_ctime
    }

    /// The same to the nanosecond, as far as the file system keeps it.
    pub fn changed_at(&self) -> TimeSpec {
        TimeSpec {
            seconds: self.0.st_ctime,
            nanoseconds: self.0.st_ctime_nsec,
        }
    }

    /// Whether this is overlayfs's whiteout: a character device 0:0 (overlayfs.rst, "whiteouts").
    pub fn is_whiteout(&self) -> bool {
        self.kind() == FileKind::CharDevice && self.0.st_rdev == 0
    }
}

/// stat(2) of an open file of any kind.
pub fn metadata_of(fd: impl AsFd) -> Result<Metadata> {
    fstat(fd).map(Metadata).at("fstat", String::new)
}

/// stat(2) of a trusted path; links are followed.
pub fn metadata_at(path: &Path) -> Result<Metadata> {
    stat(path)
        .map(Metadata)
        .at("stat", || path.display().to_string())
}
