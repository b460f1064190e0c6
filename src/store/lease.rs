//! Leases: the lock on a directory that has its final name.

use super::{Error, Place, Store};
use crate::sys::{Dir, lock::Lock};

/// Somebody's claim on a directory of the store, given back on drop or death.
#[derive(Debug)]
pub struct Lease {
    /// The claimed directory.
    pub dir: Dir,
    lock: Lock,
}

/// How strong a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Shared,
    Exclusive,
}

impl Lease {
    /// Claims `name` in `parent` for use beside others; waits for whoever has it exclusively.
    pub fn shared(parent: &Dir, name: &str) -> Result<Option<Self>, Error> {
        claim(parent, name, Claim::Shared)
    }

    /// Claims it alone; waits for all others.
    pub fn exclusive(parent: &Dir, name: &str) -> Result<Option<Self>, Error> {
        claim(parent, name, Claim::Exclusive)
    }

    /// Puts a lock and its directory together again after [`super::Staging::publish`].
    pub fn from_parts(dir: Dir, lock: Lock) -> Self {
        Self { dir, lock }
    }

    /// The lock, to be held by a process that outlives this value.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }
}

/// What a non-blocking claim found.
#[derive(Debug)]
pub enum Tried {
    /// The claim.
    Got(Lease),
    /// Somebody else has it.
    Busy,
    /// There is no such directory.
    Absent,
}

/// Claims `name` alone without waiting.
pub fn try_lease(parent: &Dir, name: &str) -> Result<Tried, Error> {
    let Some(dir) = open(parent, name)? else {
        return Ok(Tried::Absent);
    };
    let own = dir.try_clone().map_err(|source| failed(name, source))?;
    match Lock::try_exclusive(own.into_fd().into()).map_err(|source| failed(name, source))? {
        Some(lock) if is_current(parent, name, &dir)? => Ok(Tried::Got(Lease { dir, lock })),
        Some(_) => Ok(Tried::Absent),
        None => Ok(Tried::Busy),
    }
}

/// Claims a top-level directory itself; waits for others.
pub fn lease_place(store: &Store, place: Place, exclusive: bool) -> Result<Lease, Error> {
    // An open file of its own: a lock ends with the last descriptor of its open file (flock(2)).
    let dir = store
        .open_dir(place)?
        .reopen()
        .map_err(|source| failed(".", source))?;
    let own = dir.try_clone().map_err(|source| failed(".", source))?;
    let file = own.into_fd().into();
    let lock = if exclusive {
        Lock::exclusive(file)
    } else {
        Lock::shared(file)
    };
    Ok(Lease {
        dir,
        lock: lock.map_err(|source| failed(".", source))?,
    })
}

fn failed(name: &str, source: crate::sys::SysError) -> Error {
    Error::System {
        what: format!("lock {name}"),
        source,
    }
}

fn open(parent: &Dir, name: &str) -> Result<Option<Dir>, Error> {
    match parent.open_dir(name) {
        Ok(dir) => Ok(Some(dir)),
        Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => Ok(None),
        Err(error) => Err(failed(name, error)),
    }
}

/// Whether the name still means the directory that we locked: its owner may have removed it, and
/// another may have made a new one, while we waited.
fn is_current(parent: &Dir, name: &str, dir: &Dir) -> Result<bool, Error> {
    let now = parent.find(name).map_err(|source| failed(name, source))?;
    let own = dir.own_metadata().map_err(|source| failed(name, source))?;
    Ok(now.is_some_and(|now| (now.dev(), now.ino()) == (own.dev(), own.ino())))
}

fn claim(parent: &Dir, name: &str, claim: Claim) -> Result<Option<Lease>, Error> {
    loop {
        let Some(dir) = open(parent, name)? else {
            return Ok(None);
        };
        let own = dir.try_clone().map_err(|source| failed(name, source))?;
        let file = own.into_fd().into();
        let lock = match claim {
            Claim::Shared => Lock::shared(file),
            Claim::Exclusive => Lock::exclusive(file),
        };
        let lock = lock.map_err(|source| failed(name, source))?;
        if is_current(parent, name, &dir)? {
            return Ok(Some(Lease { dir, lock }));
        }
    }
}
