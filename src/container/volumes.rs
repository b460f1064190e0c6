//! What a command line asks of volumes that needs to know who uses them.

use std::collections::BTreeMap;

use super::{Container, Engine, Error, Status};
use crate::{
    event::Kind,
    ident::VolumeName,
    sys::Usage,
    volume::{self, Created, NewVolume, Volume},
};

/// A container that has a volume in its record, running or not.
#[derive(Debug, Clone)]
pub struct VolumeUse {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it mounts the volume.
    pub target: String,
    /// Whether it runs.
    pub status: Status,
}

/// A volume that `prune` removed or would remove.
#[derive(Debug, Clone)]
pub struct Pruned {
    /// Which one.
    pub volume: Volume,
    /// What it takes.
    pub usage: Usage,
}

impl Engine {
    /// Who uses which volume.
    pub fn volume_users(&self) -> Result<BTreeMap<VolumeName, Vec<VolumeUse>>, Error> {
        let mut users: BTreeMap<VolumeName, Vec<VolumeUse>> = BTreeMap::new();
        for Container { record, status, .. } in self.containers()? {
            for mount in &record.mounts {
                for volume in mount.volumes() {
                    users.entry(volume.clone()).or_default().push(VolumeUse {
                        id: record.id.to_string(),
                        name: record.name.to_string(),
                        target: mount.request.target.display().to_string(),
                        status,
                    });
                }
            }
        }
        Ok(users)
    }

    /// Makes a volume unless it is there.
    pub fn create_volume(&self, wanted: NewVolume) -> Result<Volume, Error> {
        let (volume, created) = self.volumes()?.create(wanted)?;
        if created == Created::New {
            self.tell_volume("create", &volume.record.name, &volume.record.driver);
        }
        Ok(volume)
    }

    /// Removes a volume that no container uses, not even a stopped one (semantics 35).
    pub fn remove_volume(&self, name: &str) -> Result<VolumeName, Error> {
        let volumes = self.volumes()?;
        let record = volumes.get(name)?.record;
        let name = record.name;
        let users = self.volume_users()?.remove(&name).unwrap_or_default();
        if users.is_empty() {
            volumes.remove(&name)?;
            self.tell_volume("destroy", &name, &record.driver);
            return Ok(name);
        }
        let mut users: Vec<_> = users.into_iter().map(|user| user.id).collect();
        users.sort();
        users.dedup();
        Err(volume::Error::InUse { name, users }.into())
    }

    /// Volumes that no container uses, with what they take.
    pub fn unused_volumes(&self) -> Result<Vec<Pruned>, Error> {
        let volumes = self.volumes()?;
        let users = self.volume_users()?;
        let mut unused = volumes.list()?;
        unused.retain(|volume| !users.contains_key(&volume.record.name));
        let measured = unused
            .into_iter()
            .map(|volume| match volumes.usage(&volume.record.name) {
                Ok(usage) => Ok(Some(Pruned { volume, usage })),
                // Somebody else has removed it meanwhile.
                Err(volume::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            });
        measured.filter_map(Result::transpose).collect()
    }

    /// Removes those of `chosen` that are still unused; answers which.
    ///
    /// Only what was shown to the user is ever removed, whatever has changed meanwhile.
    pub fn prune_volumes(&self, chosen: Vec<Pruned>) -> Result<Vec<Pruned>, Error> {
        let volumes = self.volumes()?;
        let mut removed = Vec::new();
        for pruned in chosen {
            let name = &pruned.volume.record.name;
            let now = volumes.find(name)?;
            let same = now.is_some_and(|now| now.record.created == pruned.volume.record.created);
            if !same || self.volume_users()?.contains_key(name) {
                continue;
            }
            match volumes.remove(name) {
                Ok(()) => {
                    self.tell_volume("destroy", name, &pruned.volume.record.driver);
                    removed.push(pruned);
                }
                Err(volume::Error::InUse { .. } | volume::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let reclaimed: u64 = removed.iter().map(|pruned| pruned.usage.bytes).sum();
        let reclaimed = reclaimed.to_string();
        self.tell(Kind::Volume, "prune", "", &[("reclaimed", &reclaimed)]);
        Ok(removed)
    }
}
