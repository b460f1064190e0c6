//! Where registries have an image, and by which digests.

use super::{Error, ImageRecord, Images, Names, images::record_name};
use crate::{
    ident::{Digest, Reference},
    store::{Durability, record},
};

impl Images<'_> {
    /// Notes where a registry has an image; `source` has a digest and no tag.
    pub fn note_source(&self, manifest: Digest, source: &Reference) -> Result<(), Error> {
        let _lease = self.lease()?;
        let Some(mut record) = self.find(manifest)? else {
            return Ok(());
        };
        if record.sources.contains(source) {
            return Ok(());
        }
        record.sources.push(source.clone());
        self.rewrite(&record)
    }

    /// Under the lease: of names that were taken away, a repository that has no other name of the
    /// image is no source of it either (`docker rmi` takes the digest with the last tag).
    pub(super) fn forget_sources(&self, before: &Names, gone: &[Reference]) -> Result<(), Error> {
        for (name, manifest) in before.iter().filter(|(name, _)| gone.contains(name)) {
            let repository = name.familiar_repository();
            let stays = before.iter().any(|(other, of)| {
                of == manifest && !gone.contains(other) && other.familiar_repository() == repository
            });
            let mut record = match self.find(*manifest) {
                Ok(Some(record)) if !stays => record,
                // A damaged one stands in nobody's way.
                Ok(_) | Err(Error::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let count = record.sources.len();
            let is_other = |source: &Reference| source.familiar_repository() != repository;
            record.sources.retain(is_other);
            if record.sources.len() < count {
                self.rewrite(&record)?;
            }
        }
        Ok(())
    }

    fn rewrite(&self, record: &ImageRecord) -> Result<(), Error> {
        Ok(record::replace(
            self.store,
            self.dir,
            &record_name(record.manifest),
            record,
            Durability::Synced,
        )?)
    }
}
