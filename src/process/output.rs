//! `Output`: one direction, from a container's stream to one of ours.
//!
//! Nothing is lost however slow our reader is, and nothing waits for it: what it has not taken
//! stays here, and the container's stream is not read until it has.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    },
};

use nix::errno::Errno;

use crate::sys::{At as _, Result, SysError};

/// poll(2) promises room for this much in a pipe (pipe(7), `PIPE_BUF`).
const CERTAIN: usize = 4096;

/// A terminal whose other side has gone reads as EIO.
pub(super) const EIO: i32 = Errno::EIO as i32;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Output {
    from: Option<File>,
    to: File,
    /// As much as may be written at once without waiting.
    at_once: usize,
    pending: Vec<u8>,
}

impl Output {
    pub(super) fn new(from: Option<File>, to: BorrowedFd<'_>) -> Result<Self> {
        let (to, at_once) = without_waiting(to)?;
        Ok(Self {
            from,
            to,
            at_once,
            pending: Vec::new(),
        })
    }

    /// What to wait for: to read, or to write.
    pub(super) fn wanted(&self) -> (Option<BorrowedFd<'_>>, Option<BorrowedFd<'_>>) {
        if self.pending.is_empty() {
            (self.from.as_ref().map(File::as_fd), None)
        } else {
            (None, Some(self.to.as_fd()))
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.from.is_none() && self.pending.is_empty()
    }

    /// Reads once and writes what our reader takes.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        let Some(from) = &mut self.from else {
            return Ok(());
        };
        let length = match from.read(buffer) {
            Ok(length) => length,
            Err(error) if is_transient(&error) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(EIO) => 0,
            Err(error) => return Err(SysError::from_io("read", "container's output", &error)),
        };
        if length == 0 {
            self.from = None;
            return Ok(());
        }
        self.pending.extend_from_slice(&buffer[..length]);
        if self.at_once > CERTAIN {
            self.write()
        } else {
            Ok(())
        }
    }

    /// Writes what is pending, as far as it goes.
    pub(super) fn write(&mut self) -> Result<()> {
        let piece = &self.pending[..self.pending.len().min(self.at_once)];
        match self.to.write(piece) {
            Ok(length) => {
                self.pending.drain(..length);
                Ok(())
            }
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                // Our reader has gone: the container's writer shall learn it too.
                self.from = None;
                self.pending.clear();
                Ok(())
            }
            Err(error) => Err(SysError::from_io("write", "our output", &error)),
        }
    }

    /// Takes what is left in a terminal whose program has ended; it has no end of its own.
    pub(super) fn finish_terminal(&mut self, buffer: &mut [u8]) {
        while let Some(Ok(length @ 1..)) = self.from.as_mut().map(|from| from.read(buffer)) {
            self.pending.extend_from_slice(&buffer[..length]);
        }
        self.from = None;
    }
}

/// A pipe or terminal opened anew does not wait, without changing the one that we share with
/// others; a file never waits. Of anything else poll(2) tells how much is certain.
fn without_waiting(to: BorrowedFd<'_>) -> Result<(File, usize)> {
    let own = to
        .try_clone_to_owned()
        .map(File::from)
        .at("dup", String::new)?;
    let kind = own.metadata().at("fstat", String::new)?.file_type();
    if kind.is_file() {
        return Ok((own, usize::MAX));
    }
    if kind.is_fifo() || kind.is_char_device() {
        let path = crate::sys::process::handle_path(&own);
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        if let Ok(file) = OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(path)
        {
            return Ok((file, usize::MAX));
        }
    }
    Ok((own, CERTAIN))
}

pub(super) fn is_transient(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_does_not_read_does_not_hold_us_and_loses_nothing() {
        let (their_read, their_write) = crate::sys::process::pipe().unwrap();
        let (our_read, our_write) = crate::sys::process::pipe().unwrap();
        let mut output = Output::new(Some(File::from(their_read)), our_write.as_fd()).unwrap();
        drop(our_write);
        let (mut buffer, mut sent) = (vec![0; 65536], 0);
        let mut container = File::from(their_write);
        // More than a pipe holds: the last pieces stay with us.
        for _ in 0..3 {
            container.write_all(&vec![7; 60_000]).unwrap();
            sent += 60_000;
            output.read(&mut buffer).unwrap();
        }
        drop(container);
        let mut received = 0;
        let mut reader = File::from(our_read);
        while !output.is_done() {
            output.write().unwrap();
            output.read(&mut buffer).unwrap();
            received += reader.read(&mut buffer).unwrap();
        }
        drop(output);
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            received += length;
        }
        assert_eq!(received, sent);
    }
}
