//! The blob as it comes in: hashed, counted, copied.

use std::{
    fs::File,
    io::{self, BufRead, Read, Write as _},
};

use super::Error;
use crate::{ident::Hasher, sys::SysError};

pub(super) const BUFFER: usize = 256 << 10;

/// Reads a blob in large pieces; everything that passes is hashed and copied.
pub(super) struct Source<'a, R> {
    blob: R,
    /// Not needed where the blob is the tar: then the other thread computes the same digest.
    hasher: Option<Hasher>,
    copy_to: Option<&'a File>,
    total: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Why a read failed, if it was not the decoder's fault.
    failure: Option<Error>,
}

impl<'a, R: Read> Source<'a, R> {
    pub(super) fn new(blob: R, hashed: bool, copy_to: Option<&'a File>) -> Self {
        Self {
            blob,
            hasher: hashed.then(Hasher::new),
            copy_to,
            total: 0,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            failure: None,
        }
    }

    /// The number of bytes that passed, the hasher, and why reading failed.
    pub(super) fn finish(self) -> (u64, Option<Hasher>, Option<Error>) {
        (self.total, self.hasher, self.failure)
    }

    fn fail(&mut self, operation: &'static str, error: io::Error) -> io::Error {
        let call = if operation == "read" { "read" } else { "write" };
        let source = SysError::from_io(call, "layer blob", &error);
        self.failure = Some(Error::Blob { operation, source });
        error
    }

    fn pull(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            match self.blob.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail("read", error)),
                Ok(count) => break count,
            }
        };
        let bytes = &buffer[..count];
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        if let Some(mut copy) = self.copy_to
            && let Err(error) = copy.write_all(bytes)
        {
            return Err(self.fail("store", error));
        }
        self.total += count as u64;
        Ok(count)
    }
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && out.len() >= BUFFER / 2 {
            return self.pull(out);
        }
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Source<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(BUFFER, 0);
            let pulled = self.pull(&mut buffer);
            self.buffer = buffer;
            (self.start, self.end) = (0, pulled?);
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}
