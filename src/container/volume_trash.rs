//! The trash of volumes: having one back, and emptying it.

use super::{Engine, Error};
use crate::{
    event::Kind,
    ident::{Timestamp, VolumeName},
    volume::Trashed,
};

impl Engine {
    /// Takes the latest volume of a name, or the one of an id, out of the trash; as another one where
    /// `new` says so. The name that it has now.
    pub fn restore_volume(&self, text: &str, new: Option<VolumeName>) -> Result<VolumeName, Error> {
        self.finish_volume_renaming()?;
        let volumes = self.volumes()?;
        let trashed = volumes.find_trashed(text)?;
        let record = &trashed.volume.record;
        let name = new.unwrap_or_else(|| record.name.clone());
        volumes.restore(&trashed, &name)?;
        let attributes = [
            ("driver", record.driver.as_str()),
            ("oldName", record.name.as_str()),
        ];
        self.tell(Kind::Volume, "restore", name.as_str(), &attributes);
        Ok(name)
    }

    /// Deletes volumes that are in the trash for good; what was deleted, in bytes each.
    pub fn delete_trashed(&self, chosen: &[Trashed]) -> Result<Vec<(Trashed, u64)>, Error> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let deleted = self.volumes()?.delete_trashed(chosen)?.into_iter();
        Ok(deleted
            .map(|(trashed, usage)| (trashed, usage.bytes))
            .collect())
    }

    /// Deletes what is in the trash for longer than a week, and what killed commands left; how many
    /// volumes.
    pub fn expire_trash(&self) -> Result<usize, Error> {
        crate::store::sweep(self.store())?;
        let now = Timestamp::now();
        let mut old = self.volumes()?.trash()?;
        old.retain(|trashed| trashed.is_expired(now));
        Ok(self.delete_trashed(&old)?.len())
    }
}
