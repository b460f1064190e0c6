//! First use: an empty volume gets the image's directory of the same place (semantics 26–27).
//!
//! Crash-safe and kind to a container that has the volume mounted already: the copy is made beside
//! the data, and when it is whole its entries are moved in one by one. `filling` is an unfinished
//! copy (garbage), `filled` a whole one whose moving somebody must finish.

use std::ffi::OsStr;

use nix::errno::Errno;

use super::{
    Error,
    local::{DATA, failed},
};
use crate::sys::{
    CopyReport, Dir, Result as SysResult, SysError, copy_tree, lock::Lock, remove_tree, sync,
};

/// What the copy is called: while it is made, and when it is whole.
struct Names {
    filling: &'static str,
    filled: &'static str,
}

/// In the volume's directory.
const BESIDE: Names = Names {
    filling: "filling",
    filled: "filled",
};

/// In a file system of the volume's own, whose entries can only be renamed inside it.
const INSIDE: Names = Names {
    filling: ".cowshed-filling",
    filled: ".cowshed-filled",
};

const LOCK: &str = "fill.lock";

/// What filling found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The volume had data.
    NotEmpty,
    /// Copied so much.
    Copied(CopyReport),
}

/// Copies `from` into the volume in `volume` unless that has data. Waits for anybody who fills it
/// at the same moment.
pub fn fill(volume: &Dir, name: &str, from: &Dir) -> Result<Filled, Error> {
    fill_locked(volume, from).map_err(|source| failed("populate", name, source))
}

/// Finishes what a crash interrupted: a whole copy whose entries were being moved in.
pub fn finish(volume: &Dir, name: &str) -> Result<(), Error> {
    let finish = || -> SysResult<()> {
        if volume.find(BESIDE.filled)?.is_none() {
            return Ok(());
        }
        let _lock = lock(volume)?;
        if volume.find(BESIDE.filled)?.is_some() {
            move_in(&BESIDE, volume, volume)
        } else {
            Ok(())
        }
    };
    finish().map_err(|source| failed("populate", name, source))
}

/// The same for a volume with a file system of its own: the copy is made in it, beside nothing else.
pub fn fill_mounted(volume: &Dir, name: &str, from: &Dir) -> Result<Filled, Error> {
    let fill = || -> SysResult<Filled> {
        let _lock = lock(volume)?;
        let data = volume.open_dir(DATA)?;
        fill_beside(&INSIDE, (volume, &data), from)
    };
    fill().map_err(|source| failed("populate", name, source))
}

/// Whether a file system holds nothing but what an unfinished copy left, or a whole copy of which
/// some has been moved in.
pub(super) fn wants_filling_mounted(data: &Dir) -> SysResult<bool> {
    let entries = data.entries()?;
    Ok(entries.iter().any(|name| name == INSIDE.filled)
        || entries.iter().all(|name| name == INSIDE.filling))
}

/// Ends what somebody began who was killed while he filled the volume in `volume`: a whole copy is moved
/// in, another one goes.
pub(super) fn end_left(volume: &Dir) -> SysResult<()> {
    let _lock = lock(volume)?;
    if volume.find(BESIDE.filled)?.is_some() {
        move_in(&BESIDE, volume, volume)?;
    }
    remove_tree(volume, BESIDE.filling)
}

/// Whether somebody was killed while he filled the volume in `volume`; not while one does.
pub(super) fn is_left(volume: &Dir) -> SysResult<bool> {
    let left = volume.find(BESIDE.filling)?.is_some() || volume.find(BESIDE.filled)?.is_some();
    Ok(left && Lock::try_exclusive(volume.open_or_create_file(LOCK, 0o600)?)?.is_some())
}

/// Whether the volume holds nothing.
pub fn is_empty(volume: &Dir) -> SysResult<bool> {
    Ok(volume.open_dir(DATA)?.entries()?.is_empty())
}

/// Beside the data, where no container can hold it; not the volume itself, which is leased by
/// whoever has it mounted.
fn lock(volume: &Dir) -> SysResult<Lock> {
    Lock::exclusive(volume.open_or_create_file(LOCK, 0o600)?)
}

fn fill_locked(volume: &Dir, from: &Dir) -> SysResult<Filled> {
    let _lock = lock(volume)?;
    if volume.find(BESIDE.filled)?.is_none() && !is_empty(volume)? {
        return Ok(Filled::NotEmpty);
    }
    fill_beside(&BESIDE, (volume, volume), from)
}

/// `at` is where the copy is made.
fn fill_beside(names: &Names, (volume, at): (&Dir, &Dir), from: &Dir) -> SysResult<Filled> {
    if at.find(names.filled)?.is_some() {
        move_in(names, volume, at)?;
    }
    let data = volume.open_dir(DATA)?;
    if !wants_filling_mounted(&data)? {
        return Ok(Filled::NotEmpty);
    }
    remove_tree(at, names.filling)?;
    at.make_dir(names.filling, 0o700)?;
    let copied = copy_tree(from, &at.open_dir(names.filling)?);
    let report = copied.inspect_err(|_| {
        // Somebody else's file system may refuse owners or be full: leave it as it was.
        remove_tree(at, names.filling).ok();
    })?;
    // A copy that counts as whole must be whole after a power cut, too.
    sync::file_system(at)?;
    at.rename(names.filling, at, names.filled)?;
    move_in(names, volume, at)?;
    Ok(Filled::Copied(report))
}

/// What somebody wrote meanwhile stays.
fn move_in(names: &Names, volume: &Dir, at: &Dir) -> SysResult<()> {
    let (filled, data) = (at.open_dir(names.filled)?, volume.open_dir(DATA)?);
    for name in filled.entries()? {
        match rename_new(&filled, &data, &name) {
            Err(error) if error.errno() == Some(Errno::EEXIST) => remove_tree(&filled, &name)?,
            moved => moved?,
        }
    }
    let top = filled.own_metadata()?;
    volume.chown(DATA, top.uid(), top.gid())?;
    volume.chmod(DATA, top.mode())?;
    at.remove_dir(names.filled)?;
    volume.set_times(DATA, top.mtime())
}

/// Not every file system can refuse to replace (renameat2(2)): then a look before must do.
fn rename_new(from: &Dir, to: &Dir, name: &OsStr) -> SysResult<()> {
    match from.rename_new(name, to, name) {
        Err(error) if error.errno() == Some(Errno::EINVAL) => {}
        renamed => return renamed,
    }
    if to.find(name)?.is_some() {
        return Err(SysError::new(
            "renameat2",
            name.display().to_string(),
            Errno::EEXIST,
        ));
    }
    from.rename(name, to, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Dir, Dir) {
        let scratch = tempfile::tempdir().unwrap();
        let top = Dir::open(scratch.path()).unwrap();
        for dir in ["volume", "image"] {
            top.make_dir(dir, 0o755).unwrap();
        }
        let (volume, image) = (
            top.open_dir("volume").unwrap(),
            top.open_dir("image").unwrap(),
        );
        volume.make_dir(DATA, 0o755).unwrap();
        (scratch, volume, image)
    }

    #[test]
    fn rule_26_an_empty_volume_is_filled_once() {
        let (_scratch, volume, image) = tree();
        image.create_file("seed", 0o640).unwrap();
        assert!(matches!(
            fill(&volume, "v", &image).unwrap(),
            Filled::Copied(_)
        ));
        let data = volume.open_dir(DATA).unwrap();
        assert_eq!(data.entries().unwrap(), ["seed"]);
        assert_eq!(fill(&volume, "v", &image).unwrap(), Filled::NotEmpty);
        assert_eq!(volume.sorted_entries().unwrap(), [DATA, LOCK]);
    }

    #[test]
    fn rule_27_the_root_gets_the_mode_even_of_an_empty_directory() {
        let (scratch, volume, image) = tree();
        Dir::open(scratch.path())
            .unwrap()
            .chmod("image", 0o1750)
            .unwrap();
        fill(&volume, "v", &image).unwrap();
        assert_eq!(volume.metadata(DATA).unwrap().mode(), 0o1750);
    }

    #[test]
    fn a_crash_while_moving_in_is_finished_by_the_next() {
        let (_scratch, volume, image) = tree();
        volume.make_dir(BESIDE.filled, 0o755).unwrap();
        volume
            .open_dir(BESIDE.filled)
            .unwrap()
            .create_file("late", 0o644)
            .unwrap();
        volume
            .open_dir(DATA)
            .unwrap()
            .create_file("early", 0o644)
            .unwrap();
        finish(&volume, "v").unwrap();
        assert_eq!(fill(&volume, "v", &image).unwrap(), Filled::NotEmpty);
        assert_eq!(
            volume.open_dir(DATA).unwrap().sorted_entries().unwrap(),
            ["early", "late"]
        );
    }

    #[test]
    fn what_a_container_wrote_meanwhile_stays() {
        let (_scratch, volume, _image) = tree();
        volume.make_dir(BESIDE.filled, 0o755).unwrap();
        let (filled, data) = (
            volume.open_dir(BESIDE.filled).unwrap(),
            volume.open_dir(DATA).unwrap(),
        );
        filled.make_dir("same", 0o755).unwrap();
        data.create_file("same", 0o600).unwrap();
        finish(&volume, "v").unwrap();
        assert!(!data.metadata("same").unwrap().is_dir());
    }

    #[test]
    fn a_crash_while_copying_leaves_nothing() {
        let (_scratch, volume, image) = tree();
        volume.make_dir(BESIDE.filling, 0o755).unwrap();
        volume
            .open_dir(BESIDE.filling)
            .unwrap()
            .create_file("half", 0o644)
            .unwrap();
        image.create_file("whole", 0o644).unwrap();
        fill(&volume, "v", &image).unwrap();
        assert_eq!(volume.open_dir(DATA).unwrap().entries().unwrap(), ["whole"]);
    }
}
