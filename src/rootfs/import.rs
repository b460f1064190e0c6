//! Unpacks an image's missing layers, all at once, and commits them.
//!
//! Threads live only here: each layer in flight has a worker, and `layer::unpack` gives it a
//! second thread. Whiteouts are settled afterwards, lowest first, because only then the layers
//! below are known. Nothing has its final name before everything is verified and, by default, on
//! disk.

use std::{
    io::{Cursor, Read},
    sync::{Mutex, PoisonError},
};

use super::{Error, Layers, held::Held, import_verify, layers::DIFF, remake, writeback};
use crate::{
    ident::{ChainId, DiffId},
    image::{BlobRef, LayerRef},
    layer::{self, Compression, Limits, Unpacked},
    store::{Blobs, Lease, NewBlob, Place, Staging, Store, lease_place},
    sys::{SysError, thread},
};

/// Reader of a layer's bytes from their start.
pub type Reader = Box<dyn Read + Send>;
type BoxError = Box<dyn std::error::Error + Send + std::marker::Sync>;

/// A layer to be imported.
pub struct LayerSource<'a> {
    /// What the config says of the tar.
    pub diff_id: DiffId,
    /// What the manifest says of the blob, where there is a manifest.
    pub blob: Option<BlobRef>,
    /// In bytes; the largest is begun first.
    pub size: u64,
    /// Opens it.
    pub open: Box<dyn Fn() -> Result<Reader, BoxError> + Send + std::marker::Sync + 'a>,
}

impl std::fmt::Debug for LayerSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayerSource")
            .field("diff_id", &self.diff_id)
            .finish_non_exhaustive()
    }
}

/// What survives a power cut after an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Everything: one syncfs(2) before the first final name.
    Full,
    /// Nothing is promised: for throw-away stores.
    None,
}

/// An image's layers, in place.
#[derive(Debug)]
pub struct Imported {
    /// For the image's record, lowest first.
    pub layers: Vec<LayerRef>,
    /// Keeps them from being removed until the record names them.
    pub lease: Lease,
}

/// One layer after its worker.
pub(super) struct Done<'s> {
    pub(super) unpacked: Unpacked,
    pub(super) compression: Compression,
    /// `None` where the layer was there and only its blob was missing.
    pub(super) staging: Option<Staging<'s>>,
    /// `None` where the blob was there.
    pub(super) blob: Option<NewBlob<'s>>,
}

/// A blob that is begun elsewhere and written by whoever reads it; `None` for most.
type Begun<'a, 's> = &'a (dyn Fn(usize) -> Result<Option<NewBlob<'s>>, Error> + std::marker::Sync);

/// Imports what is missing of `sources` (lowest first).
///
/// On an error nothing of it stays in the store.
pub fn import<'a>(
    store: &Store,
    sources: &'a [LayerSource<'a>],
    durability: Sync,
) -> Result<Imported, Error> {
    import_begun(store, sources, &|_| Ok(None), durability)
}

/// The same with blobs that may be there in part: `begun` gives the one of a source, which holds the
/// whole when the source was read to its end.
pub fn import_begun<'s, 'a>(
    store: &'s Store,
    sources: &'a [LayerSource<'a>],
    begun: Begun<'a, 's>,
    durability: Sync,
) -> Result<Imported, Error> {
    // Each layer has a handful of files open until all are committed.
    crate::sys::process::raise_file_limit();
    let layers = Layers::open(store)?;
    let blobs = Blobs::open(store)?;
    let import = Import {
        store,
        layers,
        blobs,
        held: Held::default(),
        sources,
        begun,
        limits: Limits::default(),
        durability,
    };
    let diff_ids: Vec<_> = sources.iter().map(|source| source.diff_id).collect();
    let chains = ChainId::stack(&diff_ids);
    let done = import.unpack_all(&chains)?;
    import.settle(&chains, &done)?;
    // What is published is nobody's until a record names it.
    let lease = lease_place(store, Place::Layers, false)?;
    let layers = import.commit(&chains, done, durability)?;
    Ok(Imported { layers, lease })
}

pub(super) struct Import<'s, 'a> {
    pub(super) store: &'s Store,
    pub(super) layers: Layers<'s>,
    pub(super) blobs: Blobs<'s>,
    /// Keeps what was found from being removed while the rest is unpacked: removals need not wait.
    held: Held,
    pub(super) sources: &'a [LayerSource<'a>],
    begun: Begun<'a, 's>,
    limits: Limits,
    durability: Sync,
}

/// What one layer needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Blob,
    Everything,
}

impl<'s> Import<'s, '_> {
    fn need(&self, source: &LayerSource<'_>, chain: ChainId) -> Result<Need, Error> {
        // What is to be put in the place of it must not be held by ourselves.
        if self.is_doubtful(chain) || !self.held.layer(&self.layers, chain)? {
            return Ok(Need::Everything);
        }
        let Some(layer) = self.layers.find(chain)? else {
            return Ok(Need::Everything);
        };
        // Without a manifest any form of it will do, but the one we had may be gone.
        let had = (layer.blob, layer.blob_size);
        let wanted = source.blob.as_ref();
        let (digest, size) = wanted.map_or(had, |blob| (blob.digest, blob.size));
        let there = self.held.blob(&self.blobs, digest)? == Some(size);
        let is_whole = there
            && (!remake::is_blob_touched(self.store, chain, digest)?
                || self.blobs.is_whole(digest)?);
        Ok(if is_whole { Need::Nothing } else { Need::Blob })
    }

    /// Whether the layer came without a sync before the machine went down, or its record cannot be
    /// read; so its blob may be anything, too.
    fn is_doubtful(&self, chain: ChainId) -> bool {
        let layer = self.layers.find(chain).ok().flatten();
        layer.is_some_and(|layer| layer.is_doubtful())
    }

    /// Whether the blob is there that the manifest names.
    fn has_blob(&self, source: &LayerSource<'_>, chain: ChainId) -> Result<bool, Error> {
        let Some(wanted) = source.blob.as_ref().filter(|_| !self.is_doubtful(chain)) else {
            return Ok(false);
        };
        // One that is damaged is written again.
        let there = self.held.blob(&self.blobs, wanted.digest)? == Some(wanted.size);
        Ok(there && self.blobs.is_whole(wanted.digest)?)
    }

    /// `None` for a layer that is there already.
    fn unpack_all(&self, chains: &[ChainId]) -> Result<Vec<Option<Done<'s>>>, Error> {
        let mut queue = Vec::new();
        for (number, source) in self.sources.iter().enumerate() {
            match self.need(source, chains[number])? {
                Need::Nothing => {}
                need @ (Need::Blob | Need::Everything) => queue.push((source.size, number, need)),
            }
        }
        // The largest is popped first.
        queue.sort_unstable_by_key(|(size, number, _)| (*size, *number));
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let workers = queue.len().min(2 * cores).min(8);
        let done: Vec<Mutex<Option<Done<'s>>>> = chains.iter().map(|_| Mutex::new(None)).collect();
        let (queue, failure) = (Mutex::new(queue), Mutex::new(None));
        let (stop, until) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            if self.durability == Sync::Full {
                let dir = self.blobs.dir();
                // Only a head start.
                thread::spawn(scope, move || writeback::keep_going(dir, &until)).ok();
            }
            let work = || self.work(chains, &queue, &done, &failure);
            let workers = thread::crew(scope, workers, work);
            if workers.is_empty() {
                work();
            }
            for worker in workers {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
            drop(stop);
        });
        let unpoison = |error: PoisonError<_>| error.into_inner();
        let done: Vec<_> = done
            .into_iter()
            .map(|slot| slot.into_inner().unwrap_or_else(unpoison))
            .collect();
        match failure.into_inner().ok().flatten() {
            None => Ok(done),
            Some(error) => Err(error),
        }
    }

    fn work(
        &self,
        chains: &[ChainId],
        queue: &Mutex<Vec<(u64, usize, Need)>>,
        done: &[Mutex<Option<Done<'s>>>],
        failure: &Mutex<Option<Error>>,
    ) {
        loop {
            let failed = failure.lock().is_ok_and(|failure| failure.is_some());
            let next = if failed {
                None
            } else {
                queue.lock().ok().and_then(|mut q| q.pop())
            };
            let Some((_, number, need)) = next else {
                return;
            };
            let unpacked = self.unpack(number, need, chains[number]);
            match (unpacked, done[number].lock(), failure.lock()) {
                (Ok(unpacked), Ok(mut slot), _) => *slot = Some(unpacked),
                (Err(error), _, Ok(mut first)) => drop(first.get_or_insert(error)),
                _ => return,
            }
        }
    }

    fn unpack(&self, number: usize, need: Need, chain: ChainId) -> Result<Done<'s>, Error> {
        let source = &self.sources[number];
        let (blob, writes_itself) = if self.has_blob(source, chain)? {
            (None, false)
        } else {
            match (self.begun)(number)? {
                Some(begun) => (Some(begun), true),
                None => (Some(self.blobs.begin()?), false),
            }
        };
        let copy_to = blob.as_ref().filter(|_| !writes_itself);
        let (unpacked, compression, staging) = self.unpack_into(number, need, copy_to)?;
        Ok(Done {
            unpacked,
            compression,
            staging,
            blob,
        })
    }

    fn unpack_into(
        &self,
        number: usize,
        need: Need,
        blob: Option<&NewBlob<'_>>,
    ) -> Result<(Unpacked, Compression, Option<Staging<'s>>), Error> {
        let source = &self.sources[number];
        let number = number + 1;
        let opened = |source| Error::Open { number, source };
        let failed = |error| Error::Unpack {
            number,
            diff_id: source.diff_id,
            source: error,
        };
        let mut reader = (source.open)().map_err(opened)?;
        let mut head = Vec::new();
        reader
            .by_ref()
            .take(512)
            .read_to_end(&mut head)
            .map_err(|error| opened(error.into()))?;
        let compression = Compression::detect(&head);
        let whole = Cursor::new(head).chain(reader);
        let copy_to = blob.map(|blob| &blob.file);
        let (unpacked, staging) = if need == Need::Everything {
            let staging = Staging::begin_unnamed(self.store)?;
            let made = staging.dir().make_dir(DIFF, 0o755);
            let diff = made
                .and_then(|()| staging.dir().open_dir(DIFF))
                .map_err(system)?;
            let unpacked =
                layer::unpack(whole, compression, &diff, &self.limits, copy_to).map_err(failed)?;
            (unpacked, Some(staging))
        } else {
            let digested =
                layer::digest(whole, compression, &self.limits, copy_to).map_err(failed)?;
            (Unpacked::from(digested), None)
        };
        import_verify::verify(number, source, &unpacked)?;
        Ok((unpacked, compression, staging))
    }
}

pub(super) fn system(source: SysError) -> Error {
    Error::System {
        what: "import layers".to_owned(),
        source,
    }
}
