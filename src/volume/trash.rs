//! Volumes that prune removed and that can be had back for a week.
//!
//! ```text
//! trash/volumes/<nanoseconds>-<id>-<name>/     the volume as it was; when it was removed, and a handle
//! ```
//!
//! One rename takes a volume there and one takes it back: it is always whole in one of the places.

use nix::errno::Errno;

use super::{
    Error, Making, Volume, VolumeRecord,
    damaged::stand_in,
    edit::edit_in,
    listing::shared,
    local::{DATA, LOCAL, RECORD, Volumes, failed},
};
use crate::{
    error::in_a_line,
    ident::{Digest, Timestamp, VolumeName},
    store::{KEPT, Place, Tried, record, try_lease},
    sys::{Dir, Usage, random_bytes, sync, usage},
};

/// How long a volume stays in the trash: a week.
pub const KEEP_SECONDS: i64 = 7 * 24 * 3600;

/// From so many on it is worth to delete them together, and by so many threads: they wait for the
/// disk, not for a processor.
const SHARED: usize = 16;
const DELETERS: usize = 8;

/// So much of a name is in the directory's: it may be as long as a directory's can be.
const NAME_PART: usize = 200;

/// A volume in the trash.
#[derive(Debug, Clone)]
pub struct Trashed {
    /// Twelve digits that tell it from others of its name.
    pub id: String,
    /// When it was put there.
    pub removed: Timestamp,
    /// As it was; its mountpoint is where its data is now.
    pub volume: Volume,
    /// What is wrong with its record, which then says no more than its name.
    pub damage: Option<String>,
    entry: String,
}

impl Trashed {
    /// When a later command may delete it.
    pub fn expires(&self) -> Timestamp {
        let end = self.removed.as_nanosecond() + i128::from(KEEP_SECONDS) * 1_000_000_000;
        Timestamp::from_nanosecond(end).unwrap_or(self.removed)
    }

    /// Whether that is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires()
    }
}

/// When, the handle and the name, or its beginning; `None` for what is not ours.
fn parse(entry: &str) -> Option<(Timestamp, &str, &str)> {
    let mut parts = entry.splitn(3, '-');
    let removed = Timestamp::from_nanosecond(parts.next()?.parse().ok()?)?;
    let id = parts.next()?;
    Some((removed, id, parts.next()?))
}

fn is_there(trash: &Dir, entry: &str) -> Result<bool, Error> {
    let found = trash.find(entry);
    let found = found.map_err(|source| failed("look up in the trash", entry, source))?;
    Ok(found.is_some())
}

impl Volumes<'_> {
    /// `None` where nothing was ever put there.
    fn trash_dir(&self) -> Result<Option<Dir>, Error> {
        match self.store.open_dir(Place::Trash)?.open_dir(KEPT) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
            Err(source) => Err(failed("open trash of", "all", source)),
        }
    }

    /// Puts volumes into the trash that we claimed; durable when it returns. An error leaves the
    /// rest of them where they are.
    pub fn throw_away(&self, names: &[VolumeName]) -> Result<(), Error> {
        let all = |source| failed("put into the trash", "all", source);
        let outer = self.store.open_dir(Place::Trash)?;
        outer.ensure_dir(KEPT, 0o700).map_err(all)?;
        let trash = outer.open_dir(KEPT).map_err(all)?;
        sync::directory(outer).map_err(all)?;
        for name in names {
            let of = |source| failed("put into the trash", name.as_str(), source);
            let random = random_bytes().map_err(of)?;
            let (now, id) = (Timestamp::now().as_nanosecond(), Digest::of(&random));
            let head = name.as_str();
            let head = head.get(..NAME_PART).unwrap_or(head);
            let entry = format!("{now}-{}-{head}", id.short());
            self.dir.rename(name.as_str(), &trash, &entry).map_err(of)?;
        }
        // The new place first: a power cut may leave both names, never none.
        sync::directory(&trash)
            .and_then(|()| sync::directory(self.dir))
            .map_err(all)
    }

    /// What is in the trash, the latest first.
    pub fn trash(&self) -> Result<Vec<Trashed>, Error> {
        let Some(dir) = self.trash_dir()? else {
            return Ok(Vec::new());
        };
        let entries = dir.entries();
        let entries = entries.map_err(|source| failed("list trash of", "all", source))?;
        let mut all = Vec::new();
        for entry in entries {
            let Some(entry) = entry.to_str() else {
                continue;
            };
            let Some((removed, id, head)) = parse(entry) else {
                continue;
            };
            let (record, damage) = match record::find_in(&dir, entry, RECORD) {
                Ok(Some(record)) => (Some(record), None),
                // Taken away meanwhile: not there.
                Ok(None) if !is_there(&dir, entry)? => continue,
                Ok(None) => (None, Some(format!("{RECORD} is missing"))),
                Err(error) if error.is_damage() => (None, Some(in_a_line(&error))),
                Err(error) => return Err(error.into()),
            };
            let record = match (record, head.parse()) {
                (Some(record), _) => record,
                (None, Ok(name)) => stand_in(name, LOCAL.to_owned(), removed),
                (None, Err(_no_name)) => continue,
            };
            let place = self.store.path_in(Place::Trash, KEPT);
            let mountpoint = place.join(entry).join(DATA);
            all.push(Trashed {
                id: id.to_owned(),
                removed,
                volume: Volume { record, mountpoint },
                damage,
                entry: entry.to_owned(),
            });
        }
        all.sort_by_key(|one| std::cmp::Reverse(one.removed));
        Ok(all)
    }

    /// The latest one of a name, or the one of an id.
    pub fn find_trashed(&self, text: &str) -> Result<Trashed, Error> {
        let all = self.trash()?.into_iter();
        let fits = |one: &Trashed| one.volume.record.name.as_str() == text || one.id == text;
        all.into_iter().find(fits).ok_or_else(|| Error::NotInTrash {
            name: text.to_owned(),
        })
    }

    /// Takes a volume out of the trash again, as `name`; durable when it returns.
    pub fn restore(&self, trashed: &Trashed, name: &VolumeName) -> Result<(), Error> {
        let gone = || Error::NotInTrash {
            name: trashed.volume.record.name.to_string(),
        };
        let of = |source| failed("restore", name.as_str(), source);
        if let Some(damage) = &trashed.damage {
            let data = trashed.volume.mountpoint.display();
            let what = format!(
                "restore {}: its record cannot be read ({damage}); its data is in {data}",
                trashed.volume.record.name
            );
            return Err(Error::Text { what });
        }
        let trash = self.trash_dir()?.ok_or_else(gone)?;
        // Of two who want it, or who want it and empty the trash, one gets it.
        let Tried::Got(lease) = try_lease(&trash, &trashed.entry)? else {
            return Err(gone());
        };
        match trash.rename_new(&trashed.entry, self.dir, name.as_str()) {
            Ok(()) => {}
            Err(error) if error.errno() == Some(Errno::EEXIST) => {
                return Err(Error::Exists {
                    making: Making::Return,
                    name: name.clone(),
                });
            }
            Err(source) => return Err(of(source)),
        }
        sync::directory(self.dir)
            .and_then(|()| sync::directory(&trash))
            .map_err(of)?;
        // The directory says how it is called; the record only repeats it.
        let repeat = |record: &mut VolumeRecord| {
            record.name = name.clone();
            Ok(())
        };
        edit_in(self.store, &lease.dir, name.as_str(), repeat).map(drop)
    }

    /// Deletes volumes in the trash for good; those that were still there, with what they took.
    /// Durable when it returns.
    ///
    /// With several threads where there are many, because a file system makes who deletes wait for
    /// its journal: not for a process that forks a container.
    pub fn delete_trashed(&self, all: &[Trashed]) -> Result<Vec<(Trashed, Usage)>, Error> {
        let Some(trash) = self.trash_dir()? else {
            return Ok(Vec::new());
        };
        let workers = if all.len() < SHARED { 1 } else { DELETERS };
        let delete = |trashed: &Trashed| {
            let Tried::Got(_lease) = try_lease(&trash, &trashed.entry)? else {
                return Ok(None);
            };
            let usage = self.usage_of_trashed(trashed)?;
            self.store.discard(&trash, &trashed.entry)?;
            Ok(Some((trashed.clone(), usage)))
        };
        let deleted = shared(all, workers, delete)?;
        // Out of one directory into the other: the latter first, so that none is in neither.
        let outer = self.store.open_dir(Place::Trash)?;
        sync::directory(outer)
            .and_then(|()| sync::directory(&trash))
            .map_err(|source| failed("empty trash of", "all", source))?;
        Ok(deleted)
    }

    /// What a volume in the trash takes.
    pub fn usage_of_trashed(&self, trashed: &Trashed) -> Result<Usage, Error> {
        let name = trashed.volume.record.name.as_str();
        let Some(trash) = self.trash_dir()? else {
            return Ok(Usage::default());
        };
        let data = trash.open_dir(&trashed.entry);
        match data.and_then(|dir| usage(&dir.open_dir(DATA)?)) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(Usage::default()),
            // Who knows what was done to it.
            Err(_) if trashed.damage.is_some() => Ok(Usage::default()),
            sum => sum.map_err(|source| failed("measure", name, source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::Store, volume::NewVolume};

    fn make(volumes: &Volumes<'_>, name: &str) -> VolumeName {
        let name: VolumeName = name.parse().unwrap();
        let wanted = NewVolume {
            name: Some(name.clone()),
            ..NewVolume::default()
        };
        let volume = volumes.create(wanted).unwrap().0;
        std::fs::File::create(volume.mountpoint.join("file")).unwrap();
        name
    }

    #[test]
    fn what_is_thrown_away_comes_back_whole() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        assert!(volumes.trash().unwrap().is_empty());
        let long = "v".repeat(255);
        for name in ["data", &long] {
            let name = make(&volumes, name);
            volumes.throw_away(std::slice::from_ref(&name)).unwrap();
            assert!(volumes.find(&name).unwrap().is_none());
            // Whoever tidies up leaves it alone.
            crate::store::sweep(&store).unwrap();
            let trashed = volumes.find_trashed(name.as_str()).unwrap();
            assert_eq!(volumes.usage_of_trashed(&trashed).unwrap().inodes, 1);
            volumes.restore(&trashed, &name).unwrap();
            let back = volumes.get(name.as_str()).unwrap();
            assert!(back.mountpoint.join("file").exists());
            assert!(volumes.trash().unwrap().is_empty());
            let again = volumes.restore(&trashed, &name);
            assert!(matches!(again, Err(Error::NotInTrash { .. })));
        }
    }

    #[test]
    fn a_name_that_is_taken_is_refused_and_another_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let name = make(&volumes, "data");
        volumes.throw_away(std::slice::from_ref(&name)).unwrap();
        make(&volumes, "data");
        let trashed = volumes.find_trashed("data").unwrap();
        let refused = volumes.restore(&trashed, &name);
        assert!(matches!(refused, Err(Error::Exists { .. })));
        let other = "other".parse().unwrap();
        volumes.restore(&trashed, &other).unwrap();
        let record: VolumeRecord = record::find_in(volumes.dir, "other", RECORD)
            .unwrap()
            .unwrap();
        assert_eq!(record.name, other);
    }

    #[test]
    fn the_latest_of_a_name_is_meant_and_an_id_means_one() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let name = make(&volumes, "data");
        volumes.throw_away(std::slice::from_ref(&name)).unwrap();
        let first = volumes.find_trashed("data").unwrap();
        let trash = volumes.trash_dir().unwrap().unwrap();
        let older = format!("1000-{}-data", first.id);
        trash.rename(&first.entry, &trash, &older).unwrap();
        make(&volumes, "data");
        volumes.throw_away(std::slice::from_ref(&name)).unwrap();
        let latest = volumes.find_trashed("data").unwrap();
        assert_ne!(latest.id, first.id);
        let older = volumes.find_trashed(&first.id).unwrap();
        assert!(older.is_expired(Timestamp::now()) && !latest.is_expired(Timestamp::now()));
        let older = [older];
        assert_eq!(volumes.delete_trashed(&older).unwrap().len(), 1);
        assert!(volumes.delete_trashed(&older).unwrap().is_empty());
        assert_eq!(volumes.trash().unwrap().len(), 1);
    }

    #[test]
    fn many_are_deleted_together_and_only_those_that_were_meant() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let names: Vec<_> = (0..40)
            .map(|number| make(&volumes, &format!("vol{number}")))
            .collect();
        volumes.throw_away(&names).unwrap();
        let mut all = volumes.trash().unwrap();
        let stays = all.remove(7);
        let deleted = volumes.delete_trashed(&all).unwrap();
        assert_eq!(deleted.len(), 39);
        assert!(deleted.iter().all(|(_, usage)| usage.inodes == 1));
        let left = volumes.trash().unwrap();
        assert_eq!((left.len(), &left[0].id), (1, &stays.id));
        let trash = store.open_dir(Place::Trash).unwrap();
        assert_eq!(trash.entries().unwrap(), [KEPT]);
    }

    #[test]
    fn what_is_not_ours_is_no_volume() {
        for odd in [
            "",
            "x",
            "12",
            "12-",
            "12-ab",
            "a-b-c",
            "999999999999999999999999999999-a-b",
        ] {
            assert!(parse(odd).is_none(), "{odd}");
        }
        assert!(parse("12-ab-my-volume").is_some());
    }
}
