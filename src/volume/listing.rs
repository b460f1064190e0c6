//! All volumes of a store, of which there may be tens of thousands.

use super::{
    Error, Looked,
    local::{LOCAL, Volumes, failed},
};
use crate::{
    ident::VolumeName,
    sys::{Dir, thread},
};

/// A link in a volume's directory that says what its driver is called, unless that is the local one:
/// a plain list shows no more, and to read ten thousand records takes too long for it.
const DRIVER: &str = "driver";

/// From so many on it is worth to share the reading.
const SHARED: usize = 512;

/// More readers wait for each other.
const READERS: usize = 8;

/// Tells [`Volumes::drivers`] of a volume that is being made.
pub(super) fn mark(volume: &Dir, driver: &str) -> crate::sys::Result<()> {
    if driver == LOCAL {
        return Ok(());
    }
    volume.make_symlink(driver.as_ref(), DRIVER)
}

impl Volumes<'_> {
    /// The names of all, in order; their records are not looked at.
    pub fn names(&self) -> Result<Vec<VolumeName>, Error> {
        let names = self
            .dir
            .sorted_entries()
            .map_err(|source| failed("list", "all", source))?;
        // What begins with a dot is ours, and no volume.
        let names = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        Ok(names.collect())
    }

    /// All of them, by name.
    ///
    /// Reads them with several threads where there are many: not for a process that forks a
    /// container.
    pub fn list(&self) -> Result<Vec<Looked>, Error> {
        let names = self.names()?;
        self.each(&names, |name| self.look(name))
    }

    /// Names with their drivers: what a plain list shows.
    pub fn drivers(&self, names: &[VolumeName]) -> Result<Vec<(VolumeName, String)>, Error> {
        self.each(names, |name| {
            Ok(Some((name.clone(), self.driver_of(name)?)))
        })
    }

    pub(super) fn driver_of(&self, name: &VolumeName) -> Result<String, Error> {
        let link = self.dir.find_symlink_in(name.as_str(), DRIVER);
        let link = link.map_err(|source| failed("look up driver of", name.as_str(), source))?;
        let driver = link.map_or_else(
            || LOCAL.to_owned(),
            |driver| driver.to_string_lossy().into_owned(),
        );
        Ok(driver)
    }

    /// Does `work` for each name, in order of the names; `None` is left out.
    pub fn each<T: Send>(
        &self,
        names: &[VolumeName],
        work: impl Fn(&VolumeName) -> Result<Option<T>, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let readers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let readers = if names.len() < SHARED {
            1
        } else {
            readers.min(READERS)
        };
        shared(names, readers, work)
    }
}

/// Does `work` for each with so many threads, in order; `None` is left out.
pub(super) fn shared<N: Sync, T: Send>(
    all: &[N],
    workers: usize,
    work: impl Fn(&N) -> Result<Option<T>, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let some = |part: &[N]| -> Result<Vec<T>, Error> {
        part.iter()
            .filter_map(|one| work(one).transpose())
            .collect()
    };
    if workers < 2 {
        return some(all);
    }
    let parts = std::thread::scope(|scope| {
        let some = &some;
        let size = all.len().div_ceil(workers).max(1);
        let started: Vec<_> = all
            .chunks(size)
            .map(|part| (part, thread::spawn(scope, move || some(part))))
            .collect();
        let ended = started.into_iter().map(|(part, one)| match one {
            Ok(one) => match one.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            },
            // No thread is to be had: this one does it.
            Err(_) => some(part),
        });
        ended.collect::<Result<Vec<_>, _>>()
    });
    Ok(parts?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::Store, volume::NewVolume};

    #[test]
    fn shared_work_keeps_the_order() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let names: Vec<VolumeName> = (1000..3000)
            .map(|number| format!("vol-{number}").parse().unwrap())
            .collect();
        let odd = |name: &VolumeName| {
            let is_odd = name.as_str().ends_with(['1', '3', '5', '7', '9']);
            Ok(is_odd.then(|| name.clone()))
        };
        let found = volumes.each(&names, odd).unwrap();
        assert_eq!(found.len(), 1000);
        assert!(found.is_sorted());
        let broken = |name: &VolumeName| match name.as_str() {
            "vol-2999" => Err(Error::NotFound {
                name: name.to_string(),
            }),
            _ => Ok(Some(())),
        };
        assert!(volumes.each(&names, broken).is_err());
    }

    #[test]
    fn a_driver_that_is_not_the_local_one_is_seen_without_the_record() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        for (name, driver) in [("here", LOCAL), ("there", "rclone")] {
            let record = serde_json::json!({
                "name": name, "driver": driver, "created": "2026-01-02T03:04:05Z",
                "labels": null, "options": null, "origin": null,
            });
            let record = serde_json::from_value(record).unwrap();
            let draft = volumes.draft_of(record, false).unwrap();
            volumes.publish(draft).unwrap();
        }
        let all = volumes.drivers(&volumes.names().unwrap()).unwrap();
        let all: Vec<_> = all
            .iter()
            .map(|(name, driver)| (name.as_str(), driver.as_str()))
            .collect();
        assert_eq!(all, [("here", "local"), ("there", "rclone")]);
        let read = volumes.list().unwrap();
        let whole = read.iter().map(|one| match one {
            Looked::Whole(volume) => volume.record.driver.as_str(),
            Looked::Damaged(damaged) => panic!("{damaged:?}"),
        });
        let read: Vec<_> = whole.collect();
        assert_eq!(read, ["local", "rclone"]);
    }

    #[test]
    fn a_damaged_record_is_told_by_its_volume_and_the_plain_list_goes_on() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let wanted = NewVolume {
            name: Some("data".parse().unwrap()),
            ..NewVolume::default()
        };
        let volume = volumes.create(wanted).unwrap().0;
        let record = volume.mountpoint.with_file_name("volume.json");
        std::fs::File::create(record).unwrap();
        let listed = volumes.list().unwrap();
        let [Looked::Damaged(damaged)] = &listed[..] else {
            panic!("{listed:?}");
        };
        assert_eq!(damaged.volume.record.name.as_str(), "data");
        assert!(damaged.why.starts_with("parse record data/volume.json: "));
        let told = volumes.get("data").unwrap_err().to_string();
        assert_eq!(told, "read volume data");
        let names = volumes.names().unwrap();
        assert_eq!(volumes.drivers(&names).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_volume_is_not_listed() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        assert!(volumes.list().unwrap().is_empty());
        let name = Some("data".parse().unwrap());
        let wanted = NewVolume {
            name,
            ..NewVolume::default()
        };
        volumes.create(wanted).unwrap();
        for odd in [".renaming", "한국어", "x"] {
            volumes.dir.make_dir(odd, 0o700).unwrap();
        }
        let all = volumes.list().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].name().as_str(), "data");
        // A volume gets its name with its record: one without has lost it.
        volumes.dir.make_dir("lost", 0o700).unwrap();
        let all = volumes.list().unwrap();
        assert!(matches!(&all[1], Looked::Damaged(one) if one.why.contains("ENOENT")));
        assert!(matches!(volumes.get("lost"), Err(Error::Damaged { .. })));
    }
}
