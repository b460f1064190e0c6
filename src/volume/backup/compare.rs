//! Two lists of files side by side: what is different in the second.

use std::{cmp::Ordering, io::BufRead};

use super::{
    BackupError, FileLine,
    spool::{Finished, Lines},
};
use crate::layer::PathBytes;

/// One difference between an archive and a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Only the archive has it.
    Missing(PathBytes),
    /// Only the volume has it.
    New(PathBytes),
    /// Both have it.
    Changed {
        /// Its path.
        path: PathBytes,
        /// In what they differ.
        what: &'static str,
    },
}

/// Tells every difference between what an archive and what a volume has, both lists in the order
/// in which trees are walked.
pub fn compare(
    archive: &mut Finished,
    volume: &mut Finished,
    mut tell: impl FnMut(Difference),
) -> Result<(), BackupError> {
    let system = |source| BackupError::System {
        what: "read list of files",
        source,
    };
    let (ours, theirs) = (archive.tail().entries, volume.tail().entries);
    let mut archive = Listed(archive.lines().map_err(system)?, ours);
    let mut volume = Listed(volume.lines().map_err(system)?, theirs);
    let (mut old, mut new) = (archive.next()?, volume.next()?);
    loop {
        let order = match (&old, &new) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => walk_order(&old.path, &new.path),
        };
        match (order, old.take(), new.take()) {
            (Ordering::Less, Some(gone), kept) => {
                tell(Difference::Missing(gone.path));
                (old, new) = (archive.next()?, kept);
            }
            (Ordering::Greater, kept, Some(added)) => {
                tell(Difference::New(added.path));
                (old, new) = (kept, volume.next()?);
            }
            (_, first, second) => {
                if let (Some(first), Some(second)) = (first, second)
                    && let Some(what) = first.difference(&second)
                {
                    let path = first.path;
                    tell(Difference::Changed { path, what });
                }
                (old, new) = (archive.next()?, volume.next()?);
            }
        }
    }
}

/// The lines before the tail.
struct Listed<R>(Lines<R>, u64);

impl<R: BufRead> Listed<R> {
    fn next(&mut self) -> Result<Option<FileLine>, BackupError> {
        if self.1 == 0 {
            return Ok(None);
        }
        self.1 -= 1;
        self.0.next()
    }
}

/// Which of two paths is walked first: a directory before what is below it, that before the next
/// name.
fn walk_order(one: &PathBytes, other: &PathBytes) -> Ordering {
    one.components().cmp(other.components())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_packer() {
        let walked = [
            "", "a", "a/x", "a/x/1", "a/y", "a/y/0", "a.b", "b", "b/0", "b/q", "b/q/r", "z",
        ];
        let paths: Vec<_> = walked
            .iter()
            .map(|path| PathBytes::new(path.as_bytes()))
            .collect();
        for (at, one) in paths.iter().enumerate() {
            for (other_at, other) in paths.iter().enumerate() {
                assert_eq!(walk_order(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
    }
}
