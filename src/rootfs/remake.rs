//! A layer that is damaged is made again: from its blob, or its blob from the tree.

use nix::errno::Errno;

use super::{
    Error, Layers, Sync,
    init_layer::{self, INIT},
    layers::{DIFF, LayerRecord, RECORD},
    renew, verify,
};
use crate::{
    ident::{ChainId, Digest},
    image::LayerRef,
    layer::{self, Changes, Marks},
    store::{Blobs, Durability, NewBlob, Place, Replaced, Staging, Store, record},
    sys::{Dir, SysError, sync},
};

/// A layer that was unpacked again and is on disk; nobody sees it yet.
#[derive(Debug)]
pub struct Remade<'s> {
    staging: Staging<'s>,
    chain: ChainId,
}

/// Unpacks a layer again beside the one that is there. `lowers` are the trees of the layers below,
/// topmost first, cut after the first one whose root is opaque; `parent` is the stack below.
///
/// # Errors
///
/// Its blob is not there, or does not hold the layer.
pub fn remake_layer<'s>(
    store: &'s Store,
    layer: &LayerRef,
    parent: Option<ChainId>,
    lowers: &[Dir],
) -> Result<Remade<'s>, Error> {
    let blobs = Blobs::open(store)?;
    let staging = Staging::begin_unnamed(store)?;
    let made = staging.dir().make_dir(DIFF, 0o755);
    let fresh = made
        .and_then(|()| staging.dir().open_dir(DIFF))
        .map_err(system)?;
    let blob = blobs.open_blob(layer.blob.digest)?;
    let unknown = |source| Error::Verify {
        chain: layer.chain,
        source,
    };
    let unpacked = verify::unpack(blob, &fresh).map_err(unknown)?;
    if unpacked.blob != layer.blob.digest {
        let (digest, found) = (layer.blob.digest, unpacked.blob);
        return Err(crate::store::Error::Corrupt { digest, found }.into());
    }
    if unpacked.diff_id != layer.diff_id {
        return Err(Error::DiffId {
            number: 1,
            wanted: layer.diff_id,
            found: unpacked.diff_id,
        });
    }
    layer::settle(&fresh, &unpacked.notes, lowers).map_err(unknown)?;
    let made = LayerRecord::new(layer.chain, (parent, lowers.len()), &unpacked, Sync::Full);
    record::create(staging.dir(), RECORD, &made)?;
    sync::file_system(staging.dir()).map_err(system)?;
    let layers = Layers::open(store)?;
    renew::note_synced(&layers, &layers.stack_of(parent))?;
    Ok(Remade {
        staging,
        chain: layer.chain,
    })
}

impl<'s> Remade<'s> {
    /// Puts it in the place of what is there, in one step. The caller knows that nobody uses that.
    pub fn put(self, store: &Store) -> Result<Replaced<'s>, Error> {
        let layers = store.open_dir(Place::Layers)?;
        Ok(self.staging.replace(layers, &self.chain.0.hex())?)
    }
}

/// Makes the init layer again. The caller knows that no container runs.
pub fn remake_init(store: &Store) -> Result<(), Error> {
    let staging = Staging::begin_unnamed(store)?;
    init_layer::fill(staging.dir()).map_err(system)?;
    sync::file_system(staging.dir()).map_err(system)?;
    let replaced = staging.replace(store.open_dir(Place::Layers)?, INIT)?;
    Ok(replaced.remove()?)
}

/// Makes a layer's blob again from its tree; whether that is possible: where it was a plain tar of ours,
/// as `commit`, `build` and `import` of a directory write it. `lowers` as for [`remake_layer`].
pub fn remake_blob(store: &Store, layer: &LayerRef, lowers: &[Dir]) -> Result<bool, Error> {
    // Compressed bytes depend on who compressed them.
    if layer.blob.digest != layer.diff_id.0 {
        return Ok(false);
    }
    let diff = Layers::open(store)?.open_diff(layer.chain)?;
    let blobs = Blobs::open(store)?;
    let root = lowers.first().map(layer::directory_metadata).transpose();
    let changes = Changes {
        upper: &diff,
        lowers,
        root: root.map_err(system)?,
        marks: Marks {
            redirect: false,
            metacopy: false,
        },
        latest: None,
        baked: &[],
    };
    // What cannot be written was not written by us.
    let made = as_blob(&blobs, |out| layer::pack_changes(&changes, out).is_ok())?;
    if let Some(blob) = made.filter(|(_, found)| *found == layer.blob.digest) {
        return keep(&blobs, blob).map(|()| true);
    }
    let made = as_blob(&blobs, |out| layer::pack(&diff, out).is_ok())?;
    match made.filter(|(_, found)| *found == layer.blob.digest) {
        Some(blob) => keep(&blobs, blob).map(|()| true),
        None => Ok(false),
    }
}

fn keep(blobs: &Blobs<'_>, (blob, digest): (NewBlob<'_>, Digest)) -> Result<(), Error> {
    sync::data(&blob.file).map_err(system)?;
    blobs.commit(blob, digest)?;
    Ok(blobs.sync_names()?)
}

fn as_blob<'s>(
    blobs: &Blobs<'s>,
    write: impl FnOnce(&mut std::io::BufWriter<&std::fs::File>) -> bool,
) -> Result<Option<(NewBlob<'s>, Digest)>, Error> {
    let blob = blobs.begin()?;
    let mut out = std::io::BufWriter::with_capacity(1 << 18, &blob.file);
    if !write(&mut out) || std::io::Write::flush(&mut out).is_err() {
        return Ok(None);
    }
    drop(out);
    let again = crate::sys::reopen(std::os::fd::AsFd::as_fd(&blob.file)).map_err(system)?;
    let found = verify::digest_of(again).map_err(system)?;
    Ok(Some((blob, found)))
}

/// Whether a layer's tree or blob was changed after it was put in place, as times tell: the disk's own
/// damage does not show. Costs a look at each inode, if it is to be `thorough`, and no byte of content.
pub fn is_touched(store: &Store, layer: &LayerRef, thorough: bool) -> Result<bool, Error> {
    let layers = store.open_dir(Place::Layers)?;
    let look = || -> crate::sys::Result<bool> {
        let own = layers.open_dir(layer.chain.0.hex())?;
        let made = own.metadata(RECORD)?.mtime();
        if is_changed_after(store, &own, layer.blob.digest)? {
            return Ok(true);
        }
        let diff = own.open_dir(DIFF)?;
        if diff.own_metadata()?.changed_at() > made {
            return Ok(true);
        }
        let mut pending = vec![diff];
        if !thorough {
            return Ok(false);
        }
        while let Some(dir) = pending.pop() {
            for name in dir.entries()? {
                let found = dir.metadata(&name)?;
                if found.changed_at() > made {
                    return Ok(true);
                }
                if found.is_dir() {
                    pending.push(dir.open_dir(&name)?);
                }
            }
        }
        Ok(false)
    };
    match look() {
        Ok(touched) => Ok(touched),
        Err(error) if error.errno() == Some(Errno::EMFILE) => Err(system(error)),
        // Something is not there that must be.
        Err(_) => Ok(true),
    }
}

/// Whether a layer that has its name lacks its record or its tree, for sure: not where they cannot be
/// read at this moment.
pub fn is_broken(store: &Store, chain: ChainId) -> Result<bool, Error> {
    use crate::store::Error as StoreError;
    let layers = Layers::open(store)?;
    let is_gone = |source: &SysError| {
        matches!(
            source.errno(),
            Some(Errno::ENOENT | Errno::ENOTDIR | Errno::EISDIR)
        )
    };
    match layers.get(chain).and_then(|_| layers.open_diff(chain)) {
        Ok(_) => Ok(false),
        Err(Error::Missing {
            source: StoreError::Parse { .. },
            ..
        }) => Ok(true),
        Err(
            Error::Missing {
                source: StoreError::Read { source, .. } | StoreError::System { source, .. },
                ..
            }
            | Error::System { source, .. },
        ) if is_gone(&source) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Notes that a layer was verified a moment ago: it does not count as touched any more.
pub fn note_whole(store: &Store, chain: ChainId) -> Result<(), Error> {
    let layers = Layers::open(store)?;
    let known = layers.get(chain)?;
    let Some(lease) = layers.hold(chain)? else {
        return Ok(());
    };
    Ok(record::replace(
        store,
        &lease.dir,
        RECORD,
        &known,
        Durability::Synced,
    )?)
}

/// [`is_touched`] of the blob alone.
pub(super) fn is_blob_touched(store: &Store, chain: ChainId, blob: Digest) -> Result<bool, Error> {
    let layers = store.open_dir(Place::Layers)?;
    let own = layers.open_dir(chain.0.hex()).map_err(system)?;
    is_changed_after(store, &own, blob).map_err(system)
}

/// A layer gets its name after its blob.
fn is_changed_after(store: &Store, layer: &Dir, blob: Digest) -> crate::sys::Result<bool> {
    let Ok(blobs) = store.open_dir(Place::Blobs) else {
        return Ok(true);
    };
    let (placed, blob) = (layer.own_metadata()?, blobs.find(blob.hex())?);
    Ok(blob.is_none_or(|blob| blob.changed_at() > placed.changed_at()))
}

fn system(source: SysError) -> Error {
    Error::System {
        what: "make layer again".to_owned(),
        source,
    }
}
