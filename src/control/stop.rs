//! How a container is asked to end: a signal, patience, SIGKILL; pure but for the clock.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A wish to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Sent first.
    pub signal: i32,
    /// Until SIGKILL; `None` waits for ever, 0 kills at once.
    pub seconds: Option<u32>,
}

/// What is known about the end that is coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stopping {
    /// When patience ends.
    deadline: Option<Instant>,
    /// Somebody wanted the end: no restart policy applies.
    pub(super) wanted: bool,
    /// A new start was asked for.
    pub(super) restart: bool,
}

impl Stopping {
    /// Takes a wish; a second one can only shorten the wait.
    pub(super) fn begin(&mut self, request: StopRequest, restart: bool, now: Instant) {
        let asked = request
            .seconds
            .map(|seconds| now + Duration::from_secs(seconds.into()));
        self.deadline = match (self.deadline, asked) {
            (Some(before), Some(asked)) => Some(before.min(asked)),
            (before, asked) => before.or(asked),
        };
        self.wanted = true;
        self.restart = restart;
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it is time for SIGKILL; once.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.deadline.is_some_and(|deadline| deadline <= now);
        if due {
            self.deadline = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(seconds: Option<u32>) -> StopRequest {
        StopRequest {
            signal: 15,
            seconds,
        }
    }

    #[test]
    fn the_kill_comes_once_after_the_wait() {
        let (mut stopping, now) = (Stopping::default(), Instant::now());
        stopping.begin(request(Some(10)), false, now);
        assert!(!stopping.is_due(now + Duration::from_secs(9)));
        assert!(stopping.is_due(now + Duration::from_secs(10)));
        assert!(!stopping.is_due(now + Duration::from_secs(11)));
    }

    #[test]
    fn a_second_wish_shortens_the_wait_and_never_lengthens_it() {
        let (mut stopping, now) = (Stopping::default(), Instant::now());
        stopping.begin(request(None), false, now);
        assert_eq!(stopping.deadline(), None);
        stopping.begin(request(Some(5)), false, now);
        stopping.begin(request(Some(50)), false, now);
        assert_eq!(stopping.deadline(), Some(now + Duration::from_secs(5)));
        stopping.begin(request(Some(0)), false, now);
        assert!(stopping.is_due(now));
    }
}
