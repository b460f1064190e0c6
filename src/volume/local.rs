//! The local driver: volumes are directories of the store.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Error, Hold, MountError, MountSpec, Origin, Owner, VolumeRecord, mounting};
use crate::{
    ident::VolumeName,
    mount::Sharing,
    store::{Lease, Place, Store, Tried, record, try_lease},
    sys::{Dir, SysError, Usage, random_bytes, usage},
};

/// The data inside a volume's directory.
pub(super) const DATA: &str = "_data";
/// The driver of volumes that are directories of the store.
pub(super) const LOCAL: &str = "local";
pub(super) const RECORD: &str = "volume.json";

/// Kinds of file system that a server elsewhere has.
const FAR: [&str; 4] = ["nfs", "nfs4", "cifs", "smb3"];

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
    /// Driver options: what is mounted while it is in use.
    pub options: BTreeMap<String, String>,
    /// Who may have it mounted at the same time.
    pub sharing: Option<Sharing>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Who wants it, where it is made on the fly.
    pub origin: Option<Origin>,
    /// Owner and mode of its root.
    pub owner: Owner,
    /// What it is for.
    pub description: Option<String>,
    /// Do not look whether this machine can mount it now.
    pub unchecked: bool,
}

impl NewVolume {
    /// Understands those options that are no driver's.
    pub fn settle(&mut self) -> Result<(), Error> {
        if let Some(text) = self.options.remove("volume-sharing") {
            self.sharing = Some(text.parse()?);
        }
        Ok(())
    }
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
        Ok(self.read_record(name)?.map(|record| Volume {
            // The directory says how it is called, also while it is being renamed.
            record: VolumeRecord {
                name: name.clone(),
                ..record
            },
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

    /// Makes a volume unless it is there; an existing one stays as it is (semantics 37).
    ///
    /// Durable when it returns.
    pub fn create(&self, mut wanted: NewVolume) -> Result<(Volume, Created), Error> {
        wanted.settle()?;
        let name = check(&wanted)?;
        if let Some(volume) = self.find(&name)? {
            return Ok((volume, Created::Existing));
        }
        let spec = read_options(&name, &wanted.options)?;
        if let Some(spec) = spec.as_ref().filter(|_| !wanted.unchecked) {
            mounting::check(spec).map_err(|why| Error::Machine {
                name: name.clone(),
                why,
            })?;
        }
        if spec.is_some() && !wanted.owner.is_empty() {
            let what = format!(
                "create {name}: --uid, --gid and --mode are for volumes without driver options; \
                 many file systems take them in o="
            );
            return Err(Error::Text { what });
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

    /// Claims a volume beside others, without a look at its data; `None` where there is none.
    pub fn lease(&self, name: &VolumeName) -> Result<Option<Lease>, Error> {
        Ok(Lease::shared(self.dir, name.as_str())?)
    }

    /// Claims a volume for somebody who uses its data. Where it has driver options, its file system
    /// is mounted unless it is, for a limited time.
    pub fn attach(&self, name: &VolumeName) -> Result<Hold, Error> {
        let lease = self.lease(name)?.ok_or_else(|| Error::NotFound {
            name: name.to_string(),
        })?;
        self.attach_leased(name, lease)
    }

    /// The same for somebody who has claimed it already.
    pub fn attach_leased(&self, name: &VolumeName, lease: Lease) -> Result<Hold, Error> {
        let locks = lease.dir.find(mounting::LOCK);
        if locks
            .map_err(|source| failed("open", name.as_str(), source))?
            .is_none()
        {
            return Ok(Hold::plain(lease));
        }
        let record = self.get(name.as_str())?.record;
        match read_options(name, record.options.as_ref().unwrap_or(&BTreeMap::new()))? {
            Some(spec) => mounting::enter(lease, spec, record),
            None => Ok(Hold::plain(lease)),
        }
    }

    /// Whether something is mounted on a volume's data now. Not a word about whether it is used.
    pub fn is_mounted(&self, name: &VolumeName) -> bool {
        let dir = self.dir.open_dir(name.as_str());
        dir.is_ok_and(|dir| dir.is_mount_point(DATA).unwrap_or(false))
    }

    /// Unmounts what killed users have left mounted.
    pub fn tidy(&self) -> Result<(), Error> {
        mounting::tidy(self.dir)
    }

    /// Claims a volume alone, to remove or to rename it; does not wait.
    pub fn try_claim(&self, name: &VolumeName) -> Result<Tried, Error> {
        Ok(try_lease(self.dir, name.as_str())?)
    }

    /// Removes a volume that nobody has mounted, for tests of what stays and what goes.
    #[cfg(test)]
    pub fn remove(&self, name: &VolumeName) -> Result<(), Error> {
        match self.try_claim(name)? {
            Tried::Got(lease) => self.remove_claimed(name, &lease),
            Tried::Busy => Err(Error::InUse {
                name: name.clone(),
                users: Vec::new(),
            }),
            Tried::Absent => Err(Error::NotFound {
                name: name.to_string(),
            }),
        }
    }

    /// Removes a volume that we claimed, unless it is protected.
    pub fn remove_claimed(&self, name: &VolumeName, lease: &Lease) -> Result<(), Error> {
        match record::find::<VolumeRecord>(&lease.dir, RECORD) {
            Ok(Some(record)) if record.protected => {
                return Err(Error::Protected { name: name.clone() });
            }
            Ok(_) => {}
            // Whoever names it means it.
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error.into()),
        }
        let _turn = mounting::clear(lease, name)?;
        Ok(self.store.discard(self.dir, name.as_str())?)
    }

    /// What a volume's data takes of the store: nothing where it has a file system of its own, which
    /// is not looked at.
    pub fn usage(&self, name: &VolumeName) -> Result<Usage, Error> {
        let of = |source: SysError| match source.errno() {
            Some(nix::errno::Errno::ENOENT) => Error::NotFound {
                name: name.to_string(),
            },
            _ => failed("measure", name.as_str(), source),
        };
        let dir = self.dir.open_dir(name.as_str()).map_err(of)?;
        if dir.find(mounting::LOCK).map_err(of)?.is_some() {
            return Ok(Usage::default());
        }
        usage(&dir.open_dir(DATA).map_err(of)?).map_err(of)
    }
}

pub(super) fn check(wanted: &NewVolume) -> Result<VolumeName, Error> {
    if let Some(text) = &wanted.description {
        super::edit::check_description(text)?;
    }
    if let Some(driver) = wanted.driver.as_ref().filter(|driver| *driver != LOCAL) {
        return Err(Error::Driver {
            driver: driver.clone(),
        });
    }
    if let Some(name) = &wanted.name {
        return Ok(name.clone());
    }
    let random = random_bytes().map_err(|source| failed("name", "", source))?;
    Ok(VolumeName::from_random(random))
}

pub(super) fn read_options(
    name: &VolumeName,
    options: &BTreeMap<String, String>,
) -> Result<Option<MountSpec>, Error> {
    MountSpec::parse(options).map_err(|why| Error::Options {
        name: name.clone(),
        why,
    })
}

impl NewVolume {
    /// What would be mounted on it.
    ///
    /// # Errors
    ///
    /// Options that make no sense.
    pub fn mount_spec(&self) -> Result<Option<MountSpec>, Error> {
        read_options(&check(self)?, &self.options)
    }

    /// Looks whether this machine reaches the server behind it now: that may change until it is
    /// used, so Docker's way to make it first and see later is no error. `None` where it is not for
    /// a server.
    pub fn look_far(&self) -> Result<Option<Result<(), MountError>>, Error> {
        let spec = self.mount_spec()?;
        let spec = spec.filter(|spec| !self.unchecked && FAR.contains(&spec.kind.as_str()));
        Ok(spec.map(|spec| mounting::check(&spec)))
    }
}

impl Volume {
    /// What is mounted on it while it is in use.
    pub fn mount_spec(&self) -> Option<MountSpec> {
        let options = self.record.options.as_ref()?;
        MountSpec::parse(options).ok().flatten()
    }
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
    fn bad_options_and_other_drivers_are_refused() {
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
        let error = volumes.create(options).unwrap_err().to_string();
        assert_eq!(error, "create data: missing required option: \"device\"");
        assert!(volumes.list().unwrap().is_empty());
    }
}
