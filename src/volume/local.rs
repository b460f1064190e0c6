//! The local driver: volumes are directories of the store.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Error, Origin, VolumeRecord};
use crate::{
    ident::VolumeName,
    store::{Durability, Lease, Place, Store, Tried, record, try_lease},
    sys::{Dir, SysError, Usage, random_bytes, usage},
};

/// The data inside a volume's directory.
pub(super) const DATA: &str = "_data";
pub(super) const RECORD: &str = "volume.json";

/// All volumes of a store.
#[derive(Debug)]
pub struct Volumes<'s> {
    pub(super) store: &'s Store,
    pub(super) dir: &'s Dir,
}

/// An existing volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// What is known about it.
    pub record: VolumeRecord,
    /// Its data's absolute path.
    pub mountpoint: PathBuf,
}

/// What `volume create` or a mount asks for.
#[derive(Debug, Clone, Default)]
pub struct NewVolume {
    /// `None` makes one up.
    pub name: Option<VolumeName>,
    /// Nobody named it, whether or not it has a name already.
    pub anonymous: bool,
    /// Only `local`.
    pub driver: Option<String>,
    /// Driver options: none yet.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Who wants it, where it is made on the fly.
    pub origin: Option<Origin>,
}

/// Whether [`Volumes::create`] made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// Now.
    New,
    /// It was there.
    Existing,
}

impl<'s> Volumes<'s> {
    /// The volumes of a store.
    pub fn open(store: &'s Store) -> Result<Self, Error> {
        Ok(Self {
            store,
            dir: store.open_dir(Place::Volumes)?,
        })
    }

    /// Finds one; `None` where there is none of this name.
    pub fn find(&self, name: &VolumeName) -> Result<Option<Volume>, Error> {
        let dir = match self.dir.open_dir(name.as_str()) {
            Ok(dir) => dir,
            Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => return Ok(None),
            Err(source) => return Err(failed("open", name.as_str(), source)),
        };
        // Removed between the two calls: not there.
        let record = record::find(&dir, RECORD)?;
        Ok(record.map(|record| Volume {
            record,
            mountpoint: self.mountpoint(name),
        }))
    }

    /// Whether there is one of this name.
    pub fn exists(&self, name: &VolumeName) -> Result<bool, Error> {
        let found = self.dir.find(name.as_str());
        Ok(found
            .map_err(|source| failed("look up", name.as_str(), source))?
            .is_some())
    }

    /// Finds one that must be there.
    pub fn get(&self, name: &str) -> Result<Volume, Error> {
        let missing = || Error::NotFound {
            name: name.to_owned(),
        };
        let parsed = name.parse().map_err(|_| missing())?;
        self.find(&parsed)?.ok_or_else(missing)
    }

    /// Where a volume's data is or would be.
    pub fn mountpoint(&self, name: &VolumeName) -> PathBuf {
        self.store.path_in(Place::Volumes, name.as_str()).join(DATA)
    }

    /// All of them, by name.
    pub fn list(&self) -> Result<Vec<Volume>, Error> {
        let names = self
            .dir
            .sorted_entries()
            .map_err(|source| failed("list", "all", source))?;
        let names = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        let found = names.map(|name: VolumeName| self.find(&name));
        found.filter_map(Result::transpose).collect()
    }

    /// Makes a volume unless it is there; an existing one stays as it is (semantics 37).
    ///
    /// Durable when it returns.
    pub fn create(&self, wanted: NewVolume) -> Result<(Volume, Created), Error> {
        let name = check(&wanted)?;
        if let Some(volume) = self.find(&name)? {
            return Ok((volume, Created::Existing));
        }
        let draft = self.draft(NewVolume {
            anonymous: wanted.anonymous || wanted.name.is_none(),
            name: Some(name.clone()),
            ..wanted
        })?;
        if let Some(volume) = self.publish(draft)? {
            return Ok((volume, Created::New));
        }
        // Somebody else was faster: theirs it is.
        let theirs = self.find(&name)?.ok_or_else(|| Error::NotFound {
            name: name.to_string(),
        })?;
        Ok((theirs, Created::Existing))
    }

    /// Claims a volume for a container that mounts it.
    pub fn attach(&self, name: &VolumeName) -> Result<Lease, Error> {
        let lease = Lease::shared(self.dir, name.as_str())?;
        lease.ok_or_else(|| Error::NotFound {
            name: name.to_string(),
        })
    }

    /// Removes a volume that nobody has mounted.
    pub fn remove(&self, name: &VolumeName) -> Result<(), Error> {
        match try_lease(self.dir, name.as_str())? {
            Tried::Got(_lease) => Ok(self.store.discard(self.dir, name.as_str())?),
            Tried::Busy => Err(Error::InUse {
                name: name.clone(),
                users: Vec::new(),
            }),
            Tried::Absent => Err(Error::NotFound {
                name: name.to_string(),
            }),
        }
    }

    /// Replaces a volume's record.
    pub fn update(&self, record: &VolumeRecord) -> Result<(), Error> {
        let name = record.name.as_str();
        let dir = self
            .dir
            .open_dir(name)
            .map_err(|source| failed("open", name, source))?;
        Ok(record::replace(
            self.store,
            &dir,
            RECORD,
            record,
            Durability::Synced,
        )?)
    }

    /// What a volume's data takes.
    pub fn usage(&self, name: &VolumeName) -> Result<Usage, Error> {
        let of = |source: SysError| match source.errno() {
            Some(nix::errno::Errno::ENOENT) => Error::NotFound {
                name: name.to_string(),
            },
            _ => failed("measure", name.as_str(), source),
        };
        let dir = self
            .dir
            .open_dir(name.as_str())
            .map_err(of)?
            .open_dir(DATA)
            .map_err(of)?;
        usage(&dir).map_err(of)
    }
}

pub(super) fn check(wanted: &NewVolume) -> Result<VolumeName, Error> {
    if let Some(driver) = wanted.driver.as_ref().filter(|driver| *driver != "local") {
        return Err(Error::Driver {
            driver: driver.clone(),
        });
    }
    if let Some(key) = wanted.options.keys().next() {
        return Err(Error::Option { key: key.clone() });
    }
    if let Some(name) = &wanted.name {
        return Ok(name.clone());
    }
    let random = random_bytes().map_err(|source| failed("name", "", source))?;
    Ok(VolumeName::from_random(random))
}

pub(super) fn failed(what: &'static str, name: &str, source: SysError) -> Error {
    Error::System {
        what,
        name: name.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> NewVolume {
        NewVolume {
            name: Some(name.parse().unwrap()),
            ..NewVolume::default()
        }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        (scratch, store)
    }

    #[test]
    fn rule_37_an_existing_volume_keeps_its_labels() {
        let (_scratch, store) = store();
        let volumes = Volumes::open(&store).unwrap();
        assert_eq!(volumes.create(named("data")).unwrap().1, Created::New);
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let again = NewVolume {
            labels,
            ..named("data")
        };
        let (volume, created) = volumes.create(again).unwrap();
        assert_eq!((volume.record.labels, created), (None, Created::Existing));
    }

    #[test]
    fn rule_33_an_anonymous_volume_has_64_digits_and_the_label() {
        let (_scratch, store) = store();
        let volumes = Volumes::open(&store).unwrap();
        let (volume, _) = volumes.create(NewVolume::default()).unwrap();
        assert_eq!(volume.record.name.as_str().len(), 64);
        assert!(volume.record.is_anonymous());
        assert_eq!(volumes.list().unwrap().len(), 1);
    }

    #[test]
    fn a_mounted_volume_is_not_removed() {
        let (_scratch, store) = store();
        let volumes = Volumes::open(&store).unwrap();
        volumes.create(named("data")).unwrap();
        let name = "data".parse().unwrap();
        let lease = volumes.attach(&name).unwrap();
        assert!(matches!(volumes.remove(&name), Err(Error::InUse { .. })));
        drop(lease);
        volumes.remove(&name).unwrap();
        assert!(volumes.find(&name).unwrap().is_none());
        assert!(matches!(volumes.remove(&name), Err(Error::NotFound { .. })));
    }

    #[test]
    fn options_and_other_drivers_are_refused() {
        let (_scratch, store) = store();
        let volumes = Volumes::open(&store).unwrap();
        let driver = NewVolume {
            driver: Some("rclone".to_owned()),
            ..named("data")
        };
        assert!(matches!(volumes.create(driver), Err(Error::Driver { .. })));
        let options = BTreeMap::from([("type".to_owned(), "tmpfs".to_owned())]);
        let options = NewVolume {
            options,
            ..named("data")
        };
        assert!(matches!(volumes.create(options), Err(Error::Option { .. })));
        assert!(volumes.list().unwrap().is_empty());
    }
}
