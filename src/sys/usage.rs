//! What a tree takes: bytes and inodes, each hard-linked inode once.

use std::collections::HashSet;

use nix::errno::Errno;

use super::{Dir, Result};

/// Sum over a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Sum of the sizes of regular files and links, as Docker counts.
    pub bytes: u64,
    /// Blocks on disk, in bytes.
    pub allocated: u64,
    /// Inodes, the top directory not counted.
    pub inodes: u64,
}

/// Walks the tree below `dir`, never into another mount, never holding a lock. What is removed
/// while it walks does not count.
pub fn usage(dir: &Dir) -> Result<Usage> {
    let device = dir.own_metadata()?.dev();
    let mut walk = Walk {
        device,
        seen: HashSet::new(),
        sum: Usage::default(),
    };
    walk.add(dir)?;
    Ok(walk.sum)
}

struct Walk {
    device: u64,
    seen: HashSet<u64>,
    sum: Usage,
}

impl Walk {
    fn add(&mut self, dir: &Dir) -> Result<()> {
        for name in dir.entries()? {
            let Some(metadata) = dir.find(&name)? else {
                continue;
            };
            if metadata.nlink() > 1 && !metadata.is_dir() && !self.seen.insert(metadata.ino()) {
                continue;
            }
            self.sum.inodes += 1;
            self.sum.allocated += metadata.allocated();
            if !metadata.is_dir() {
                self.sum.bytes += metadata.size();
            } else if metadata.dev() == self.device {
                match dir.open_dir(&name).and_then(|below| self.add(&below)) {
                    Err(error) if is_gone(error.errno()) => {}
                    done => done?,
                }
            }
        }
        Ok(())
    }
}

/// Removed, or something else by now.
fn is_gone(errno: Option<Errno>) -> bool {
    matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hard_link_counts_once() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        std::io::Write::write_all(&mut dir.create_file("a", 0o600).unwrap(), b"12345").unwrap();
        dir.link("a", &dir, "b").unwrap();
        let sum = usage(&dir).unwrap();
        assert_eq!((sum.bytes, sum.inodes), (5, 1));
    }

    #[test]
    fn a_tree_that_changes_is_no_error() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        std::io::Write::write_all(&mut dir.create_file("a", 0o600).unwrap(), b"12345").unwrap();
        let deep = scratch.path().join("b/c/d");
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    std::fs::create_dir_all(&deep).unwrap();
                    std::fs::remove_dir_all(scratch.path().join("b")).unwrap();
                }
            });
            let looks: Vec<_> = (0..5000).map(|_| usage(&dir)).collect();
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(
                looks
                    .iter()
                    .all(|sum| sum.as_ref().is_ok_and(|sum| sum.bytes == 5))
            );
        });
    }
}
