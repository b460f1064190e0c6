//! From an image's chains and a container's directory to an overlay.

use std::path::PathBuf;

use nix::errno::Errno;

use super::{Error, Layers, init_layer, layers::DIFF};
use crate::{
    ident::{ChainId, ContainerId},
    mount::{Overlay, UnionOptions},
    store::{Place, Store},
    sys::{Dir, Metadata, SysError, remove_tree},
};

/// The names of a container's directories, as Docker's `GraphDriver.Data` calls them.
const UPPER: &str = "upper";
const WORK: &str = "work";

/// Where overlayfs marks what it must not mount again, below its own `work` (overlayfs.rst).
const INCOMPAT: &str = "incompat";
const VOLATILE: &str = "volatile";

/// A container's filesystem: a stack of committed layers and an upper dir of its own.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The mount that shows it.
    pub overlay: Overlay,
    /// Of the topmost layer: what `/` shall be like.
    root: Option<Metadata>,
}

/// Works out the snapshot of a container on an image's chains (lowest first). Nothing is made but
/// the init layer, once.
pub fn prepare(store: &Store, chains: &[ChainId], id: &ContainerId) -> Result<Snapshot, Error> {
    let layers = Layers::open(store)?;
    let mut lowers = vec![Place::Layers.path().join(init_layer::INIT).join(DIFF)];
    lowers.extend(stack(&layers, chains)?);
    let root = match chains.last() {
        Some(top) => layers.open_diff(*top)?.own_metadata().map(Some),
        None => Ok(None),
    };
    let root = root.map_err(|source| Error::System {
        what: "look at topmost layer".to_owned(),
        source,
    })?;
    let own = Place::Containers.path().join(id.as_str());
    let overlay = Overlay {
        base: store.path(),
        lowers,
        upper: own.join(UPPER),
        work: own.join(WORK),
        merged: Place::Merged.path().to_owned(),
        volatile: false,
        options: UnionOptions::default(),
    };
    Ok(Snapshot { overlay, root })
}

/// The directories of an image's chains (lowest first), relative to the store, topmost first.
pub fn stack(layers: &Layers<'_>, chains: &[ChainId]) -> Result<Vec<PathBuf>, Error> {
    let seen = chains.iter().rev().take(layers.seen(chains)?);
    Ok(seen.map(|chain| Layers::relative(*chain)).collect())
}

impl Snapshot {
    /// Where the image's topmost layer is among the lower dirs; `None` where it has no layers.
    pub(super) fn topmost_layer(&self) -> Option<usize> {
        // No image has the init layer, and not every snapshot has it.
        let init = Place::Layers.path().join(init_layer::INIT).join(DIFF);
        let first = usize::from(self.overlay.lowers.first() == Some(&init));
        self.root.map(|_| first)
    }

    /// The same with what a container's union has switched on.
    #[must_use]
    pub fn with_options(mut self, options: UnionOptions) -> Self {
        self.overlay.options = options;
        self
    }

    /// Makes the container's directories in `container`, which is still in `tmp/`.
    pub fn make_dirs(&self, container: &Dir) -> Result<(), Error> {
        self.make(container).map_err(|source| Error::System {
            what: "make upper dir".to_owned(),
            source,
        })
    }

    fn make(&self, container: &Dir) -> Result<(), SysError> {
        // The union's root is the upper dir's: it must look like the layers' own.
        let mode = self.root.as_ref().map_or(0o755, Metadata::mode);
        container.make_dir(UPPER, 0o755)?;
        if let Some(root) = self
            .root
            .as_ref()
            .filter(|root| (root.uid(), root.gid()) != (0, 0))
        {
            container.chown(UPPER, root.uid(), root.gid())?;
        }
        if mode != 0o755 {
            container.chmod(UPPER, mode)?;
        }
        container.make_dir(WORK, 0o700)?;
        // Last: and nothing is said of it by a layer that is made of the changes.
        match &self.root {
            Some(root) => container.set_times(UPPER, root.mtime()),
            None => Ok(()),
        }
    }

    /// Makes the container's directories fit for another mount: the kernel refuses an upper dir
    /// that was mounted `volatile` before, because it cannot know that nothing crashed in between.
    /// The caller knows: it has lived all the time.
    pub fn renew(&self, container: &Dir) -> Result<(), Error> {
        let open = || container.open_dir(WORK)?.open_dir(WORK)?.open_dir(INCOMPAT);
        // The kernel keeps a file in it.
        let removed = open().and_then(|dir| remove_tree(&dir, VOLATILE));
        match removed {
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(()),
            removed => removed.map_err(|source| Error::System {
                what: "clear mark of a volatile mount".to_owned(),
                source,
            }),
        }
    }

    /// The stack without the container's changes, as absolute paths, topmost first.
    pub fn lower_paths(&self) -> Vec<PathBuf> {
        self.overlay
            .lowers
            .iter()
            .map(|lower| self.overlay.base.join(lower))
            .collect()
    }
}
