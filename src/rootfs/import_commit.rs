//! What was unpacked is fitted to the layers below, and gets its final names.

use std::io::Read as _;

use super::{
    Error, Sync,
    import::{Done, Import, system},
    layers::{DIFF, LayerRecord},
    renew,
};
use crate::{
    ident::{ChainId, Digest},
    image::{BlobRef, LayerRef},
    layer::{self, Compression},
    sys::{Dir, metadata_of, sync},
};

impl<'s> Import<'s, '_> {
    /// Applies what depends on the layers below, lowest first.
    pub(super) fn settle(
        &self,
        chains: &[ChainId],
        done: &[Option<Done<'_>>],
    ) -> Result<(), Error> {
        // Topmost first, cut where a layer hides everything below it.
        let mut lowers: Vec<Dir> = Vec::new();
        for (number, (chain, done)) in chains.iter().zip(done).enumerate() {
            let staging = done
                .as_ref()
                .and_then(|done| Some((done, done.staging.as_ref()?)));
            let (diff, opaque_root) = match staging {
                None => (
                    self.layers.open_diff(*chain)?,
                    self.layers.get(*chain)?.opaque_root,
                ),
                Some((done, staging)) => {
                    let diff = staging.dir().open_dir(DIFF).map_err(system)?;
                    let notes = &done.unpacked.notes;
                    layer::settle(&diff, notes, &lowers).map_err(|source| Error::Unpack {
                        number: number + 1,
                        diff_id: done.unpacked.diff_id,
                        source,
                    })?;
                    (diff, notes.opaque_root)
                }
            };
            if opaque_root {
                lowers.clear();
            }
            lowers.insert(0, diff);
        }
        Ok(())
    }

    /// Gives everything its final name: blobs, then layers from the lowest up.
    pub(super) fn commit(
        &self,
        chains: &[ChainId],
        done: Vec<Option<Done<'s>>>,
        durability: Sync,
    ) -> Result<Vec<LayerRef>, Error> {
        let (mut parent, mut seen) = (None, Some(0));
        for (number, (chain, done)) in chains.iter().zip(&done).enumerate() {
            if let Some((unpacked, staging)) = done
                .as_ref()
                .and_then(|done| Some((&done.unpacked, done.staging.as_ref()?)))
            {
                let below = match seen {
                    Some(seen) => seen,
                    None => self.layers.seen(&chains[..number])?,
                };
                let layer = LayerRecord::new(*chain, (parent, below), unpacked, durability);
                renew::write_record(staging, &layer)?;
                seen = layer.seen;
            } else {
                // It was here before. Looked up when somebody asks.
                seen = None;
            }
            parent = Some(*chain);
        }
        let anything = done.iter().any(Option::is_some) || self.has_unsynced(chains)?;
        if anything && durability == Sync::Full {
            sync::file_system(self.blobs.dir()).map_err(system)?;
            renew::note_synced(&self.layers, chains)?;
        }
        let mut layers = Vec::new();
        for (number, (chain, done)) in chains.iter().zip(done).enumerate() {
            layers.push(self.publish((number, *chain), done, durability)?);
        }
        if anything && durability == Sync::Full {
            sync::directory(self.blobs.dir()).map_err(system)?;
            sync::directory(self.layers.dir).map_err(system)?;
        }
        Ok(layers)
    }

    /// Whether one of them was made without a sync, in this boot.
    fn has_unsynced(&self, chains: &[ChainId]) -> Result<bool, Error> {
        for chain in chains {
            if self
                .layers
                .find(*chain)?
                .is_some_and(|layer| !layer.is_synced())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn publish(
        &self,
        (number, chain): (usize, ChainId),
        done: Option<Done<'_>>,
        durability: Sync,
    ) -> Result<LayerRef, Error> {
        let source = &self.sources[number];
        let Some(done) = done else {
            let record = self.layers.get(chain)?;
            let media_type = media_type(self.compression_of(record.blob));
            let own = BlobRef {
                digest: record.blob,
                size: record.blob_size,
                media_type,
            };
            let blob = source.blob.clone().unwrap_or(own);
            return Ok(LayerRef {
                chain,
                diff_id: source.diff_id,
                blob,
                bytes: record.bytes,
            });
        };
        let Done {
            unpacked,
            compression,
            staging,
            blob,
        } = done;
        if let Some(blob) = blob {
            // It has what was read, or it would take the place of a good one.
            let found = metadata_of(&blob.file).map_err(system)?.size();
            if found != unpacked.blob_size {
                let (number, wanted) = (number + 1, unpacked.blob_size);
                return Err(Error::BlobSize {
                    number,
                    wanted,
                    found,
                });
            }
            self.blobs.commit(blob, unpacked.blob)?;
        }
        let bytes = match staging {
            Some(staging) => {
                // Somebody else may have made the same layer meanwhile: equal by construction.
                renew::publish(&self.layers, staging, chain, durability)?;
                unpacked.notes.bytes
            }
            None => self.layers.get(chain)?.bytes,
        };
        let (digest, size) = (unpacked.blob, unpacked.blob_size);
        let media_type = source.blob.as_ref().map(|blob| blob.media_type.clone());
        let media_type = media_type.unwrap_or_else(|| self::media_type(compression));
        let blob = BlobRef {
            digest,
            size,
            media_type,
        };
        Ok(LayerRef {
            chain,
            diff_id: source.diff_id,
            blob,
            bytes,
        })
    }

    fn compression_of(&self, blob: Digest) -> Compression {
        let mut head = Vec::new();
        if let Ok(file) = self.blobs.open_blob(blob) {
            file.take(512).read_to_end(&mut head).ok();
        }
        Compression::detect(&head)
    }
}

fn media_type(compression: Compression) -> String {
    let suffix = match compression {
        Compression::None => "",
        Compression::Gzip => "+gzip",
        Compression::Zstd => "+zstd",
        Compression::Xz => "+xz",
        Compression::Bzip2 => "+bzip2",
    };
    format!("application/vnd.oci.image.layer.v1.tar{suffix}")
}
