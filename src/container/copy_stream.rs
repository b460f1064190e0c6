//! Our end of the pipe to the process beside the container, given up when a signal comes: so that
//! nothing half-made is left.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
};

use nix::sys::{signal::Signal, signalfd::SignalFd};

use super::{CopyError, Error, containers::failed};
use crate::sys::process::{self, Ready};

/// Signals that end a copy.
#[derive(Debug)]
pub(super) struct Signals {
    source: SignalFd,
    caught: Cell<Option<i32>>,
}

impl Signals {
    pub(super) fn catch() -> Result<Self, Error> {
        let ending = [
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGHUP,
            Signal::SIGQUIT,
        ];
        let source = process::catch_signals(&ending);
        Ok(Self {
            source: source.map_err(|source| failed("catch signals", source))?,
            caught: Cell::new(None),
        })
    }

    /// The error of a copy that a signal ended.
    pub(super) fn interrupted(&self) -> Option<CopyError> {
        let signal = self.caught.get()?;
        Some(CopyError::Interrupted { signal })
    }

    fn wait(&self, fd: impl AsFd, ready: Ready) -> io::Result<()> {
        let waited = process::wait_ready(fd, ready, &self.source);
        match waited.map_err(io::Error::other)? {
            None => Ok(()),
            Some(signal) => {
                self.caught.set(Some(signal));
                Err(io::Error::other("a signal came"))
            }
        }
    }
}

/// A descriptor that is only used while no signal has come.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    file: File,
    signals: &'a Signals,
}

impl<'a> Watched<'a> {
    /// A pipe of our own.
    pub(super) fn pipe(file: File, signals: &'a Signals) -> Result<Self, Error> {
        let waiting = process::set_nonblocking(&file);
        waiting.map_err(|source| failed("prepare pipe", source))?;
        Ok(Self { file, signals })
    }

    /// Somebody else's, which stays as it is.
    pub(super) fn shared(file: File, signals: &'a Signals) -> Self {
        Self { file, signals }
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.signals.wait(&self.file, Ready::ToRead)?;
            match self.file.read(out) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.signals.wait(&self.file, Ready::ToWrite)?;
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
