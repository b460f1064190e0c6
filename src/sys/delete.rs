//! Removal of a tree that is safe by construction.
//!
//! By descriptors, never across a mount: a bind mount that is still there stops the removal with
//! EBUSY or EXDEV and its content stays (docs: removal walks into nothing it did not make).

use std::ffi::OsStr;

use nix::errno::Errno;

use super::{Dir, FileKind, Result};

/// Deeper trees than this are removed by renaming subtrees up first; descriptors are finite.
const DEPTH_MAX: usize = 256;

/// Somebody who had a directory open before it was out of sight may put a file into it while it is
/// emptied; so often.
const AGAIN: usize = 8;

/// Removes `name` in `parent` and everything below it; nothing there is fine.
///
/// # Errors
///
/// EXDEV where a mount is in the way: it is left alone, with what is above it.
pub fn remove_tree(parent: &Dir, name: impl AsRef<OsStr>) -> Result<()> {
    let name = name.as_ref();
    for _ in 0..AGAIN {
        match remove_once(parent, name) {
            Err(error) if error.errno() == Some(Errno::ENOTEMPTY) => {}
            done => return done,
        }
    }
    remove_once(parent, name)
}

fn remove_once(parent: &Dir, name: &OsStr) -> Result<()> {
    match parent.remove_file(name) {
        Ok(()) => return Ok(()),
        Err(error) => match error.errno() {
            Some(Errno::ENOENT) => return Ok(()),
            Some(Errno::EISDIR | Errno::EPERM) => {}
            _ => return Err(error),
        },
    }
    let Some(top) = own_dir(parent, name)? else {
        return Ok(());
    };
    // No name of the tree's own can be in the way.
    let random = super::random_bytes()?;
    let stem = format!(
        ".lifted-{:016x}",
        u64::from_ne_bytes(std::array::from_fn(|at| random[at]))
    );
    let mut sweep = Sweep {
        top: &top,
        stem,
        lifted: 0,
    };
    sweep.empty(&top, 0)?;
    while sweep.lifted > 0 {
        let lifted = std::mem::take(&mut sweep.lifted);
        for number in 0..lifted {
            let name = format!("{}-{number}", sweep.stem);
            if let Ok(dir) = top.open_own_dir(&name) {
                let renamed = format!("{}-now", sweep.stem);
                gone(top.rename(&name, &top, &renamed))?;
                sweep.empty(&dir, 1)?;
                gone(top.remove_dir(&renamed))?;
            }
        }
    }
    gone(parent.remove_dir(name))
}

/// `None` for what another process removed meanwhile.
pub(super) fn present<T>(done: Result<T>) -> Result<Option<T>> {
    match done {
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
        done => done.map(Some),
    }
}

/// A removal that another process was faster with is done.
pub(crate) fn gone(done: Result<()>) -> Result<()> {
    present(done).map(drop)
}

/// A directory to be emptied, unless another process removed it meanwhile.
pub(super) fn own_dir(parent: &Dir, name: &OsStr) -> Result<Option<Dir>> {
    present(parent.open_own_dir(name))
}

struct Sweep<'a> {
    top: &'a Dir,
    stem: String,
    /// Subtrees too deep for one pass, renamed to the top for the next.
    lifted: usize,
}

impl Sweep<'_> {
    fn empty(&mut self, dir: &Dir, depth: usize) -> Result<()> {
        for (name, kind) in present(dir.typed_entries())?.unwrap_or_default() {
            if kind != Some(FileKind::Directory) {
                match dir.remove_file(&name) {
                    Ok(()) => continue,
                    Err(error) if error.errno() == Some(Errno::ENOENT) => continue,
                    Err(error) if error.errno() == Some(Errno::EISDIR) => {}
                    Err(error) => return Err(error),
                }
            }
            // Many are empty, and to find that out takes four calls more.
            match dir.remove_dir(&name) {
                Ok(()) => continue,
                Err(error) if error.errno() == Some(Errno::ENOENT) => continue,
                // Not empty, or mounted on, or no directory at all: what comes next says so.
                Err(_) => {}
            }
            if depth >= DEPTH_MAX {
                let lifted = format!("{}-{}", self.stem, self.lifted);
                if present(dir.rename(&name, self.top, lifted))?.is_some() {
                    self.lifted += 1;
                }
                continue;
            }
            let Some(below) = own_dir(dir, &name)? else {
                continue;
            };
            self.empty(&below, depth + 1)?;
            gone(dir.remove_dir(&name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_links_and_nothing_are_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        std::fs::create_dir_all(scratch.path().join("a/b/c")).unwrap();
        dir.open_dir("a")
            .unwrap()
            .make_symlink(OsStr::new("/etc"), "etc")
            .unwrap();
        remove_tree(&dir, "a").unwrap();
        remove_tree(&dir, "a").unwrap();
        assert!(dir.entries().unwrap().is_empty());
        assert!(std::path::Path::new("/etc/passwd").exists());
    }

    #[test]
    fn a_tree_of_1500_levels_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        dir.make_dir("top", 0o755).unwrap();
        let mut here = dir.open_dir("top").unwrap();
        for _ in 0..1500 {
            here.make_dir("d", 0o755).unwrap();
            here = here.open_dir("d").unwrap();
        }
        remove_tree(&dir, "top").unwrap();
        assert!(dir.entries().unwrap().is_empty());
    }
}
