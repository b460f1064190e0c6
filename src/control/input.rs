//! `Input`: what clients type on its way into the program.
//!
//! One piece at a time from each client: the next comes when this one is taken, so that a program
//! that does not read holds up neither us nor the signals behind its input.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    os::fd::{AsFd as _, BorrowedFd},
};

use super::source::is_transient;
use crate::sys::{Result, SysError};

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Input {
    to: Option<File>,
    pending: Vec<u8>,
    /// Close it when everything is written.
    ending: bool,
    /// Clients that wait for their piece to be taken.
    waiting: Vec<u64>,
}

impl Input {
    /// Into `to`, which must not wait.
    pub(super) fn new(to: Option<File>) -> Self {
        Self {
            to,
            ..Self::default()
        }
    }

    /// What to wait for, if anything is to be written.
    pub(super) fn wanted(&self) -> Option<BorrowedFd<'_>> {
        let to = self.to.as_ref().filter(|_| !self.pending.is_empty());
        to.map(File::as_fd)
    }

    pub(super) fn put(&mut self, client: u64, bytes: &[u8]) -> Result<()> {
        self.waiting.push(client);
        if self.to.is_some() && !self.ending {
            self.pending.extend_from_slice(bytes);
        }
        self.write()
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self) {
        self.ending = true;
        if self.pending.is_empty() {
            self.to = None;
        }
    }

    /// Writes what the program takes.
    pub(super) fn write(&mut self) -> Result<()> {
        let Some(to) = self.to.as_mut().filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        match to.write(&self.pending) {
            Ok(length) => drop(self.pending.drain(..length)),
            Err(error) if is_transient(&error) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                // The program reads no more.
                self.pending.clear();
                self.ending = true;
            }
            Err(error) => return Err(SysError::from_io("write", "container's input", &error)),
        }
        if self.pending.is_empty() && self.ending {
            self.to = None;
        }
        Ok(())
    }

    /// Clients whose piece is taken.
    pub(super) fn taken(&mut self) -> Vec<u64> {
        if self.pending.is_empty() {
            std::mem::take(&mut self.waiting)
        } else {
            Vec::new()
        }
    }
}
