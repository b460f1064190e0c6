//! `Source`: one of a program's outputs, on the supervisor's side.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::errno::Errno;

use crate::sys::{Result, SysError};

/// A terminal whose other side has gone reads as EIO.
const EIO: i32 = Errno::EIO as i32;

/// A pipe or a terminal's main side, until its end.
#[derive(Debug)]
pub(super) struct Source(Option<File>);

impl Source {
    pub(super) fn new(from: Option<File>) -> Self {
        Self(from)
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(File::as_fd)
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Reads no more: the program's next write finds nobody.
    pub(super) fn close(&mut self) {
        self.0 = None;
    }

    /// Reads once; how much there was.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some(from) = &mut self.0 else {
            return Ok(0);
        };
        match from.read(buffer) {
            Ok(0) => self.0 = None,
            Ok(length) => return Ok(length),
            Err(error) if is_transient(&error) => {}
            Err(error) if error.raw_os_error() == Some(EIO) => self.0 = None,
            Err(error) => return Err(SysError::from_io("read", "container's output", &error)),
        }
        Ok(0)
    }

    /// Reads what is left in a terminal whose program has ended: it has no end of its own, so the
    /// first time that nothing is there is the end. `None` then.
    pub(super) fn read_rest(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if let Ok(length @ 1..) = self.0.as_mut()?.read(buffer) {
            return Some(length);
        }
        self.0 = None;
        None
    }
}

pub(super) fn is_transient(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
