//! Freezing a container's processes and letting them go on.

use std::time::Duration;

use super::{ContainerRecord, Engine, Error, Status};
use crate::{
    cgroup::{self, Group, Hierarchies},
    ident::ContainerId,
};

pub(super) const NO_FREEZER: &str = "is in no control group: this machine has no freezer";

/// 0.2 s in all: an end takes less.
const RETRIES: usize = 100;

impl Engine {
    /// The control groups of this machine, looked up once.
    pub(super) fn hierarchies(&self) -> Result<&Hierarchies, Error> {
        let cell = self.lazy_hierarchies();
        if let Some(found) = cell.get() {
            return Ok(found);
        }
        let found = Hierarchies::detect()?;
        Ok(cell.get_or_init(|| found))
    }

    /// The control group of a container; `None` where it has none.
    pub fn group_of(&self, record: &ContainerRecord) -> Result<Option<Group>, Error> {
        match Group::open(self.hierarchies()?, record.id.as_str()) {
            Ok(group) => Ok(Some(group)),
            Err(cgroup::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Freezes a container. Docker's texts.
    pub fn pause(&self, text: &str) -> Result<ContainerId, Error> {
        let container = self.container(text)?;
        let record = container.record;
        let refuse = |what, remedy| Error::State {
            operation: format!("pause container {}", record.name),
            what,
            remedy,
        };
        match container.status {
            Status::Running => {}
            Status::Paused => {
                let remedy = format!("cowshed unpause {}", record.name);
                return Err(refuse("is already paused", remedy));
            }
            Status::Restarting => {
                let remedy = "wait until it is running".to_owned();
                return Err(refuse(
                    "is restarting, wait until the container is running",
                    remedy,
                ));
            }
            Status::Created | Status::Exited => {
                return Err(refuse(
                    "is not running",
                    format!("cowshed start {}", record.name),
                ));
            }
        }
        let Some(frozen) = self.freeze(&record)? else {
            if !self.container(record.id.as_str())?.status.is_live() {
                let remedy = format!("cowshed start {}", record.name);
                return Err(refuse("is not running", remedy));
            }
            let remedy = "mount a cgroup v2, or the freezer of version 1".to_owned();
            return Err(refuse(NO_FREEZER, remedy));
        };
        frozen?;
        self.tell_container(&record, "pause", &[]);
        Ok(record.id)
    }

    /// `None` where it has no group, or has ended. Whoever is about to end has given back its group
    /// and not yet its lease.
    fn freeze(&self, record: &ContainerRecord) -> Result<Option<Result<(), Error>>, Error> {
        let mut frozen = None;
        for _ in 0..RETRIES {
            frozen = match self.group_of(record)?.map(|mut group| group.freeze()) {
                Some(Ok(())) => return Ok(Some(Ok(()))),
                frozen => frozen,
            };
            if !self.container(record.id.as_str())?.status.is_live() {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(frozen.map(|frozen| frozen.map_err(Error::from)))
    }

    /// Lets a frozen container go on. Docker's text.
    pub fn unpause(&self, text: &str) -> Result<ContainerId, Error> {
        let container = self.container(text)?;
        let record = container.record;
        let group = match container.status {
            Status::Paused => self.group_of(&record)?,
            Status::Created | Status::Running | Status::Restarting | Status::Exited => None,
        };
        let Some(group) = group else {
            return Err(Error::State {
                operation: format!("unpause container {}", record.name),
                what: "is not paused",
                remedy: "cowshed ps shows what is".to_owned(),
            });
        };
        group.thaw()?;
        self.tell_container(&record, "unpause", &[]);
        Ok(record.id)
    }

    /// Whether a container that runs is frozen.
    pub(super) fn is_paused(&self, record: &ContainerRecord) -> bool {
        let group = self.group_of(record).ok().flatten();
        group.is_some_and(|group| group.is_frozen().unwrap_or(false))
    }
}
