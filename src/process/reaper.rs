//! `--init`: process 1 that collects orphans and passes signals on, the program its child.

use std::os::fd::OwnedFd;

use nix::sys::signal::{SigSet, Signal};

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
            process::close_others_and(|| reap(pid, &everything))
        }
    }
}

fn reap(main: i32, everything: &SigSet) -> ! {
    loop {
        match process::await_signal(everything) {
            Ok(signal) if signal == Signal::SIGCHLD as i32 => {
                if let Some(code) = collect(main) {
                    fork::exit_now(code);
                }
            }
            // It may have ended meanwhile.
            Ok(signal) => drop(process::signal_child(main, signal)),
            Err(_) => {}
        }
    }
}

/// Collects every ended process; the code of the main one when it is among them.
fn collect(main: i32) -> Option<i32> {
    while let Ok(Some((pid, ended))) = process::try_wait_any() {
        if pid == main {
            return Some(ended.code());
        }
    }
    None
}
