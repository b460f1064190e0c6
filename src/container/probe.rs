//! `Probe`: one run of a health check, moved on by whoever polls its descriptors; nothing here waits.

use std::{
    fs::File,
    io::Read as _,
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use super::{Error, HealthResult, told};
use crate::{
    cgroup::Group,
    ident::{Timestamp, show_duration},
    process::{ExecSpec, Joining, begin_join},
    sys::{
        SysError,
        process::{self, Ended},
    },
};

/// As much of the output is kept (Docker).
const KEPT: usize = 4096;

/// As much is read of a stream before others get their turn, in pieces.
const TURN: usize = 16;

/// Between the look at a session and the signal something may fork: so often is looked again.
const ROUNDS: usize = 4;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Probe {
    joining: Joining,
    pipes: [Option<File>; 2],
    output: Output,
    start: Timestamp,
    began: Instant,
    timeout: Duration,
    /// Why it did not start.
    failure: Option<String>,
    killed: bool,
}

impl Probe {
    /// Forks; the rest happens in [`advance`](Self::advance).
    pub(super) fn begin(
        (container, group): (BorrowedFd<'_>, Option<&Group>),
        spec: &ExecSpec,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let (start, began) = (Timestamp::now(), Instant::now());
        let mut joining = begin_join(container, spec, group)?;
        let pipes = [joining.stdout.take(), joining.stderr.take()];
        let mut probe = Self {
            joining,
            pipes: pipes.map(|pipe| pipe.map(File::from)),
            output: Output::default(),
            start,
            began,
            timeout,
            failure: None,
            killed: false,
        };
        for pipe in &mut probe.pipes {
            // A pipe that we would wait for is not read.
            if let Some(file) = pipe
                && process::set_nonblocking(&*file).is_err()
            {
                *pipe = None;
            }
        }
        Ok(probe)
    }

    /// When it began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// What to poll.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let pipes = self.pipes.iter().flatten().map(File::as_fd);
        let pidfd = self.joining.pidfd.as_fd();
        pipes.chain([pidfd]).chain(self.joining.channel())
    }

    /// When it has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.killed).then(|| self.began + self.timeout)
    }

    /// Does what can be done now; the result at the end.
    pub(super) fn advance(&mut self) -> Option<HealthResult> {
        self.follow_start();
        for number in 0..2 {
            self.read(number, TURN);
        }
        let ended = process::try_wait(self.joining.pidfd.as_fd()).transpose()?;
        // What it said between our looks and its end.
        self.follow_start();
        for number in 0..2 {
            // A pipe that somebody else holds has no end; nobody needs more than what we keep.
            while !self.output.is_full() && self.read(number, 1) {}
        }
        Some(self.result(ended))
    }

    fn follow_start(&mut self) {
        if let Some(Err(error)) = self.joining.advance() {
            self.failure = Some(told::line(&error.into()));
        }
    }

    /// Reads so many pieces at most; whether there may be more.
    fn read(&mut self, number: usize, pieces: usize) -> bool {
        let mut buffer = [0; 4096];
        for _ in 0..pieces {
            let Some(pipe) = &mut self.pipes[number] else {
                return false;
            };
            match pipe.read(&mut buffer) {
                Ok(length @ 1..) => self.output.put(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.pipes[number] = None;
                    return false;
                }
            }
        }
        true
    }

    fn result(&mut self, ended: Result<Ended, SysError>) -> HealthResult {
        let output = std::mem::take(&mut self.output).text();
        let (exit_code, output) = if self.killed {
            let nanoseconds = i64::try_from(self.timeout.as_nanos()).unwrap_or(i64::MAX);
            let timeout = show_duration(nanoseconds);
            let after = if output.is_empty() { "" } else { ": " };
            let text = format!("Health check exceeded timeout ({timeout}){after}{output}");
            (-1, text)
        } else if let Some(why) = self.failure.take() {
            (-1, why)
        } else {
            match ended {
                Ok(ended) => (ended.code(), output),
                Err(error) => (-1, error.to_string()),
            }
        };
        HealthResult {
            start: self.start,
            end: Timestamp::now(),
            exit_code,
            output,
        }
    }

    /// Kills it and what it has started, as far as that has not left its session.
    pub(super) fn kill(&mut self, group: Option<&Group>) {
        self.killed = true;
        let pid = self.joining.pid;
        // Its number is nobody else's while it is not collected, nor are its group's and session's.
        process::kill_group(pid);
        process::send_signal(self.joining.pidfd.as_fd(), libc::SIGKILL).ok();
        for _ in 0..ROUNDS {
            let all = group.map(Group::processes).and_then(Result::ok);
            let all = all.unwrap_or_default().into_iter();
            let of_session =
                all.filter(|one| *one != pid && process::session_of(*one) == Some(pid));
            if of_session.filter(|one| kill_in_session(*one, pid)).count() == 0 {
                break;
            }
        }
    }

    /// Kills it and waits until it is gone. Its container must not be frozen.
    pub(super) fn end(mut self, group: Option<&Group>) {
        self.kill(group);
        process::wait(self.joining.pidfd.as_fd()).ok();
    }
}

/// The number may have gone to another process since it was read: not any more once there is a
/// descriptor.
fn kill_in_session(pid: i32, session: i32) -> bool {
    let Ok(Some(pidfd)) = process::open_pidfd(pid) else {
        return false;
    };
    process::session_of(pid) == Some(session)
        && process::send_signal(pidfd.as_fd(), libc::SIGKILL).is_ok()
}

/// The beginning of what was written.
#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Output {
    fn put(&mut self, bytes: &[u8]) {
        let room = KEPT - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.truncated |= bytes.len() > room;
    }

    /// Whether more would change nothing.
    fn is_full(&self) -> bool {
        self.truncated
    }

    /// As text, with Docker's dots where something is missing.
    fn text(mut self) -> String {
        if self.truncated
            && let Err(error) = std::str::from_utf8(&self.bytes)
            && error.error_len().is_none()
        {
            // Half a character is ours, not the probe's.
            self.bytes.truncate(error.valid_up_to());
        }
        let dots = if self.truncated { "..." } else { "" };
        String::from_utf8_lossy(&self.bytes).into_owned() + dots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &[&[u8]]) -> String {
        let mut output = Output::default();
        for piece in pieces {
            output.put(piece);
        }
        output.text()
    }

    #[test]
    fn the_first_4096_bytes_are_kept_and_dots_say_that_there_was_more() {
        let whole = [b'a'; KEPT];
        assert_eq!(text(&[&whole]).len(), KEPT);
        assert_eq!(text(&[&whole, b"b"]), "a".repeat(KEPT) + "...");
        assert_eq!(text(&[b"a", &whole, &whole]), "a".repeat(KEPT) + "...");
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn a_cut_goes_between_characters_and_bad_bytes_are_replaced() {
        let korean = "가".repeat(KEPT);
        let wanted = "가".repeat(KEPT / 3) + "...";
        assert_eq!(text(&[korean.as_bytes()]), wanted);
        assert_eq!(text(&[b"a\xffb"]), "a\u{fffd}b");
        assert_eq!(text(&["가".as_bytes(), b"\xea\xb0"]), "가\u{fffd}");
    }
}
