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
}

impl Engine {
    /// Opens the store at `root`, making it where there is none.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let store = Store::open(root)?;
        rootfs::ensure_init(&store)?;
        Ok(Self {
            store,
            journal: LazyJournal::new(),
            hierarchies: OnceLock::new(),
            notes: |_| (),
        })
    }

    /// The same, saying through `notes` what was made without being asked for by name: host
    /// directories and new volumes.
    #[must_use]
    pub fn with_notes(self, notes: fn(&str)) -> Self {
        Self { notes, ..self }
    }

    pub(super) fn note(&self, text: &str) {
        (self.notes)(text);
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
