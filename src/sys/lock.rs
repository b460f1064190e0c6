//! Locks as leases: flock(2) on an open file, given back by the kernel when the holder dies.

use std::fs::{File, TryLockError};

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

fn outcome(got: std::result::Result<(), TryLockError>, how: &str) -> Result<bool> {
    match got {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(SysError::from_io("flock", how, &error)),
    }
}
