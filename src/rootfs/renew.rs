//! Layers that were made without a sync (`--sync=none`), after the machine went down.
//!
//! Their record carries the boot in which they were made, and is on disk itself. In that boot they are
//! as good as any: the page cache is what everybody reads. In another one nobody knows what of them
//! reached the disk, so before the first use they are unpacked again from their blobs, whose digests are
//! checked by that, and put in place of what is there, this time with a sync. A store on tmpfs needs
//! none of this: it goes with the machine.

use std::fs::File;

use super::{
    Error, Layers, Sync,
    commit::open_lowers,
    import::system,
    layers::{DIFF, LayerRecord, RECORD},
    verify::unpack,
};
use crate::{
    ident::ChainId,
    layer,
    store::{Blobs, Durability, Lease, Staging, Store, record},
    sys::{process, sync},
};

impl LayerRecord {
    /// Whether the machine went down since the layer was made without a sync.
    pub fn is_doubtful(&self) -> bool {
        let boot = self.unsynced.as_ref();
        boot.is_some_and(|boot| *boot != process::boot_id())
    }
}

/// Makes sure that every layer of a stack (lowest first) is what its blob says.
///
/// # Errors
///
/// Where a blob did not reach the disk either: the image has to be loaded again.
pub fn renew(store: &Store, chains: &[ChainId]) -> Result<(), Error> {
    let layers = Layers::open(store)?;
    for (number, chain) in chains.iter().enumerate() {
        if !layers.get(*chain)?.is_doubtful() {
            continue;
        }
        // Of two who need it, the second finds it done.
        let Some(_lease) = Lease::exclusive(layers.dir, &chain.0.hex())? else {
            continue;
        };
        let known = layers.get(*chain)?;
        if known.is_doubtful() {
            unpack_again(store, &layers, &known, &chains[..number])?;
        }
    }
    Ok(())
}

fn unpack_again(
    store: &Store,
    layers: &Layers<'_>,
    known: &LayerRecord,
    below: &[ChainId],
) -> Result<(), Error> {
    let chain = known.chain;
    let blobs = Blobs::open(store)?;
    let blob = blobs.open_blob(known.blob).map_err(|_| lost(chain))?;
    let staging = Staging::begin_unnamed(store)?;
    let made = staging.dir().make_dir(DIFF, 0o755);
    let diff = made.and_then(|()| staging.dir().open_dir(DIFF));
    let diff = diff.map_err(system)?;
    let unpacked = match unpack(blob, &diff) {
        Err(source @ layer::Error::Entry { .. }) => return Err(Error::Verify { chain, source }),
        Err(_) => return Err(lost(chain)),
        Ok(unpacked) => unpacked,
    };
    if (unpacked.blob, unpacked.diff_id) != (known.blob, known.diff_id) {
        return Err(lost(chain));
    }
    let lowers = open_lowers(layers, below)?;
    layer::settle(&diff, &unpacked.notes, &lowers)
        .map_err(|source| Error::Verify { chain, source })?;
    let record = LayerRecord::new(chain, (known.parent, lowers.len()), &unpacked, Sync::Full);
    record::create(staging.dir(), RECORD, &record)?;
    sync::file_system(blobs.dir()).map_err(system)?;
    // Some may be of this boot.
    note_synced(layers, below)?;
    let replaced = staging.replace(layers.dir, &chain.0.hex())?;
    Ok(replaced.remove()?)
}

fn lost(chain: ChainId) -> Error {
    Error::Unsynced { chain }
}

/// Gives a new layer its name. One that is there stays, equal by construction, unless it is doubtful; it is
/// synced where the new one was to be.
pub(super) fn publish(
    layers: &Layers<'_>,
    staging: Staging<'_>,
    chain: ChainId,
    durability: Sync,
) -> Result<(), Error> {
    let name = chain.0.hex();
    // One without a record is no layer at all.
    let is_doubtful = || layers.find(chain).ok().flatten();
    if is_doubtful().is_some_and(|layer| layer.is_doubtful())
        && let Some(_lease) = Lease::exclusive(layers.dir, &name)?
        && is_doubtful().is_some_and(|layer| layer.is_doubtful())
    {
        return Ok(staging.replace(layers.dir, &name)?.remove()?);
    }
    let is_there = staging.publish(layers.dir, &name)?.is_none();
    if is_there
        && durability == Sync::Full
        && layers.find(chain)?.is_some_and(|layer| !layer.is_synced())
    {
        sync::file_system(layers.dir).map_err(system)?;
        note_synced(layers, &[chain])?;
    }
    Ok(())
}

/// The record of a layer that is still in `tmp/`: on disk if it is to tell later that the rest may not
/// be.
pub(super) fn write_record(staging: &Staging<'_>, layer: &LayerRecord) -> Result<(), Error> {
    record::create(staging.dir(), RECORD, layer)?;
    if layer.is_synced() {
        // With the rest, in a moment.
        return Ok(());
    }
    let file: File = staging.dir().open_file(RECORD).map_err(system)?;
    sync::data(&file).map_err(system)
}

/// Notes that layers which were made in this boot without a sync are on disk now: everything was synced a
/// moment ago. Before a layer that is synced gets its name: there is none below it that is not.
pub(super) fn note_synced(layers: &Layers<'_>, chains: &[ChainId]) -> Result<(), Error> {
    for chain in chains {
        let Some(mut layer) = layers.find(*chain)? else {
            continue;
        };
        if !layer.is_synced() && !layer.is_doubtful() {
            layer.unsynced = None;
            let own = layers.dir.open_dir(chain.0.hex()).map_err(system)?;
            let made = own.metadata(RECORD).map_err(system)?.mtime();
            record::replace(layers.store, &own, RECORD, &layer, Durability::Synced)?;
            // Whoever changed the tree since then has done so all the same.
            own.set_times(RECORD, made).map_err(system)?;
        }
    }
    Ok(())
}
