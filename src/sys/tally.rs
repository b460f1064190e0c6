//! `Tally`: what trees of one file system take on disk, added up as du(1) `-x` does.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    ops::AddAssign,
    rc::Rc,
};

use nix::errno::Errno;

use super::{Dir, Metadata, Result, SysError};

/// What something takes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Blocks on disk, in bytes.
    pub allocated: u64,
    /// Inodes, directories too.
    pub inodes: u64,
}

impl AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.allocated += other.allocated;
        self.inodes += other.inodes;
    }
}

/// Adds up trees of one file system. An inode with several names counts once, where it is met first;
/// what lies on another file system does not count, nor does the directory that it is mounted on.
///
/// Nothing is locked: what goes meanwhile does not count.
#[derive(Debug)]
pub struct Tally {
    device: u64,
    /// Inodes with several names: how many there are, and how many were met.
    shared: HashMap<u64, (u64, u64)>,
    mounted: u64,
}

impl Tally {
    /// One for the file system that a directory is on.
    pub fn new(of: &Dir) -> Result<Self> {
        Ok(Self {
            device: of.own_metadata()?.dev(),
            shared: HashMap::new(),
            mounted: 0,
        })
    }

    /// How many directories were met on which another file system is mounted.
    pub fn mounted(&self) -> u64 {
        self.mounted
    }

    /// Whether no inode has a name outside of what was met.
    pub fn is_closed(&self) -> bool {
        self.shared.values().all(|(names, met)| names == met)
    }

    /// An inode alone, without what is in it; `None` where it is of another file system.
    pub fn one(&mut self, metadata: &Metadata) -> Option<Taken> {
        if metadata.dev() != self.device {
            self.mounted += 1;
            return None;
        }
        if metadata.nlink() > 1 && !metadata.is_dir() {
            let (_, met) = self
                .shared
                .entry(metadata.ino())
                .or_insert((metadata.nlink(), 0));
            *met += 1;
            if *met > 1 {
                return Some(Taken::default());
            }
        }
        Some(Taken {
            allocated: metadata.allocated(),
            inodes: 1,
        })
    }

    /// A name and everything below it.
    ///
    /// # Errors
    ///
    /// Never for what has gone, or has become something else.
    pub fn tree(&mut self, parent: &Dir, name: &OsStr) -> Result<Taken> {
        let mut sum = Taken::default();
        // A directory is open as long as one of its own waits here: a chain of any depth is one or two.
        let mut waiting: Vec<(Rc<Dir>, OsString)> =
            vec![(Rc::new(parent.try_clone()?), name.to_owned())];
        while let Some((parent, name)) = waiting.pop() {
            let Some(metadata) = present(parent.find(&name))?.flatten() else {
                continue;
            };
            let Some(taken) = self.one(&metadata) else {
                continue;
            };
            sum += taken;
            if !metadata.is_dir() {
                continue;
            }
            let entries = || {
                let below = parent.open_dir(&name)?;
                Ok((below.sorted_entries()?, Rc::new(below)))
            };
            let Some((names, below)) = present(entries())? else {
                continue;
            };
            // In order, so that the same tree gives the same answer.
            let names = names.into_iter().rev();
            waiting.extend(names.map(|name| (Rc::clone(&below), name)));
        }
        Ok(sum)
    }
}

/// `None` for what another process removed, or put something else in the place of.
fn present<T>(done: Result<T>) -> Result<Option<T>> {
    let is_gone = |error: &SysError| {
        matches!(
            error.errno(),
            Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)
        )
    };
    match done {
        Err(error) if is_gone(&error) => Ok(None),
        done => done.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn dir() -> (tempfile::TempDir, Dir) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        (scratch, dir)
    }

    #[test]
    fn an_inode_counts_once_however_many_trees_name_it() {
        let (_scratch, dir) = dir();
        dir.make_dir("one", 0o755).unwrap();
        dir.make_dir("two", 0o755).unwrap();
        let (one, two) = (dir.open_dir("one").unwrap(), dir.open_dir("two").unwrap());
        let mut file = one.create_file("file", 0o600).unwrap();
        file.write_all(&[7; 10_000]).unwrap();
        one.link("file", &two, "same").unwrap();
        let mut tally = Tally::new(&dir).unwrap();
        assert_eq!(tally.tree(&dir, "one".as_ref()).unwrap().inodes, 2);
        assert!(!tally.is_closed());
        assert_eq!(tally.tree(&dir, "two".as_ref()).unwrap().inodes, 1);
        assert!(tally.is_closed());
        assert_eq!(tally.tree(&dir, "gone".as_ref()).unwrap(), Taken::default());
    }

    #[test]
    fn a_chain_of_2000_directories_needs_no_2000_descriptors() {
        let (scratch, dir) = dir();
        dir.make_dir("top", 0o755).unwrap();
        let mut here = dir.open_dir("top").unwrap();
        for _ in 0..2000 {
            here.make_dir("d", 0o755).unwrap();
            here = here.open_dir("d").unwrap();
        }
        let taken = Tally::new(&dir)
            .and_then(|mut tally| tally.tree(&dir, "top".as_ref()))
            .unwrap();
        assert_eq!(taken.inodes, 2001);
        crate::sys::remove_tree(&dir, "top").unwrap();
        drop(scratch);
    }
}
