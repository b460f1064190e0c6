//! Puts the files of a tar into a tree that exists already and that others may change.
//!
//! Unlike a layer's target, the tree may have links: those on the way to an entry are followed
//! inside its root, as the container would follow them, never out of it. A file that is there is
//! replaced when the new one is whole.

use std::{
    ffi::OsStr,
    io::{BufRead, Read},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    Dialect, EntryMetadata, Error, Ledger, Limits, PathBytes,
    content_digest::ContentHasher,
    entry::{self, Change, LayerEntry},
    frame::Frames,
    places::Named as _,
    placing::{id, malformed},
    reading::{self, Count},
};
use crate::sys::{Dir, RootDir};

/// Where the files go.
#[derive(Debug)]
pub struct Destination<'a> {
    /// Links are followed inside it.
    pub root: &'a RootDir,
    /// A directory below the root.
    pub dir: &'a Path,
    /// What the top of the archive, the entry `.`, is called there; without one only what is
    /// below the top is put there.
    pub name: Option<&'a OsStr>,
    /// Who gets the files.
    pub owner: Owner,
    /// What the archive is to the tree.
    pub terms: Terms,
}

/// What an archive is to the tree that it is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Something more; the directory that it is put in stays as it is.
    Copy,
    /// The same, but the archive says what the directory is like, as for tar(1).
    Extract,
    /// All there is, in a directory that nobody else has: each name comes once, after its
    /// directory and through no link.
    Whole,
}

/// Who owns what is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whom the archive names.
    Archive,
    /// Whoever makes it.
    Maker,
}

/// What was put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Placed {
    /// Bytes of a plain tar of it.
    pub tar_bytes: u64,
}

/// Reads a tar, compressed or not, to its end. Umask must be 0.
///
/// # Errors
///
/// What was put there before the error stays; a file that is not whole does not.
pub fn place(
    tar: impl Read,
    destination: &Destination<'_>,
    limits: &Limits,
    ledger: &mut dyn Ledger,
) -> Result<Placed, Error> {
    let mut tar = reading::open(tar, limits)?;
    let mut placer = Placer {
        to: destination,
        parent: None,
        directories: Vec::new(),
        weight: 0,
        limits,
        count: Count::default(),
        placed: Placed { tar_bytes: 1024 },
    };
    let read = placer.entries(&mut tar, ledger);
    let finished = placer.finish();
    read.and(finished)?;
    reading::drain(tar)?;
    Ok(placer.placed)
}

pub(super) struct Placer<'a> {
    pub(super) to: &'a Destination<'a>,
    /// The directory of the last entry, by its path in the archive.
    pub(super) parent: Option<(Vec<u8>, Rc<Dir>)>,
    /// Path below the root, which inode it was, what it shall be like.
    pub(super) directories: Vec<(PathBuf, (u64, u64), EntryMetadata)>,
    pub(super) weight: u64,
    pub(super) limits: &'a Limits,
    count: Count,
    placed: Placed,
}

impl Placer<'_> {
    fn entries(&mut self, tar: &mut impl BufRead, ledger: &mut dyn Ledger) -> Result<(), Error> {
        let mut frames = Frames::new(tar, self.limits);
        let dialect = if self.is_whole() {
            Dialect::Backup
        } else {
            Dialect::Plain
        };
        while let Some(frame) = frames.next()? {
            let entry = entry::read(&frame, self.limits, dialect)?;
            self.count.add(&entry, self.limits)?;
            self.placed.tar_bytes += 512;
            if reading::aside(&entry, &mut frames, ledger)? {
                continue;
            }
            let mut hasher = ContentHasher::default();
            let is_wanted = ledger.wants_items();
            self.entry(&entry, &mut frames, is_wanted.then_some(&mut hasher))?;
            let LayerEntry {
                path,
                change,
                metadata,
            } = entry;
            if is_wanted && let Some(item) = reading::item(path, change, metadata, hasher) {
                reading::tell(ledger, item)?;
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &LayerEntry,
        frames: &mut Frames<'_, impl BufRead>,
        hasher: Option<&mut ContentHasher>,
    ) -> Result<(), Error> {
        let LayerEntry {
            path,
            change,
            metadata,
        } = entry;
        let Some(path) = self.renamed(path.clone()) else {
            return self.top(change, metadata);
        };
        match change {
            Change::Directory => self.directory(&path, metadata.clone())?,
            Change::File { size, sparse } => {
                self.placed.tar_bytes += size.next_multiple_of(512);
                let metadata = self.owned(metadata.clone());
                self.file(&path, &metadata, sparse.as_ref(), (frames, hasher))?;
            }
            Change::Symlink(target) => {
                self.symlink(&path, &self.owned(metadata.clone()), target)?;
            }
            Change::Node { kind, device } => {
                self.device(&path, &self.owned(metadata.clone()), *kind, *device)?;
            }
            Change::HardLink(target) => self.hard_link(&path, target.clone())?,
            Change::Whiteout | Change::Opaque | Change::Skipped => {}
        }
        Ok(())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.to.terms == Terms::Whole
    }

    /// The destination itself: it is there, and what it shall be like is remembered.
    fn top(&mut self, change: &Change, metadata: &EntryMetadata) -> Result<(), Error> {
        let path = PathBytes::default();
        match self.to.terms {
            Terms::Copy => return Ok(()),
            Terms::Extract | Terms::Whole if *change == Change::Directory => {}
            Terms::Extract | Terms::Whole => {
                return Err(malformed(&path, "the top can only be a directory"));
            }
        }
        let dir = self.to.root.open_dir(self.to.dir).named(&path)?;
        let found = dir.own_metadata().named(&path)?;
        self.directories
            .push((self.to.dir.to_owned(), id(&found), metadata.clone()));
        Ok(())
    }

    /// The path below the destination; `None` for the destination itself, which stays as it is.
    pub(super) fn renamed(&self, path: PathBytes) -> Option<PathBytes> {
        let Some(name) = self.to.name else {
            return (!path.is_root()).then_some(path);
        };
        let top = PathBytes::new(name.as_bytes());
        Some(if path.is_root() {
            top
        } else {
            top.join(path.as_path().as_os_str())
        })
    }

    /// New files are their maker's without our doing.
    fn owned(&self, metadata: EntryMetadata) -> EntryMetadata {
        match self.to.owner {
            Owner::Archive => metadata,
            Owner::Maker => EntryMetadata {
                uid: 0,
                gid: 0,
                ..metadata
            },
        }
    }
}
