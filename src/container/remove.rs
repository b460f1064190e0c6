//! Removing containers, and what killed supervisors left of them.

use std::{
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{Container, ContainerRecord, Engine, Error, State, Status, containers::CONFIG, keeper};
use crate::{
    cgroup,
    ident::ContainerId,
    store::{Graves, Lease, Place, Tried, record, sweep_now, try_lease},
    sys::process,
};

/// How to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removal {
    /// Kill it first.
    pub force: bool,
    /// Its anonymous volumes, too.
    pub volumes: bool,
}

/// How long to wait for somebody who reads it, such as an export.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a killed program may take to die.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    /// Removes a container; it stays removed, also over a power cut.
    pub fn remove_container(&self, text: &str, removal: Removal) -> Result<ContainerId, Error> {
        let id = self.remove_one(text, removal)?;
        self.store().sync_names(Place::Containers)?;
        if removal.volumes {
            self.store().sync_names(Place::Volumes)?;
        }
        Ok(id)
    }

    /// The same, and the caller syncs.
    pub(super) fn remove_one(&self, text: &str, removal: Removal) -> Result<ContainerId, Error> {
        let container = match self.container(text) {
            Err(Error::Damaged { id, .. }) => return self.remove_damaged(&id, removal),
            container => container?,
        };
        let record = &container.record;
        let refuse = |what, remedy: &str| Error::State {
            operation: format!("cannot remove container \"/{}\"", record.name),
            what,
            remedy: format!("{remedy} {0}, or cowshed rm -f {0}", record.name),
        };
        match container.status {
            Status::Created | Status::Exited => {}
            _ if removal.force => self.force_end(&container)?,
            Status::Running => {
                let what = "is running: stop the container before removing or force remove";
                return Err(refuse(what, "cowshed stop"));
            }
            Status::Paused => {
                let what = "is paused and must be unpaused first";
                return Err(refuse(what, "cowshed unpause"));
            }
            Status::Restarting => {
                let what = "is restarting: stop the container before removing or force remove";
                return Err(refuse(what, "cowshed stop"));
            }
        }
        self.remove_stopped(record, removal)?;
        Ok(container.record.id)
    }

    fn force_end(&self, container: &Container) -> Result<(), Error> {
        let kill = Some(Signal::SIGKILL as i32);
        match self.stop(container.record.id.as_str(), kill, Some(0)) {
            // `--rm`, and quicker than we.
            Err(Error::NotFound { .. }) => Ok(()),
            done => done.map(drop),
        }
    }

    /// Ends what killed supervisors left: programs that slipped their leash, `--rm` containers, and
    /// mounts of volumes.
    ///
    /// One that was never started and has no state was about to be: a `create` writes one.
    pub fn tidy(&self) -> Result<(), Error> {
        let ended = self.tidy_containers();
        // Their volumes are free by now.
        self.volumes()?.tidy()?;
        ended
    }

    /// Puts away what a command left that a signal ended a moment ago. What does not work the next command
    /// does.
    pub fn put_away(&self) {
        sweep_now(self.store()).ok();
        self.try_remove_orphans();
        self.tidy().ok();
    }

    fn tidy_containers(&self) -> Result<(), Error> {
        let removal = Removal {
            force: false,
            volumes: true,
        };
        let renamed = self.finish_volume_renaming();
        let mut groups = cgroup::children(self.hierarchies()?).unwrap_or_default();
        let (all, damaged) = self.all_containers()?;
        for one in &damaged {
            // One that cannot be read keeps nobody from tidying up after the others.
            self.tidy_damaged(one).ok();
        }
        for container in all {
            let Container {
                record,
                state,
                status,
                ..
            } = &container;
            if status.is_live() {
                self.end_orphan(record, state.as_ref());
            }
            if !status.is_live() && groups.iter().any(|id| id == record.id.as_str()) {
                self.clear_group(record);
                groups.retain(|id| id != record.id.as_str());
            }
            let over = match state {
                Some(state) => state.started.is_some() && *status == Status::Exited,
                None => !status.is_live(),
            };
            if record.auto_remove && over {
                self.remove_stopped(record, removal)?;
            }
        }
        renamed
    }

    /// Removes the control group of a container whose supervisor was killed, with all that is in
    /// it.
    fn clear_group(&self, record: &ContainerRecord) {
        // It may be starting at this moment.
        let free = self
            .containers_dir()
            .map(|dir| try_lease(dir, record.id.as_str()));
        if let (Ok(Ok(Tried::Got(_lease))), Ok(all)) = (free, self.hierarchies()) {
            keeper::clear(all, record.id.as_str()).ok();
        }
    }

    /// Kills a program whose supervisor is gone: a setuid program has no leash (prctl(2),
    /// `PR_SET_PDEATHSIG`).
    fn end_orphan(&self, record: &ContainerRecord, state: Option<&State>) {
        let Some(state) = state.filter(|state| state.is_alive()) else {
            return;
        };
        let supervised = self
            .containers_dir()
            .map(|dir| try_lease(dir, record.id.as_str()));
        let Ok(Ok(Tried::Got(_lease))) = supervised else {
            return;
        };
        // Opened first, looked at again then: the number cannot have changed hands in between.
        if let Ok(Some(pidfd)) = process::open_pidfd(state.pid)
            && state.is_alive()
        {
            process::send_signal(pidfd.as_fd(), Signal::SIGKILL as i32).ok();
            process::await_gone(pidfd.as_fd(), ORPHAN_PATIENCE).ok();
        }
    }

    /// Waits a moment for the lease: a lister holds it for microseconds, a supervisor whose
    /// container was killed until it has tidied up.
    pub(super) fn remove_stopped(
        &self,
        record: &ContainerRecord,
        removal: Removal,
    ) -> Result<(), Error> {
        let dir = self.containers_dir()?;
        let end = Instant::now() + PATIENCE;
        loop {
            match try_lease(dir, record.id.as_str())? {
                Tried::Got(lease) => {
                    // A supervisor that was killed a moment ago could not remove it.
                    keeper::clear(self.hierarchies()?, record.id.as_str())?;
                    return self.take_away(record, lease, removal.volumes);
                }
                Tried::Absent => return Ok(()),
                Tried::Busy if Instant::now() >= end => return Err(busy(&record.id)),
                Tried::Busy => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Removes a container that we hold: its directory, its name and, if wanted, its anonymous volumes.
    pub(super) fn take_away(
        &self,
        record: &ContainerRecord,
        lease: Lease,
        volumes: bool,
    ) -> Result<(), Error> {
        let mut graves = Graves::new(self.store())?;
        // The lease is ours until the directory is out of sight.
        graves.bury(self.containers_dir()?, record.id.as_str())?;
        // Nobody gives it another name from now on; somebody may have, since its record was read.
        let now: Option<ContainerRecord> = record::find(&lease.dir, CONFIG).unwrap_or_default();
        drop(lease);
        let names = [Some(record), now.as_ref()].into_iter().flatten();
        for named in names.filter(|named| named.name_chosen) {
            self.release_name(&named.name, &record.id)?;
        }
        self.tell_container(record, "destroy", &[]);
        if volumes {
            self.remove_anonymous(record)?;
        }
        // Last: a disk that does not let it go must not keep its name and its volumes.
        graves.empty()?;
        // The last one that needed the layers of an image that was removed by force.
        if !self.has_image(&record.image_id)? {
            self.try_remove_orphans();
        }
        Ok(())
    }

    /// Removes the anonymous volumes of a container that is gone; one that another container uses
    /// is left, quietly (semantics 34).
    pub(super) fn remove_anonymous(&self, record: &ContainerRecord) -> Result<(), Error> {
        let own = record.mounts.iter().filter(|mount| mount.anonymous);
        let names: Vec<_> = own.filter_map(|mount| mount.volume.as_ref()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let volumes = self.volumes()?;
        let mut claimed = Vec::new();
        for name in names {
            if let Tried::Got(lease) = volumes.try_claim(name)? {
                claimed.push((name, lease));
            }
        }
        // When they are ours: nobody comes to use one of them after we have looked.
        let others = match self.containers() {
            // It may use them, too: they stay, and prune shows them.
            Err(Error::Damaged { .. }) => return Ok(()),
            others => others?,
        };
        for (name, lease) in claimed {
            let used = others
                .iter()
                .any(|other| other.record.volumes().any(|used| used == name));
            if used {
                continue;
            }
            match volumes.remove_claimed(name, &lease) {
                // Only the local driver makes anonymous ones.
                Ok(()) => self.tell_volume("destroy", name, "local"),
                Err(crate::volume::Error::Protected { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

pub(super) fn busy(id: &ContainerId) -> Error {
    Error::State {
        operation: format!("remove container {}", id.short()),
        what: "is held by another command",
        remedy: "try again in a moment".to_owned(),
    }
}
