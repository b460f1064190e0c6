//! Finding, listing and removing containers.

use std::{ffi::OsStr, time::Duration};

use super::{ContainerRecord, Engine, Error, State};
use crate::{
    ident::{ContainerId, ContainerName},
    mount::Overlay,
    rootfs::{self, Change},
    store::{Durability, Lease, Place, Tried, record, try_lease},
    sys::{Dir, SysError, lock::Lock},
};

pub(super) const CONFIG: &str = "config.json";
pub(super) const STATE: &str = "state.json";

/// Whether a container runs; derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Never started.
    Created,
    /// Somebody holds its lease.
    Running,
    /// Ended.
    Exited,
}

impl Status {
    /// Docker's word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Exited => "exited",
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
}

/// How to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removal {
    /// Kill it first.
    pub force: bool,
    /// Its anonymous volumes, too.
    pub volumes: bool,
}

impl Engine {
    pub(super) fn containers_dir(&self) -> Result<&Dir, Error> {
        Ok(self.store().open_dir(Place::Containers)?)
    }

    /// All containers, newest first.
    pub fn containers(&self) -> Result<Vec<Container>, Error> {
        let dir = self.containers_dir()?;
        let ids = ids_in(dir)?;
        let found = ids.iter().map(|id| Self::read_container(dir, id));
        let mut all: Vec<_> = found
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        all.sort_by_key(|container| std::cmp::Reverse(container.record.created));
        Ok(all)
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
            return Self::read_container(dir, &id)?.ok_or_else(missing);
        }
        // A made-up name is reserved nowhere.
        let all = self.containers()?;
        all.into_iter()
            .find(|one| one.record.name.as_str() == text)
            .ok_or_else(missing)
    }

    /// `None` where it is being removed at this moment.
    fn read_container(dir: &Dir, id: &ContainerId) -> Result<Option<Container>, Error> {
        let own = match dir.open_dir(id.as_str()) {
            Ok(own) => own,
            Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => return Ok(None),
            // Its layers are not garbage because it cannot be read.
            Err(source) => return Err(failed("open container", source)),
        };
        let damaged = |source| Error::Damaged {
            id: id.clone(),
            source,
        };
        let Some(record) = record::find(&own, CONFIG).map_err(damaged)? else {
            return Ok(None);
        };
        let state: Option<State> = record::find(&own, STATE).map_err(damaged)?;
        let lock = Lock::try_shared(own.into_fd().into());
        let free = lock
            .map_err(|source| failed("look at lease", source))?
            .is_some();
        // A program can slip its leash (it is gone after executing a setuid file): it runs as long as
        // its process does.
        let free = free && !state.as_ref().is_some_and(State::is_alive);
        let status = match (&state, free) {
            (_, false) => Status::Running,
            (Some(state), true) if state.started.is_some() => Status::Exited,
            (_, true) => Status::Created,
        };
        let state = state.map(|state| if free { settled(state) } else { state });
        Ok(Some(Container {
            record,
            state,
            status,
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

    /// Removes a container.
    pub fn remove_container(&self, text: &str, removal: Removal) -> Result<ContainerId, Error> {
        let container = match self.container(text) {
            Err(Error::Damaged { id, .. }) if id.as_str().starts_with(text) => {
                return self.remove_damaged(&id);
            }
            container => container?,
        };
        let Container {
            record,
            state,
            status,
        } = &container;
        if *status == Status::Running {
            if !removal.force {
                return Err(Error::Running {
                    name: record.name.to_string(),
                });
            }
            if let Some(state) = state.as_ref().filter(|state| state.is_alive()) {
                crate::sys::process::kill(state.pid);
            }
        }
        self.remove_stopped(record, removal)?;
        Ok(container.record.id)
    }

    /// What is left of a container whose record says nothing any more; nobody can hold on to it.
    fn remove_damaged(&self, id: &ContainerId) -> Result<ContainerId, Error> {
        let dir = self.containers_dir()?;
        match try_lease(dir, id.as_str())? {
            Tried::Got(_lease) => self.store().discard(dir, id.as_str())?,
            Tried::Absent => {}
            Tried::Busy => {
                return Err(Error::Running {
                    name: id.short().to_owned(),
                });
            }
        }
        Ok(id.clone())
    }

    /// Removes `--rm` containers whose supervisor was killed before it could.
    ///
    /// There is no `create` yet, so one that never started was being started, too.
    pub fn tidy(&self) -> Result<(), Error> {
        let left = |one: &Container| one.record.auto_remove && one.status != Status::Running;
        let removal = Removal {
            force: false,
            volumes: true,
        };
        for container in self.containers()?.iter().filter(|one| left(one)) {
            self.remove_stopped(&container.record, removal)?;
        }
        Ok(())
    }

    /// Waits a moment for the lease: a lister holds it for microseconds, a supervisor whose
    /// container was killed until it has tidied up.
    fn remove_stopped(&self, record: &ContainerRecord, removal: Removal) -> Result<(), Error> {
        let dir = self.containers_dir()?;
        for _ in 0..RETRIES {
            match try_lease(dir, record.id.as_str())? {
                Tried::Got(lease) => return self.take_away(record, lease, removal.volumes),
                Tried::Absent => return Ok(()),
                Tried::Busy => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        Err(Error::Running {
            name: record.name.to_string(),
        })
    }

    /// Removes a container that we hold: its directory, its name and, if wanted, its anonymous volumes.
    pub(super) fn take_away(
        &self,
        record: &ContainerRecord,
        lease: Lease,
        volumes: bool,
    ) -> Result<(), Error> {
        let dir = self.containers_dir()?;
        // The lease is ours until the directory is out of sight.
        self.store().discard(dir, record.id.as_str())?;
        drop(lease);
        if record.name_chosen {
            self.release_name(&record.name, &record.id)?;
        }
        if volumes {
            self.remove_anonymous(record)?;
        }
        Ok(())
    }

    /// Removes the anonymous volumes of a container that is gone; one that another container uses
    /// is left, quietly (semantics 34).
    fn remove_anonymous(&self, record: &ContainerRecord) -> Result<(), Error> {
        let own = record.mounts.iter().filter(|mount| mount.anonymous);
        let names: Vec<_> = own.filter_map(|mount| mount.volume.as_ref()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let others = self.containers()?;
        let volumes = self.volumes()?;
        for name in names {
            let used = others
                .iter()
                .any(|other| other.record.volumes().any(|used| used == name));
            if used {
                continue;
            }
            match volumes.remove(name) {
                // Only the local driver makes anonymous ones.
                Ok(()) => self.tell_volume("destroy", name, "local"),
                Err(crate::volume::Error::InUse { .. } | crate::volume::Error::NotFound { .. }) => {
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What a container changed in its root, parents before children.
    pub fn diff(&self, text: &str) -> Result<Vec<Change>, Error> {
        let record = self.container(text)?.record;
        let snapshot = rootfs::prepare(self.store(), &record.chains, &record.id)?;
        Ok(rootfs::diff(&snapshot)?)
    }

    /// The overlay of a container.
    pub fn overlay_of(&self, record: &ContainerRecord) -> Result<Overlay, Error> {
        Ok(rootfs::prepare(self.store(), &record.chains, &record.id)?.overlay)
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

/// 2 s in all.
const RETRIES: usize = 1000;

/// What a supervisor that was killed could not write any more.
fn settled(state: State) -> State {
    if state.finished.is_some() || state.started.is_none() {
        return state;
    }
    let error = "its supervisor was killed".to_owned();
    State {
        pid: 0,
        exit_code: 137,
        error,
        ..state
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
