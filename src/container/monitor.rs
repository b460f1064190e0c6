//! `Monitor`: the health check of a program that runs, inside its supervisor's loop.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::Instant,
};

use super::{ContainerRecord, Engine, HealthResult, health::Schedule, probe::Probe, told};
use crate::{
    cgroup::Group,
    ident::Timestamp,
    process::{Console, ExecSpec},
    store::{Durability, record},
    sys::{Dir, memory},
};

pub(super) const HEALTH: &str = "health.json";

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Monitor<'e> {
    engine: &'e Engine,
    dir: Dir,
    /// Process 1.
    container: OwnedFd,
    record: ContainerRecord,
    spec: ExecSpec,
    schedule: Schedule,
    probe: Option<Probe>,
    /// The container was frozen while the probe ran: it says nothing.
    spoiled: bool,
}

impl<'e> Monitor<'e> {
    /// For a program that runs by now; `None` where nobody asked for it.
    pub(super) fn new(
        engine: &'e Engine,
        record: &ContainerRecord,
        (dir, container): (&Dir, BorrowedFd<'_>),
    ) -> Option<Self> {
        let check = record.health.as_ref()?;
        Some(Self {
            engine,
            record: record.clone(),
            spec: ExecSpec {
                args: record.probe()?,
                env: record.env.clone(),
                cwd: record.cwd.clone(),
                user: record.user.clone(),
                console: Console::Pipes { stdin: false },
                rights: record.security.rights(),
                ulimits: record.ulimits.clone(),
            },
            dir: dir.try_clone().ok()?,
            container: container.try_clone_to_owned().ok()?,
            schedule: Schedule::new(check, Instant::now()),
            probe: None,
            spoiled: false,
        })
    }

    pub(super) fn sources(&self) -> Vec<BorrowedFd<'_>> {
        self.probe.iter().flat_map(Probe::sources).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.probe {
            Some(probe) => probe.deadline(),
            None => Some(self.schedule.due()),
        }
    }

    /// Something is ready or due. `frozen` looks whether the container is.
    pub(super) fn wake(&mut self, group: Option<&Group>, frozen: impl Fn() -> bool) {
        let now = Instant::now();
        let Some(probe) = &mut self.probe else {
            if self.schedule.due() <= now {
                if frozen() {
                    self.schedule.postpone(now);
                } else {
                    self.begin(group);
                }
            }
            return;
        };
        if let Some(result) = probe.advance() {
            let began = probe.began();
            self.probe = None;
            if self.spoiled {
                self.schedule.postpone(now);
            } else {
                self.take(result, began);
            }
            make_small();
        } else if probe.deadline().is_some_and(|deadline| deadline <= now) {
            self.spoiled = frozen();
            probe.kill(group);
        }
    }

    fn begin(&mut self, group: Option<&Group>) {
        let (start, began) = (Timestamp::now(), Instant::now());
        self.spoiled = false;
        let timeout = self.schedule.timeout();
        match Probe::begin((self.container.as_fd(), group), &self.spec, timeout) {
            Ok(probe) => self.probe = Some(probe),
            Err(error) => {
                let result = HealthResult {
                    start,
                    end: Timestamp::now(),
                    exit_code: -1,
                    output: told::line(&error),
                };
                self.take(result, began);
            }
        }
        make_small();
    }

    fn take(&mut self, result: HealthResult, began: Instant) {
        let before = self.schedule.health().status;
        self.schedule.take(result, began, Instant::now());
        let now = self.schedule.health().status;
        if now != before {
            let action = format!("health_status: {}", now.word());
            self.engine.tell_container(&self.record, &action, &[]);
        }
        let (health, volatile) = (self.schedule.health(), Durability::Volatile);
        // A full store must not end the container; the next result is written whole again.
        record::replace(self.engine.store(), &self.dir, HEALTH, health, volatile).ok();
    }

    /// Ends a probe on the way; before process 1 is waited for, which the kernel keeps until all
    /// of its namespace are collected.
    pub(super) fn end(self, group: Option<&Group>) {
        if let Some(probe) = self.probe {
            probe.end(group);
        }
    }
}

/// A supervisor lives from probe to probe for days. It is only a courtesy.
fn make_small() {
    memory::forget_clean_pages().ok();
}
