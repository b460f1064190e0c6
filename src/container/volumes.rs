//! Making volumes, and removing those that nobody uses.

use std::time::Duration;

use super::{Engine, Error, VolumeUse};
use crate::{
    error::Failure as _,
    event::Kind,
    ident::{Timestamp, VolumeName},
    store::{Lease, Place, Tried},
    sys::Usage,
    volume::{self, Created, Looked, NewVolume, Volume, VolumeRecord},
};

/// How often to try for a volume that somebody else works with at this moment: 2 s in all.
const RETRIES: usize = 1000;

/// So many volumes are claimed together; each takes a descriptor or two.
const TOGETHER: usize = 128;

/// What to do about an existing volume that is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// Say so.
    Refuse,
    /// Take the volume as it is, as Docker does (semantics 37).
    Accept,
}

/// A volume that `prune` removed or would remove.
#[derive(Debug, Clone)]
pub struct Pruned {
    /// Which one.
    pub volume: Volume,
    /// What it takes.
    pub usage: Usage,
    /// When it was last used; `None` for never.
    pub last_used: Option<Timestamp>,
}

impl Pruned {
    /// Whether it goes to the trash: what somebody named, he may want back.
    pub fn is_kept(&self, disposal: Disposal) -> bool {
        disposal == Disposal::Trash && !self.volume.record.is_anonymous()
    }
}

/// Where named volumes go that are pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposal {
    /// To the trash, for a week.
    Trash,
    /// Away.
    Delete,
}

/// Volumes that no container uses.
#[derive(Debug, Default)]
pub struct Unused {
    /// Those that prune may take.
    pub prunable: Vec<Pruned>,
    /// Those that are protected.
    pub protected: Vec<VolumeName>,
    /// Those of which nobody knows what they are: their records cannot be read.
    pub damaged: Vec<VolumeName>,
}

impl Engine {
    /// Makes a volume unless it is there.
    pub fn create_volume(
        &self,
        mut wanted: NewVolume,
        mismatch: Mismatch,
    ) -> Result<Volume, Error> {
        wanted.settle()?;
        self.finish_volume_renaming()?;
        self.look_for_server(&mut wanted)?;
        let (volume, created) = self.volumes()?.create(wanted.clone())?;
        let record = &volume.record;
        if created == Created::New {
            self.tell_volume("create", &record.name, &record.driver);
        } else if mismatch == Mismatch::Refuse {
            // A server behind driver options may not answer; such a root is nobody's here.
            let own = record.options.is_none();
            let root = own.then(|| crate::sys::metadata_at(&volume.mountpoint).ok());
            let differences = volume::differences(&wanted, record, root.flatten().as_ref());
            if !differences.is_empty() {
                let name = record.name.clone();
                return Err(volume::Error::Differs { name, differences }.into());
            }
        }
        Ok(volume)
    }

    /// Notes that a server does not answer, where the volume is to be made; once is enough.
    fn look_for_server(&self, wanted: &mut NewVolume) -> Result<(), Error> {
        let volumes = self.volumes()?;
        if let Some(name) = &wanted.name
            && volumes.exists(name)?
        {
            return Ok(());
        }
        let Some(found) = wanted.look_far()? else {
            return Ok(());
        };
        wanted.unchecked = true;
        let Err(problem) = found else { return Ok(()) };
        let hint = problem.hint();
        let hint = hint.map_or(String::new(), |hint| format!(" ({hint})"));
        self.note(&format!("it cannot be mounted now: {problem}{hint}"))
    }

    /// Removes a volume that no container uses, not even a stopped one (semantics 35), and that is
    /// not protected.
    pub fn remove_volume(&self, name: &str) -> Result<VolumeName, Error> {
        let volumes = self.volumes()?;
        let record = match volumes.look_at(name)? {
            Looked::Whole(volume) => volume.record,
            Looked::Damaged(damaged) => damaged.volume.record,
        };
        let name = record.name;
        let lease = self.claim_volume(&name, |_| true)?;
        volumes.remove_claimed(&name, &lease)?;
        self.store().sync_names(Place::Volumes)?;
        self.tell_volume("destroy", &name, &record.driver);
        Ok(name)
    }

    /// Waits a moment until nobody holds a volume; then nobody can begin to use it until we let go.
    ///
    /// A container that comes to use it holds its lease until its record tells so: the records are
    /// read when the lease is ours. Refused where somebody hinders uses it.
    pub(super) fn claim_volume(
        &self,
        name: &VolumeName,
        hinders: impl Fn(&VolumeUse) -> bool,
    ) -> Result<Lease, Error> {
        let volumes = self.volumes()?;
        for _ in 0..RETRIES {
            let tried = volumes.try_claim(name)?;
            let mut users = self.volume_users()?.remove(name).unwrap_or_default();
            users.retain(&hinders);
            match tried {
                _ if !users.is_empty() => return Err(in_use(name, users)),
                Tried::Got(lease) => return Ok(lease),
                Tried::Absent => {
                    let name = name.to_string();
                    return Err(volume::Error::NotFound { name }.into());
                }
                // By another command, or by a container that begins or ends at this moment.
                Tried::Busy => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        Err(in_use(name, Vec::new()))
    }

    /// Volumes that no container uses but those with the ids `going`, with what they take.
    pub fn unused_volumes(&self, going: &[&str]) -> Result<Unused, Error> {
        let volumes = self.volumes()?;
        let mut users = self.volume_users()?;
        users.retain(|_, users| users.iter().any(|user| !going.contains(&user.id.as_str())));
        let mut names = volumes.names()?;
        names.retain(|name| !users.contains_key(name));
        let looked = volumes.each(&names, |name| {
            let volume = match volumes.look(name)? {
                None => return Ok(None),
                Some(Looked::Whole(volume)) if volume.record.is_prunable() => volume,
                Some(other) => return Ok(Some((other, None))),
            };
            let measured = volumes
                .usage(name)
                .and_then(|usage| Ok((usage, volumes.last_used(name)?)));
            match measured {
                Ok(measured) => Ok(Some((Looked::Whole(volume), Some(measured)))),
                // Somebody else has removed it meanwhile.
                Err(volume::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        let mut unused = Unused::default();
        for (volume, measured) in looked {
            match (volume, measured) {
                (Looked::Whole(volume), Some((usage, last_used))) => unused.prunable.push(Pruned {
                    volume,
                    usage,
                    last_used,
                }),
                (Looked::Whole(volume), None) if volume.record.protected => {
                    unused.protected.push(volume.record.name);
                }
                (Looked::Whole(_), None) => {}
                (Looked::Damaged(one), _) => unused.damaged.push(one.volume.record.name),
            }
        }
        Ok(unused)
    }

    /// Removes those of `chosen` that are still unused and still the same; answers which.
    ///
    /// Only what was shown to the user is ever removed, whatever has changed meanwhile.
    pub fn prune_volumes(
        &self,
        mut chosen: Vec<Pruned>,
        disposal: Disposal,
    ) -> Result<Vec<Pruned>, Error> {
        let mut removed = Vec::new();
        while !chosen.is_empty() {
            let rest = chosen.split_off(chosen.len().min(TOGETHER));
            let some = std::mem::replace(&mut chosen, rest);
            removed.extend(self.prune_some(some, disposal)?);
        }
        self.store().sync_names(Place::Volumes)?;
        let freed = removed.iter().filter(|pruned| !pruned.is_kept(disposal));
        let freed: u64 = freed.map(|pruned| pruned.usage.bytes).sum();
        let freed = freed.to_string();
        self.tell(Kind::Volume, "prune", "", &[("reclaimed", &freed)]);
        Ok(removed)
    }

    fn prune_some(&self, some: Vec<Pruned>, disposal: Disposal) -> Result<Vec<Pruned>, Error> {
        let volumes = self.volumes()?;
        let mut claimed = Vec::new();
        for pruned in some {
            let record = &pruned.volume.record;
            // Whoever holds it uses it, or works with it: the state has changed.
            if let Tried::Got(lease) = volumes.try_claim(&record.name)?
                && is_same(volumes.look(&record.name)?, record)
            {
                claimed.push((pruned, lease));
            }
        }
        let users = self.volume_users()?;
        claimed.retain(|(pruned, _)| !users.contains_key(&pruned.volume.record.name));
        let kept = claimed
            .iter()
            .filter(|(pruned, _)| pruned.is_kept(disposal));
        let kept: Vec<_> = kept
            .map(|(pruned, _)| pruned.volume.record.name.clone())
            .collect();
        if !kept.is_empty() {
            volumes.throw_away(&kept)?;
        }
        let mut removed = Vec::new();
        for (pruned, lease) in claimed {
            let record = &pruned.volume.record;
            if !pruned.is_kept(disposal) {
                match volumes.remove_claimed(&record.name, &lease) {
                    Ok(()) => {}
                    Err(volume::Error::Protected { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            self.tell_volume("destroy", &record.name, &record.driver);
            removed.push(pruned);
        }
        Ok(removed)
    }
}

/// Whether it is what was shown: not another one of the name, and not protected since.
fn is_same(now: Option<Looked>, shown: &VolumeRecord) -> bool {
    let Some(Looked::Whole(now)) = now else {
        return false;
    };
    now.record.created == shown.created && now.record.is_prunable()
}

fn in_use(name: &VolumeName, users: Vec<VolumeUse>) -> Error {
    let mut users: Vec<_> = users.into_iter().map(|user| user.id).collect();
    users.sort();
    users.dedup();
    let name = name.clone();
    volume::Error::InUse { name, users }.into()
}
