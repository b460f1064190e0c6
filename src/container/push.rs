//! `push`: an image to a registry.

use std::{
    fs::File,
    io::{self, Read, Seek as _, Write},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Engine, Error, LayerState,
    transfer::{Listener, layer},
};
use crate::{
    event::Kind,
    ident::{Digest, Hasher, Reference},
    image::{self, BlobRef, Document, ImageRecord, Images, LayerRef, own_media_type, with_layers},
    layer::{self, Compression, Encoding, Limits},
    registry::{Client, Repository, Sent},
    store::{Blobs, NewBlob, sweep},
    sys::{At as _, reopen, thread},
};

/// Layers on their way at once.
const WORKERS: usize = 3;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What a registry has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Of the manifest.
    pub digest: Digest,
    /// Of the manifest, in bytes.
    pub size: u64,
}

/// A layer as it is sent.
struct Outgoing<'s> {
    /// For whoever watches.
    id: String,
    blob: BlobRef,
    /// Open from the beginning: whoever removes the image meanwhile does not take it away.
    file: File,
    /// Compressed for this.
    _made: Option<NewBlob<'s>>,
    /// Repositories of the same registry that may have it.
    others: Vec<String>,
}

impl Engine {
    /// Sends the image of this name to the registry that the name tells.
    pub fn push(
        &self,
        client: &Client,
        reference: &Reference,
        listener: &Listener,
    ) -> Result<Pushed, Error> {
        let images = self.images()?;
        let missing = || Error::NothingToPush {
            repository: reference.familiar_repository(),
        };
        let manifest = images.names()?.get(reference).copied();
        let record = manifest.map(|manifest| images.find(manifest)).transpose()?;
        let record = record.flatten().ok_or_else(missing)?;
        let tag = reference.tag().ok_or_else(|| Error::Usage {
            what: "cannot push a digest reference".to_owned(),
        })?;
        sweep(self.store())?;
        crate::sys::process::raise_file_limit();
        let blobs = images.blobs();
        let config = images.config_bytes(&record)?;
        let manifest = blobs.read(record.manifest)?;
        let repository = client.target(reference)?;
        let outgoing = outgoing(&images, &record, reference, listener)?;
        send_all(&repository, &outgoing, listener)?;
        let own: Vec<_> = outgoing.iter().map(|one| one.blob.clone()).collect();
        let stored: Vec<_> = record.layers.iter().map(|one| &one.blob).collect();
        let manifest = if own.iter().eq(stored) {
            manifest
        } else {
            with_layers(&manifest, &own)?
        };
        let media_type = own_media_type("manifest", &manifest)?;
        let config_blob = match Document::parse("manifest", &manifest, &media_type)? {
            Document::Image { config, .. } => config,
            Document::Index(_) => return Err(missing()),
        };
        let open =
            || -> io::Result<Box<dyn Read>> { Ok(Box::new(io::Cursor::new(config.clone()))) };
        repository.send_blob(&config_blob, &[], &open)?;
        let digest = repository.put_manifest(tag, &manifest, &media_type)?;
        images.note_source(record.manifest, &reference.with_digest(digest))?;
        let name = reference.familiar_repository();
        self.tell(
            Kind::Image,
            "push",
            &reference.familiar(),
            &[("name", &name)],
        );
        Ok(Pushed {
            digest,
            size: manifest.len() as u64,
        })
    }

    /// The tagged names of a repository that are here.
    pub fn names_of(&self, reference: &Reference) -> Result<Vec<Reference>, Error> {
        let names = self.images()?.names()?.into_keys();
        let repository = reference.familiar_repository();
        let own =
            |name: &Reference| name.familiar_repository() == repository && name.digest().is_none();
        Ok(names.filter(own).collect())
    }
}

fn outgoing<'s>(
    images: &Images<'s>,
    record: &ImageRecord,
    reference: &Reference,
    listener: &Listener,
) -> Result<Vec<Outgoing<'s>>, Error> {
    // Of a made-up manifest only the config must stay as it is.
    let may_compress = images.is_made_up(record)?;
    let mut outgoing = Vec::new();
    for one in &record.layers {
        let id = one.diff_id.0.short();
        layer(listener, &id, LayerState::Wanted);
        let others = elsewhere(images, one.blob.digest, reference)?;
        let file = images.blobs().open_blob(one.blob.digest)?;
        let (blob, file, made) = if may_compress && !is_readable_by_all(&one.blob.media_type) {
            layer(listener, &id, LayerState::Compressing);
            let (blob, made) = compress(images.blobs(), one, &file)?;
            let again = reopen(made.file.as_fd()).map_err(|source| failed(&blob, source))?;
            (blob, again, Some(made))
        } else {
            (one.blob.clone(), file, None)
        };
        outgoing.push(Outgoing {
            id,
            blob,
            file,
            _made: made,
            others,
        });
    }
    Ok(outgoing)
}

fn failed(blob: &BlobRef, source: crate::sys::SysError) -> Error {
    Error::System {
        what: format!("send blob {}", blob.digest),
        source,
    }
}

/// Plain layers are; but nobody wants them over a network. xz and bzip2 only some engines know.
fn is_readable_by_all(media_type: &str) -> bool {
    media_type.ends_with("gzip") || media_type.ends_with("zstd")
}

/// Other repositories of the same registry whose images have the blob.
fn elsewhere(
    images: &Images<'_>,
    blob: Digest,
    reference: &Reference,
) -> Result<Vec<String>, Error> {
    let records = images.list()?;
    let mut found = Vec::new();
    for (name, manifest) in images.names()? {
        let is_other = name.domain() == reference.domain() && name.path() != reference.path();
        let record = records.iter().find(|record| record.manifest == manifest);
        let has =
            |record: &ImageRecord| record.layers.iter().any(|layer| layer.blob.digest == blob);
        let path = name.path().to_owned();
        if is_other && record.is_some_and(has) && !found.contains(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Counts and hashes what goes into a file.
struct Counted<'a> {
    file: &'a File,
    hasher: Hasher,
    size: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn compress<'s>(
    blobs: &Blobs<'s>,
    one: &LayerRef,
    file: &File,
) -> Result<(BlobRef, NewBlob<'s>), Error> {
    let mut head = Vec::new();
    let whole = reopen(file.as_fd()).map_err(|source| failed(&one.blob, source))?;
    let read = (&whole).take(512).read_to_end(&mut head);
    read.and_then(|_| (&whole).rewind())
        .at("read", || one.blob.digest.hex())
        .map_err(|source| failed(&one.blob, source))?;
    let compression = Compression::detect(&head);
    let made = blobs.begin()?;
    let mut counted = Counted {
        file: &made.file,
        hasher: Hasher::new(),
        size: 0,
    };
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let produce = |pieces: &mut layer::Pieces| {
        layer::decompress(whole, compression, &Limits::default(), pieces)
    };
    let (produced, written) = layer::encode(Encoding::Gzip, workers.min(8), produce, &mut counted)
        .map_err(|source| failed(&one.blob, source))?;
    // A full disk stops the producer too; the disk is the reason.
    written
        .at("write", || "compressed layer")
        .map_err(|source| failed(&one.blob, source))?;
    produced.map_err(|source| image::Error::Tar {
        what: one.blob.digest.to_string(),
        source,
    })?;
    let blob = BlobRef {
        digest: counted.hasher.finish(),
        size: counted.size,
        media_type: GZIP.to_owned(),
    };
    Ok((blob, made))
}

fn send_all(
    repository: &Repository,
    outgoing: &[Outgoing<'_>],
    listener: &Listener,
) -> Result<(), Error> {
    let mut queue: Vec<_> = outgoing.iter().collect();
    // One blob may be several layers.
    queue.sort_by_key(|one| one.blob.digest);
    queue.dedup_by_key(|one| one.blob.digest);
    let (queue, failure) = (Mutex::new(queue), Mutex::new(None));
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let has_failed = failure.lock().is_ok_and(|failure| failure.is_some());
                let next = queue.lock().ok().and_then(|mut queue| queue.pop());
                let Some(one) = next.filter(|_| !has_failed) else {
                    return;
                };
                if let Err(error) = send(repository, one, listener) {
                    let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(error);
                }
            }
        };
        if thread::crew(scope, WORKERS.min(outgoing.len()), work).is_empty() {
            work();
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

fn send(repository: &Repository, one: &Outgoing<'_>, listener: &Listener) -> Result<(), Error> {
    let (id, total) = (one.id.as_str(), one.blob.size);
    let open = || -> io::Result<Box<dyn Read>> {
        let file = reopen(one.file.as_fd()).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(Watched {
            file,
            done: 0,
            total,
            id: id.to_owned(),
            listener: Arc::clone(listener),
        }))
    };
    let state = match repository.send_blob(&one.blob, &one.others, &open)? {
        Sent::Existed => LayerState::Exists,
        Sent::Mounted(from) => LayerState::Mounted(from),
        Sent::Uploaded => LayerState::Complete,
    };
    layer(listener, id, state);
    Ok(())
}

/// Tells how far a file is read.
struct Watched {
    file: File,
    done: u64,
    total: u64,
    id: String,
    listener: Listener,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.done += count as u64;
        let (done, total) = (self.done, self.total);
        layer(&self.listener, &self.id, LayerState::Moving { done, total });
        Ok(count)
    }
}
