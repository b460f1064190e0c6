//! poll(2) over named descriptors.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::sys::{At as _, Result};

/// One thing to wait for, if it is there at all.
#[derive(Debug)]
pub(super) struct Wanted<'fd, T> {
    pub(super) fd: Option<BorrowedFd<'fd>>,
    pub(super) flags: PollFlags,
    pub(super) token: T,
}

/// The tokens of what is ready, none when the time is over or a signal came.
pub(super) fn for_any<T: Copy>(wanted: &[Wanted<'_, T>], until: Option<Instant>) -> Result<Vec<T>> {
    let present = wanted
        .iter()
        .filter_map(|wanted| Some((PollFd::new(wanted.fd?, wanted.flags), wanted.token)));
    let (mut set, tokens): (Vec<_>, Vec<_>) = present.unzip();
    match poll(&mut set, timeout(until)) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Vec::new()),
        Err(errno) => return Err(errno).at("poll", String::new),
    }
    let ready = set.iter().zip(tokens);
    Ok(ready
        .filter(|(fd, _)| fd.revents().is_some_and(|events| !events.is_empty()))
        .map(|(_, token)| token)
        .collect())
}

/// Rounded up, so that the time is really over when poll says so.
fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else {
        return PollTimeout::NONE;
    };
    let left = until.saturating_duration_since(Instant::now());
    let up = left + Duration::from_nanos(999_999);
    PollTimeout::try_from(up).unwrap_or(PollTimeout::MAX)
}
