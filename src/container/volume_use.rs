//! Which containers have a volume in their records, running or not.

use std::collections::BTreeMap;

use super::{Container, DamagedContainer, Engine, Error, Status};
use crate::{ident::VolumeName, mount::Access};

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
    /// Whether it may write.
    pub access: Access,
    /// Its first process as the host numbers it; 0 where it does not run.
    pub pid: i32,
}

/// Everybody's uses, by volume.
pub type VolumeUsers = BTreeMap<VolumeName, Vec<VolumeUse>>;

impl Engine {
    /// Who uses which volume.
    ///
    /// # Errors
    ///
    /// A container cannot be read: it may use any. [`Engine::known_volume_users`] goes on.
    pub fn volume_users(&self) -> Result<VolumeUsers, Error> {
        Ok(users_of(self.containers()?))
    }

    /// Who uses which volume, as far as containers can be read, and those that cannot: to be shown.
    pub fn known_volume_users(&self) -> Result<(VolumeUsers, Vec<DamagedContainer>), Error> {
        let (containers, damaged) = self.all_containers()?;
        Ok((users_of(containers), damaged))
    }
}

fn users_of(containers: Vec<Container>) -> VolumeUsers {
    let mut users = VolumeUsers::new();
    for container in containers {
        let Container {
            record,
            status,
            state,
            ..
        } = container;
        let pid = state.filter(|_| status.is_live());
        let pid = pid.map_or(0, |state| state.pid);
        for mount in &record.mounts {
            for (volume, access) in mount.uses() {
                users.entry(volume.clone()).or_default().push(VolumeUse {
                    id: record.id.to_string(),
                    name: record.name.to_string(),
                    target: mount.request.target.display().to_string(),
                    status,
                    access,
                    pid,
                });
            }
        }
    }
    users
}
