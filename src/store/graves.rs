//! `Graves`: what is being removed. Out of sight at once, deleted afterwards.

use std::ffi::OsString;

use super::{Error, Place, Store};
use crate::sys::{Dir, Result as SysResult, SysError, random_bytes, remove_tree, remove_trees};

/// How much of its name a file or directory keeps in the trash; names are ASCII.
const NAME: usize = 200;

/// Things in `trash/` whose end is ours.
///
/// A crash, or dropping it, leaves them there, where anybody may finish.
#[derive(Debug)]
pub struct Graves<'s> {
    trash: &'s Dir,
    names: Vec<OsString>,
}

impl<'s> Graves<'s> {
    /// None yet.
    pub fn new(store: &'s Store) -> Result<Self, Error> {
        Ok(Self {
            trash: store.open_dir(Place::Trash)?,
            names: Vec::new(),
        })
    }

    /// Moves a file or a directory out of sight.
    pub fn bury(&mut self, from: &Dir, name: &str) -> Result<(), Error> {
        let grave = grave(name).and_then(|grave| {
            from.rename(name, self.trash, &grave)?;
            Ok(grave)
        });
        self.names
            .push(grave.map_err(|source| failed(name, source))?);
        Ok(())
    }

    /// Deletes all of it on this thread.
    pub fn empty(self) -> Result<(), Error> {
        for name in &self.names {
            let removed = remove_tree(self.trash, name);
            removed.map_err(|source| failed(&name.to_string_lossy(), source))?;
        }
        Ok(())
    }

    /// Deletes all of it with two threads, which are gone when it returns.
    pub fn empty_quickly(self) -> Result<(), Error> {
        remove_trees(self.trash, self.names, 2).map_err(|source| failed("layers", source))
    }
}

fn grave(name: &str) -> SysResult<OsString> {
    let head = name.get(..NAME).unwrap_or(name);
    let random = random_bytes()?;
    Ok(format!("{head}.{}", crate::ident::Digest::of(&random).short()).into())
}

fn failed(name: &str, source: SysError) -> Error {
    Error::System {
        what: format!("remove {name}"),
        source,
    }
}
