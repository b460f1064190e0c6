//! Fits an unpacked layer to the layers below it: whiteouts, opaque directories, and what the
//! directories are like that no entry describes.
//!
//! Decided for the whole layer at once, so that the order of its entries does not matter. A
//! whiteout is only made where it hides something: overlayfs shows useless ones as broken names in
//! directories that are not merged.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    EntryMetadata, Error, Notes, PathBytes,
    lowers::{self, Found},
    metadata,
};
use crate::sys::{self, Dir, FileKind, TimeSpec, inode, xattr};

const OPAQUE_XATTR: &str = "trusted.overlay.opaque";

/// Applies what depends on the layers below.
///
/// `lowers` are the directories of the layers below, topmost first, settled themselves, and cut
/// after the first one whose root is opaque.
///
/// May be repeated after a crash on a freshly unpacked layer only.
pub fn settle(target: &Dir, notes: &Notes, lowers: &[Dir]) -> Result<(), Error> {
    let mut settling = Settling {
        target,
        lowers: if notes.opaque_root { &[] } else { lowers },
        opaque: BTreeSet::new(),
        replaced: BTreeSet::new(),
        implied: notes.implied.iter().cloned().collect(),
        disturbed: BTreeMap::new(),
    };
    settling.whiteouts(notes)?;
    settling.opaques()?;
    settling.restore_times()?;
    settling.describe_implied()?;
    if notes.root.is_none() {
        // An opaque root hides what is in the root below, not what the root is like.
        let below = match lowers.first() {
            Some(top) => metadata::of_directory(top),
            None => Ok(unknown_directory()),
        };
        let root = PathBytes::default();
        let below = below.on(&root)?;
        metadata::to_directory(target, &below).on(&root)?;
    }
    Ok(())
}

/// Owner, mode and time of a directory that nothing describes.
fn unknown_directory() -> EntryMetadata {
    EntryMetadata {
        mode: 0o755,
        ..EntryMetadata::default()
    }
}

struct Settling<'a> {
    target: &'a Dir,
    lowers: &'a [Dir],
    /// Directories whose content below is hidden.
    opaque: BTreeSet<PathBytes>,
    /// Of those, the ones that a whiteout hides altogether: new directories of the same name.
    replaced: BTreeSet<PathBytes>,
    implied: BTreeSet<PathBytes>,
    /// Times of directories as they were before something was made in them.
    disturbed: BTreeMap<PathBytes, TimeSpec>,
}

/// What this layer has at a path.
enum Here {
    Directory(Dir),
    /// Something else, there or on the way.
    Other,
    Missing,
}

impl Settling<'_> {
    /// Shorter paths come first, so that what lies below a whiteout is found to be hidden already.
    fn whiteouts(&mut self, notes: &Notes) -> Result<(), Error> {
        for path in &notes.whiteouts {
            if let Here::Directory(_) = self.look(path)? {
                self.replaced.insert(path.clone());
                self.opaque.insert(path.clone());
            }
        }
        // Before the whiteouts: one below an opaque directory hides nothing.
        let marked = notes
            .opaques
            .iter()
            .filter(|path| !notes.whiteouts.contains(path));
        self.opaque.extend(marked.cloned());
        for path in &notes.whiteouts {
            if matches!(self.look(path)?, Here::Missing) && self.find_below(path)?.is_some() {
                let (above, name) = path.split();
                let parent = self.make_dirs(&PathBytes::new(above))?;
                self.disturb(&parent, &PathBytes::new(above))?;
                parent
                    .make_node(name, FileKind::CharDevice, 0, (0, 0))
                    .on(path)?;
            }
        }
        Ok(())
    }

    fn opaques(&mut self) -> Result<(), Error> {
        for path in self.opaque.clone() {
            let hides_directory =
                matches!(self.find_below(&path)?, Some(Found { dir: Some(_), .. }));
            if !hides_directory {
                continue;
            }
            let dir = match self.look(&path)? {
                Here::Directory(dir) => dir,
                Here::Other => continue,
                Here::Missing => self.make_dirs(&path)?,
            };
            xattr::set(&dir, ".", OPAQUE_XATTR, b"y").on(&path)?;
        }
        Ok(())
    }

    /// What the layers below show, unless a directory of this layer above it hides them.
    fn find_below(&self, path: &PathBytes) -> Result<Option<Found>, Error> {
        if path.ancestors().any(|above| self.opaque.contains(above)) {
            return Ok(None);
        }
        lowers::find(self.lowers, path).on(path)
    }

    fn look(&self, path: &PathBytes) -> Result<Here, Error> {
        let mut here = self.target.try_clone().on(path)?;
        for name in path.components() {
            match here.find(name).on(path)? {
                None => return Ok(Here::Missing),
                Some(found) if !found.is_dir() => return Ok(Here::Other),
                Some(_) => here = here.open_dir(name).on(path)?,
            }
        }
        Ok(Here::Directory(here))
    }

    /// Makes what is missing of a directory's path.
    fn make_dirs(&mut self, path: &PathBytes) -> Result<Dir, Error> {
        let mut so_far = PathBytes::default();
        let mut here = self.target.try_clone().on(path)?;
        for name in path.components() {
            let above = so_far.clone();
            so_far = so_far.join(name);
            if here.find(name).on(&so_far)?.is_none() {
                self.disturb(&here, &above)?;
                here.make_dir(name, 0o755).on(&so_far)?;
                self.implied.insert(so_far.clone());
            }
            here = here.open_dir(name).on(&so_far)?;
        }
        Ok(here)
    }

    /// Remembers a directory's time before its content changes.
    fn disturb(&mut self, dir: &Dir, path: &PathBytes) -> Result<(), Error> {
        if !self.disturbed.contains_key(path) {
            let time = dir.own_metadata().on(path)?.mtime();
            self.disturbed.insert(path.clone(), time);
        }
        Ok(())
    }

    fn restore_times(&mut self) -> Result<(), Error> {
        for (path, time) in std::mem::take(&mut self.disturbed) {
            if let Here::Directory(dir) = self.look(&path)? {
                inode::set_times(&dir, time).on(&path)?;
            }
        }
        Ok(())
    }

    /// A directory that is only on the way to something is as it was below.
    fn describe_implied(&self) -> Result<(), Error> {
        for path in self.implied.iter().rev() {
            let Here::Directory(dir) = self.look(path)? else {
                continue;
            };
            let below = match self.find_below(path)? {
                Some(Found {
                    dir: Some(below), ..
                }) if !self.replaced.contains(path) => metadata::of_directory(&below).on(path)?,
                _ => unknown_directory(),
            };
            metadata::to_directory(&dir, &below).on(path)?;
        }
        Ok(())
    }
}

/// Puts the path to a failed call.
trait On<T> {
    fn on(self, path: &PathBytes) -> Result<T, Error>;
}

impl<T> On<T> for sys::Result<T> {
    fn on(self, path: &PathBytes) -> Result<T, Error> {
        self.map_err(|source| Error::Settle {
            path: path.clone(),
            source,
        })
    }
}
