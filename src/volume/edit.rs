//! Changing what is known about a volume, by several processes at once.

use super::{
    Error, VolumeRecord,
    local::{RECORD, Volumes, failed},
};
use crate::{
    ident::{Timestamp, VolumeName},
    store::{Durability, Lease, Store, record},
    sys::{Dir, lock::Lock},
};

const LOCK: &str = "edit.lock";

/// A file without content, whose time says when somebody began or ended to use the volume. Outside
/// of the record: it changes with every start, and a start waits for no disk.
const LAST_USED: &str = "last-used";

/// Longer ones are no descriptions.
const DESCRIPTION_MAX: usize = 4096;

/// Remembers that the volume in `volume` is used at this moment. Whether or not that works: a full
/// or read-only store keeps nobody from using it.
pub fn touch(volume: &Dir) {
    if let Err(error) = volume.touch(LAST_USED)
        && error.errno() == Some(nix::errno::Errno::ENOENT)
    {
        volume.create_file(LAST_USED, 0o600).ok();
    }
}

/// When somebody last began or ended to use the volume in `volume`; `None` for never.
pub fn last_used(volume: &Dir) -> Option<Timestamp> {
    let time = volume.find(LAST_USED).ok()??.mtime();
    let whole = i128::from(time.seconds) * 1_000_000_000;
    Timestamp::from_nanosecond(whole + i128::from(time.nanoseconds))
}

/// Changes the record of the volume in `volume`, which may have any name; durable when it returns.
pub(super) fn edit_in(
    store: &Store,
    volume: &Dir,
    name: &str,
    change: impl FnOnce(&mut VolumeRecord) -> Result<(), Error>,
) -> Result<VolumeRecord, Error> {
    let lock = volume.open_or_create_file(LOCK, 0o600);
    let _lock = lock
        .and_then(Lock::exclusive)
        .map_err(|source| failed("lock record of", name, source))?;
    let mut now: VolumeRecord = record::read(volume, RECORD)?;
    let before = now.clone();
    change(&mut now)?;
    if now != before {
        record::replace(store, volume, RECORD, &now, Durability::Synced)?;
    }
    Ok(now)
}

impl Volumes<'_> {
    /// Changes a volume's record; nobody else does at the same time. Durable when it returns.
    pub fn edit(
        &self,
        name: &VolumeName,
        change: impl FnOnce(&mut VolumeRecord),
    ) -> Result<VolumeRecord, Error> {
        // Nobody removes it meanwhile: who protects it can rely on that. Its data is not touched.
        let lease = Lease::shared(self.dir, name.as_str())?;
        let lease = lease.ok_or_else(|| Error::NotFound {
            name: name.to_string(),
        })?;
        let record = edit_in(self.store, &lease.dir, name.as_str(), |record| {
            change(record);
            if let Some(text) = &record.description {
                check_description(text)?;
            }
            Ok(())
        })?;
        Ok(VolumeRecord {
            name: name.clone(),
            ..record
        })
    }

    /// When somebody last began or ended to use a volume; `None` for never.
    pub fn last_used(&self, name: &VolumeName) -> Result<Option<Timestamp>, Error> {
        Ok(last_used(&self.dir_of(name)?))
    }

    /// A volume's directory, without a claim on it.
    pub fn dir_of(&self, name: &VolumeName) -> Result<Dir, Error> {
        let opened = self.dir.open_dir(name.as_str());
        opened.map_err(|source| match source.errno() {
            Some(nix::errno::Errno::ENOENT) => Error::NotFound {
                name: name.to_string(),
            },
            _ => failed("open", name.as_str(), source),
        })
    }
}

/// It is shown on a line of a table.
pub(super) fn check_description(text: &str) -> Result<(), Error> {
    let what = if text.chars().any(char::is_control) {
        "a description is one line without control characters"
    } else if text.len() > DESCRIPTION_MAX {
        "a description has at most 4096 bytes"
    } else {
        return Ok(());
    };
    Err(Error::Text {
        what: what.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::NewVolume;

    #[test]
    fn changes_of_many_at_once_are_all_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let name: VolumeName = "data".parse().unwrap();
        let wanted = NewVolume {
            name: Some(name.clone()),
            ..NewVolume::default()
        };
        volumes.create(wanted).unwrap();
        let label = |number: u32| {
            let set = |record: &mut VolumeRecord| {
                let labels = record.labels.get_or_insert_default();
                labels.insert(format!("k{number}"), String::new());
            };
            volumes.edit(&name, set).unwrap();
        };
        std::thread::scope(|scope| {
            for number in 0..16 {
                scope.spawn(move || label(number));
            }
        });
        let record = volumes.get("data").unwrap().record;
        assert_eq!(record.labels.unwrap().len(), 16);
    }

    #[test]
    fn use_is_remembered_and_never_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        assert_eq!(last_used(&dir), None);
        touch(&dir);
        let first = last_used(&dir).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        touch(&dir);
        assert!(last_used(&dir).unwrap() > first);
    }

    #[test]
    fn a_description_is_a_line() {
        for good in ["", "db of the shop", "상점의 데이터"] {
            check_description(good).unwrap();
        }
        for bad in ["two\nlines", "\u{1b}[2J", &"x".repeat(4097)] {
            assert!(check_description(bad).is_err(), "{bad:?}");
        }
    }
}
