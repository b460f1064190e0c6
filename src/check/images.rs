//! Images: records against their documents, blobs and layers, and names against records.

use std::{collections::BTreeMap, ffi::OsString};

use super::{Error, Finding, Remedy};
use crate::{
    container::Engine,
    error::in_a_line,
    ident::{ChainId, Digest},
    image::{self, ImageConfig, ImageRecord, Images, Names},
    rootfs::MOUNTED,
    store::{self, Place},
};

const NAMES: &str = "names.json";

/// What the store knows of images.
#[derive(Debug, Default)]
pub(super) struct ImageFacts {
    pub(super) records: Vec<ImageRecord>,
    /// Why they cannot be read.
    pub(super) damaged: Vec<(Digest, String)>,
    pub(super) names: Option<Names>,
    pub(super) names_damage: Option<String>,
    /// Of manifests and configs that are what their digests say, and do not fit.
    pub(super) documents: Vec<(Digest, String)>,
    pub(super) strangers: Vec<OsString>,
}

impl ImageFacts {
    pub(super) fn gather(engine: &Engine) -> Result<Self, Error> {
        let images = engine.images()?;
        let (records, damaged) = images.all()?;
        let (mut names, mut names_damage) = (None, None);
        match images.names() {
            Ok(found) => names = Some(found),
            Err(image::Error::Names { source, .. }) => names_damage = Some(in_a_line(&source)),
            Err(error) => return Err(error.into()),
        }
        let mut documents = Vec::new();
        for record in &records {
            documents.extend(misfit(&images, record)?.map(|what| (record.manifest, what)));
        }
        let is_ours = |name: &OsString| {
            let text = name.to_str().unwrap_or_default();
            let digest = text.strip_suffix(".json").unwrap_or_default();
            text == NAMES || text == MOUNTED || Digest::from_hex(digest).is_ok()
        };
        let mut strangers = engine.store().open_dir(Place::Images)?.entries()?;
        strangers.retain(|name| !is_ours(name));
        Ok(Self {
            records,
            damaged: damaged
                .into_iter()
                .map(|one| (one.manifest, one.why))
                .collect(),
            names,
            names_damage,
            documents,
            strangers,
        })
    }

    /// What an image is called: by a name, or by its id.
    pub(super) fn called(&self, record: &ImageRecord) -> String {
        let names = self.names.iter().flatten();
        let mut own = names.filter(|(_, manifest)| **manifest == record.manifest);
        own.next()
            .map_or_else(|| record.id.short(), |(name, _)| name.familiar())
    }

    pub(super) fn decide(
        &self,
        blobs: &BTreeMap<Digest, u64>,
        is_unpacked: impl Fn(ChainId) -> bool,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (manifest, why) in &self.damaged {
            let path = Place::Images
                .path()
                .join(format!("{}.json", manifest.hex()));
            let remedy = Remedy::ImageRecord(*manifest, path);
            findings.push(Finding::damage(format!("image {manifest}"), why, remedy));
        }
        for record in &self.records {
            self.blobs_of(record, blobs, &mut findings);
            for (number, layer) in record.layers.iter().enumerate() {
                if !is_unpacked(layer.chain) {
                    let object = format!("image {}", self.called(record));
                    let what = format!("layer {} is not unpacked", number + 1);
                    let remedy = Remedy::Unpack(layer.chain);
                    findings.push(Finding::damage(object, what, remedy));
                }
            }
        }
        for (manifest, what) in &self.documents {
            let record = self.records.iter().find(|one| one.manifest == *manifest);
            let called = record.map_or_else(|| manifest.to_string(), |one| self.called(one));
            let path = Place::Images
                .path()
                .join(format!("{}.json", manifest.hex()));
            let remedy = Remedy::ImageRecord(*manifest, path);
            findings.push(Finding::damage(format!("image {called}"), what, remedy));
        }
        findings.extend(self.names_of_nothing());
        for name in &self.strangers {
            let object = Place::Images.path().join(name);
            let remedy = Remedy::Quarantine(object.clone());
            let object = object.display().to_string();
            findings.push(Finding::leftover(object, "is not the store's", remedy));
        }
        findings
    }

    fn blobs_of(
        &self,
        record: &ImageRecord,
        blobs: &BTreeMap<Digest, u64>,
        findings: &mut Vec<Finding>,
    ) {
        let called = self.called(record);
        for blob in record.blobs() {
            if blobs.contains_key(&blob) {
                continue;
            }
            let layer = record.layers.iter().find(|one| one.blob.digest == blob);
            let what = match layer {
                _ if blob == record.manifest => "its manifest",
                _ if blob == record.id => "its config",
                Some(_) => "a layer's blob",
                None => "what its build step was made from",
            };
            let what = format!("{what} is missing: {blob}");
            let remedy = match layer {
                Some(layer) => Remedy::PackBlob(blob, layer.chain),
                None if blob == record.manifest => Remedy::MakeManifest(record.manifest),
                None => Remedy::Type(format!("cowshed load or pull {called} again")),
            };
            findings.push(Finding::damage(format!("image {called}"), what, remedy));
        }
    }

    fn names_of_nothing(&self) -> Vec<Finding> {
        if let Some(why) = &self.names_damage {
            let remedy = Remedy::Quarantine(Place::Images.path().join(NAMES));
            return vec![Finding::damage("the names of images", why, remedy)];
        }
        let is_known = |manifest: &Digest| {
            self.records.iter().any(|one| one.manifest == *manifest)
                || self.damaged.iter().any(|(one, _)| one == manifest)
        };
        let names = self.names.iter().flatten();
        let of_nothing = names.filter(|(_, manifest)| !is_known(manifest));
        let finding = |(name, manifest): (&crate::ident::Reference, &Digest)| {
            let what = format!("names an image that is not here: {manifest}");
            let remedy = Remedy::ForgetName(name.clone(), *manifest);
            Finding::leftover(format!("name {}", name.familiar()), what, remedy)
        };
        of_nothing.map(finding).collect()
    }
}

/// What of an image's documents does not go with the rest; what is not there or damaged is told of
/// its blob.
fn misfit(images: &Images<'_>, record: &ImageRecord) -> Result<Option<String>, Error> {
    let read = |digest| match images.blobs().read(digest) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(store::Error::Corrupt { .. } | store::Error::Blob { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    if let Some(bytes) = read(record.manifest)? {
        let layers = record.layers.iter();
        let layers = layers.map(|layer| (layer.blob.digest, layer.blob.size));
        let wanted = (record.id, layers.collect());
        match image::named_by(&bytes) {
            Err(error) => return Ok(Some(format!("manifest: {}", in_a_line(&error)))),
            Ok(said) if said != wanted => {
                let what = "its manifest names another config or other layers than its record";
                return Ok(Some(what.to_owned()));
            }
            Ok(_) => {}
        }
    }
    if let Some(bytes) = read(record.id)? {
        let own: Vec<_> = record.layers.iter().map(|layer| layer.diff_id).collect();
        let chains: Vec<_> = record.layers.iter().map(|layer| layer.chain).collect();
        match ImageConfig::parse(&bytes) {
            Err(error) => return Ok(Some(format!("config: {}", in_a_line(&error)))),
            Ok(config) if config.diff_ids != own || ChainId::stack(&own) != chains => {
                return Ok(Some(
                    "its config names other layers than its record".to_owned(),
                ));
            }
            Ok(_) => {}
        }
    }
    Ok(None)
}
