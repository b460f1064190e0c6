//! Committed layers: `overlay2/<chain>` with `diff` and `layer.json`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, Sync};
use crate::{
    ident::{ChainId, DiffId, Digest},
    layer::Notes,
    store::{Graves, Lease, Place, Store, Tried, record, try_lease},
    sys::{Dir, SysError, process},
};

pub(super) const DIFF: &str = "diff";
pub(super) const RECORD: &str = "layer.json";

/// What is known about an unpacked layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRecord {
    /// The stack up to here; also the directory's name.
    pub chain: ChainId,
    /// The stack below.
    pub parent: Option<ChainId>,
    /// The layer alone.
    pub diff_id: DiffId,
    /// The blob it was unpacked from.
    pub blob: Digest,
    /// Size of that blob.
    pub blob_size: u64,
    /// Entries of the tar.
    pub entries: u64,
    /// Sum of its files' sizes.
    pub bytes: u64,
    /// It hides everything below: overlayfs cannot say so, the stack is cut here.
    pub opaque_root: bool,
    /// The boot in which it was made without a sync: in another one it has to be looked at first
    /// (see [`super::renew()`]). `None` where all of it is on disk, and all that is below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsynced: Option<String>,
    /// How many layers of the stack are seen, counted from this one down: the rest is hidden by an opaque root. `None`
    /// in records of old, and where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<usize>,
}

impl LayerRecord {
    /// The record of a layer on a stack of which `below` layers are seen.
    pub(super) fn new(
        chain: ChainId,
        (parent, below): (Option<ChainId>, usize),
        unpacked: &crate::layer::Unpacked,
        durability: Sync,
    ) -> Self {
        let Notes {
            opaque_root,
            entries,
            bytes,
            ..
        } = unpacked.notes;
        let (blob, blob_size, diff_id) = (unpacked.blob, unpacked.blob_size, unpacked.diff_id);
        Self {
            chain,
            parent,
            diff_id,
            blob,
            blob_size,
            entries,
            bytes,
            opaque_root,
            unsynced: match durability {
                Sync::Full => None,
                Sync::None => Some(process::boot_id()),
            },
            seen: Some(seen(opaque_root, below)),
        }
    }

    /// Whether all of it is on disk, so that it survives a power cut.
    pub fn is_synced(&self) -> bool {
        self.unsynced.is_none()
    }
}

/// How many layers are seen of a stack, where there are `below` without the topmost.
pub(super) fn seen(opaque_root: bool, below: usize) -> usize {
    if opaque_root { 1 } else { below + 1 }
}

/// The layers of a store.
#[derive(Debug)]
pub struct Layers<'s> {
    pub(super) store: &'s Store,
    pub(super) dir: &'s Dir,
}

impl<'s> Layers<'s> {
    /// The layers of a store.
    pub fn open(store: &'s Store) -> Result<Self, Error> {
        let dir = store.open_dir(Place::Layers)?;
        Ok(Self { store, dir })
    }

    /// The store that they are of.
    pub fn store(&self) -> &'s Store {
        self.store
    }

    /// Whether the layer of this chain is unpacked.
    pub fn find(&self, chain: ChainId) -> Result<Option<LayerRecord>, Error> {
        match self.dir.open_dir(chain.0.hex()) {
            Ok(dir) => Ok(record::find(&dir, RECORD)?),
            Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => Ok(None),
            Err(source) => Err(failed("open", chain, source)),
        }
    }

    /// A layer that must be there.
    pub fn get(&self, chain: ChainId) -> Result<LayerRecord, Error> {
        let dir = self.dir.open_dir(chain.0.hex());
        let dir = dir.map_err(|source| missing(chain, source))?;
        record::read(&dir, RECORD).map_err(|source| Error::Missing { chain, source })
    }

    /// How many layers of a stack (lowest first) are seen, counted from the topmost: an opaque root hides what is below
    /// it. Every one of them is there.
    ///
    /// Reads one record, because each layer costs every start time; all of them only where they were written of old.
    pub fn seen(&self, chains: &[ChainId]) -> Result<usize, Error> {
        let Some((top, below)) = chains.split_last() else {
            return Ok(0);
        };
        let mut record = self.get(*top)?;
        if record.is_doubtful() {
            super::renew(self.store, chains)?;
            record = self.get(*top)?;
        }
        let Some(seen) = record.seen else {
            return Ok(seen(record.opaque_root, self.seen(below)?));
        };
        for chain in below.iter().rev().take(seen - 1) {
            self.must_be_there(*chain)?;
        }
        Ok(seen)
    }

    fn must_be_there(&self, chain: ChainId) -> Result<(), Error> {
        let found = self.dir.metadata(chain.0.hex());
        found.map(drop).map_err(|source| missing(chain, source))
    }

    /// Opens the unpacked tree of a layer.
    pub fn open_diff(&self, chain: ChainId) -> Result<Dir, Error> {
        let open = self
            .dir
            .open_dir(chain.0.hex())
            .and_then(|dir| dir.open_dir(DIFF));
        open.map_err(|source| failed("open", chain, source))
    }

    /// A layer's tree, relative to the store's root.
    pub fn relative(chain: ChainId) -> PathBuf {
        Place::Layers.path().join(chain.0.hex()).join(DIFF)
    }

    /// The stack that a layer is the topmost of, lowest first, as far as records tell.
    pub fn stack_of(&self, topmost: Option<ChainId>) -> Vec<ChainId> {
        let (mut stack, mut next) = (Vec::new(), topmost);
        while let Some(chain) = next {
            stack.push(chain);
            next = self.get(chain).ok().and_then(|layer| layer.parent);
            // A damaged record may lead in a circle.
            next = next.filter(|chain| !stack.contains(chain));
        }
        stack.reverse();
        stack
    }

    /// Every chain that is unpacked.
    pub fn list(&self) -> Result<Vec<ChainId>, Error> {
        let names = self.dir.entries().map_err(|source| Error::System {
            what: "list layers".to_owned(),
            source,
        })?;
        let chain = |name: &std::ffi::OsString| Digest::from_hex(name.to_str()?).ok().map(ChainId);
        Ok(names.iter().filter_map(chain).collect())
    }

    /// Keeps an unpacked layer from being removed as long as the answer lives; `None` where there is
    /// none.
    pub fn hold(&self, chain: ChainId) -> Result<Option<Lease>, Error> {
        Ok(Lease::shared(self.dir, &chain.0.hex())?)
    }

    /// Removes an unpacked layer that nobody holds; tells whether it is gone. The caller holds the
    /// exclusive lease on the layers and knows that no record names it.
    pub fn bury(&self, chain: ChainId, graves: &mut Graves<'_>) -> Result<bool, Error> {
        let name = chain.0.hex();
        match try_lease(self.dir, &name)? {
            Tried::Got(_lease) => graves.bury(self.dir, &name)?,
            Tried::Busy => return Ok(false),
            Tried::Absent => {}
        }
        Ok(true)
    }
}

fn missing(chain: ChainId, source: SysError) -> Error {
    let what = format!("open layer {chain}");
    let source = crate::store::Error::System { what, source };
    Error::Missing { chain, source }
}

pub(super) fn failed(what: &str, chain: ChainId, source: SysError) -> Error {
    Error::System {
        what: format!("{what} layer {chain}"),
        source,
    }
}
