//! What is damaged of an image's record and documents, made again from what is whole.

use super::{
    BlobRef, Error, ImageConfig, ImageRecord, Images, LayerRef, Names, images::record_name,
    manifest, synthesis,
};
use crate::{
    ident::{ChainId, Digest, Reference, Timestamp},
    store::{Durability, Place, keep_copy, put_aside, record},
};

impl Images<'_> {
    /// Makes a record again from its manifest and config; `bytes` tells the size of a layer's files.
    /// Where the registry has it and how a build made it is lost; the old record stays in quarantine.
    /// Answers whether it could be made; if not, the record is in quarantine, and the image gone.
    pub fn remake_record(
        &self,
        manifest: Digest,
        why: &str,
        bytes: impl Fn(ChainId) -> Option<u64>,
    ) -> Result<bool, Error> {
        let _lease = self.lease()?;
        let name = record_name(manifest);
        let path = Place::Images.path().join(&name);
        let known = match self.find(manifest) {
            // Removed meanwhile.
            Ok(None) => return Ok(true),
            known => known.ok().flatten(),
        };
        let made = self.record_of(manifest, bytes);
        if let (Some(known), Some(made)) = (&known, &made)
            && is_same(known, made)
        {
            // Loaded again meanwhile, and it knows more.
            return Ok(true);
        }
        let Some(record) = made else {
            put_aside(self.store, &path, why)?;
            return Ok(false);
        };
        let synced = Durability::Synced;
        let is_file = self.dir.metadata(&name).is_ok_and(|found| !found.is_dir());
        if is_file {
            keep_copy(self.store, &path, why)?;
        } else {
            put_aside(self.store, &path, why)?;
        }
        record::replace(self.store, self.dir, &name, &record, synced)?;
        Ok(true)
    }

    /// `None` where something of it is not whole.
    fn record_of(
        &self,
        manifest: Digest,
        bytes: impl Fn(ChainId) -> Option<u64>,
    ) -> Option<ImageRecord> {
        let (id, blobs) = manifest::blobs_of(&self.blobs().read(manifest).ok()?).ok()?;
        let config = ImageConfig::parse(&self.blobs().read(id).ok()?).ok()?;
        let chains = ChainId::stack(&config.diff_ids);
        if chains.len() != blobs.len() {
            return None;
        }
        let layers = chains.into_iter().zip(config.diff_ids).zip(blobs);
        let layer = |((chain, diff_id), blob): ((ChainId, _), BlobRef)| LayerRef {
            chain,
            diff_id,
            bytes: bytes(chain).unwrap_or(0),
            blob,
        };
        Some(ImageRecord {
            manifest,
            id,
            layers: layers.map(layer).collect(),
            imported: Timestamp::now(),
            sources: Vec::new(),
            step: None,
        })
    }

    /// Makes a manifest again that is missing; whether that was possible: where the image came without
    /// one, so that its own was made up here.
    pub fn remake_manifest(&self, manifest: Digest) -> Result<bool, Error> {
        let Some(record) = self.find(manifest)? else {
            return Ok(false);
        };
        let Ok(config) = self.blobs().read(record.id) else {
            return Ok(false);
        };
        let layers: Vec<_> = record
            .layers
            .iter()
            .map(|layer| layer.blob.clone())
            .collect();
        let made = synthesis::manifest(&config, &layers)?;
        if Digest::of(&made) != manifest {
            return Ok(false);
        }
        self.blobs().put(&made)?;
        self.blobs().sync_names()?;
        Ok(true)
    }

    /// Takes a name away that means an image that is not here; whether it still did.
    pub fn forget_name_of_nothing(&self, name: &Reference) -> Result<bool, Error> {
        let _lease = self.lease()?;
        let names: Names = self.names()?;
        let Some(manifest) = names.get(name) else {
            return Ok(false);
        };
        let path = record_name(*manifest);
        let there = self
            .dir
            .find(path)
            .map_err(|source| crate::store::Error::System {
                what: "look up image".to_owned(),
                source,
            })?;
        if there.is_some() {
            return Ok(false);
        }
        self.take_names(std::slice::from_ref(name))?;
        Ok(true)
    }
}

/// Whether two records tell the same of an image, but for how it came here.
fn is_same(one: &ImageRecord, other: &ImageRecord) -> bool {
    let layers = |record: &ImageRecord| -> Vec<_> {
        let layers = record.layers.iter();
        let told = |layer: &LayerRef| {
            let blob = (layer.blob.digest, layer.blob.size);
            (layer.chain, layer.diff_id, blob)
        };
        layers.map(told).collect()
    };
    (one.manifest, one.id) == (other.manifest, other.id) && layers(one) == layers(other)
}
