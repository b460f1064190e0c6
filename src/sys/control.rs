//! Files through which the kernel is told things and asked for them: cgroupfs and the like.
//!
//! One write(2) is one order: it is taken whole or refused, and the errno says why.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Write as _},
    os::fd::AsFd,
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::stat::Mode,
};

use super::{At as _, Dir, Result, dir::one};

/// Writes `value` into the file `name`.
pub fn write(dir: &Dir, name: &str, value: &str) -> Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(dir, one(OsStr::new(name))?, flags, Mode::empty());
    let mut file = opened
        .map(File::from)
        .at("openat", || format!("{name}, O_WRONLY|O_NOFOLLOW"))?;
    file.write_all(value.as_bytes())
        .at("write", || format!("{name}, {value:?}"))
}

/// The text of the file `name`.
pub fn read(dir: &Dir, name: &str) -> Result<String> {
    read_open(&mut dir.open_file(name)?, name)
}

/// [`read`], `None` where there is no such file, or the directory went while it was open.
pub fn find(dir: &Dir, name: &str) -> Result<Option<String>> {
    match read(dir, name) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENODEV)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an open file says from its beginning.
pub fn read_open(file: &mut File, name: &str) -> Result<String> {
    let mut text = Vec::new();
    std::io::Seek::rewind(file).at("lseek", || name)?;
    file.read_to_end(&mut text).at("read", || name)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Waits until a file that was read has something new to say (cgroups(7), `cgroup.events`).
pub fn wait_for_change(file: impl AsFd, most: Duration) -> Result<()> {
    let mut set = [PollFd::new(file.as_fd(), PollFlags::POLLPRI)];
    let timeout = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
    match poll(&mut set, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno).at("poll", || "POLLPRI"),
    }
}
