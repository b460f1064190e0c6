//! `Engine`: the rooms of one store, opened.

use std::{path::Path, sync::OnceLock};

use super::{Error, events::LazyJournal};
use crate::{cgroup::Hierarchies, image::Images, rootfs, store::Store, volume::Volumes};

/// Everything that a command works with.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    journal: LazyJournal,
    hierarchies: OnceLock<Hierarchies>,
    notes: fn(&str),
    strict_mounts: bool,
}

impl Engine {
    /// Opens the store at `root`, making it where there is none.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let store = Store::open(root)?;
        rootfs::ensure_init(&store)?;
        Ok(Self::of(store))
    }

    /// Works with a store that is open, of which nothing is known to be whole.
    pub fn of(store: Store) -> Self {
        Self {
            store,
            journal: LazyJournal::new(),
            hierarchies: OnceLock::new(),
            notes: |_| (),
            strict_mounts: false,
        }
    }

    /// The same, saying through `notes` what is made, ignored or left out of mounts without being
    /// asked for by name.
    #[must_use]
    pub fn with_notes(self, notes: fn(&str)) -> Self {
        Self { notes, ..self }
    }

    /// The same, failing where a note about mounts would be told.
    #[must_use]
    pub fn with_strict_mounts(self, strict_mounts: bool) -> Self {
        Self {
            strict_mounts,
            ..self
        }
    }

    /// Tells a note about a mount, or fails with it: before the thing is done that it tells of.
    pub(super) fn note(&self, text: &str) -> Result<(), Error> {
        if self.strict_mounts {
            let notes = vec![text.to_owned()];
            return Err(Error::StrictMounts { notes });
        }
        self.remark(text);
        Ok(())
    }

    /// Tells a note about something else.
    pub(super) fn remark(&self, text: &str) {
        (self.notes)(text);
    }

    /// Whether notes about mounts are errors.
    pub(super) fn is_strict(&self) -> bool {
        self.strict_mounts
    }

    pub(super) fn lazy_journal(&self) -> &LazyJournal {
        &self.journal
    }

    pub(super) fn lazy_hierarchies(&self) -> &OnceLock<Hierarchies> {
        &self.hierarchies
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its images.
    pub fn images(&self) -> Result<Images<'_>, Error> {
        Ok(Images::open(&self.store)?)
    }

    /// Its volumes.
    pub fn volumes(&self) -> Result<Volumes<'_>, Error> {
        Ok(Volumes::open(&self.store)?)
    }
}
