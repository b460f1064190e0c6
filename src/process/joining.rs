//! `Joining`: a process on its way into a container, for whoever must not wait for it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use super::{
    Error, InitStep,
    explain::explain,
    report::{self, Report},
    spawn::{Starting, failed},
};
use crate::sys::process;

/// See the head of this file. A container that is frozen, or a file system that does not answer,
/// can keep it on its way for ever. Collecting the process is the caller's.
#[derive(Debug)]
pub struct Joining {
    /// The process as the host numbers it.
    pub pid: i32,
    /// The same, without a race.
    pub pidfd: OwnedFd,
    /// What it writes.
    pub stdout: Option<OwnedFd>,
    /// What it complains.
    pub stderr: Option<OwnedFd>,
    channel: Option<OwnedFd>,
    steps: Vec<InitStep>,
    executing: bool,
}

impl Joining {
    pub(super) fn new(
        starting: Starting,
        channel: OwnedFd,
        steps: Vec<InitStep>,
    ) -> Result<Self, Error> {
        let Starting {
            pid,
            pidfd,
            stdout,
            stderr,
            ..
        } = starting;
        let pidfd = pidfd.expect("set by the parent's side of the fork");
        if let Err(error) = process::set_nonblocking(&channel) {
            process::send_signal(pidfd.as_fd(), libc::SIGKILL).ok();
            process::wait(pidfd.as_fd()).ok();
            return Err(failed("read report")(error));
        }
        Ok(Self {
            pid,
            pidfd,
            stdout,
            stderr,
            channel: Some(channel),
            steps,
            executing: false,
        })
    }

    /// What to poll until it has arrived or failed.
    pub fn channel(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(OwnedFd::as_fd)
    }

    /// Hears what the process has said. Once: that it executes its program, or why it does not.
    pub fn advance(&mut self) -> Option<Result<(), Error>> {
        loop {
            let told = match report::receive(self.channel.as_ref()?) {
                Ok(Some((Report::Executing, _))) => {
                    self.executing = true;
                    continue;
                }
                Ok(Some((bad @ (Report::Failed { .. } | Report::NoUser { .. }), _))) => {
                    Err(explain(&self.steps, bad))
                }
                // Nobody reads notes of a process that comes again and again.
                Ok(Some((Report::Note { .. } | Report::Done { .. } | Report::Terminal, _))) => {
                    continue;
                }
                Ok(None) if self.executing => Ok(()),
                // Who dies without a word was killed.
                Ok(None) => Err(Error::Vanished { code: 137 }),
                Err(error) if error.errno() == Some(Errno::EAGAIN) => return None,
                Err(error) => Err(failed("read report")(error)),
            };
            self.channel = None;
            return Some(told);
        }
    }
}
