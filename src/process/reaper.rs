//! `--init`: process 1 that collects orphans and passes signals on, the program its child.

use std::os::fd::OwnedFd;

use nix::{
    errno::Errno,
    sys::{
        signal::{SigSet, Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::sys::{Result, fork, process};

/// Returns in the child, which goes on to execute; process 1 stays here and ends with the
/// child's code.
pub(super) fn split(report: OwnedFd) -> Result<OwnedFd> {
    // Blocked before the fork, so that none is lost in between.
    let everything = SigSet::all();
    everything.thread_block().ok();
    // Before there is anybody who could look: descriptors of the host are still open here. The
    // program may be traced again as soon as it is executed.
    process::forbid_core_dump_and_trace()?;
    match fork::clone_into(fork::Namespaces::NONE)? {
        fork::Side::Child => {
            process::die_with_parent()?;
            // A job of its own: what is typed at the terminal reaches it once, not through us, too.
            process::lead_terminal();
            Ok(report)
        }
        fork::Side::Parent { pid, .. } => {
            // Its end is how the supervisor learns that the program runs.
            drop(report);
            // Directories of the host among them: none may stay open beside the program.
            process::close_others_and(|| reap(Pid::from_raw(pid), &everything))
        }
    }
}

fn reap(main: Pid, everything: &SigSet) -> ! {
    loop {
        match everything.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = collect(main) {
                    fork::exit_now(code);
                }
            }
            Ok(signal) => {
                kill(main, signal).ok();
            }
            Err(_) => {}
        }
    }
}

/// Collects every ended process; the code of the main one when it is among them.
fn collect(main: Pid) -> Option<i32> {
    loop {
        let any = Pid::from_raw(-1);
        match waitpid(any, Some(nix::sys::wait::WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == main => return Some(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == main => {
                return Some(128 + signal as i32);
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
            Ok(_) | Err(_) => {}
        }
    }
}
