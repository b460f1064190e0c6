//! An image's root as a union that nobody can write to.

use std::os::fd::{AsFd as _, OwnedFd};

use super::{Error, Layers, renew};
use crate::{
    ident::ChainId,
    mount,
    store::{Place, Store},
    sys::{Dir, Result as SysResult, RootDir, SysError},
};

/// Below `images/`: what is mounted on the host, and the directories that a union of less than two
/// layers is made up with.
pub const MOUNTED: &str = "mounted";

/// The directories of an image's chains (lowest first), topmost first, each with its place among
/// the chains; without those that a layer hides altogether.
pub fn open_stack(layers: &Layers<'_>, chains: &[ChainId]) -> Result<Vec<(usize, Dir)>, Error> {
    // A handful for each layer may be open at a time.
    crate::sys::process::raise_file_limit();
    let mut stack = Vec::new();
    for (place, chain) in chains.iter().enumerate().rev() {
        let record = layers.get(*chain)?;
        if record.is_doubtful() {
            renew(layers.store, chains)?;
        }
        stack.push((place, layers.open_diff(*chain)?));
        if record.opaque_root {
            break;
        }
    }
    Ok(stack)
}

/// The union of an image's chains (lowest first), mounted nowhere: it ends with the descriptor. In
/// tables of mounts it is called `label`.
pub fn image_view(store: &Store, chains: &[ChainId], label: &str) -> Result<OwnedFd, Error> {
    let layers = Layers::open(store)?;
    let mut dirs: Vec<_> = open_stack(&layers, chains)?
        .into_iter()
        .map(|(_, dir)| dir)
        .collect();
    let failed = |source: SysError| Error::System {
        what: "mount the image's layers".to_owned(),
        source,
    };
    if dirs.len() < 2 {
        let images = store.open_dir(Place::Images)?;
        let empty = empty_dirs(images).map_err(failed)?;
        dirs.extend(empty.into_iter().take(2 - dirs.len()));
    }
    let fds: Vec<_> = dirs.iter().map(|dir| dir.as_fd()).collect();
    mount::read_only_union(&fds, label).map_err(failed)
}

/// The same as a directory that paths are resolved in.
pub fn image_root(store: &Store, chains: &[ChainId]) -> Result<RootDir, Error> {
    let union = image_view(store, chains, "cowshed")?;
    let root = RootDir::new(Dir::from_fd(union)).open_dir(std::path::Path::new("/"));
    root.map(RootDir::new).map_err(|source| Error::System {
        what: "open the image's root".to_owned(),
        source,
    })
}

/// Two that are always empty; overlayfs takes none twice.
fn empty_dirs(images: &Dir) -> SysResult<[Dir; 2]> {
    images.ensure_dir(MOUNTED, 0o700)?;
    let mounted = images.open_dir(MOUNTED)?;
    let make = |name: &str| {
        mounted.ensure_dir(name, 0o755)?;
        mounted.open_dir(name)
    };
    Ok([make("empty-1")?, make("empty-2")?])
}
