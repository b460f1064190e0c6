//! Where entries go: the open directories of their parents.
//!
//! The index of what this layer made says where a path leads, links followed; the kernel opens that
//! place below the root and is told to follow no link. Descriptors are kept, verdicts are not
//! (CVE-2025-47290): whenever a name is removed, all descriptors are dropped.

use std::{collections::HashMap, ffi::OsStr, rc::Rc};

use nix::errno::Errno;

use super::{
    Error, PathBytes,
    index::{Index, Made, Place},
};
use crate::sys::{self, Dir, RootDir, remove_tree};

/// Descriptors that are kept; archives stay in one directory for long.
const PARENTS_MAX: usize = 32;

/// The target and what is known about it.
pub(super) struct Places {
    root: RootDir,
    pub(super) index: Index,
    /// Open directories by the path that entries used.
    parents: HashMap<Vec<u8>, Rc<Parent>>,
}

/// The open directory of an entry.
pub(super) struct Parent {
    pub(super) dir: Dir,
    /// Where it is, without links.
    pub(super) path: PathBytes,
}

impl Places {
    pub(super) fn new(root: RootDir) -> Self {
        Self {
            root,
            index: Index::default(),
            parents: HashMap::new(),
        }
    }

    pub(super) fn top(&self) -> &Dir {
        self.root.top()
    }

    /// Removes a name and all below it, and forgets every descriptor and what was said about them.
    pub(super) fn remove(
        &mut self,
        parent: &Parent,
        name: &OsStr,
        path: &PathBytes,
    ) -> Result<(), Error> {
        self.parents.clear();
        self.index.remove(&parent.path.join(name));
        remove_tree(&parent.dir, name).named(path)
    }

    /// The directory of an entry, made where it is missing, and the entry's name in it.
    pub(super) fn parent<'p>(
        &mut self,
        path: &'p PathBytes,
    ) -> Result<(Rc<Parent>, &'p OsStr), Error> {
        let (above, name) = path.split();
        if let Some(known) = self.parents.get(above) {
            return Ok((Rc::clone(known), name));
        }
        let place = self.resolve(path, above)?;
        if let Some(length) = place.must_exist {
            let leads_to = PathBytes::new(&place.path.as_bytes()[..length]);
            self.open(&leads_to)
                .map_err(|source| match source.errno() {
                    Some(Errno::ENOENT) => {
                        let why = "a symbolic link on the way leads to nothing in this layer";
                        Error::Parent {
                            entry: path.clone(),
                            why,
                        }
                    }
                    _ => Error::Entry {
                        entry: path.clone(),
                        source,
                    },
                })?;
        }
        let dir = match self.open(&place.path) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                self.make_parents(&place.path).named(path)?
            }
            opened => opened.named(path)?,
        };
        Ok((
            self.remember(
                above,
                Parent {
                    dir,
                    path: place.path,
                },
            ),
            name,
        ))
    }

    /// Like [`Places::parent`], but makes nothing.
    pub(super) fn existing_parent<'p>(
        &mut self,
        entry: &PathBytes,
        path: &'p PathBytes,
    ) -> Result<Option<(Rc<Parent>, &'p OsStr)>, Error> {
        let (above, name) = path.split();
        if let Some(known) = self.parents.get(above) {
            return Ok(Some((Rc::clone(known), name)));
        }
        let place = self.resolve(entry, above)?.path;
        match self.open(&place) {
            Ok(dir) => Ok(Some((
                self.remember(above, Parent { dir, path: place }),
                name,
            ))),
            Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR)) => Ok(None),
            Err(source) => Err(Error::Entry {
                entry: entry.clone(),
                source,
            }),
        }
    }

    /// Where an entry's directory is or would be, links of this layer followed.
    fn resolve(&self, entry: &PathBytes, directory: &[u8]) -> Result<Place, Error> {
        self.index.resolve(directory).map_err(|_| Error::Parent {
            entry: entry.clone(),
            why: "a loop of symbolic links",
        })
    }

    pub(super) fn open(&self, path: &PathBytes) -> sys::Result<Dir> {
        self.root.open_dir_without_links(path.as_path())
    }

    fn remember(&mut self, path: &[u8], parent: Parent) -> Rc<Parent> {
        if self.parents.len() >= PARENTS_MAX {
            self.parents.clear();
        }
        let parent = Rc::new(parent);
        self.parents.insert(path.to_vec(), Rc::clone(&parent));
        parent
    }

    fn make_parents(&mut self, path: &PathBytes) -> sys::Result<Dir> {
        let mut so_far = PathBytes::default();
        let mut here = self.open(&so_far)?;
        for name in path.components() {
            so_far = so_far.join(name);
            let made = here.make_dir(name, 0o755);
            match made {
                Ok(()) => self.index.insert(so_far.clone(), Made::Implied),
                Err(error) if error.errno() == Some(Errno::EEXIST) => {}
                Err(error) => return Err(error),
            }
            here = here.open_dir(name)?;
        }
        Ok(here)
    }
}

/// Puts the entry's name to a failed call.
pub(super) trait Named<T> {
    fn named(self, path: &PathBytes) -> Result<T, Error>;
}

impl<T> Named<T> for sys::Result<T> {
    fn named(self, path: &PathBytes) -> Result<T, Error> {
        self.map_err(|source| Error::Entry {
            entry: path.clone(),
            source,
        })
    }
}
