//! An upper dir to a changeset: whiteouts and opaque directories as `.wh.` names, and what only
//! overlayfs understands in words that every reader of layers does.
//!
//! A directory that overlayfs renamed with a mark is hidden at its old place by a whiteout; under
//! its new name it is written whole, with what the layers below have of it. A file whose bytes were
//! not copied up gets them from the layers below.
//!
//! Costs what was changed, not what the layers hold, but for such directories.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::File,
    io::Write,
    os::unix::ffi::OsStrExt as _,
};

use super::{
    EntryMetadata, Error, Marks, PathBytes, Remarks,
    below::{Below, Old},
    change_writer::{ChangeSink, ChangeWriter, Subject},
    draft::On as _,
    lowers,
    marks::{Attributes, Elsewhere},
    pack_copy::is_gone,
    whiteout,
};
use crate::sys::{Dir, FileKind, Metadata, RootDir, TimeSpec, open_regular, xattr};

/// An upper dir, and what there is to know about it.
#[derive(Debug, Clone)]
pub struct Changes<'a> {
    /// The upper dir.
    pub upper: &'a Dir,
    /// The directories that it was mounted on, topmost first.
    pub lowers: &'a [Dir],
    /// What the root is like without the changes: if it still is, the layer says nothing of it.
    pub root: Option<EntryMetadata>,
    /// Which marks are believed.
    pub marks: Marks,
    /// Later times become this one.
    pub latest: Option<TimeSpec>,
    /// Trees that take the place of what is under their names.
    pub baked: &'a [Baked],
}

/// A tree from elsewhere that becomes a part of the layer.
#[derive(Debug)]
pub struct Baked {
    /// The tree.
    pub dir: Dir,
    /// Where it is in the layer; no link is on the way.
    pub path: PathBytes,
}

/// Writes an upper dir as a changeset.
///
/// Names are in byte order within each directory, a directory before what is in it; no access
/// times, no user names. What a layer cannot hold is left out with a remark: sockets, and names that
/// begin with `.wh.`; so is what vanishes meanwhile, where somebody still writes.
///
/// # Errors
///
/// Marks that are not believed: what they hide is not known.
pub fn pack_changes(changes: &Changes<'_>, out: impl Write) -> Result<Remarks, Error> {
    tell_changes(changes, ChangeWriter::new(out, changes.latest))?.finish()
}

/// Tells `out` what [`pack_changes`] writes.
pub(super) fn tell_changes<S: ChangeSink>(changes: &Changes<'_>, out: S) -> Result<S, Error> {
    let top = PathBytes::default();
    let tree = |dir: &Dir| Ok(RootDir::new(dir.try_clone().on(&top)?));
    let mut packer = Packer {
        changes,
        upper: tree(changes.upper)?,
        lowers: changes
            .lowers
            .iter()
            .chain(changes.baked.iter().map(|baked| &baked.dir))
            .map(tree)
            .collect::<Result<_, _>>()?,
        out,
    };
    packer.root()?;
    // Open directories are not stacked: trees may be deeper than descriptors are many.
    let mut pending = packer.baked()?;
    pending.push(Pending {
        path: top.clone(),
        way: Way::Changes { is_hidden: false },
    });
    while let Some(next) = pending.pop() {
        let mut below = packer.directory(next)?;
        below.reverse();
        pending.append(&mut below);
    }
    Ok(packer.out)
}

struct Packer<'a, S> {
    changes: &'a Changes<'a>,
    upper: RootDir,
    /// Those of the stack, then the baked ones.
    lowers: Vec<RootDir>,
    out: S,
}

/// A directory to go into.
struct Pending {
    path: PathBytes,
    way: Way,
}

/// What is written of a directory.
enum Way {
    /// What the upper dir has.
    Changes {
        /// A directory above it hides all that the layers below have.
        is_hidden: bool,
    },
    /// All that the union shows.
    Whole {
        in_upper: bool,
        /// In the layers below.
        old: Old,
    },
}

impl<S: ChangeSink> Packer<'_, S> {
    /// The root's own entry, if there is something to say.
    fn root(&mut self) -> Result<(), Error> {
        let (root, dot) = (PathBytes::default(), OsStr::new("."));
        let upper = self.changes.upper;
        let found = upper.own_metadata().on(&root)?;
        let attributes = Attributes::of(upper, dot).on(&root)?;
        let now = EntryMetadata {
            mode: found.mode(),
            uid: found.uid(),
            gid: found.gid(),
            mtime: (found.mtime().seconds, found.mtime().nanoseconds),
            xattrs: attributes.kept.clone(),
        };
        let is_new = if let Some(before) = &self.changes.root {
            *before != now
        } else {
            // There was none: an empty one is nothing.
            let plain = EntryMetadata {
                mode: 0o755,
                mtime: now.mtime,
                ..EntryMetadata::default()
            };
            now != plain || !upper.entries().on(&root)?.is_empty()
        };
        if !is_new {
            return Ok(());
        }
        self.out.directory(&root, &found, &attributes)
    }

    /// The tops of the trees from elsewhere, which are like any directory that is written whole.
    fn baked(&mut self) -> Result<Vec<Pending>, Error> {
        let mut pending = Vec::new();
        for (number, Baked { dir, path }) in self.changes.baked.iter().enumerate().rev() {
            let found = dir.own_metadata().on(path)?;
            let attributes = Attributes::of(dir, OsStr::new(".")).on(path)?;
            self.out.directory(path, &found, &attributes)?;
            self.out.opaque(path)?;
            let layers = vec![self.changes.lowers.len() + number];
            let old = Old {
                path: PathBytes::default(),
                layers,
            };
            let in_upper = false;
            pending.push(Pending {
                path: path.clone(),
                way: Way::Whole { in_upper, old },
            });
        }
        Ok(pending)
    }

    fn is_baked(&self, path: &PathBytes) -> bool {
        self.changes.baked.iter().any(|baked| baked.path == *path)
    }

    /// Writes everything in a directory; returns its subdirectories.
    fn directory(&mut self, pending: Pending) -> Result<Vec<Pending>, Error> {
        let path = pending.path;
        let written = match pending.way {
            Way::Changes { is_hidden } => self.changed(&path, is_hidden),
            Way::Whole { in_upper, old } => self.whole(&path, in_upper, old),
        };
        self.unless_gone(&path, written, Vec::new())
    }

    /// Somebody who still writes may have removed it.
    fn unless_gone<T>(
        &mut self,
        path: &PathBytes,
        written: Result<T, Error>,
        nothing: T,
    ) -> Result<T, Error> {
        match written {
            Err(Error::Pack { source, .. }) if !path.is_root() && is_gone(&source) => {
                let line = format!("{path}: removed while it was copied");
                self.out.remark(line);
                Ok(nothing)
            }
            written => written,
        }
    }

    fn changed(&mut self, path: &PathBytes, is_hidden: bool) -> Result<Vec<Pending>, Error> {
        let dir = self.upper.open_dir_without_links(path.as_path()).on(path)?;
        let is_opaque = xattr::is_opaque(&dir);
        if is_opaque {
            self.out.opaque(path)?;
        }
        let is_hidden = is_hidden || is_opaque;
        let mut pending = Vec::new();
        for name in dir.sorted_entries().on(path)? {
            let path_of_name = path.join(&name);
            let subject = Subject {
                dir: &dir,
                name: &name,
                path: &path_of_name,
            };
            let written = self.change(subject, path, is_hidden);
            pending.extend(self.unless_gone(&path_of_name, written, None)?);
        }
        Ok(pending)
    }

    /// One name of the upper dir; a directory is still to be gone into.
    fn change(
        &mut self,
        subject: Subject<'_>,
        parent: &PathBytes,
        is_hidden: bool,
    ) -> Result<Option<Pending>, Error> {
        let Subject { dir, name, path } = subject;
        if self.is_baked(path) {
            return Ok(None);
        }
        let found = dir.metadata(name).on(path)?;
        if found.is_whiteout() {
            self.out.whiteout(path)?;
            return Ok(None);
        }
        // Only a mark wants to know what the layers below have here.
        let below = |packer: &Self| {
            if is_hidden {
                return Ok(Old::default());
            }
            packer.old(parent)
        };
        let Some(attributes) = self.leaf(subject, &found, below)? else {
            return Ok(None);
        };
        let redirect = attributes.redirect(self.changes.marks, path)?;
        let way = match redirect {
            None => Way::Changes { is_hidden },
            Some(redirect) => {
                self.out.opaque(path)?;
                let old = self.follow(redirect, || below(self))?;
                let in_upper = true;
                Way::Whole { in_upper, old }
            }
        };
        let path = path.clone();
        Ok(Some(Pending { path, way }))
    }

    /// Everything that the union shows in a directory.
    fn whole(&mut self, path: &PathBytes, in_upper: bool, old: Old) -> Result<Vec<Pending>, Error> {
        let open = |tree: &RootDir, at: &PathBytes| {
            let opened = tree.open_dir_without_links(at.as_path());
            opened.on(at)
        };
        let upper = in_upper.then(|| open(&self.upper, path)).transpose()?;
        let is_opaque = upper.as_ref().is_some_and(xattr::is_opaque);
        let layers = if is_opaque { Vec::new() } else { old.layers };
        let dirs = layers
            .into_iter()
            .map(|layer| Ok((layer, open(&self.lowers[layer], &old.path)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let below = Below {
            path: old.path,
            dirs,
        };
        let mut names = BTreeSet::<OsString>::new();
        for dir in upper.iter().chain(below.dirs.iter().map(|(_, dir)| dir)) {
            names.extend(dir.entries().on(path)?);
        }
        let mut pending = Vec::new();
        for name in names {
            let path = path.join(&name);
            let written = self.shown(upper.as_ref(), &below, (&name, &path));
            pending.extend(self.unless_gone(&path, written, None)?);
        }
        Ok(pending)
    }

    /// One name of a directory that is written whole, as the union shows it.
    fn shown(
        &mut self,
        upper: Option<&Dir>,
        below: &Below,
        (name, path): (&OsStr, &PathBytes),
    ) -> Result<Option<Pending>, Error> {
        if self.is_baked(path) {
            return Ok(None);
        }
        let in_upper = match upper {
            Some(dir) => dir.find(name).on(path)?.map(|found| (dir, found)),
            None => None,
        };
        let topmost = match in_upper {
            Some(found) => Some(found),
            None => below.find(name).on(path)?,
        };
        let Some((dir, found)) = topmost.filter(|(_, found)| !found.is_whiteout()) else {
            return Ok(None);
        };
        let subject = Subject { dir, name, path };
        let marks = self.changes.marks;
        let attributes = if in_upper.is_some() {
            self.leaf(subject, &found, |_| Ok(below.old()))?
        } else {
            self.old_leaf(subject, &found)?
        };
        let Some(attributes) = attributes else {
            return Ok(None);
        };
        let marks = if in_upper.is_some() {
            marks
        } else {
            Marks::default()
        };
        let old = match attributes.redirect(marks, path)? {
            Some(redirect) => self.follow(redirect, || Ok(below.old()))?,
            None => below.child(name).on(path)?,
        };
        let way = Way::Whole {
            in_upper: in_upper.is_some(),
            old,
        };
        let path = path.clone();
        Ok(Some(Pending { path, way }))
    }

    /// Writes one name of the upper dir; the attributes of a directory that is to be gone into.
    fn leaf(
        &mut self,
        subject: Subject<'_>,
        found: &Metadata,
        below: impl Fn(&Self) -> Result<Old, Error>,
    ) -> Result<Option<Attributes>, Error> {
        let Subject { dir, name, path } = subject;
        if found.kind() != FileKind::File || is_unfit(name) {
            return self.old_leaf(subject, found);
        }
        let attributes = Attributes::of(dir, name).on(path)?;
        let marks = self.changes.marks;
        if attributes.is_metacopy(marks, path)? {
            // A file is found under another name by the same mark as a directory.
            let elsewhere = attributes.redirect(marks, path)?;
            let elsewhere = elsewhere.unwrap_or(Elsewhere::Name(PathBytes::new(name.as_bytes())));
            let data = self.data(elsewhere, || below(self), path)?;
            self.out.file(subject, Some(&data))?;
        } else {
            self.out.file(subject, None)?;
        }
        Ok(None)
    }

    /// The same for a name that has no marks, or may have none.
    fn old_leaf(
        &mut self,
        subject: Subject<'_>,
        found: &Metadata,
    ) -> Result<Option<Attributes>, Error> {
        let Subject { dir, name, path } = subject;
        if is_unfit(name) {
            let line = format!("{path}: left out: in a layer, \".wh.\" hides another name");
            self.out.remark(line);
            return Ok(None);
        }
        match found.kind() {
            FileKind::Directory => {
                let attributes = Attributes::of(dir, name).on(path)?;
                self.out.directory(path, found, &attributes)?;
                return Ok(Some(attributes));
            }
            FileKind::File => {
                let attributes = Attributes::of(dir, name).on(path)?;
                attributes.is_metacopy(Marks::default(), path)?;
                self.out.file(subject, None)?;
            }
            FileKind::Symlink
            | FileKind::CharDevice
            | FileKind::BlockDevice
            | FileKind::Fifo
            | FileKind::Socket => self.out.node(subject, found)?,
        }
        Ok(None)
    }

    /// What the layers below have at a path, if it is a directory.
    fn old(&self, path: &PathBytes) -> Result<Old, Error> {
        let layers = lowers::directories(self.changes.lowers, path).on(path)?;
        let path = path.clone();
        Ok(Old { path, layers })
    }

    fn follow(
        &self,
        redirect: Elsewhere,
        parent: impl FnOnce() -> Result<Old, Error>,
    ) -> Result<Old, Error> {
        match redirect {
            Elsewhere::Path(path) => self.old(&path),
            Elsewhere::Name(name) => {
                let parent = parent()?;
                if parent.layers.is_empty() {
                    return Ok(Old::default());
                }
                self.old(&parent.path.join(OsStr::from_bytes(name.as_bytes())))
            }
        }
    }

    /// The file that has the bytes of one that only has metadata.
    fn data(
        &self,
        elsewhere: Elsewhere,
        parent: impl FnOnce() -> Result<Old, Error>,
        path: &PathBytes,
    ) -> Result<File, Error> {
        let missing = || Error::NoData { path: path.clone() };
        let place = match elsewhere {
            Elsewhere::Path(place) => place,
            Elsewhere::Name(name) => {
                let parent = parent()?;
                if parent.layers.is_empty() {
                    return Err(missing());
                }
                parent.path.join(OsStr::from_bytes(name.as_bytes()))
            }
        };
        let layer = lowers::topmost(self.changes.lowers, &place).on(path)?;
        let (above, name) = place.split();
        let layer = &self.lowers[layer.ok_or_else(missing)?];
        let above = PathBytes::new(above);
        let dir = layer.open_dir_without_links(above.as_path()).on(path)?;
        let opened = open_regular(&dir, name).on(path)?;
        let (file, _) = opened.ok_or_else(missing)?;
        // Its own bytes are not elsewhere again.
        let attributes = Attributes::of_file(&file).on(path)?;
        attributes.is_metacopy(Marks::default(), &place)?;
        Ok(file)
    }
}

/// What a layer takes for something else.
fn is_unfit(name: &OsStr) -> bool {
    name.as_bytes().starts_with(whiteout::PREFIX)
}
