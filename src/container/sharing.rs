//! A container's place among the users of its volumes, and a command's of the host.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{ContainerRecord, Engine, Error, VolumeUse};
use crate::{
    ident::VolumeName,
    mount::{Access, RequestKind, Sharing},
    store::Lease,
    sys::Dir,
    volume::{self, Admission, Admitted, Hold, OpenVolume},
};

/// How often somebody who waits for a volume looks again.
const LOOK: Duration = Duration::from_millis(20);

/// How long a command waits for another one that works with the volume at this moment.
const PATIENCE: Duration = Duration::from_secs(2);

/// A volume that a command of the host has for itself, or beside readers.
#[derive(Debug)]
pub struct LockedVolume {
    /// Which one.
    pub name: VolumeName,
    /// Keeps it from being removed.
    pub lease: Hold,
    /// Keeps others out.
    pub admission: Admission,
    /// Where its data is.
    pub mountpoint: std::path::PathBuf,
}

impl Engine {
    /// Lets a container in among the users of one of its volumes.
    pub(super) fn admit(
        &self,
        record: &ContainerRecord,
        (name, own): (&VolumeName, Sharing),
        lease: &Lease,
    ) -> Result<Admission, Error> {
        let wish = wish(record, name);
        let sharing = own.max(wish.0);
        match volume::admit(&lease.dir, name.as_str(), (sharing, wish.1))? {
            Admitted::Yes(admission) => {
                if admission.beside_writers {
                    self.tell_of_writers(record, name)?;
                }
                Ok(admission)
            }
            Admitted::No { holder } => Err(self.kept_out((name, sharing), (Some(record), holder))?),
        }
    }

    /// Lets a command in that writes to a volume, as another container would be: what the volume says
    /// about sharing holds for both. `held` is a container that the command holds, which counts as
    /// one that runs by that.
    pub(super) fn admit_command(
        &self,
        (name, sharing): (&VolumeName, Sharing),
        volume: &Dir,
        (what, held): (&str, Option<&ContainerRecord>),
    ) -> Result<Admission, Error> {
        let access = Access::ReadWrite;
        match volume::admit(volume, name.as_str(), (sharing, access))? {
            Admitted::Yes(mut admission) => {
                if sharing.is_alone(access) {
                    let who = format!("process {} ({what})", std::process::id());
                    admission.describe(name.as_str(), &who)?;
                }
                Ok(admission)
            }
            Admitted::No { holder } => Err(self.kept_out((name, sharing), (held, holder))?),
        }
    }

    /// Opens a volume to put something in the place of all that it holds: nobody else uses it.
    pub(super) fn open_to_replace(&self, name: &str, what: &str) -> Result<OpenVolume, Error> {
        let volumes = self.volumes()?;
        if volumes.get(name)?.record.options.is_none() {
            return self.open_alone(name);
        }
        // Only who uses it has it mounted.
        let mut volume = volumes.open_volume(name)?;
        let of = (&volume.record.name, Sharing::Exclusive);
        match self.admit_command(of, volume.dir(), (what, None)) {
            Ok(admission) => volume.keep(admission),
            Err(Error::Volume(volume::Error::KeptOut { name, .. })) => {
                let users = self.names_of_live_users(&name);
                return Err(volume::Error::Busy { name, users }.into());
            }
            Err(error) => return Err(error),
        }
        Ok(volume)
    }

    /// Waits a moment for another command, and for no container that runs.
    fn open_alone(&self, name: &str) -> Result<OpenVolume, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            let opened = self.volumes()?.open_alone(name);
            let Err(volume::Error::Busy { name, .. }) = opened else {
                return Ok(opened?);
            };
            let users = self.names_of_live_users(&name);
            if !users.is_empty() || Instant::now() >= end {
                return Err(volume::Error::Busy { name, users }.into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Opens a volume to write to it.
    pub(super) fn open_to_write(&self, name: &str, what: &str) -> Result<OpenVolume, Error> {
        let mut volume = self.volumes()?.open_volume(name)?;
        let of = (&volume.record.name, volume.record.sharing);
        let admission = self.admit_command(of, volume.dir(), (what, None))?;
        volume.keep(admission);
        Ok(volume)
    }

    fn tell_of_writers(&self, record: &ContainerRecord, name: &VolumeName) -> Result<(), Error> {
        let others = self.live_users(name, Some(record))?;
        let others = others
            .iter()
            .filter(|user| user.access == Access::ReadWrite);
        let others: Vec<_> = others.map(|user| user.name.as_str()).collect();
        let others = if others.is_empty() {
            "somebody else".to_owned()
        } else {
            others.join(", ")
        };
        self.note(&format!(
            "{others} can write to volume {name}, too: without locks (flock) changes get lost; \
             volume-sharing=exclusive keeps others out"
        ))
    }

    /// Those that run, but for one: the oldest first.
    fn live_users(
        &self,
        name: &VolumeName,
        but: Option<&ContainerRecord>,
    ) -> Result<Vec<VolumeUse>, Error> {
        let (mut users, _damaged) = self.known_volume_users()?;
        let mut users = users.remove(name).unwrap_or_default();
        users.retain(|user| {
            user.status.is_live() && but.is_none_or(|but| but.id.as_str() != user.id)
        });
        users.reverse();
        Ok(users)
    }

    /// The names of those that run; empty where that cannot be known.
    pub(super) fn names_of_live_users(&self, name: &VolumeName) -> Vec<String> {
        let users = self.live_users(name, None).unwrap_or_default();
        let mut names: Vec<_> = users.into_iter().map(|user| user.name).collect();
        names.sort();
        names.dedup();
        names
    }

    fn kept_out(
        &self,
        (name, sharing): (&VolumeName, Sharing),
        (who, holder): (Option<&ContainerRecord>, String),
    ) -> Result<Error, Error> {
        let users = self.live_users(name, who)?;
        let mut holders: Vec<_> = users
            .iter()
            .map(|user| format!("container {}", user.name))
            .collect();
        holders.dedup();
        // What a process said of itself stays when it goes.
        if holders.is_empty() && !holder.is_empty() {
            holders.push(holder);
        }
        Ok(volume::Error::KeptOut {
            name: name.clone(),
            sharing,
            holders,
        }
        .into())
    }

    /// Takes a volume for a command of the host: alone, or as one that reads. With `patience`
    /// it waits so long for those that are in.
    ///
    /// # Errors
    ///
    /// Somebody has it; Docker has nothing like it.
    pub fn lock_volume(
        &self,
        (text, access): (&str, Access),
        who: &str,
        patience: Option<Duration>,
    ) -> Result<LockedVolume, Error> {
        let volumes = self.volumes()?;
        let found = volumes.get(text)?;
        let name = found.record.name;
        let lease = volumes.attach(&name)?;
        let until = patience.map(|patience| Instant::now() + patience);
        // A writer of the host wants what it reads to be still.
        let sharing = match access {
            Access::ReadWrite => Sharing::Exclusive,
            Access::ReadOnly => Sharing::Readers.max(found.record.sharing),
        };
        loop {
            match volume::admit(&lease.dir, name.as_str(), (sharing, access))? {
                Admitted::Yes(mut admission) => {
                    if sharing.is_alone(access) {
                        admission.describe(name.as_str(), who)?;
                    }
                    volume::finish(&lease.dir, name.as_str())?;
                    volume::touch(&lease.dir);
                    return Ok(LockedVolume {
                        name,
                        lease,
                        admission,
                        mountpoint: found.mountpoint,
                    });
                }
                Admitted::No { holder } => {
                    if until.is_none_or(|until| until <= Instant::now()) {
                        return Err(self.kept_out((&name, sharing), (None, holder))?);
                    }
                    std::thread::sleep(LOOK);
                }
            }
        }
    }
}

/// What a container's mounts of one volume want together: the strictest sharing, and to write if
/// one of them does.
fn wish(record: &ContainerRecord, name: &VolumeName) -> (Sharing, Access) {
    let mut wish = (Sharing::Shared, Access::ReadOnly);
    for mount in &record.mounts {
        for (_, access) in mount.uses().filter(|(used, _)| *used == name) {
            if let RequestKind::Volume(wanted) = &mount.request.kind {
                wish.0 = wish.0.max(wanted.sharing);
            }
            if access == Access::ReadWrite {
                wish.1 = Access::ReadWrite;
            }
        }
    }
    wish
}

/// By name, each once.
pub(super) type Admissions = BTreeMap<VolumeName, Admission>;
