//! `House`: what a supervisor's loop needs of a container beside its process.

use std::os::fd::BorrowedFd;

use super::{ContainerRecord, Error};
use crate::{
    control::{Keeper, StopRequest, Stream},
    store::Lease,
    sys::{SysError, process},
};

/// See the head of this file.
#[derive(Debug)]
pub(super) struct House {
    stop: StopRequest,
}

impl House {
    pub(super) fn new(record: &ContainerRecord, _lease: &Lease) -> Self {
        Self {
            stop: record.stop_request(),
        }
    }

    /// Makes what the next run of the program needs.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "filled in next"
    )]
    pub(super) fn begin(
        &mut self,
        _record: &ContainerRecord,
    ) -> Result<Option<BorrowedFd<'_>>, Error> {
        Ok(None)
    }

    /// The program runs.
    pub(super) fn started(&mut self, _record: &ContainerRecord, _pid: i32) {}

    /// The program has ended; whether for want of memory.
    pub(super) fn ended(&mut self) -> bool {
        false
    }

    /// There will be no other run.
    pub(super) fn leave(&mut self) {}
}

impl Keeper for House {
    fn output(&mut self, _stream: Stream, _bytes: &[u8]) {}

    fn signal(&mut self, pidfd: BorrowedFd<'_>, signal: i32) -> Result<(), SysError> {
        process::send_signal(pidfd, signal)
    }

    fn farewell(&self) -> StopRequest {
        self.stop
    }
}
