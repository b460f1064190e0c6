//! What this layer has made so far, as far as later entries depend on it: directories and links.
//!
//! Pure. It says where an entry's directory *should* be; the kernel, told to follow no link, has
//! the last word.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};

use super::{EntryMetadata, PathBytes};

/// As many links as the kernel follows (path_resolution(7)).
const HOPS_MAX: usize = 40;

/// Something that was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// A directory that no entry describes yet.
    Implied,
    Directory(EntryMetadata),
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
}

/// Where a path really is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: PathBytes,
    /// This much of the path is what links lead to: it must exist already.
    pub(super) must_exist: Option<usize>,
}

/// Too many links on the way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loop;

/// The book. Paths in it contain no links.
#[derive(Debug, Default)]
pub(super) struct Index {
    made: BTreeMap<PathBytes, Made>,
    weight: u64,
}

impl Index {
    pub(super) fn insert(&mut self, path: PathBytes, made: Made) {
        self.weight += path.as_bytes().len() as u64
            + match &made {
                Made::Implied => 64,
                Made::Directory(metadata) => metadata.weight(),
                Made::Symlink(target) => 64 + target.len() as u64,
            };
        self.made.insert(path, made);
    }

    /// Bytes that were put in.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// Forgets a path and all below it.
    pub(super) fn remove(&mut self, path: &PathBytes) {
        self.made.remove(path);
        let (mut from, mut to) = (path.as_bytes().to_vec(), path.as_bytes().to_vec());
        from.push(b'/');
        // The byte after the slash: everything between starts with the path and a slash.
        to.push(b'/' + 1);
        let range = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        let below: Vec<_> = self
            .made
            .range::<[u8], _>(range)
            .map(|(path, _)| path.clone())
            .collect();
        for path in below {
            self.made.remove(&path);
        }
    }

    pub(super) fn get(&self, path: &[u8]) -> Option<&Made> {
        self.made.get(path)
    }

    /// Everything, children before their directories.
    pub(super) fn deepest_first(&self) -> impl Iterator<Item = (&PathBytes, &Made)> {
        self.made.iter().rev()
    }

    /// Follows the links on the way of `path`, its last component included.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Place, Loop> {
        let mut rest: VecDeque<Vec<u8>> = parts(path).map(<[u8]>::to_vec).collect();
        let (mut done, mut hops) = (Vec::new(), 0);
        let (mut must_exist, mut anchor) = (None, None);
        while let Some(part) = rest.pop_front() {
            let before = done.len();
            if part == b".." {
                let slash = done.iter().rposition(|byte| *byte == b'/');
                done.truncate(slash.unwrap_or(0));
            } else {
                if !done.is_empty() {
                    done.push(b'/');
                }
                done.extend_from_slice(&part);
            }
            if let Some(Made::Symlink(target)) = self.made.get(&done[..]) {
                hops += 1;
                if hops > HOPS_MAX {
                    return Err(Loop);
                }
                let absolute = target.starts_with(b"/");
                done.truncate(if absolute { 0 } else { before });
                anchor = anchor.or(Some(rest.len()));
                for part in parts(target).rev() {
                    rest.push_front(part.to_vec());
                }
            }
            if anchor.is_some_and(|anchor| rest.len() <= anchor) {
                (must_exist, anchor) = (Some(done.len()), None);
            }
        }
        Ok(Place {
            path: PathBytes::new(done),
            must_exist,
        })
    }
}

fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let parts = path.split(|byte| *byte == b'/');
    parts.filter(|part| !part.is_empty() && *part != b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(links: &[(&str, &str)]) -> Index {
        let mut index = Index::default();
        for (path, target) in links {
            index.insert(
                PathBytes::new(path.as_bytes()),
                Made::Symlink(target.as_bytes().to_vec()),
            );
        }
        index
    }

    fn resolve(index: &Index, path: &str) -> Result<(String, Option<usize>), Loop> {
        let place = index.resolve(path.as_bytes())?;
        Ok((place.path.to_string(), place.must_exist))
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        let index = index(&[
            ("l", "a/b"),
            ("a/b/up", "../../../../x"),
            ("abs", "/l/../c"),
        ]);
        let found = |path: &str, must| Ok((path.to_owned(), must));
        assert_eq!(resolve(&index, "plain/p"), found("plain/p", None));
        assert_eq!(resolve(&index, "l/x"), found("a/b/x", Some(3)));
        assert_eq!(resolve(&index, "l/up/y"), found("x/y", Some(1)));
        assert_eq!(resolve(&index, "abs/z"), found("a/c/z", Some(3)));
    }

    #[test]
    fn a09_loops_end() {
        let index = index(&[("d", "d"), ("p", "q"), ("q", "p")]);
        assert_eq!(resolve(&index, "d/x"), Err(Loop));
        assert_eq!(resolve(&index, "p"), Err(Loop));
    }

    #[test]
    fn removal_takes_what_is_below_and_nothing_beside() {
        let mut index = index(&[
            ("a", "1"),
            ("a/b", "2"),
            ("a-b", "3"),
            ("a0", "4"),
            ("ab", "5"),
        ]);
        index.remove(&PathBytes::new(*b"a"));
        let left: Vec<_> = index
            .deepest_first()
            .map(|(path, _)| path.to_string())
            .collect();
        assert_eq!(left, ["ab", "a0", "a-b"]);
    }
}
