//! `House`: what a supervisor's loop needs of a container beside its process: its log and its
//! control group and its health check.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    time::Instant,
};

use nix::sys::signal::Signal::SIGKILL;

use super::{
    ContainerRecord, Engine, Error,
    monitor::{HEALTH, Monitor},
};
use crate::{
    cgroup::{self, Group, Hierarchies},
    control::{Keeper, StopRequest},
    ident::Timestamp,
    log::{Stream, Writer},
    process::Running,
    store::Lease,
    sys::{Dir, SysError, process},
};

/// See the head of this file.
#[derive(Debug)]
pub(super) struct House<'e> {
    engine: &'e Engine,
    stop: StopRequest,
    log: Option<Writer>,
    group: Option<Group>,
    /// Of the container, where it has a health check.
    checked: Option<Dir>,
    monitor: Option<Monitor<'e>>,
}

impl<'e> House<'e> {
    pub(super) fn new(engine: &'e Engine, record: &ContainerRecord, lease: &Lease) -> Self {
        // Opened anew: a duplicate would hold the lease when it is given back.
        let dir = lease.dir.reopen().ok();
        Self {
            engine,
            stop: record.stop_request(),
            log: dir.and_then(|dir| Writer::new(dir, &record.log)),
            group: None,
            checked: record.probe().and_then(|_| lease.dir.reopen().ok()),
            monitor: None,
        }
    }

    /// Makes what the next run of the program needs.
    pub(super) fn begin(&mut self, record: &ContainerRecord) -> Result<Option<&Group>, Error> {
        self.forget_health();
        let hierarchies = Hierarchies::detect_for(&record.limits)?;
        let id = record.id.as_str();
        let group = match Group::create(&hierarchies, id, &record.limits) {
            // We hold the lease: whoever made it was killed.
            Err(cgroup::Error::Exists { .. }) => {
                clear(self.engine.hierarchies()?, id)?;
                Group::create(&hierarchies, id, &record.limits)
            }
            made => made,
        };
        self.group = Some(group?);
        Ok(self.group.as_ref())
    }

    /// The program runs.
    pub(super) fn started(&mut self, record: &ContainerRecord, running: &Running) {
        let dir = self.checked.as_ref();
        let pidfd = running.pidfd.as_fd();
        self.monitor = dir.and_then(|dir| Monitor::new(self.engine, record, (dir, pidfd)));
        for note in &running.notes {
            self.engine.remark(note);
        }
        self.engine.tell_use("mount", record);
        self.engine.tell_container(record, "start", &[]);
    }

    /// The program has ended; whether for want of memory.
    pub(super) fn ended(&mut self) -> bool {
        if let Some(log) = &mut self.log {
            log.flush(Timestamp::now());
        }
        self.end_probe();
        self.forget_health();
        let Some(group) = self.group.take() else {
            return false;
        };
        let oom_killed = group.oom_kills().is_ok_and(|count| count > 0);
        // In version 1 `pause` may have put it into the freezer as well; in any, somebody may have
        // slipped out of the pid namespace.
        if group.unified_fd().is_none() || group.remove().is_err() {
            let all = self.engine.hierarchies();
            all.and_then(|all| Ok(clear(all, group.id())?)).ok();
        }
        oom_killed
    }

    /// Looks no longer whether the program works.
    pub(super) fn end_probe(&mut self) {
        if let Some(monitor) = self.monitor.take() {
            monitor.end(self.group.as_ref());
        }
    }

    /// What was found is about a run that is over.
    fn forget_health(&self) {
        if let Some(dir) = &self.checked {
            dir.remove_file(HEALTH).ok();
        }
    }

    /// The group in every hierarchy, with those that `pause` has put it into.
    fn whole_group(&self) -> Option<Group> {
        let own = self.group.as_ref()?;
        Group::open(self.engine.hierarchies().ok()?, own.id()).ok()
    }
}

/// Ends what is left of a container whose lease we hold, and removes its group.
pub(super) fn clear(hierarchies: &Hierarchies, id: &str) -> Result<(), cgroup::Error> {
    match Group::open(hierarchies, id) {
        Ok(group) => {
            group.kill_all()?;
            group.remove()
        }
        Err(cgroup::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Keeper for House<'_> {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.write(stream, bytes, Timestamp::now());
        }
    }

    fn signal(&mut self, pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), SysError> {
        process::send_signal(pidfd, signal)?;
        // What shall end it must not wait in the freezer.
        if (signal == SIGKILL as i32 || signal == self.stop.signal)
            && let Some(group) = self.whole_group()
            && group.is_frozen().unwrap_or(true)
        {
            group.thaw().ok();
        }
        Ok(())
    }

    fn farewell(&self) -> StopRequest {
        self.stop
    }

    fn sources(&self) -> Vec<BorrowedFd<'_>> {
        self.monitor.as_ref().map_or(Vec::new(), Monitor::sources)
    }

    fn deadline(&self) -> Option<Instant> {
        self.monitor.as_ref().and_then(Monitor::deadline)
    }

    fn wake(&mut self) {
        let Some(mut monitor) = self.monitor.take() else {
            return;
        };
        let frozen = || {
            let group = self.whole_group();
            group.is_some_and(|group| group.is_frozen().unwrap_or(false))
        };
        monitor.wake(self.group.as_ref(), frozen);
        self.monitor = Some(monitor);
    }
}
