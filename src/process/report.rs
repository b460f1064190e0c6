//! What the child tells its parent before it executes: times, a terminal, a failure.
//!
//! Over a packet socket that closes on exec: its end without a failure means that the program
//! runs. The other way goes one thing, the network namespace.

use std::{io::IoSliceMut, os::fd::OwnedFd, time::Duration};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::sys::{Result, SysError, packet_pair, receive_with_fd, send_packet};

/// As much of a failed call's arguments as is passed on, in characters.
const DETAIL_MAX: usize = 1000;

/// One packet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// A step is done.
    Done { step: usize, nanoseconds: u64 },
    /// Something did not go as asked, and goes on.
    Note { text: String },
    /// The next call is execve.
    Executing,
    /// The main side of the terminal comes with this packet.
    Terminal,
    /// A step failed, and with it the start.
    Failed {
        step: usize,
        call: String,
        detail: String,
        errno: i32,
    },
    /// The user is not known.
    NoUser { error: String, kind: UserErrorKind },
}

/// [`super::UserError`] on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum UserErrorKind {
    User,
    Group,
    Range,
}

impl Report {
    pub(super) fn failed(step: usize, error: &SysError) -> Self {
        Self::Failed {
            step,
            call: error.call().to_owned(),
            // One packet holds it.
            detail: error.detail().chars().take(DETAIL_MAX).collect(),
            errno: error.errno().unwrap_or(Errno::EINVAL) as i32,
        }
    }
}

/// Both ends.
pub(super) fn channel() -> Result<(OwnedFd, OwnedFd)> {
    packet_pair()
}

pub(super) fn send(socket: &OwnedFd, report: &Report, fd: Option<&OwnedFd>) -> Result<()> {
    let text = serde_json::to_vec(report).unwrap_or_default();
    send_packet(socket, &text, fd)
}

/// The next packet, `None` at the end.
pub(super) fn receive(socket: &OwnedFd) -> Result<Option<(Report, Option<OwnedFd>)>> {
    // On the heap, where nobody writes zeros to pages that stay unused.
    let mut buffer = vec![0; 16 * 1024];
    let (length, fd) = receive_with_fd(socket, &mut [IoSliceMut::new(&mut buffer)])?;
    if length == 0 {
        return Ok(None);
    }
    let report = serde_json::from_slice(&buffer[..length])
        .map_err(|error| SysError::from_io("recvmsg", "report", &error.into()))?;
    Ok(Some((report, fd)))
}

/// Hands the other side a descriptor.
pub(super) fn send_fd(socket: &OwnedFd, fd: &OwnedFd) -> Result<()> {
    send_packet(socket, b"fd", Some(fd))
}

/// What [`send_fd`] handed us; `None` where the other side has gone.
pub(super) fn receive_fd(socket: &OwnedFd) -> Result<Option<OwnedFd>> {
    let mut buffer = [0; 2];
    let (_, fd) = receive_with_fd(socket, &mut [IoSliceMut::new(&mut buffer)])?;
    Ok(fd)
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
