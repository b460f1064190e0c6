//! Finding and listing containers.

use std::ffi::OsStr;

use super::{ContainerRecord, Engine, Error, Health, State, monitor::HEALTH};
use crate::{
    ident::{ContainerId, ContainerName},
    mount::Overlay,
    rootfs::{self, Change, Snapshot},
    store::{self, Durability, Place, Tried, record, try_lease},
    sys::{Dir, SysError, lock::Lock},
};

pub(super) const CONFIG: &str = "config.json";
pub(super) const STATE: &str = "state.json";

/// Whether a container runs; derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Never started.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// It waits for its next start.
    Restarting,
    /// Ended.
    Exited,
}

impl Status {
    /// Docker's word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Exited => "exited",
        }
    }

    /// Whether a supervisor keeps it.
    pub fn is_live(self) -> bool {
        match self {
            Status::Running | Status::Paused | Status::Restarting => true,
            Status::Created | Status::Exited => false,
        }
    }
}

/// A container as it is now.
#[derive(Debug, Clone)]
pub struct Container {
    /// What it is.
    pub record: ContainerRecord,
    /// What happened to it.
    pub state: Option<State>,
    /// Whether it runs.
    pub status: Status,
    /// Whether it works; `None` without a check, and before the first start.
    pub health: Option<Health>,
}

impl Engine {
    pub(super) fn containers_dir(&self) -> Result<&Dir, Error> {
        Ok(self.store().open_dir(Place::Containers)?)
    }

    /// All containers, newest first.
    ///
    /// # Errors
    ///
    /// One cannot be read: for whoever must not miss any. [`Engine::all_containers`] goes on.
    pub fn containers(&self) -> Result<Vec<Container>, Error> {
        let mut all = self
            .each_container()?
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        all.sort_by_key(|container| std::cmp::Reverse(container.record.created));
        Ok(all)
    }

    pub(super) fn each_container(&self) -> Result<Vec<Result<Container, Error>>, Error> {
        let dir = self.containers_dir()?;
        let ids = ids_in(dir)?;
        let found = ids.iter().map(|id| self.read_container(dir, id));
        Ok(found.filter_map(Result::transpose).collect())
    }

    /// Finds one by name, id or prefix of an id.
    pub fn container(&self, text: &str) -> Result<Container, Error> {
        let missing = || Error::NotFound {
            name: text.to_owned(),
        };
        let dir = self.containers_dir()?;
        let by_name = text
            .parse()
            .ok()
            .map(|name| self.holder_of(&name))
            .transpose()?
            .flatten();
        let id = match by_name {
            Some(id) => Some(id),
            None => find_prefix(dir, text)?,
        };
        if let Some(id) = id {
            return self.read_container(dir, &id)?.ok_or_else(missing);
        }
        // A made-up name is reserved nowhere.
        let (all, _damaged) = self.all_containers()?;
        all.into_iter()
            .find(|one| one.record.name.as_str() == text)
            .ok_or_else(missing)
    }

    /// `None` where it is being removed at this moment.
    fn read_container(&self, dir: &Dir, id: &ContainerId) -> Result<Option<Container>, Error> {
        let own = match dir.open_dir(id.as_str()) {
            Ok(own) => own,
            // A file of such a name is no container.
            Err(error)
                if matches!(
                    error.errno(),
                    Some(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR)
                ) =>
            {
                return Ok(None);
            }
            // Its layers are not garbage because it cannot be read.
            Err(source) => return Err(failed("open container", source)),
        };
        let damaged = |source| Error::Damaged {
            id: id.clone(),
            source,
        };
        let record: Option<ContainerRecord> = record::find(&own, CONFIG).map_err(damaged)?;
        let Some(record) = record else {
            return if self.exists(Place::Containers, id)? {
                let source = SysError::new("openat", CONFIG, nix::errno::Errno::ENOENT);
                let name = CONFIG.to_owned();
                Err(damaged(store::Error::Read { name, source }))
            } else {
                Ok(None)
            };
        };
        let state = match record::find(&own, STATE) {
            // It is not synced, so that a power cut can take it; it runs no more then.
            Err(error) if error.is_damage() => Some(State::lost(&record)),
            state => state.map_err(damaged)?,
        };
        // One that cannot be read is from before a crash: the next result takes its place.
        let recorded = record.probe().map(|_| record::find(&own, HEALTH));
        let recorded: Option<Health> = recorded.and_then(|found| found.ok().flatten());
        let lock = Lock::try_shared(own.into_fd().into());
        let free = lock
            .map_err(|source| failed("look at lease", source))?
            .is_some();
        // A program can slip its leash (it is gone after executing a setuid file): it runs as long as
        // its process does.
        let free = free && !state.as_ref().is_some_and(State::is_alive);
        let status = match (&state, free) {
            (Some(state), false) if state.restarting => Status::Restarting,
            (_, false) if self.is_paused(&record) => Status::Paused,
            (_, false) => Status::Running,
            (Some(state), true) if state.started.is_some() => Status::Exited,
            (_, true) => Status::Created,
        };
        let state = state.map(|state| if free { state.settled() } else { state });
        let ran = state.as_ref().is_some_and(|state| state.started.is_some());
        let health = Health::of(&record, (status, ran), recorded);
        Ok(Some(Container {
            record,
            state,
            status,
            health,
        }))
    }

    /// Who has a name.
    pub(super) fn holder_of(&self, name: &ContainerName) -> Result<Option<ContainerId>, Error> {
        let names = self.store().open_dir(Place::ContainerNames)?;
        match names.read_symlink(name.as_str()) {
            Ok(target) => {
                let last = std::path::Path::new(&target)
                    .file_name()
                    .and_then(OsStr::to_str);
                Ok(last.and_then(|id| id.parse().ok()))
            }
            Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => Ok(None),
            Err(source) => Err(failed("look up name", source)),
        }
    }

    /// Reserves a name; one whose holder is gone is taken over.
    pub(super) fn claim_name(&self, name: &ContainerName, id: &ContainerId) -> Result<(), Error> {
        let names = self.store().open_dir(Place::ContainerNames)?;
        let target = format!("../{id}");
        loop {
            match names.make_symlink(OsStr::new(&target), name.as_str()) {
                Ok(()) => return Ok(()),
                Err(error) if error.errno() == Some(nix::errno::Errno::EEXIST) => {}
                Err(source) => return Err(failed("claim name", source)),
            }
            let Some(holder) = self.holder_of(name)? else {
                continue;
            };
            // In the order in which it moves: born in tmp, and alive there only while it is locked.
            let tmp = self.store().open_dir(Place::Tmp)?;
            let alive = matches!(try_lease(tmp, holder.as_str())?, Tried::Busy)
                || self.exists(Place::Containers, &holder)?;
            if alive {
                return Err(Error::NameTaken {
                    name: name.to_string(),
                    holder: holder.to_string(),
                });
            }
            self.release_name(name, &holder)?;
        }
    }

    fn exists(&self, place: Place, id: &ContainerId) -> Result<bool, Error> {
        let found = self.store().open_dir(place)?.find(id.as_str());
        Ok(found
            .map_err(|source| failed("look up container", source))?
            .is_some())
    }

    /// Gives a name back, unless somebody else has it by now.
    pub(super) fn release_name(&self, name: &ContainerName, id: &ContainerId) -> Result<(), Error> {
        if self.holder_of(name)?.as_ref() == Some(id) {
            self.store()
                .open_dir(Place::ContainerNames)?
                .remove_file(name.as_str())
                .ok();
        }
        Ok(())
    }

    /// What a container changed in its root, parents before children.
    pub fn diff(&self, text: &str) -> Result<Vec<Change>, Error> {
        let Container { record, status, .. } = self.container(text)?;
        if status.is_live() {
            super::unkept::refuse_ephemeral("list changes of", &record)?;
        }
        let snapshot = self.snapshot(&record)?;
        let changes = rootfs::diff(&snapshot).map_err(Error::from);
        self.unless_removed((text, &record.id), changes)
    }

    /// What failed because the container was removed meanwhile is told as that.
    pub(super) fn unless_removed<T>(
        &self,
        (text, id): (&str, &ContainerId),
        done: Result<T, Error>,
    ) -> Result<T, Error> {
        if done.is_err() {
            self.must_be_there((text, id))?;
        }
        done
    }

    /// Whoever has read a container that is gone now has not seen the whole of it.
    pub(super) fn must_be_there(&self, (text, id): (&str, &ContainerId)) -> Result<(), Error> {
        if self.exists(Place::Containers, id)? {
            return Ok(());
        }
        let name = text.to_owned();
        Err(Error::NotFound { name })
    }

    /// A container's root.
    pub(super) fn snapshot(&self, record: &ContainerRecord) -> Result<Snapshot, Error> {
        let snapshot = rootfs::prepare(self.store(), &record.chains, &record.id)?;
        Ok(snapshot.with_options(record.union))
    }

    /// The overlay of a container.
    pub fn overlay_of(&self, record: &ContainerRecord) -> Result<Overlay, Error> {
        Ok(self.snapshot(record)?.overlay)
    }

    /// Replaces a container's state.
    pub(super) fn write_state(&self, container: &Dir, state: &State) -> Result<(), Error> {
        let volatile = Durability::Volatile;
        Ok(record::replace(
            self.store(),
            container,
            STATE,
            state,
            volatile,
        )?)
    }
}

/// What else lies in the directory is no container.
fn ids_in(dir: &Dir) -> Result<Vec<ContainerId>, Error> {
    let names = dir
        .entries()
        .map_err(|source| failed("list containers", source))?;
    let ids = names.iter().filter_map(|name| name.to_str()?.parse().ok());
    Ok(ids.collect())
}

fn find_prefix(dir: &Dir, prefix: &str) -> Result<Option<ContainerId>, Error> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if prefix.is_empty() || !prefix.bytes().all(hex) {
        return Ok(None);
    }
    let mut fitting = ids_in(dir)?;
    fitting.retain(|id| id.as_str().starts_with(prefix));
    match fitting.len() {
        0 | 1 => Ok(fitting.pop()),
        count => Err(Error::Ambiguous {
            prefix: prefix.to_owned(),
            count,
        }),
    }
}

pub(super) fn failed(what: &str, source: SysError) -> Error {
    Error::System {
        what: what.to_owned(),
        source,
    }
}
