//! `Images`: the records and names of what was imported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BlobRef, BuildStep, Error, ImageConfig, synthesis};
use crate::{
    error::in_a_line,
    ident::{ChainId, DiffId, Digest, Reference, Timestamp},
    store::{Blobs, Durability, Lease, Place, Store, lease_place, record},
    sys::{Dir, remove_tree},
};

const NAMES: &str = "names.json";

/// One imported image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecord {
    /// Digest of the manifest; the record's file has its name.
    pub manifest: Digest,
    /// Digest of the config: Docker's image id.
    pub id: Digest,
    /// Lowest first.
    pub layers: Vec<LayerRef>,
    /// When it was imported.
    pub imported: Timestamp,
    /// Where a registry has it, and by which digest: of a manifest or of an index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Reference>,
    /// How a build of this store made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<BuildStep>,
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRef {
    /// The stack up to here; names the directory.
    pub chain: ChainId,
    /// The layer alone.
    pub diff_id: DiffId,
    /// Its bytes as received.
    pub blob: BlobRef,
    /// Sum of its files' sizes.
    pub bytes: u64,
}

impl ImageRecord {
    /// Sum of the layers' files, as `images` shows it.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.bytes).sum()
    }

    /// Every blob the image needs.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        let layers = self.layers.iter().map(|layer| layer.blob.digest);
        let sources = self.step.as_ref().and_then(|step| step.sources);
        let own = [self.manifest, self.id].into_iter();
        own.chain(layers).chain(sources)
    }
}

/// An image whose record cannot be read.
#[derive(Debug, Clone)]
pub struct DamagedImage {
    /// Its manifest: its record's file has its name.
    pub manifest: Digest,
    /// What is wrong, in a line.
    pub why: String,
}

/// Names to manifests.
pub type Names = BTreeMap<Reference, Digest>;

/// The images of a store.
#[derive(Debug)]
pub struct Images<'s> {
    pub(super) store: &'s Store,
    pub(super) dir: &'s Dir,
    blobs: Blobs<'s>,
}

/// The same in the word that the user has for it.
fn called(error: Error, text: &str) -> Error {
    let Error::Damaged {
        manifest, source, ..
    } = error
    else {
        return error;
    };
    Error::Damaged {
        what: text.to_owned(),
        manifest,
        source,
    }
}

pub(super) fn record_name(manifest: Digest) -> String {
    format!("{}.json", manifest.hex())
}

impl<'s> Images<'s> {
    /// The images of a store.
    pub fn open(store: &'s Store) -> Result<Self, Error> {
        Ok(Self {
            store,
            dir: store.open_dir(Place::Images)?,
            blobs: Blobs::open(store)?,
        })
    }

    /// The blobs they are made of.
    pub fn blobs(&self) -> &Blobs<'s> {
        &self.blobs
    }

    /// All names.
    pub fn names(&self) -> Result<Names, Error> {
        match record::find(self.dir, NAMES) {
            Err(source) if source.is_damage() => Err(Error::Names {
                path: self.store.path_in(Place::Images, NAMES),
                source: Box::new(source),
            }),
            names => Ok(names?.unwrap_or_default()),
        }
    }

    /// All records, newest import first.
    ///
    /// # Errors
    ///
    /// One cannot be read: for whoever must not miss any. [`Images::all`] goes on.
    pub fn list(&self) -> Result<Vec<ImageRecord>, Error> {
        let found = self.manifests()?.into_iter();
        let found = found.filter_map(|manifest| self.find(manifest).transpose());
        let mut records = found.collect::<Result<Vec<_>, _>>()?;
        records.sort_by_key(|record| std::cmp::Reverse(record.imported));
        Ok(records)
    }

    /// All records that can be read, newest import first, and those that cannot.
    pub fn all(&self) -> Result<(Vec<ImageRecord>, Vec<DamagedImage>), Error> {
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for manifest in self.manifests()? {
            match self.find(manifest) {
                Ok(found) => records.extend(found),
                Err(Error::Damaged { source, .. }) => damaged.push(DamagedImage {
                    manifest,
                    why: in_a_line(&source),
                }),
                Err(error) => return Err(error),
            }
        }
        records.sort_by_key(|record| std::cmp::Reverse(record.imported));
        Ok((records, damaged))
    }

    fn manifests(&self) -> Result<Vec<Digest>, Error> {
        let entries = self
            .dir
            .entries()
            .map_err(|source| crate::store::Error::System {
                what: "list images".to_owned(),
                source,
            })?;
        let digest = |name: &std::ffi::OsString| {
            Digest::from_hex(name.to_str()?.strip_suffix(".json")?).ok()
        };
        Ok(entries.iter().filter_map(digest).collect())
    }

    /// The record of a manifest.
    pub fn find(&self, manifest: Digest) -> Result<Option<ImageRecord>, Error> {
        match record::find(self.dir, &record_name(manifest)) {
            Err(source) if source.is_damage() => Err(Error::Damaged {
                what: manifest.to_string(),
                manifest,
                source: Box::new(source),
            }),
            found => Ok(found?),
        }
    }

    /// Finds an image by name, id, prefix of an id, or digest.
    pub fn resolve(&self, text: &str) -> Result<ImageRecord, Error> {
        let missing = || Error::NotFound {
            name: text.to_owned(),
        };
        let mut unnamed = missing();
        if let Ok(reference) = text.parse::<Reference>() {
            let named = match (reference.digest(), self.names()) {
                (Some(digest), _) => Some(self.manifest_at(&reference, digest)?),
                (None, Ok(names)) => names.get(&reference).copied(),
                // It may be meant by its id.
                (None, Err(error @ Error::Names { .. })) => {
                    unnamed = error;
                    None
                }
                (None, Err(error)) => return Err(error),
            };
            if let Some(record) = named
                .map(|manifest| self.find(manifest).map_err(|error| called(error, text)))
                .transpose()?
                .flatten()
            {
                return Ok(record);
            }
        }
        let prefix = text.strip_prefix("sha256:").unwrap_or(text);
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(hex) {
            return Err(unnamed);
        }
        let (mut fitting, mut damaged) = self.all()?;
        damaged.retain(|one| one.manifest.hex().starts_with(prefix));
        fitting.retain(|record| {
            record.id.hex().starts_with(prefix) || record.manifest.hex() == prefix
        });
        fitting.dedup_by_key(|record| record.id);
        match (fitting.len(), damaged.first()) {
            (0, None) => Err(unnamed),
            (0, Some(one)) => match self.find(one.manifest) {
                Err(error) => Err(called(error, text)),
                found => found?.ok_or(unnamed),
            },
            (1, _) => Ok(fitting.remove(0)),
            (count, _) => Err(Error::Ambiguous {
                prefix: prefix.to_owned(),
                count,
            }),
        }
    }

    /// The manifest that a digest means: its own, or that of an index it was chosen from.
    fn manifest_at(&self, reference: &Reference, digest: Digest) -> Result<Digest, Error> {
        if self.find(digest)?.is_some() {
            return Ok(digest);
        }
        let wanted = reference.with_digest(digest);
        let mut known = self.all()?.0.into_iter();
        let found = known.find(|record| record.sources.contains(&wanted));
        Ok(found.map_or(digest, |record| record.manifest))
    }

    /// Whether an image came without a manifest, so that its own was made up here.
    pub fn is_made_up(&self, record: &ImageRecord) -> Result<bool, Error> {
        let blobs: Vec<_> = record
            .layers
            .iter()
            .map(|layer| layer.blob.clone())
            .collect();
        let made_up = synthesis::manifest(&self.config_bytes(record)?, &blobs)?;
        Ok(Digest::of(&made_up) == record.manifest)
    }

    /// The config document of an image as stored.
    ///
    /// # Errors
    ///
    /// An image that was removed since its record was read is [`Error::NotFound`].
    pub fn config_bytes(&self, record: &ImageRecord) -> Result<Vec<u8>, Error> {
        let mut read = self.blobs.read(record.id);
        if read.is_err() {
            if matches!(self.find(record.manifest), Ok(None)) {
                let name = record.id.to_string();
                return Err(Error::NotFound { name });
            }
            // It may have gone and come again, the blob before the record.
            read = self.blobs.read(record.id);
        }
        Ok(read?)
    }

    /// The config of an image.
    pub fn config(&self, record: &ImageRecord) -> Result<ImageConfig, Error> {
        ImageConfig::parse(&self.config_bytes(record)?)
    }

    /// Records an image whose layers are in place. Durable when it returns. `step` is how a build
    /// made it, for its cache; the caller keeps its sources from being removed meanwhile.
    ///
    /// Returns the record, and the images that lost a name to it.
    pub fn commit(
        &self,
        documents: (Option<&[u8]>, &[u8]),
        layers: Vec<LayerRef>,
        names: &[Reference],
        step: Option<BuildStep>,
    ) -> Result<(ImageRecord, Vec<Reference>), Error> {
        let (manifest, config) = documents;
        let manifest = if let Some(bytes) = manifest {
            bytes.to_vec()
        } else {
            let blobs: Vec<_> = layers.iter().map(|layer| layer.blob.clone()).collect();
            synthesis::manifest(config, &blobs)?
        };
        let id = self.blobs.put(config)?;
        let manifest = self.blobs.put(&manifest)?;
        self.blobs.sync_names()?;
        let _lease = self.lease()?;
        let known = self.find(manifest)?;
        let record = ImageRecord {
            manifest,
            id,
            layers,
            imported: known
                .as_ref()
                .map_or_else(Timestamp::now, |old| old.imported),
            sources: known
                .as_ref()
                .map_or_else(Vec::new, |old| old.sources.clone()),
            step: step.or_else(|| known.as_ref().and_then(|old| old.step.clone())),
        };
        let file = record_name(manifest);
        if known.as_ref() != Some(&record) {
            record::replace(self.store, self.dir, &file, &record, Durability::Synced)?;
        }
        let moved = self.set_names(&record, names);
        if moved.is_err() && known.is_none() {
            // An image that nobody was told of must not stay, unless its names cannot be taken back;
            // the first error is the one to tell.
            let names = self.names();
            if names.is_ok_and(|names| names.values().all(|to| *to != manifest)) {
                self.dir.remove_file(&file).ok();
            }
        }
        Ok((record, moved?))
    }

    pub(super) fn lease(&self) -> Result<Lease, Error> {
        Ok(lease_place(self.store, Place::Images, true)?)
    }

    /// Gives an image one name more.
    pub fn tag(&self, record: &ImageRecord, name: &Reference) -> Result<(), Error> {
        let _lease = self.lease()?;
        if self.find(record.manifest)?.is_none() {
            return Err(Error::NotFound {
                name: record.id.to_string(),
            });
        }
        self.set_names(record, std::slice::from_ref(name)).map(drop)
    }

    /// Under the lease; returns the names that meant another image before.
    fn set_names(
        &self,
        record: &ImageRecord,
        names: &[Reference],
    ) -> Result<Vec<Reference>, Error> {
        let manifest = record.manifest;
        let mut all = self.names()?;
        if names.iter().all(|name| all.get(name) == Some(&manifest)) {
            return Ok(Vec::new());
        }
        let (mut moved, mut forms) = (Vec::new(), Vec::new());
        for name in names {
            let before = all.insert(name.clone(), manifest);
            let Some(before) = before.filter(|before| *before != manifest) else {
                continue;
            };
            match self.find(before) {
                Ok(Some(old)) if old.id == record.id => forms.push(old),
                _ => moved.push(name.clone()),
            }
        }
        self.write_names(&all)?;
        // The same image came in another form: nobody would find the old one again. What it alone
        // knows is a reason to stay.
        for old in forms {
            let is_named = all.values().any(|to| *to == old.manifest);
            if !is_named && old.step.is_none() && old.sources.is_empty() {
                self.dir.remove_file(record_name(old.manifest)).ok();
            }
        }
        Ok(moved)
    }

    /// Takes names away.
    pub fn untag(&self, names: &[Reference]) -> Result<(), Error> {
        let _lease = self.lease()?;
        let before = self.names()?;
        self.take_names(names)?;
        self.forget_sources(&before, names)
    }

    /// Under the lease. Durable when it returns, with whatever was done in the directory before.
    pub(super) fn take_names(&self, names: &[Reference]) -> Result<(), Error> {
        if names.is_empty() {
            let synced = crate::sys::sync::directory(self.dir);
            return synced.map_err(|source| failed("forget image", source));
        }
        let mut all = self.names()?;
        all.retain(|name, _| !names.contains(name));
        self.write_names(&all)
    }

    /// Under the lease. What failed has not happened: names that are there but may not survive a
    /// power cut are those from before again.
    fn write_names(&self, all: &Names) -> Result<(), Error> {
        let before = self.names()?;
        let put = |names, how| record::replace(self.store, self.dir, NAMES, names, how);
        let written = put(all, Durability::Synced);
        if written.is_err() && self.names().is_ok_and(|now| now != before) {
            put(&before, Durability::Volatile).ok();
        }
        Ok(written?)
    }

    /// Forgets records and these names of theirs; out of sight at once, durable when it returns.
    /// Layers and blobs are the caller's to remove.
    ///
    /// A crash in between leaves images without a name, or, where a full disk had no room for a
    /// list without theirs, names of nothing, which nobody finds.
    pub fn forget(&self, manifests: &[Digest], names: &[Reference]) -> Result<(), Error> {
        let _lease = self.lease()?;
        let still = match self.take_names(names) {
            // The records make room, on some file systems when their removal is on disk.
            Err(Error::Store(source)) if source.is_lack_of_room() => names,
            taken => taken.map(|()| &[][..])?,
        };
        for manifest in manifests {
            // Whatever lies in the place of a record.
            match remove_tree(self.dir, record_name(*manifest)) {
                Err(source) if source.errno() != Some(nix::errno::Errno::ENOENT) => {
                    return Err(failed("forget image", source));
                }
                _ => {}
            }
        }
        if !still.is_empty() {
            self.take_names(&[])?;
        }
        self.take_names(still)
    }
}

fn failed(what: &str, source: crate::sys::SysError) -> Error {
    let what = what.to_owned();
    crate::store::Error::System { what, source }.into()
}
