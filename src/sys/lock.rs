//! Locks as leases: flock(2) on an open file, given back by the kernel when the holder dies.

use std::fs::{File, TryLockError};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
};

use super::{At as _, Result, SysError};

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Waits for the exclusive lock.
    pub fn exclusive(file: File) -> Result<Self> {
        file.lock().at("flock", || "LOCK_EX")?;
        Ok(Self(file))
    }

    /// Waits for the shared lock.
    pub fn shared(file: File) -> Result<Self> {
        file.lock_shared().at("flock", || "LOCK_SH")?;
        Ok(Self(file))
    }

    /// The exclusive lock, or `None` while anybody else holds it.
    pub fn try_exclusive(file: File) -> Result<Option<Self>> {
        outcome(file.try_lock(), "LOCK_EX|LOCK_NB").map(|got| got.then_some(Self(file)))
    }

    /// The shared lock, or `None` while anybody else holds the exclusive one.
    pub fn try_shared(file: File) -> Result<Option<Self>> {
        outcome(file.try_lock_shared(), "LOCK_SH|LOCK_NB").map(|got| got.then_some(Self(file)))
    }

    /// Makes a shared lock exclusive, if nobody else has one. Where somebody has, this one is lost
    /// (flock(2)): [`Lock::share`] takes it again.
    pub fn try_alone(&self) -> Result<bool> {
        outcome(self.0.try_lock(), "LOCK_EX|LOCK_NB")
    }

    /// Makes an exclusive lock shared, waiting for whoever was quicker to take it exclusively.
    pub fn share(&self) -> Result<()> {
        self.0.lock_shared().at("flock", || "LOCK_SH")
    }

    /// Lets go, also for children that have inherited the file and hang.
    pub fn unlock(&self) {
        // It cannot fail on an open file, and closing lets go as well.
        self.0.unlock().ok();
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.0
    }
}

/// Locks one byte of a file, shared or alone, for as long as its open file lives (fcntl(2),
/// `F_OFD_SETLK`); whether it was to be had. Does not wait.
pub fn try_range(file: &File, byte: u64, alone: bool) -> Result<bool> {
    let kind = if alone { libc::F_WRLCK } else { libc::F_RDLCK };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(byte, kind))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno).at("fcntl", || "F_OFD_SETLK"),
    }
}

/// Whether any other open file has a lock on the byte.
pub fn is_range_shared(file: &File, byte: u64) -> Result<bool> {
    let mut found = range(byte, libc::F_WRLCK);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).at("fcntl", || "F_OFD_GETLK")?;
    Ok(i32::from(found.l_type) != libc::F_UNLCK)
}

fn range(byte: u64, kind: i32) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: 0,
        l_start: i64::try_from(byte).unwrap_or(i64::MAX),
        l_len: 1,
        l_pid: 0,
    }
}

fn outcome(got: std::result::Result<(), TryLockError>, how: &str) -> Result<bool> {
    match got {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(SysError::from_io("flock", how, &error)),
    }
}
