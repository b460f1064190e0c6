//! `Download`: a blob as it comes, over as many connections as it takes.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::{
    Error, Repository, Slots,
    slots::Slot,
    transport::{Request, Response},
};
use crate::{image::BlobRef, sys::SysError};

/// Connections that break without getting on.
const TRIES: u32 = 4;

/// After the first of them; each later pause is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// What counts as getting on.
const PROGRESS: u64 = 1 << 20;

/// What is there of a blob already; what comes is added to it.
#[derive(Debug)]
pub struct Part {
    /// Read from its start and written at its end.
    pub file: File,
    /// In bytes.
    pub length: u64,
}

/// What a download tells meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes are there.
    Bytes(u64),
    /// The connection broke; the next one is made after so long.
    Broke(Duration),
}

/// Is told how far it is.
pub type Watcher = Arc<dyn Fn(Heard) + Send + Sync>;

/// Why a download failed, for whoever sees only that a reader failed.
pub type Failure = Arc<Mutex<Option<Error>>>;

/// Reads a blob from its start; verifies its length, not its digest.
pub struct Download {
    repository: Arc<Repository>,
    blob: BlobRef,
    part: Option<Part>,
    slots: Arc<Slots>,
    watcher: Watcher,
    failure: Failure,
    at: u64,
    stream: Option<(Box<dyn Read + Send>, Slot)>,
    broken: u32,
    /// Where the last connection broke.
    broke_at: u64,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("blob", &self.blob.digest)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Download {
    /// Nothing is asked for before the first byte is read that is not there.
    pub fn new(
        repository: &Arc<Repository>,
        blob: &BlobRef,
        part: Option<Part>,
        slots: &Arc<Slots>,
        (watcher, failure): (Watcher, Failure),
    ) -> Self {
        Self {
            repository: Arc::clone(repository),
            blob: blob.clone(),
            part,
            slots: Arc::clone(slots),
            watcher,
            failure,
            at: 0,
            stream: None,
            broken: 0,
            broke_at: 0,
        }
    }

    fn what(&self) -> String {
        format!("blob {}", self.blob.digest)
    }

    fn read_part(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(part) = &self.part else {
            return Ok(0);
        };
        let left = usize::try_from(part.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = part.file.read_at(&mut buffer[..length], self.at);
        read.map_err(|error| self.system("pread", &error))
    }

    fn system(&self, call: &'static str, error: &io::Error) -> Error {
        let what = format!("keep {}", self.what());
        let source = SysError::from_io(call, self.blob.digest.hex(), error);
        Error::System { what, source }
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.stream.is_none() {
                if self.at == self.blob.size {
                    return Ok(0);
                }
                match self.open() {
                    Ok(()) => {}
                    Err(error) => self.pause_or(error)?,
                }
                continue;
            }
            let Some((stream, _)) = &mut self.stream else {
                continue;
            };
            match stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // All of it came: how the connection ends does not matter.
                Ok(0) | Err(_) if self.at == self.blob.size => self.stream = None,
                Ok(0) => {
                    let early = io::ErrorKind::UnexpectedEof.into();
                    self.break_off(early)?;
                }
                Err(error) => self.break_off(error)?,
                Ok(count) => return self.take(&buffer[..count]),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let end = self.at + bytes.len() as u64;
        if end > self.blob.size {
            return Err(Error::Length {
                host: self.repository.host(),
                what: self.what(),
                wanted: self.blob.size,
                found: end,
            });
        }
        if let Some(part) = &self.part {
            let written = part.file.write_all_at(bytes, self.at);
            written.map_err(|error| self.system("pwrite", &error))?;
        }
        self.at = end;
        Ok(bytes.len())
    }

    fn break_off(&mut self, source: io::Error) -> Result<(), Error> {
        self.stream = None;
        let error = Error::Cut {
            host: self.repository.host(),
            what: format!("{} ({} of {} bytes)", self.what(), self.at, self.blob.size),
            source,
        };
        self.pause_or(error)
    }

    /// Waits for a better moment, as often as there is hope.
    fn pause_or(&mut self, error: Error) -> Result<(), Error> {
        let is_passing = matches!(
            error,
            Error::Cut { .. } | Error::Connection { .. } | Error::Refused { status: 500.., .. }
        );
        if self.at >= self.broke_at + PROGRESS {
            self.broken = 0;
        }
        self.broke_at = self.at;
        self.broken += 1;
        // Before anything came, one that cannot be reached cannot be reached.
        let never_was = self.at == 0 && matches!(error, Error::Connection { .. });
        if !is_passing || never_was || self.broken > TRIES {
            return Err(error);
        }
        let pause = PAUSE * 2_u32.pow(self.broken - 1);
        (self.watcher)(Heard::Broke(pause));
        thread::sleep(pause);
        Ok(())
    }

    fn open(&mut self) -> Result<(), Error> {
        let slot = self.slots.take();
        let digest = self.blob.digest;
        let mut request = Request::get(self.repository.url(&format!("blobs/{digest}")));
        if self.at > 0 {
            request
                .headers
                .push(("range", format!("bytes={}-", self.at)));
        }
        let response = self.repository.send(&request)?;
        let start = match response.status {
            200 => 0,
            206 if self.at > 0 => self.range_start(&response)?,
            _ => return Err(self.repository.refused(response, request.shown())),
        };
        let what = self.what();
        self.repository
            .check_length(&what, &response, self.blob.size - start)?;
        let mut stream = response.stream();
        // Who knows no ranges sends what we have once more.
        let known = self.at - start;
        let skipped = io::copy(&mut (&mut stream).take(known), &mut io::sink());
        if !skipped.is_ok_and(|skipped| skipped == known) {
            let source = io::ErrorKind::UnexpectedEof.into();
            let host = self.repository.host();
            return Err(Error::Cut { host, what, source });
        }
        self.stream = Some((Box::new(stream), slot));
        Ok(())
    }

    /// Where a part that was asked for begins.
    fn range_start(&self, response: &Response) -> Result<u64, Error> {
        let range = response.header("content-range").unwrap_or_default();
        let start = range
            .strip_prefix("bytes ")
            .and_then(|rest| rest.split('-').next());
        match start.and_then(|start| start.parse().ok()) {
            Some(start) if start == self.at => Ok(start),
            _ => Err(Error::Nonsense {
                host: self.repository.host(),
                what: format!("a part of {}", self.what()),
                why: format!("it was asked for bytes from {}, not for {range:?}", self.at),
            }),
        }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let known = self.part.as_ref().map_or(0, |part| part.length);
        let read = if self.at < known {
            match self.read_part(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    Err(self.system("pread", &io::ErrorKind::UnexpectedEof.into()))
                }
                Ok(count) => {
                    self.at += count as u64;
                    Ok(count)
                }
                Err(error) => Err(error),
            }
        } else {
            self.fetch(buffer)
        };
        match read {
            Ok(count) => {
                (self.watcher)(Heard::Bytes(self.at));
                Ok(count)
            }
            Err(error) => {
                let text = error.to_string();
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                Err(io::Error::other(text))
            }
        }
    }
}
