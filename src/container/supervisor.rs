//! The supervisor: a fork that holds the lease, keeps the process, records its ends, starts it
//! again, and tidies up.
//!
//! The same for the foreground and for `-d`: whoever looks at the container is a client at the
//! other end of a link (`control`). The lease is the running state; it goes when we die, and the
//! process goes with us (its leash, prctl(2)).

use std::time::{Duration, Instant};

use super::{
    ContainerRecord, Engine, Error, Explain, State, containers, create_volumes::Leases,
    keeper::House, restart, run, told,
};
use crate::{
    control::{Attach, Idle, Link, Listener, Pump, Reply},
    ident::Timestamp,
    process::Running,
    rootfs::Snapshot,
    store::{Lease, record},
    sys::process::{self, Ended},
    volume,
};

/// What a supervisor is given.
#[derive(Debug)]
pub(super) struct Job<'e> {
    pub(super) engine: &'e Engine,
    pub(super) record: ContainerRecord,
    pub(super) snapshot: Snapshot,
    pub(super) lease: Lease,
    /// Of its volumes, where it was made a moment ago.
    pub(super) volumes: Leases,
    /// The command that wants the start.
    pub(super) link: Link,
    /// What it wants of the streams.
    pub(super) attach: Attach,
}

/// Supervises until the container has ended for good. Runs in a fork; answers its exit code.
pub(super) fn supervise(job: Job<'_>, explain: &mut Explain<'_>) -> i32 {
    let prepared = explain.step(|| prepare(&job), |_| run::narrate_supervisor());
    let Job {
        engine,
        record,
        snapshot,
        lease,
        volumes,
        link,
        attach,
    } = job;
    let pump = match prepared {
        Ok(mut pump) => {
            pump.welcome(link, attach);
            pump
        }
        Err(error) => {
            // Nobody to talk through but the link itself.
            link.say(&Reply::Failed(told::pack(&error))).ok();
            return 125;
        }
    };
    let before: Option<State> = record::find(&lease.dir, containers::STATE).ok().flatten();
    let supervisor = Supervisor {
        house: House::new(engine, &record, &lease),
        engine,
        record,
        snapshot,
        lease,
        volumes,
        pump,
        state: State {
            restarts: 0,
            ..before.unwrap_or_default()
        },
        keeps_streams: explain.is_wanted() && attach.owner,
    };
    supervisor.run(explain)
}

fn prepare(job: &Job<'_>) -> Result<Pump, Error> {
    let failed = |source| containers::failed("begin supervision", source);
    process::new_session().map_err(failed)?;
    Ok(Pump::new(job.record.stdin_once)?)
}

struct Supervisor<'e> {
    engine: &'e Engine,
    record: ContainerRecord,
    snapshot: Snapshot,
    lease: Lease,
    /// Of its volumes, before the first start.
    volumes: Leases,
    pump: Pump,
    house: House<'e>,
    state: State,
    /// Somebody reads what we tell about our steps.
    keeps_streams: bool,
}

/// How a run of the program ended.
struct Run {
    code: i32,
    ran_for: Duration,
}

impl Supervisor<'_> {
    fn run(mut self, explain: &mut Explain<'_>) -> i32 {
        let mut delay = None;
        let mut first = true;
        loop {
            let run = match self.run_once(first, explain) {
                Ok(run) => run,
                Err(error) if first => return self.give_up(&error, explain),
                Err(error) => {
                    self.state.error = told::line(&error);
                    Run {
                        code: error.exit_code(),
                        ran_for: Duration::ZERO,
                    }
                }
            };
            first = false;
            let outcome = restart::Outcome {
                code: run.code,
                ran_for: run.ran_for,
                restarts: self.state.restarts,
                delay,
            };
            if self.pump.wants_restart() {
                self.record_end(&run, false);
                (delay, self.state.restarts) = (None, 0);
                continue;
            }
            let wanted = self.pump.is_stopped() || self.pump.is_dismissed();
            delay = self.record.restart.decide(outcome).filter(|_| !wanted);
            let Some(pause) = delay else {
                return self.end(&run, explain);
            };
            self.record_end(&run, true);
            self.pump.ended(&Reply::Ended { code: run.code }, true);
            self.pump.begin_again();
            match self.pump.idle(pause, &mut self.house) {
                Ok(Idle::Elapsed) => self.state.restarts += 1,
                Ok(Idle::Restart) => (delay, self.state.restarts) = (None, 0),
                Ok(Idle::Stopped) | Err(_) => return self.end(&run, explain),
            }
        }
    }

    /// From the volumes to the end of the program.
    fn run_once(&mut self, first: bool, explain: &mut Explain<'_>) -> Result<Run, Error> {
        if !first {
            self.pump.begin_again();
            self.snapshot.renew(&self.lease.dir)?;
        }
        let leases = std::mem::take(&mut self.volumes);
        let prepare = || {
            self.engine.make_sources(&self.record)?;
            self.engine
                .attach_volumes(&self.record, &self.snapshot, leases)
        };
        let volumes = explain.step(prepare, |done| {
            let holds = done.as_ref().map_or(&[][..], |done| &done.holds);
            run::narrate_volumes(&self.record, holds)
        })?;
        // What was said to us while a volume was filled.
        match self.pump.idle(Duration::ZERO, &mut self.house)? {
            Idle::Elapsed => {}
            // This is the new start.
            Idle::Restart => self.pump.begin_again(),
            Idle::Stopped => {
                let signal = self.pump.last_signal();
                return Err(Error::Interrupted { signal });
            }
        }
        let (plan, spec) = self.engine.plan(&self.record, &self.snapshot)?;
        let group = explain.step(
            || self.house.begin(&self.record),
            |_| run::narrate_group(&self.record),
        )?;
        let running = run::spawn(&plan, &spec, group, explain)
            .map_err(|error| super::attach::wrong_type(error, &plan))?;
        let began = Instant::now();
        let ended = self.attend(running, first);
        volumes.let_go();
        let code = ended?.code();
        Ok(Run {
            code,
            ran_for: began.elapsed(),
        })
    }

    /// Records that the program runs, and moves its bytes until it has ended.
    fn attend(&mut self, running: Running, first: bool) -> Result<Ended, Error> {
        let pid = running.pid;
        self.state = State {
            pid,
            started: Some(Timestamp::now()),
            identity: process::start_time(pid).map(|start| (process::boot_id(), start)),
            restarts: self.state.restarts,
            volatile_boot: self.record.union.volatile.then(process::boot_id),
            ..State::default()
        };
        let pidfd = running.pidfd.try_clone();
        let began = self.begin(first);
        let ended = began.and_then(|()| {
            self.house.started(&self.record, &running);
            if first && !self.keeps_streams {
                // Before anybody who waits for our start goes on without us.
                let let_go = process::let_go_of_caller();
                let_go.map_err(|source| containers::failed("leave caller's streams", source))?;
            }
            self.pump.started();
            Ok(self.pump.run(running, &mut self.house)?)
        });
        if let (Err(_), Ok(pidfd)) = (&ended, pidfd) {
            use std::os::fd::AsFd as _;
            // What nobody looks after must not go on beside the clean-up.
            process::send_signal(pidfd.as_fd(), nix::sys::signal::Signal::SIGKILL as i32).ok();
            self.house.end_probe();
            process::wait(pidfd.as_fd()).ok();
        }
        self.state.oom_killed = self.house.ended();
        ended
    }

    /// Makes it known that the program runs. Not before: it starts while we do this.
    fn begin(&mut self, first: bool) -> Result<(), Error> {
        if first {
            self.pump.listen(Listener::open(&self.lease.dir)?);
        }
        self.engine.write_state(&self.lease.dir, &self.state)
    }

    /// A full store does not keep us from going on: the program's code is worth more than a record
    /// of it.
    fn record_end(&mut self, run: &Run, restarting: bool) {
        let code = run.code.to_string();
        let attributes = [("exitCode", code.as_str())];
        self.engine.tell_container(&self.record, "die", &attributes);
        self.engine.tell_use("unmount", &self.record);
        self.state.pid = 0;
        self.state.identity = None;
        self.state.finished = Some(Timestamp::now());
        self.state.exit_code = run.code;
        self.state.restarting = restarting;
        self.state.stopped = self.pump.is_stopped();
        if self.record.auto_remove && !restarting && !self.pump.wants_restart() {
            // There is nobody to read it.
            return;
        }
        self.engine.write_state(&self.lease.dir, &self.state).ok();
    }

    /// The container has ended for good.
    fn end(mut self, run: &Run, explain: &mut Explain<'_>) -> i32 {
        self.record_end(run, false);
        if self.pump.is_stopped() {
            self.engine.tell_container(&self.record, "stop", &[]);
        }
        self.leave(&Reply::Ended { code: run.code }, explain)
    }

    /// It never ran: it stays `created` (semantics 63), or goes if it shall not stay.
    fn give_up(mut self, error: &Error, explain: &mut Explain<'_>) -> i32 {
        if !self.record.auto_remove {
            self.state.exit_code = error.exit_code();
            self.state.error = told::line(error);
            // Told to the command that waits in any case.
            self.engine.write_state(&self.lease.dir, &self.state).ok();
        }
        self.leave(&Reply::Failed(told::pack(error)), explain)
    }

    /// Gives everything back, in an order in which nobody sees half of it.
    fn leave(mut self, last: &Reply, explain: &mut Explain<'_>) -> i32 {
        // Whoever cannot be heard any more learns that we are gone.
        self.pump.hang_up(&mut self.house).ok();
        self.house.ended();
        let mut last = last.clone();
        if self.record.auto_remove {
            // By the name it has by now.
            let record = record::find(&self.lease.dir, containers::CONFIG);
            let record = record.ok().flatten().unwrap_or(self.record);
            if let Some(place) = &record.changes_to {
                self.engine.hand_over(&self.lease.dir, place);
            }
            let remove = || self.engine.take_away(&record, self.lease, true);
            let removed = explain.step(remove, |_| run::narrate_removal(&record));
            if let Err(error) = removed {
                last = Reply::Failed(told::pack(&error));
            }
        } else {
            drop(self.lease);
        }
        self.pump.ended(&last, false);
        // Whoever does not want to hear it is not waited for.
        self.pump.finish().ok();
        0
    }
}

impl Error {
    /// The exit code of `run` for a container that did not start: 126 and 127 as a shell's, 125
    /// for everything else (semantics 60).
    pub fn exit_code(&self) -> i32 {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "everything else is our own failure"
        )]
        match self {
            Error::Process(error) => error.exit_code(),
            // Docker takes it for a missing program (semantics 61).
            Error::Volume(volume::Error::Mount { source, .. }) if source.is_missing_device() => 127,
            Error::Interrupted { signal } => 128 + signal,
            Error::Told { exit_code, .. } => *exit_code,
            _ => 125,
        }
    }
}
