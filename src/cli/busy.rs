//! A command that takes longer than a second says so on a terminal, and how far it is; elsewhere it is
//! silent.
//!
//! A child draws the line: the command itself may be deep in the kernel. What it tells are the bytes that
//! the command has read and written (proc(5), `io`), whatever it is doing.

use std::{
    io::{self, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    time::{Duration, Instant},
};

use cowshed::sys::{
    console,
    fork::{self, Namespaces, Side},
    process,
};

use super::text::size;

/// So long nobody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nobody reads faster.
const REDRAW: Duration = Duration::from_millis(200);

/// As long as this lives the command is busy; dropped before anything is printed.
#[derive(Debug)]
pub(crate) struct Busy {
    drawer: Option<Drawer>,
}

#[derive(Debug)]
struct Drawer {
    /// Its end is our end.
    leash: Option<OwnedFd>,
    pidfd: OwnedFd,
}

/// The command begins something long. Before it has a second thread.
pub(crate) fn busy(what: &str) -> Busy {
    let drawer = console::is_terminal(io::stderr().as_fd())
        .then(|| draw(what).ok())
        .flatten();
    Busy { drawer }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(mut drawer) = self.drawer.take() {
            drop(drawer.leash.take());
            // It takes its line away.
            process::wait(drawer.pidfd.as_fd()).ok();
        }
    }
}

fn draw(what: &str) -> cowshed::sys::Result<Drawer> {
    let (end, leash) = process::pipe()?;
    let us = std::process::id();
    match fork::clone_into(Namespaces::NONE)? {
        Side::Child => {
            drop(leash);
            // The command's to die of, not ours.
            process::ignore_endings().ok();
            watch(what, us, &end);
            fork::exit_now(0)
        }
        Side::Parent { pidfd, .. } => Ok(Drawer {
            leash: Some(leash),
            pidfd,
        }),
    }
}

fn watch(what: &str, command: u32, end: &OwnedFd) {
    let begin = Instant::now();
    let mut pause = PATIENCE;
    let mut drawn = false;
    // Its other end is closed by whoever is done, or dies.
    while process::await_gone(end.as_fd(), pause) == Ok(false) {
        pause = REDRAW;
        drawn = true;
        let line = line(what, begin.elapsed(), moved(command));
        let mut stderr = io::stderr().lock();
        write!(stderr, "\r\x1b[2K{line}\r").ok();
        stderr.flush().ok();
    }
    if drawn {
        write!(io::stderr(), "\r\x1b[2K").ok();
    }
}

/// Bytes that a process has read and written.
fn moved(process: u32) -> Option<(u64, u64)> {
    parse(&std::fs::read_to_string(format!("/proc/{process}/io")).ok()?)
}

fn parse(text: &str) -> Option<(u64, u64)> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse().ok()
    };
    Some((value("rchar:")?, value("wchar:")?))
}

fn line(what: &str, took: Duration, moved: Option<(u64, u64)>) -> String {
    let seconds = took.as_secs();
    match moved {
        Some((read, written)) => format!(
            "{what}: {seconds} s, read {}, wrote {}",
            size(read, 4),
            size(written, 4)
        ),
        None => format!("{what}: {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_for_how_long_and_how_much() {
        let io = "rchar: 1200000\nwchar: 34\nsyscr: 5\nread_bytes: 0\n";
        let moved = parse(io);
        assert_eq!(moved, Some((1_200_000, 34)));
        let text = line("load", Duration::from_millis(3900), moved);
        assert_eq!(text, "load: 3 s, read 1.2MB, wrote 34B");
        assert_eq!(line("x", Duration::ZERO, parse("")), "x: 0 s");
    }
}
