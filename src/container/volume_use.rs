//! Which containers have a volume in their records, running or not.

use std::collections::BTreeMap;

use super::{Container, Engine, Error, Status};
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
    pub fn volume_users(&self) -> Result<VolumeUsers, Error> {
        let mut users = VolumeUsers::new();
        for container in self.containers()? {
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
        Ok(users)
    }
}
