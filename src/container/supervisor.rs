//! The supervisor: holds the lease, waits, records the end.
//!
//! In the foreground the command itself is the supervisor. A detached one will be a fork that calls
//! the same function; nothing here depends on who calls.

use std::os::fd::AsFd as _;

use nix::sys::signal::Signal;

use super::{ContainerRecord, Engine, Error, State};
use crate::{
    ident::Timestamp,
    process::{Relay, Running},
    store::Lease,
    sys::process::{self, Ended},
};

/// Records that the container runs, moves its bytes until it has ended, and records that, unless
/// the record goes at once.
pub(super) fn supervise(
    engine: &Engine,
    record: &ContainerRecord,
    lease: &Lease,
    (running, relay): (Running, Relay),
) -> Result<Ended, Error> {
    let started = Some(Timestamp::now());
    let pid = running.pid;
    let mut state = State {
        pid,
        started,
        finished: None,
        exit_code: 0,
        error: String::new(),
        identity: process::start_time(pid).map(|start_time| (process::boot_id(), start_time)),
    };
    let pidfd = running.pidfd.try_clone().ok();
    let recorded = engine.write_state(&lease.dir, &state);
    let ended = recorded.and_then(|()| Ok(relay.run(running, record.interactive)?));
    if let (Err(_), Some(pidfd)) = (&ended, pidfd) {
        // What nobody looks after must not go on beside the clean-up.
        process::send_signal(pidfd.as_fd(), Signal::SIGKILL as i32).ok();
        process::wait(pidfd.as_fd()).ok();
    }
    let ended = ended?;
    if record.auto_remove {
        // The store may be full by now; the program's code is worth more than a record of it.
        return Ok(ended);
    }
    state.pid = 0;
    state.finished = Some(Timestamp::now());
    state.exit_code = ended.code();
    engine.write_state(&lease.dir, &state)?;
    Ok(ended)
}

/// Records why a container did not start; it stays `created` (semantics 63).
pub(super) fn record_failure(engine: &Engine, lease: &Lease, error: &Error) -> Result<(), Error> {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    let exit_code = error.exit_code();
    let state = State {
        pid: 0,
        started: None,
        finished: None,
        exit_code,
        error: text,
        identity: None,
    };
    engine.write_state(&lease.dir, &state)
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
            Error::Interrupted { signal } => 128 + signal,
            _ => 125,
        }
    }
}
