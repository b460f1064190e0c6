//! The volumes that a new container's mounts name: made where they are missing.

use super::{AttachedMount, ContainerRecord, Engine, Error, notices};
use crate::{
    ident::VolumeName,
    mount::{RequestKind, VolumeRequest},
    store::Lease,
    volume::{self, Created, NewVolume, Origin},
};

/// In the order of a container's mounts.
pub(super) type Leases = Vec<(VolumeName, Lease)>;

impl Engine {
    /// Makes the volumes that are missing, and leases all: whoever removes or renames one looks for
    /// its users when he has it alone, so the lease is needed until the record tells of them.
    pub(super) fn create_volumes(&self, record: &ContainerRecord) -> Result<Leases, Error> {
        let mut leases = Vec::new();
        for mount in &record.mounts {
            for name in mount.volumes() {
                let lease = self.have_volume(record, mount, name)?;
                leases.push((name.clone(), lease));
            }
        }
        Ok(leases)
    }

    /// Leases a volume, and makes it first where it is missing.
    fn have_volume(
        &self,
        record: &ContainerRecord,
        mount: &AttachedMount,
        name: &VolumeName,
    ) -> Result<Lease, Error> {
        let volumes = self.volumes()?;
        // Removed by somebody between the two: once more.
        loop {
            if let Some(lease) = volumes.lease(name)? {
                return Ok(lease);
            }
            if mount.inherited {
                let name = name.to_string();
                return Err(volume::Error::NotFound { name }.into());
            }
            // It may be there, half-way to another name.
            self.finish_volume_renaming()?;
            self.make_volume(record, mount, name)?;
        }
    }

    fn make_volume(
        &self,
        record: &ContainerRecord,
        mount: &AttachedMount,
        name: &VolumeName,
    ) -> Result<(), Error> {
        let plain = VolumeRequest::default();
        let wanted = match &mount.request.kind {
            RequestKind::Volume(wanted) => wanted,
            RequestKind::Bind(_)
            | RequestKind::Tmpfs(_)
            | RequestKind::Image(_)
            | RequestKind::Overlay(_) => &plain,
        };
        let target = mount.request.target.display().to_string();
        let origin = Some(Origin {
            container: record.id.to_string(),
            target,
        });
        let new = NewVolume {
            origin,
            anonymous: mount.anonymous,
            ..new_volume(name, wanted)
        };
        let (volume, created) = self.volumes()?.create(new)?;
        if created == Created::New {
            self.tell_volume("create", name, &volume.record.driver);
        }
        if created == Created::New && !mount.anonymous {
            self.note(&notices::new_volume(name))?;
        }
        Ok(())
    }
}

/// The volume that a mount asks for.
pub(super) fn new_volume(name: &VolumeName, wanted: &VolumeRequest) -> NewVolume {
    NewVolume {
        name: Some(name.clone()),
        driver: wanted.driver.clone(),
        options: wanted.options.clone(),
        labels: wanted.labels.clone(),
        ..NewVolume::default()
    }
}
