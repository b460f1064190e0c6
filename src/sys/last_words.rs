//! What a signal makes of a command: another program, which tidies up.
//!
//! The store bears a kill at any moment, so a command that is told to end need not find its way back out of what it does:
//! execve(2) takes its threads, its open files and with them its locks, and in the same process, which
//! somebody waits for, begins the one that puts away what was begun.
#![expect(
    unsafe_code,
    reason = "a signal handler, which no safe interface can install"
)]

use std::{
    ffi::{CString, c_char, c_int},
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{At as _, Result};

/// Signals that end a command.
pub const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Everything that the handler needs, made before: it must not allocate.
struct Plan {
    pid: i32,
    program: CString,
    /// For each of [`ENDING`]; the texts are kept, the pointers end with a null.
    words: Vec<(c_int, Vec<CString>, Vec<*const c_char>)>,
}

/// Set once; never freed.
static PLAN: AtomicPtr<Plan> = AtomicPtr::new(ptr::null_mut());

/// From now on an ending signal makes this process the program `words` of it, begun with itself. Signals
/// that are ignored stay so, and children that are forked from now on end as ever.
/// That program ignores them until it calls [`end_at_signal`].
pub fn become_at_signal(words: impl Fn(Signal) -> Vec<CString>) -> Result<()> {
    let words = ENDING.map(|signal| {
        let texts = words(signal);
        let pointers = texts.iter().map(|text| text.as_ptr());
        let pointers = pointers.chain([ptr::null()]).collect();
        (signal as c_int, texts, pointers)
    });
    let plan = Box::new(Plan {
        pid: nix::unistd::getpid().as_raw(),
        program: c"/proc/self/exe".to_owned(),
        words: words.into(),
    });
    PLAN.store(Box::leak(plan), Ordering::Release);
    let action = SigAction::new(
        SigHandler::Handler(end),
        SaFlags::SA_NODEFER,
        SigSet::empty(),
    );
    for signal in ENDING {
        // SAFETY: `end` calls nothing that is not safe in a handler (signal-safety(7)).
        let before = unsafe { sigaction(signal, &action) };
        let before = before.at("sigaction", || signal.to_string())?;
        if matches!(before.handler(), SigHandler::SigIgn) {
            // SAFETY: it is what was there.
            let back = unsafe { sigaction(signal, &before) };
            back.at("sigaction", || signal.to_string())?;
        }
    }
    Ok(())
}

/// What we became is not ended by another signal at first; from now on it is.
pub fn end_at_signal() {
    dispose(libc::SIG_DFL);
}

fn dispose(way: libc::sighandler_t) {
    for signal in ENDING {
        // SAFETY: neither SIG_IGN nor SIG_DFL installs a handler; signal(2) is safe in one.
        unsafe { libc::signal(signal as c_int, way) };
    }
}

extern "C" fn end(signal: c_int) {
    let plan = PLAN.load(Ordering::Acquire);
    // SAFETY: it was leaked, complete, before the handler was installed, and nobody changes it.
    if let Some(plan) = unsafe { plan.as_ref() } {
        // SAFETY: no arguments.
        if unsafe { libc::getpid() } == plan.pid {
            for (number, _, pointers) in &plan.words {
                if *number == signal {
                    // A second Ctrl-C, or the one to the whole group, is no reason to leave the rest.
                    dispose(libc::SIG_IGN);
                    unblock();
                    // SAFETY: both are texts and lists of texts that end as they must.
                    unsafe { libc::execv(plan.program.as_ptr(), pointers.as_ptr()) };
                }
            }
        }
    }
    // A child, or exec failed: the signal's own way.
    // SAFETY: SIG_DFL installs no handler; signal(2) is safe in one.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: raise(3) is safe in a handler.
    unsafe { libc::raise(signal) };
}

/// Signals that are blocked stay so over execve(2).
fn unblock() {
    // sigprocmask(2), which nix calls by the name of threads, is safe in a handler.
    SigSet::empty().thread_set_mask().ok();
}
