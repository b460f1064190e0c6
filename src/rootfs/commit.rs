//! A container's changes become a layer on top of others: blob, unpacked tree and record.
//!
//! The tree is unpacked from the layer's tar while that is written, so that it is what any other
//! reader makes of the tar. Threads live here as in an import, and end with it.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::channel,
};

use nix::errno::Errno;

use super::{
    Error, Layers, Snapshot, Sync,
    held::Held,
    layers::{DIFF, LayerRecord},
    renew, writeback,
};
use crate::{
    ident::ChainId,
    image::{BlobRef, LayerRef},
    layer::{self, Baked, Changes, Inlet, Limits, Marks, PathBytes, Remarks, Unpacked},
    store::{Blobs, Lease, NewBlob, Place, Staging, Store, lease_place},
    sys::{Dir, SysError, TimeSpec, sync, thread},
};

/// A plain tar: nothing is gained by compressing what stays on this machine.
const MEDIA_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layer that was made here, in place.
#[derive(Debug)]
pub struct NewLayer {
    /// For the image's record; `None` where nothing changed, which is no layer (as in Docker).
    pub layer: Option<LayerRef>,
    /// What could not be taken in as it is.
    pub remarks: Remarks,
    /// Keeps it and those below from being removed until a record names them.
    pub lease: Lease,
}

/// What of a snapshot becomes a layer.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Whose changes.
    pub snapshot: &'a Snapshot,
    /// Later times become this one: for digests that do not depend on when they were made.
    pub latest: Option<TimeSpec>,
    /// Trees that take the place of what is under their names.
    pub baked: &'a [Baked],
}

impl Snapshot {
    /// Which marks in its upper dir are the kernel's own.
    pub(super) fn marks(&self) -> Marks {
        let options = self.overlay.options;
        Marks {
            redirect: options.redirect_dir,
            metacopy: options.metacopy,
        }
    }
}

/// Makes a layer of a snapshot's changes on top of the image's `chains` (lowest first). `packed` is
/// called as soon as nothing of the snapshot is read any more.
///
/// The caller sees to it that nobody writes there meanwhile, or lives with the remarks.
///
/// # Errors
///
/// Those of [`commit`], and a snapshot that is removed meanwhile.
pub fn commit_snapshot(
    store: &Store,
    chains: &[ChainId],
    source: &Source<'_>,
    packed: impl FnOnce() + Send,
    durability: Sync,
) -> Result<NewLayer, Error> {
    with_changes(source.snapshot, source.latest, source.baked, |changes| {
        let write = |out: &mut Inlet| {
            let remarks = layer::pack_changes(changes, out)?;
            // One that is removed leaves its place first: then we have not seen the whole.
            let still = is_still_there(changes.upper, &upper_path(source.snapshot));
            still.map_err(|source| layer::Error::Pack {
                path: PathBytes::default(),
                source,
            })?;
            packed();
            Ok(remarks)
        };
        commit(store, chains, write, durability)
    })
}

fn upper_path(snapshot: &Snapshot) -> PathBuf {
    snapshot.overlay.base.join(&snapshot.overlay.upper)
}

/// Opens what a snapshot's changes are made of.
pub(super) fn with_changes<T>(
    snapshot: &Snapshot,
    latest: Option<TimeSpec>,
    baked: &[Baked],
    work: impl FnOnce(&Changes<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    crate::sys::process::raise_file_limit();
    let open = || {
        let upper = Dir::open(&upper_path(snapshot))?;
        let lowers = snapshot.lower_paths();
        let lowers = lowers.iter().map(|lower| Dir::open(lower));
        let lowers = lowers.collect::<Result<Vec<_>, _>>()?;
        let root = snapshot.topmost_layer().and_then(|place| lowers.get(place));
        let root = root.map(layer::directory_metadata).transpose()?;
        Ok((upper, lowers, root))
    };
    let (upper, lowers, root) = open().map_err(system)?;
    work(&Changes {
        upper: &upper,
        lowers: &lowers,
        root,
        marks: snapshot.marks(),
        latest,
        baked,
    })
}

fn is_still_there(upper: &Dir, place: &Path) -> Result<(), SysError> {
    let id = |dir: &Dir| dir.own_metadata().map(|found| (found.dev(), found.ino()));
    if id(&Dir::open(place)?)? == id(upper)? {
        return Ok(());
    }
    let shown = place.display().to_string();
    Err(SysError::new("open", shown, Errno::ESTALE))
}

/// Makes a layer of the changeset that `write` writes as a tar, on top of `chains` (lowest first).
///
/// # Errors
///
/// Then nothing of it stays in the store. `write` is not asked to go on when the other side has
/// failed: its writes do.
pub fn commit(
    store: &Store,
    chains: &[ChainId],
    write: impl FnOnce(&mut Inlet) -> Result<Remarks, layer::Error> + Send,
    durability: Sync,
) -> Result<NewLayer, Error> {
    crate::sys::process::raise_file_limit();
    renew(store, chains)?;
    let layers = Layers::open(store)?;
    let blobs = Blobs::open(store)?;
    // Removals need not wait for the whole of it.
    let held = Held::default();
    for chain in chains {
        if held.layer(&layers, *chain)?
            && let Some(layer) = layers.find(*chain)?
        {
            held.blob(&blobs, layer.blob)?;
        }
    }
    let lowers = open_lowers(&layers, chains)?;
    let blob = blobs.begin()?;
    let staging = Staging::begin_unnamed(store)?;
    let made = staging.dir().make_dir(DIFF, 0o755);
    let diff = made.and_then(|()| staging.dir().open_dir(DIFF));
    let diff = diff.map_err(system)?;
    let failed = |source| Error::Commit { source };
    let (unpacked, remarks) = std::thread::scope(|scope| {
        let (stop, until) = channel::<()>();
        if durability == Sync::Full {
            let dir = blobs.dir();
            // Only a head start.
            thread::spawn(scope, move || writeback::keep_going(dir, &until)).ok();
        }
        let made = layer::make(write, &diff, &Limits::default(), &blob.file);
        drop(stop);
        made
    })
    .map_err(failed)?;
    if unpacked.notes.entries == 0 {
        let (layer, lease) = (None, lease_place(store, Place::Layers, false)?);
        return Ok(NewLayer {
            layer,
            remarks,
            lease,
        });
    }
    layer::settle(&diff, &unpacked.notes, &lowers).map_err(failed)?;
    let new = New {
        layers: &layers,
        blobs,
        chains,
        seen: lowers.len(),
        unpacked,
    };
    new.settle(&staging, durability)?;
    // What is published is nobody's until a record names it.
    let lease = lease_place(store, Place::Layers, false)?;
    let layer = new.publish(staging, blob, durability)?;
    drop(held);
    Ok(NewLayer {
        layer: Some(layer),
        remarks,
        lease,
    })
}

/// A layer that is unpacked and has no name yet.
struct New<'a, 's> {
    layers: &'a Layers<'s>,
    blobs: Blobs<'s>,
    chains: &'a [ChainId],
    /// So many of them are not hidden.
    seen: usize,
    unpacked: Unpacked,
}

impl New<'_, '_> {
    fn chain(&self) -> ChainId {
        ChainId::extend(self.chains.last().copied(), self.unpacked.diff_id)
    }

    /// Writes its record; everything is on disk before it has its name.
    fn settle(&self, staging: &Staging<'_>, durability: Sync) -> Result<(), Error> {
        let parent = self.chains.last().copied();
        let made = LayerRecord::new(
            self.chain(),
            (parent, self.seen),
            &self.unpacked,
            durability,
        );
        renew::write_record(staging, &made)?;
        if durability == Sync::Full {
            sync::file_system(self.blobs.dir()).map_err(system)?;
            renew::note_synced(self.layers, self.chains)?;
        }
        Ok(())
    }

    fn publish(
        self,
        staging: Staging<'_>,
        blob: NewBlob<'_>,
        durability: Sync,
    ) -> Result<LayerRef, Error> {
        let unpacked = &self.unpacked;
        let chain = self.chain();
        let blobs = self.blobs;
        blobs.commit(blob, unpacked.blob)?;
        // The same changes may have been committed before: equal by construction.
        renew::publish(self.layers, staging, chain, durability)?;
        if durability == Sync::Full {
            sync::directory(blobs.dir()).map_err(system)?;
            sync::directory(self.layers.dir).map_err(system)?;
        }
        Ok(LayerRef {
            chain,
            diff_id: unpacked.diff_id,
            blob: BlobRef {
                digest: unpacked.blob,
                size: unpacked.blob_size,
                media_type: MEDIA_TYPE.to_owned(),
            },
            bytes: unpacked.notes.bytes,
        })
    }
}

/// The trees that a layer is settled on, topmost first, down to one that hides the rest.
pub(super) fn open_lowers(layers: &Layers<'_>, chains: &[ChainId]) -> Result<Vec<Dir>, Error> {
    let mut lowers = Vec::new();
    for chain in chains.iter().rev() {
        lowers.push(layers.open_diff(*chain)?);
        if layers.get(*chain)?.opaque_root {
            break;
        }
    }
    Ok(lowers)
}

fn system(source: SysError) -> Error {
    Error::System {
        what: "make a layer of the changes".to_owned(),
        source,
    }
}
