//! Using a volume's data without a container, and making a volume together with its data.
//!
//! Everything that reads or writes a volume for a command goes through here: what must be done
//! before the data can be used has one place.

use super::{
    Admission, Error, Hold, NewVolume, Volume, VolumeRecord, Volumes,
    local::{DATA, LOCAL, RECORD, check, failed, read_options},
    mounting, populate,
    record::ANONYMOUS_LABEL,
};
use crate::{
    ident::Timestamp,
    store::{Durability, Lease, Staging, Tried, record, try_lease},
    sys::{Dir, sync},
};

/// A volume that can be used; nobody removes it meanwhile.
#[derive(Debug)]
pub struct OpenVolume {
    /// What is known about it.
    pub record: VolumeRecord,
    /// Its data.
    pub data: Dir,
    lease: Claim,
    /// A place among its users, where it has one.
    admission: Option<Admission>,
}

/// How a volume is held.
#[derive(Debug)]
enum Claim {
    /// Beside others, with its file system where it has one.
    Shared(Hold),
    /// Alone; it has no file system of its own.
    Alone(Lease),
}

impl Claim {
    fn dir(&self) -> &Dir {
        match self {
            Self::Shared(hold) => &hold.dir,
            Self::Alone(lease) => &lease.dir,
        }
    }
}

/// A volume that nobody sees yet, to be filled; gone unless it is published.
#[derive(Debug)]
pub struct Draft<'s> {
    /// Its data.
    pub data: Dir,
    staging: Staging<'s>,
    record: VolumeRecord,
}

impl<'s> Volumes<'s> {
    /// Opens a volume for use beside others.
    pub fn open_volume(&self, name: &str) -> Result<OpenVolume, Error> {
        let record = self.get(name)?.record;
        let hold = self.attach(&record.name)?;
        opened(record, Claim::Shared(hold))
    }

    /// Opens a volume that nobody else uses, and keeps others waiting until it is closed. What is
    /// mounted on its data while it is used is not there then.
    pub fn open_alone(&self, name: &str) -> Result<OpenVolume, Error> {
        let record = self.get(name)?.record;
        match try_lease(self.dir, record.name.as_str())? {
            Tried::Got(lease) => opened(record, Claim::Alone(lease)),
            Tried::Busy => Err(Error::Busy {
                name: record.name,
                users: Vec::new(),
            }),
            Tried::Absent => Err(Error::NotFound {
                name: name.to_owned(),
            }),
        }
    }

    /// Begins a volume.
    pub fn draft(&self, wanted: NewVolume) -> Result<Draft<'s>, Error> {
        let name = check(&wanted)?;
        let mounts = read_options(&name, &wanted.options)?.is_some();
        let anonymous = wanted.anonymous || wanted.name.is_none();
        let NewVolume {
            options,
            mut labels,
            origin,
            sharing,
            owner,
            description,
            ..
        } = wanted;
        if anonymous {
            labels.insert(ANONYMOUS_LABEL.to_owned(), String::new());
        }
        let record = VolumeRecord {
            name,
            driver: LOCAL.to_owned(),
            created: Timestamp::now(),
            labels: Some(labels).filter(|labels| !labels.is_empty()),
            options: Some(options).filter(|options| !options.is_empty()),
            origin,
            filled: None,
            sharing: sharing.unwrap_or_default(),
            owner,
            description,
            protected: false,
        };
        self.draft_of(record, mounts)
    }

    /// `mounts`: something is mounted on its data while it is in use.
    pub(super) fn draft_of(&self, record: VolumeRecord, mounts: bool) -> Result<Draft<'s>, Error> {
        let made = |source| failed("create", record.name.as_str(), source);
        let staging = Staging::begin_unnamed(self.store)?;
        staging.dir().make_dir(DATA, 0o755).map_err(made)?;
        staging.dir().chmod(DATA, 0o755).map_err(made)?;
        super::owner::apply(staging.dir(), record.owner).map_err(made)?;
        super::listing::mark(staging.dir(), &record.driver).map_err(made)?;
        if mounts {
            let lock = staging.dir().create_file(mounting::LOCK, 0o600);
            drop(lock.map_err(made)?);
        }
        let data = staging.dir().open_dir(DATA).map_err(made)?;
        Ok(Draft {
            data,
            staging,
            record,
        })
    }

    /// Gives a draft its name, durably; `None` where somebody else has that name.
    ///
    /// The files in it are made durable first where the draft was filled.
    pub fn publish(&self, draft: Draft<'s>) -> Result<Option<Volume>, Error> {
        let Draft {
            staging, record, ..
        } = draft;
        let name = record.name.as_str();
        let made = |source| failed("create", name, source);
        record::replace(
            self.store,
            staging.dir(),
            RECORD,
            &record,
            Durability::Synced,
        )?;
        let published = staging.publish(self.dir, name)?;
        sync::directory(self.dir).map_err(made)?;
        let mountpoint = self.mountpoint(&record.name);
        Ok(published.map(|_| Volume { record, mountpoint }))
    }
}

fn opened(record: VolumeRecord, lease: Claim) -> Result<OpenVolume, Error> {
    let name = record.name.as_str();
    populate::finish(lease.dir(), name)?;
    let data = lease.dir().open_dir(DATA);
    let data = data.map_err(|source| failed("open", name, source))?;
    Ok(OpenVolume {
        record,
        data,
        lease,
        admission: None,
    })
}

impl OpenVolume {
    /// The volume's own directory.
    pub fn dir(&self) -> &Dir {
        self.lease.dir()
    }

    /// Makes everything in it durable.
    pub fn sync(&self) -> Result<(), Error> {
        let failed = |source| failed("sync", self.record.name.as_str(), source);
        sync::file_system(&self.data).map_err(failed)
    }

    /// Keeps its place among the users until it is closed.
    pub fn keep(&mut self, admission: Admission) {
        self.admission = Some(admission);
    }
}

impl Draft<'_> {
    /// What it will be.
    pub fn record(&self) -> &VolumeRecord {
        &self.record
    }

    /// The same data under another description: what an archive says of it is known late. Driver
    /// options are left out: they would mount something over the data.
    pub fn described(self, wanted: NewVolume) -> Result<Self, Error> {
        let mut record = self.record;
        record.name = check(&wanted)?;
        let NewVolume {
            mut labels,
            description,
            sharing,
            ..
        } = wanted;
        // It has a name now.
        labels.remove(ANONYMOUS_LABEL);
        record.labels = Some(labels).filter(|labels| !labels.is_empty());
        record.description = description;
        record.sharing = sharing.unwrap_or_default();
        Ok(Self { record, ..self })
    }

    /// Makes everything in it durable.
    pub fn sync(&self) -> Result<(), Error> {
        sync::file_system(&self.data).map_err(|source| self.failed(source))
    }

    /// Gives the draft's data to a volume that nobody else uses, in one step. What the volume had
    /// goes.
    pub fn replace_data_of(self, volume: &OpenVolume) -> Result<(), Error> {
        let into = volume.lease.dir();
        self.staging
            .dir()
            .exchange(DATA, into, DATA)
            .and_then(|()| sync::directory(into))
            .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: crate::sys::SysError) -> Error {
        failed("fill", self.record.name.as_str(), source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Place, Store};

    fn named(name: &str) -> NewVolume {
        NewVolume {
            name: Some(name.parse().unwrap()),
            ..NewVolume::default()
        }
    }

    #[test]
    fn a_draft_is_seen_by_nobody_until_it_is_published() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        let draft = volumes.draft(named("data")).unwrap();
        draft.data.create_file("f", 0o600).unwrap();
        assert!(volumes.list().unwrap().is_empty());
        volumes.publish(draft).unwrap().unwrap();
        let volume = volumes.open_volume("data").unwrap();
        assert_eq!(volume.data.entries().unwrap(), ["f"]);
        let second = volumes.draft(named("data")).unwrap();
        assert!(volumes.publish(second).unwrap().is_none());
        let tmp = store.open_dir(Place::Tmp).unwrap();
        assert!(tmp.entries().unwrap().is_empty());
    }

    #[test]
    fn data_is_replaced_whole_and_only_where_nobody_looks() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        volumes.create(named("data")).unwrap();
        let user = volumes.open_volume("data").unwrap();
        user.data.create_file("old", 0o600).unwrap();
        let busy = volumes.open_alone("data");
        assert!(matches!(busy, Err(Error::Busy { .. })));
        drop(user);
        let alone = volumes.open_alone("data").unwrap();
        let draft = volumes.draft(named("data")).unwrap();
        draft.data.create_file("new", 0o600).unwrap();
        draft.replace_data_of(&alone).unwrap();
        drop(alone);
        let volume = volumes.open_volume("data").unwrap();
        assert_eq!(volume.data.entries().unwrap(), ["new"]);
        let tmp = store.open_dir(Place::Tmp).unwrap();
        assert!(tmp.entries().unwrap().is_empty());
    }
}
