//! Owner, mode, times and attributes of an open file or directory: no name is resolved again.

use std::{ffi::CString, os::fd::AsFd};

use nix::{
    errno::Errno,
    sys::{
        stat::{Mode, fchmod, futimens},
        time::TimeSpec as NixTime,
    },
    unistd::{Gid, Uid},
};

use super::{At as _, Result, SysError, TimeSpec, raw};

/// Sets owner and group. Clears setuid, setgid and `security.capability` of files: set those after.
pub fn chown(fd: impl AsFd, uid: u32, gid: u32) -> Result<()> {
    let (owner, group) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    nix::unistd::fchown(fd, owner, group).at("fchown", || format!("{uid}:{gid}"))
}

/// Sets the permission bits, setuid, setgid and sticky included.
pub fn chmod(fd: impl AsFd, mode: u32) -> Result<()> {
    let bits = Mode::from_bits_truncate(mode & 0o7777);
    fchmod(fd, bits).at("fchmod", || format!("{mode:04o}"))
}

/// Sets both times; what the file system cannot hold is clamped by the kernel.
pub fn set_times(fd: impl AsFd, mtime: TimeSpec) -> Result<()> {
    let time = NixTime::new(mtime.seconds, mtime.nanoseconds);
    futimens(fd, &time, &time).at("futimens", || mtime.seconds.to_string())
}

/// Sets an extended attribute.
pub fn set_xattr(fd: impl AsFd, key: &[u8], value: &[u8]) -> Result<()> {
    let failed = |errno| SysError::new("fsetxattr", String::from_utf8_lossy(key), errno);
    let key = CString::new(key).map_err(|_| failed(Errno::EINVAL))?;
    raw::fsetxattr(fd.as_fd(), &key, value).map_err(failed)
}
