//! `Engine`: the rooms of one store, opened.

use std::path::Path;

use super::Error;
use crate::{image::Images, store::Store, volume::Volumes};

/// Everything that a command works with.
#[derive(Debug)]
pub struct Engine {
    store: Store,
}

impl Engine {
    /// Opens the store at `root`, making it where there is none.
    pub fn open(root: &Path) -> Result<Self, Error> {
        Ok(Self { store: Store::open(root)? })
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
