//! Removes what dead commands left in `tmp/` and `trash/`.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use nix::errno::Errno;

use super::{BLOB_PREFIX, Error, Place, Store, part, record};
use crate::{
    ident::Timestamp,
    sys::{Dir, FileKind, Result as SysResult, gone, lock::Lock, remove_tree},
};

/// What is removed is moved to the trash first and deleted within seconds; older than this, in
/// seconds, its remover is dead.
const TRASH_AGE: i64 = 60;

/// A part of a blob may be gone on with for so long, in seconds.
const PART_AGE: i64 = 24 * 60 * 60;

/// What in `trash/` is no leftover: what prune removed and can still be undone.
pub const KEPT: &str = "volumes";

/// Sweeps both. What somebody is filling or removing stays.
pub fn sweep(store: &Store) -> Result<(), Error> {
    let failed = |source| Error::System {
        what: "sweep tmp and trash".to_owned(),
        source,
    };
    sweep_tmp(store.open_dir(Place::Tmp)?, PART_AGE).map_err(failed)?;
    sweep_trash(store.open_dir(Place::Trash)?, TRASH_AGE).map_err(failed)
}

/// What [`sweep`] would remove at this moment, relative to the root.
pub fn leftovers(store: &Store) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::System {
        what: "look through tmp and trash".to_owned(),
        source,
    };
    let tmp = dead_in_tmp(store.open_dir(Place::Tmp)?, PART_AGE).map_err(failed)?;
    let trash = dead_in_trash(store.open_dir(Place::Trash)?, TRASH_AGE).map_err(failed)?;
    let in_tmp = tmp.iter().map(|name| Place::Tmp.path().join(name));
    let in_trash = trash.iter().map(|name| Place::Trash.path().join(name));
    Ok(in_tmp.chain(in_trash).collect())
}

fn dead_in_tmp(tmp: &Dir, part_age: i64) -> SysResult<Vec<OsString>> {
    let Some(_gate) = Lock::try_exclusive(tmp.reopen()?.into_fd().into())? else {
        return Ok(Vec::new());
    };
    let mut dead = Vec::new();
    for name in tmp.entries()? {
        let is_dead = match tmp.find(&name)?.map(|found| found.kind()) {
            Some(FileKind::Directory) => dead_dir(tmp, &name).is_some(),
            Some(FileKind::File) => is_dead_file(tmp, &name, part_age)?,
            _ => false,
        };
        dead.extend(is_dead.then_some(name));
    }
    Ok(dead)
}

fn dead_in_trash(trash: &Dir, age: i64) -> SysResult<Vec<OsString>> {
    let now = Timestamp::now().as_second();
    let mut dead = Vec::new();
    for name in trash.entries()? {
        let Some(found) = trash.find(&name)?.filter(|_| name != KEPT) else {
            continue;
        };
        let is_old = now - found.changed() >= age;
        if is_old && (!found.is_dir() || dead_dir(trash, &name).is_some()) {
            dead.push(name);
        }
    }
    Ok(dead)
}

/// Never waits: while anybody begins something in `tmp/`, another command will do it.
fn sweep_tmp(tmp: &Dir, part_age: i64) -> SysResult<()> {
    let Some(gate) = Lock::try_exclusive(tmp.reopen()?.into_fd().into())? else {
        return Ok(());
    };
    let mut dead = Vec::new();
    for name in tmp.entries()? {
        match tmp.find(&name)?.map(|found| found.kind()) {
            Some(FileKind::Directory) => dead.extend(dead_dir(tmp, &name)),
            Some(FileKind::File) => sweep_file(tmp, &name, part_age)?,
            _ => {}
        }
    }
    // Trees take a while to go; they are locked, by us.
    drop(gate);
    for (name, _lock) in dead {
        remove_tree(tmp, &name)?;
    }
    Ok(())
}

fn dead_dir(dir: &Dir, name: &OsStr) -> Option<(OsString, Lock)> {
    let own = dir.open_dir(name).ok()?;
    let lock = Lock::try_exclusive(own.into_fd().into()).ok()??;
    Some((name.to_owned(), lock))
}

fn sweep_file(tmp: &Dir, name: &OsStr, part_age: i64) -> SysResult<()> {
    if is_dead_file(tmp, name, part_age)? {
        gone(tmp.remove_file(name))
    } else {
        Ok(())
    }
}

/// Blobs are locked by their writers, records are written behind the gate.
fn is_dead_file(tmp: &Dir, name: &OsStr, part_age: i64) -> SysResult<bool> {
    let text = name.to_string_lossy();
    // What another one removed in between is gone all the same.
    let is_unlocked = || match tmp.open_file(name) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
        file => Ok(Lock::try_exclusive(file?)?.is_some()),
    };
    if text.starts_with(BLOB_PREFIX) || text.starts_with(part::TURN_PREFIX) {
        is_unlocked()
    } else if text.starts_with(part::PREFIX) {
        let changed = tmp.find(name)?.map_or(i64::MAX, |found| found.changed());
        Ok(Timestamp::now().as_second().saturating_sub(changed) >= part_age && is_unlocked()?)
    } else {
        Ok(text.starts_with(record::PREFIX))
    }
}

fn sweep_trash(trash: &Dir, age: i64) -> SysResult<()> {
    let now = Timestamp::now().as_second();
    for name in trash.entries()? {
        if name == KEPT {
            continue;
        }
        let Some(metadata) = trash.find(&name)? else {
            continue;
        };
        if now - metadata.changed() < age {
            continue;
        }
        if !metadata.is_dir() {
            gone(trash.remove_file(&name))?;
            continue;
        }
        // Locked while it goes, so that of two sweepers one goes on to the next.
        if let Some((name, _lock)) = dead_dir(trash, &name) {
            remove_tree(trash, &name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Blobs, Staging, staging::gate},
        *,
    };

    fn store() -> (tempfile::TempDir, Store) {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        (scratch, store)
    }

    #[test]
    fn what_is_being_filled_stays_and_the_rest_goes() {
        let (_scratch, store) = store();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        let busy = Staging::begin(&store, "busy").unwrap();
        let blobs = Blobs::open(&store).unwrap();
        let blob = blobs.begin().unwrap();
        let living = tmp.sorted_entries().unwrap();
        tmp.make_dir("dead", 0o700).unwrap();
        for dead in ["blob-1", "record-1"] {
            tmp.create_file(dead, 0o600).unwrap();
        }
        sweep(&store).unwrap();
        assert_eq!(tmp.sorted_entries().unwrap(), living);
        drop((busy, blob));
        assert!(tmp.entries().unwrap().is_empty());
    }

    #[test]
    fn parts_wait_for_a_day_and_turns_for_nobody() {
        let (_scratch, store) = store();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        for name in ["part-1", "turn-1"] {
            tmp.create_file(name, 0o600).unwrap();
        }
        sweep(&store).unwrap();
        assert_eq!(tmp.entries().unwrap(), ["part-1"]);
        let lock = Lock::exclusive(tmp.open_file("part-1").unwrap()).unwrap();
        sweep_tmp(tmp, 0).unwrap();
        assert_eq!(tmp.entries().unwrap(), ["part-1"]);
        drop(lock);
        sweep_tmp(tmp, 0).unwrap();
        assert!(tmp.entries().unwrap().is_empty());
    }

    #[test]
    fn what_another_one_removed_is_gone() {
        let (_scratch, store) = store();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        for name in ["blob-1", "turn-1", "part-1", "record-1"] {
            sweep_file(tmp, name.as_ref(), 0).unwrap();
        }
    }

    #[test]
    fn nobody_sweeps_while_somebody_begins() {
        let (_scratch, store) = store();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        let gate = gate(tmp).unwrap();
        tmp.make_dir("not-locked-yet", 0o700).unwrap();
        sweep(&store).unwrap();
        assert_eq!(tmp.entries().unwrap(), ["not-locked-yet"]);
        drop(gate);
        sweep(&store).unwrap();
        assert!(tmp.entries().unwrap().is_empty());
    }

    #[test]
    fn old_trash_goes_and_young_trash_stays() {
        let (_scratch, store) = store();
        let trash = store.open_dir(Place::Trash).unwrap();
        trash.make_dir("half-removed", 0o700).unwrap();
        trash.make_dir(KEPT, 0o700).unwrap();
        trash.create_file("blob", 0o600).unwrap();
        sweep(&store).unwrap();
        let left = trash.sorted_entries().unwrap();
        assert_eq!(left, ["blob", "half-removed", KEPT]);
        sweep_trash(trash, 0).unwrap();
        assert_eq!(trash.entries().unwrap(), [KEPT]);
    }
}
