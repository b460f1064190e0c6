//! `Sink`: one of our own output streams, on the client's side.
//!
//! Nothing is lost however slow its reader is, and nothing waits for it: what it has not taken
//! stays here, and no more is fetched until it has.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    },
};

use super::source::is_transient;
use crate::sys::{At as _, Result, SysError, process::handle_path};

/// poll(2) promises room for this much in a pipe (pipe(7), `PIPE_BUF`).
const CERTAIN: usize = 4096;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Sink {
    to: File,
    /// As much as may be written at once without waiting.
    at_once: usize,
    pending: Vec<u8>,
    /// Nobody reads any more.
    gone: bool,
}

impl Sink {
    pub(super) fn new(to: BorrowedFd<'_>) -> Result<Self> {
        let (to, at_once) = without_waiting(to)?;
        Ok(Self {
            to,
            at_once,
            pending: Vec::new(),
            gone: false,
        })
    }

    /// What to wait for before more can be taken.
    pub(super) fn wanted(&self) -> Option<BorrowedFd<'_>> {
        (!self.pending.is_empty()).then(|| self.to.as_fd())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the reader has gone, asked once.
    pub(super) fn take_gone(&mut self) -> bool {
        std::mem::take(&mut self.gone)
    }

    /// Takes bytes and writes what goes at once.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        if self.at_once > CERTAIN {
            self.write()
        } else {
            Ok(())
        }
    }

    /// Writes what is pending, as far as it goes.
    pub(super) fn write(&mut self) -> Result<()> {
        let piece = &self.pending[..self.pending.len().min(self.at_once)];
        if piece.is_empty() {
            return Ok(());
        }
        match self.to.write(piece) {
            Ok(length) => {
                self.pending.drain(..length);
                Ok(())
            }
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                self.pending.clear();
                Ok(())
            }
            Err(error) => Err(SysError::from_io("write", "our output", &error)),
        }
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
        let path = handle_path(&own);
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_reader_that_does_not_read_does_not_hold_us_and_loses_nothing() {
        let (read, write) = crate::sys::process::pipe().unwrap();
        let mut sink = Sink::new(write.as_fd()).unwrap();
        drop(write);
        let mut sent = 0;
        // More than a pipe holds: the last pieces stay with us.
        for _ in 0..3 {
            sink.put(&vec![7; 60_000]).unwrap();
            sent += 60_000;
        }
        assert!(!sink.is_empty());
        let (mut reader, mut buffer, mut received) = (File::from(read), vec![0; 65536], 0);
        while !sink.is_empty() {
            received += reader.read(&mut buffer).unwrap();
            sink.write().unwrap();
        }
        drop(sink);
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            received += length;
        }
        assert_eq!(received, sent);
    }

    #[test]
    fn a_reader_that_has_gone_is_told_once_and_nothing_is_kept_for_it() {
        let (read, write) = crate::sys::process::pipe().unwrap();
        let mut sink = Sink::new(write.as_fd()).unwrap();
        drop(read);
        sink.put(b"x").unwrap();
        assert!(sink.take_gone() && !sink.take_gone() && sink.is_empty());
    }
}
