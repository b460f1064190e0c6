//! `House`: what a supervisor's loop needs of a container beside its process: its log and its
//! control group.

use std::os::fd::BorrowedFd;

use nix::sys::signal::Signal::SIGKILL;

use super::{ContainerRecord, Engine, Error};
use crate::{
    cgroup::{self, Group, Hierarchies},
    control::{Keeper, StopRequest},
    ident::Timestamp,
    log::{Stream, Writer},
    store::Lease,
    sys::{SysError, process},
};

/// See the head of this file.
#[derive(Debug)]
pub(super) struct House<'e> {
    engine: &'e Engine,
    stop: StopRequest,
    log: Option<Writer>,
    group: Option<Group>,
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
        }
    }

    /// Makes what the next run of the program needs.
    pub(super) fn begin(&mut self, record: &ContainerRecord) -> Result<Option<&Group>, Error> {
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
    pub(super) fn started(&mut self, record: &ContainerRecord, notes: &[String]) {
        for note in notes {
            self.engine.note(note);
        }
        self.engine.tell_use("mount", record);
        self.engine.tell_container(record, "start", &[]);
    }

    /// The program has ended; whether for want of memory.
    pub(super) fn ended(&mut self) -> bool {
        if let Some(log) = &mut self.log {
            log.flush(Timestamp::now());
        }
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
            && let Some(own) = &self.group
            && let Ok(all) = self.engine.hierarchies()
            && let Ok(group) = Group::open(all, own.id())
            && group.is_frozen().unwrap_or(true)
        {
            group.thaw().ok();
        }
        Ok(())
    }

    fn farewell(&self) -> StopRequest {
        self.stop
    }
}
