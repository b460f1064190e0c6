//! Another name for a volume; the containers that use it follow.
//!
//! A container that runs finds its volumes by name again when its policy restarts it: it hinders. One
//! that does not is held while its record changes, so that nobody starts it half-way. Whoever is
//! killed in between has left a note ([`crate::volume::Renaming`]), by which the next command goes on.

use std::time::Duration;

use super::{Container, ContainerRecord, Engine, Error, VolumeUse, containers};
use crate::{
    event::Kind,
    ident::{ContainerId, VolumeName},
    mount::{RequestKind, Stored, Upper},
    store::{Durability, Lease, Place, Tried, lease_place, record, try_lease},
    sys::{Dir, process},
    volume::{self, Making, Renaming},
};

/// A lister holds a container for microseconds: 2 s in all.
const RETRIES: usize = 1000;

impl Engine {
    /// Renames a volume that no running container uses.
    pub fn rename_volume(&self, old: &str, new: &VolumeName) -> Result<(), Error> {
        self.finish_volume_renaming()?;
        let volumes = self.volumes()?;
        let record = volumes.get(old)?.record;
        let renaming = Renaming {
            from: record.name,
            to: new.clone(),
        };
        if renaming.from == renaming.to {
            return Err(Error::Usage {
                what: "Renaming a volume with the same name as its current name".to_owned(),
            });
        }
        let _gate = lease_place(self.store(), Place::Volumes, true)?;
        // Somebody may have been killed while we waited.
        self.finish_gated()?;
        let lives = |user: &VolumeUse| user.status.is_live();
        let _lease = match self.claim_volume(&renaming.from, lives) {
            Err(Error::Volume(volume::Error::InUse { name, .. })) => {
                return Err(self.mounted(name));
            }
            claimed => claimed?,
        };
        // As many as there are containers that use it.
        process::raise_file_limit();
        let held = self.hold_users(&renaming.from)?;
        if volumes.exists(&renaming.to)? {
            let name = renaming.to;
            let making = Making::Rename;
            return Err(volume::Error::Exists { making, name }.into());
        }
        volumes.begin_renaming(&renaming)?;
        if let Err(error) = volumes.move_renamed(&renaming) {
            volumes.end_renaming(&renaming, false)?;
            return Err(error.into());
        }
        for (id, lease) in &held {
            self.rewrite(&lease.dir, id, &renaming)?;
        }
        self.rewrite_uppers(&renaming)?;
        volumes.end_renaming(&renaming, true)?;
        let attributes = [
            ("driver", record.driver.as_str()),
            ("oldName", renaming.from.as_str()),
        ];
        self.tell(Kind::Volume, "rename", new.as_str(), &attributes);
        Ok(())
    }

    /// Ends what a killed renamer began. One call where there is nothing.
    pub fn finish_volume_renaming(&self) -> Result<(), Error> {
        if self.volumes()?.unfinished_renaming()?.is_none() {
            return Ok(());
        }
        let _gate = lease_place(self.store(), Place::Volumes, true)?;
        self.finish_gated()
    }

    fn finish_gated(&self) -> Result<(), Error> {
        let volumes = self.volumes()?;
        let Some(renaming) = volumes.unfinished_renaming()? else {
            return Ok(());
        };
        let moved = volumes.was_moved(&renaming)?;
        if moved {
            let dir = self.containers_dir()?;
            for Container { record, .. } in self.containers()? {
                if record.volumes().any(|name| *name == renaming.from) {
                    let own = dir.open_dir(record.id.as_str());
                    let own = own.map_err(|source| containers::failed("open container", source))?;
                    self.rewrite(&own, &record.id, &renaming)?;
                }
            }
        }
        if moved {
            self.rewrite_uppers(&renaming)?;
        }
        Ok(volumes.end_renaming(&renaming, moved)?)
    }

    /// Volumes that hold changes over the renamed one, also where no container names them any more.
    fn rewrite_uppers(&self, renaming: &Renaming) -> Result<(), Error> {
        let volumes = self.volumes()?;
        for name in volumes.names()? {
            match volumes.dir_of(&name) {
                Ok(dir) => self.rename_lower_in(&dir, renaming)?,
                Err(volume::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Holds all containers that have a volume in their records, so that none is started.
    fn hold_users(&self, name: &VolumeName) -> Result<Vec<(ContainerId, Lease)>, Error> {
        let dir = self.containers_dir()?;
        let mut held = Vec::new();
        let all = self.containers()?.into_iter();
        for Container { record, .. } in all {
            if !record.volumes().any(|used| used == name) {
                continue;
            }
            let mut tries = 0;
            loop {
                match try_lease(dir, record.id.as_str())? {
                    Tried::Got(lease) => {
                        held.push((record.id, lease));
                        break;
                    }
                    Tried::Absent => break,
                    Tried::Busy if tries == RETRIES => return Err(self.mounted(name.clone())),
                    Tried::Busy => std::thread::sleep(Duration::from_millis(2)),
                }
                tries += 1;
            }
        }
        Ok(held)
    }

    fn rewrite(&self, own: &Dir, id: &ContainerId, renaming: &Renaming) -> Result<(), Error> {
        let damaged = |source| Error::Damaged {
            id: id.clone(),
            source,
        };
        let now = record::find(own, containers::CONFIG).map_err(damaged)?;
        // Removed meanwhile: nothing to rewrite.
        let Some(now) = now else {
            return Ok(());
        };
        self.rename_lower_of(own, &now, renaming)?;
        let renamed = renamed(now, renaming);
        let synced = Durability::Synced;
        Ok(record::replace(
            self.store(),
            own,
            containers::CONFIG,
            &renamed,
            synced,
        )?)
    }

    fn mounted(&self, name: VolumeName) -> Error {
        let users = self.names_of_live_users(&name);
        volume::Error::Mounted { name, users }.into()
    }
}

/// The record with the new name wherever it had the old one.
fn renamed(mut record: ContainerRecord, renaming: &Renaming) -> ContainerRecord {
    for mount in &mut record.mounts {
        let (from, to) = (renaming.from.as_str(), renaming.to.to_string());
        for name in mount.volume.iter_mut().chain(&mut mount.upper) {
            if *name == renaming.from {
                *name = renaming.to.clone();
            }
        }
        match &mut mount.request.kind {
            RequestKind::Volume(wanted) if wanted.name.as_deref() == Some(from) => {
                wanted.name = Some(to);
            }
            RequestKind::Overlay(overlay) => {
                if overlay.lower == Stored::Volume(from.to_owned()) {
                    overlay.lower = Stored::Volume(to.clone());
                }
                if overlay.upper == Upper::Volume(from.to_owned()) {
                    overlay.upper = Upper::Volume(to);
                }
            }
            RequestKind::Volume(_)
            | RequestKind::Bind(_)
            | RequestKind::Tmpfs(_)
            | RequestKind::Image(_) => {}
        }
    }
    record
}
