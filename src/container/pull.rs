//! `pull`: an image from a registry, unpacked while it comes.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Engine, Error, LayerState, Transfer,
    transfer::{Listener, layer},
};
use crate::{
    error::{ErrorKind, Failure as _},
    event::Kind,
    ident::{ChainId, Digest, Reference},
    image::{self, BlobRef, CONFIG_MAX, Document, ImageConfig, ImageRecord, Platform, check_count},
    mount::LOWERS_MAX,
    registry::{Client, Download, DownloadFailure, Fetched, Part, Repository, Slots},
    rootfs::{self, Imported, LayerSource, Layers, Sync},
    store::{Blobs, NewBlob, sweep},
    sys::{At as _, metadata_of},
};

/// What `pull` was asked for.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// With a tag or a digest; where it has both, the digest counts.
    pub reference: Reference,
    /// Another than this machine's.
    pub platform: Option<Platform>,
    /// What survives a power cut.
    pub durability: Sync,
}

/// An image that is there now.
#[derive(Debug)]
pub struct Pulled {
    /// Its record.
    pub record: ImageRecord,
    /// The name it has.
    pub name: Reference,
    /// What the registry has under that name: a manifest or an index.
    pub digest: Digest,
    /// It was not there before, or another had its name.
    pub is_new: bool,
}

/// An image at a host, before any layer is read.
struct Found {
    repository: Arc<Repository>,
    /// What the name stands for.
    digest: Digest,
    manifest: Fetched,
    config: BlobRef,
    layers: Vec<BlobRef>,
}

impl Engine {
    /// Fetches an image.
    ///
    /// # Errors
    ///
    /// Nothing of an image that could not be fetched stays, but for the bytes of layers, which the next
    /// try goes on from within a day.
    pub fn pull(
        &self,
        client: &Client,
        request: &PullRequest,
        listener: &Listener,
    ) -> Result<Pulled, Error> {
        let reference = match request.reference.digest() {
            Some(digest) => request.reference.with_digest(digest),
            None => request.reference.clone(),
        };
        sweep(self.store())?;
        let found = find(client, &reference, request.platform.as_ref())?;
        let host = found.repository.host();
        let pulled = self.take_from(&found, &reference, request, listener);
        let pulled = self.clean_after(pulled).map_err(|error| {
            // A registry's error names the host itself.
            if matches!(error, Error::Registry(_)) {
                return error;
            }
            Error::Pull {
                reference: reference.familiar(),
                host,
                source: Box::new(error),
            }
        })?;
        let repository = reference.familiar_repository();
        let name = [("name", repository.as_str())];
        self.tell(Kind::Image, "pull", &reference.familiar(), &name);
        Ok(pulled)
    }

    /// Every tag of a repository that the registry has.
    pub fn tags_at(&self, client: &Client, reference: &Reference) -> Result<Vec<String>, Error> {
        let mut last = None;
        for repository in client.sources(reference) {
            match repository.and_then(|repository| repository.tags()) {
                Ok(tags) => return Ok(tags),
                Err(error) => last = Some(error),
            }
        }
        last.map_or(Ok(Vec::new()), |error| Err(error.into()))
    }

    fn take_from(
        &self,
        found: &Found,
        reference: &Reference,
        request: &PullRequest,
        listener: &Listener,
    ) -> Result<Pulled, Error> {
        let digest = reference.digest().map(|digest| digest.to_string());
        listener(Transfer::Begins {
            name: digest.unwrap_or_else(|| reference.tag().unwrap_or_default().to_owned()),
            repository: reference.path().to_owned(),
        });
        let blobs = Blobs::open(self.store())?;
        let _turn = blobs.turn(found.manifest.digest, || listener(Transfer::Waits))?;
        let there = blobs.size(found.config.digest)? == Some(found.config.size);
        // One that is damaged is fetched, and written again.
        let own = if there {
            blobs.read(found.config.digest).ok()
        } else {
            None
        };
        let config_bytes = if let Some(own) = own {
            own
        } else {
            let (repository, config) = (&found.repository, &found.config);
            repository.read_blob(config, "config", CONFIG_MAX)?
        };
        let config = ImageConfig::parse(&config_bytes)?;
        check(&config, found.layers.len())?;
        let images = self.images()?;
        let known = images.find(found.manifest.digest)?.is_some();
        let is_named = images.names()?.get(reference) == Some(&found.manifest.digest);
        let fetch = Fetch {
            engine: self,
            blobs: &blobs,
            found,
            config: &config,
            listener,
            resumed: AtomicBool::new(false),
        };
        self.clear_broken(&config.diff_ids)?;
        let Imported { layers, lease } = fetch.import(request.durability)?;
        let documents = (Some(&*found.manifest.bytes), &*config_bytes);
        let names = std::slice::from_ref(reference);
        let (record, _) = images.commit(documents, layers, names, None)?;
        images.note_source(record.manifest, &reference.with_digest(found.digest))?;
        drop(lease);
        self.mend_touched(&record)?;
        for blob in &found.layers {
            layer(listener, &blob.digest.short(), LayerState::Complete);
        }
        Ok(Pulled {
            record,
            name: reference.clone(),
            digest: found.digest,
            is_new: !known || !is_named,
        })
    }
}

/// Asks the mirrors and then the registry.
fn find(
    client: &Client,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Found, Error> {
    let platform = platform.cloned().unwrap_or_else(Platform::of_host);
    let mut last = None;
    for repository in client.sources(reference) {
        let found = repository.and_then(|repository| {
            let top = repository.manifest(reference)?;
            let digest = top.digest;
            let manifest = repository.image(top, &platform)?;
            Ok((repository, digest, manifest))
        });
        match found {
            Ok((repository, digest, mut manifest)) => {
                let empty = Document::Index(Vec::new());
                let document = std::mem::replace(&mut manifest.document, empty);
                let Document::Image { config, layers } = document else {
                    continue;
                };
                return Ok(Found {
                    repository: Arc::new(repository),
                    digest,
                    manifest,
                    config,
                    layers,
                });
            }
            Err(error) if error.is_of_this_host() => last = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.map_or_else(
        || {
            image::Error::NotFound {
                name: reference.familiar(),
            }
            .into()
        },
        Into::into,
    ))
}

/// What can be said of an image before its layers come.
fn check(config: &ImageConfig, layers: usize) -> Result<(), Error> {
    check_count(layers, config.diff_ids.len())?;
    let malformed = |why: String| image::Error::Malformed {
        what: "config".to_owned(),
        why,
    };
    if layers > LOWERS_MAX {
        let why = format!("{layers} layers, more than the {LOWERS_MAX} that can be stacked");
        return Err(malformed(why).into());
    }
    if config.os != "linux" {
        let why = format!("an image for {:?} does not run here", config.os);
        return Err(malformed(why).into());
    }
    Ok(())
}

/// Whether other bytes would do better, not only another moment.
fn is_of_bytes(error: &Error) -> bool {
    let kind = error.kind();
    matches!(error, Error::Rootfs(_)) && kind != ErrorKind::System || kind == ErrorKind::Corrupt
}

/// The layers of one image.
struct Fetch<'f> {
    engine: &'f Engine,
    blobs: &'f Blobs<'f>,
    found: &'f Found,
    config: &'f ImageConfig,
    listener: &'f Listener,
    /// Something was there from an earlier try.
    resumed: AtomicBool,
}

impl<'f> Fetch<'f> {
    fn import(&self, durability: Sync) -> Result<Imported, Error> {
        self.tell_what_is_there()?;
        let failure = DownloadFailure::default();
        let first = match self.try_import(&failure, durability) {
            Ok(imported) => return Ok(imported),
            Err(error) => error,
        };
        let from_registry = failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let error = from_registry.map_or(first, Error::from);
        if !is_of_bytes(&error) {
            return Err(error);
        }
        let forget = || {
            let layers = self.found.layers.iter();
            layers
                .map(|blob| self.blobs.forget_part(blob.digest))
                .collect::<Result<Vec<_>, _>>()
        };
        forget()?;
        // What was there from an earlier try may have suffered since; it is not the registry's fault.
        if !self.resumed.swap(false, Ordering::Relaxed) {
            return Err(error);
        }
        let failure = DownloadFailure::default();
        self.try_import(&failure, durability).map_err(|error| {
            forget().ok();
            let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.take().map_or(error, Error::from)
        })
    }

    fn tell_what_is_there(&self) -> Result<(), Error> {
        let layers = Layers::open(self.engine.store())?;
        let chains = ChainId::stack(&self.config.diff_ids);
        for (blob, chain) in self.found.layers.iter().zip(chains) {
            let is_there =
                layers.find(chain)?.is_some() && self.blobs.size(blob.digest)? == Some(blob.size);
            let state = if is_there {
                LayerState::Exists
            } else {
                LayerState::Wanted
            };
            layer(self.listener, &blob.digest.short(), state);
        }
        Ok(())
    }

    fn try_import(&self, failure: &DownloadFailure, durability: Sync) -> Result<Imported, Error> {
        let slots = Arc::new(Slots::new());
        let parts: Vec<Mutex<Option<Part>>> =
            self.found.layers.iter().map(|_| Mutex::default()).collect();
        let pairs = self.found.layers.iter().zip(&self.config.diff_ids);
        let sources = pairs
            .zip(&parts)
            .map(|((blob, diff_id), part)| LayerSource {
                diff_id: *diff_id,
                blob: Some(blob.clone()),
                size: blob.size,
                open: Box::new(|| {
                    let part = part.lock().unwrap_or_else(PoisonError::into_inner).take();
                    // Of another image's it may be here. Not where a part is to be filled: that
                    // gets the blob's name.
                    if part.is_none() && self.blobs.size(blob.digest)? == Some(blob.size) {
                        return Ok(Box::new(self.blobs.open_blob(blob.digest)?));
                    }
                    let watcher = self.watcher(blob);
                    let told = (watcher, Arc::clone(failure));
                    let repository = &self.found.repository;
                    Ok(Box::new(Download::new(
                        repository, blob, part, &slots, told,
                    )))
                }),
            });
        let sources: Vec<_> = sources.collect();
        let begun = |number: usize| self.begin(&self.found.layers[number], &parts[number]);
        let imported = rootfs::import_begun(self.engine.store(), &sources, &begun, durability)?;
        Ok(imported)
    }

    /// Goes on with a blob, or begins it.
    fn begin(
        &self,
        blob: &BlobRef,
        slot: &Mutex<Option<Part>>,
    ) -> Result<Option<NewBlob<'f>>, rootfs::Error> {
        let Some(begun) = self.blobs.resume(blob.digest)? else {
            return Ok(None);
        };
        let system = |source| rootfs::Error::System {
            what: format!("go on with blob {}", blob.digest),
            source,
        };
        let mut length = metadata_of(&begun.file).map_err(system)?.size();
        if length > blob.size {
            begun
                .file
                .set_len(0)
                .at("ftruncate", || "0")
                .map_err(system)?;
            length = 0;
        }
        if length > 0 {
            self.resumed.store(true, Ordering::Relaxed);
        }
        let file = begun.file.try_clone().at("dup", || blob.digest.hex());
        let file = file.map_err(system)?;
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Part { file, length });
        Ok(Some(begun))
    }

    fn watcher(&self, blob: &BlobRef) -> crate::registry::Watcher {
        let listener = Arc::clone(self.listener);
        let (id, total) = (blob.digest.short(), blob.size);
        Arc::new(move |done| {
            let state = if done == total {
                LayerState::Moved
            } else {
                LayerState::Moving { done, total }
            };
            layer(&listener, &id, state);
        })
    }
}
