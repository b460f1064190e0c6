//! `Appender`: the file that is written, which never fails its caller.

use std::{
    fs::File,
    io::{self, ErrorKind, Write as _},
    os::unix::fs::FileExt as _,
};

use nix::errno::Errno;

use super::{FILE, LogOptions, batch::Batch, batch::Stamp, files};
use crate::sys::{Dir, Result, SysError, metadata_of};

/// Root writes; whoever root lets into the container's directory may read.
const MODE: u32 = 0o640;

/// More than a line of ours; a file without newline in so much is not ours to cut.
const TORN_MAX: u64 = 1024 * 1024;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Appender {
    dir: Dir,
    max_size: Option<u64>,
    max_file: u32,
    file: Option<File>,
    /// Bytes in the file; since the last try where it could not be rotated.
    filled: u64,
    /// Which file of the log it is.
    number: u64,
    /// A line without end is in the file and could not be cut off.
    torn: bool,
    /// Lost since the last marker, and why.
    gap: (u64, String),
    lost: u64,
}

impl Appender {
    pub(super) fn new(dir: Dir, options: &LogOptions) -> Self {
        Self {
            dir,
            max_size: options.max_size,
            max_file: options.max_file,
            file: None,
            filled: 0,
            number: 0,
            torn: false,
            gap: (0, String::new()),
            lost: 0,
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    pub(super) fn has_gap(&self) -> bool {
        self.gap.0 > 0
    }

    /// Whether a line after `batch` belongs into another file.
    pub(super) fn is_full(&self, batch: &Batch) -> bool {
        let filled = self.filled + batch.text().len() as u64;
        self.file.is_some() && self.max_size.is_some_and(|most| filled >= most)
    }

    /// Opens the file where it is not open, and begins a batch with what must be said first.
    pub(super) fn begin(&mut self, batch: &mut Batch, stamp: &Stamp) {
        if self.file.is_none()
            && let Err(error) = self.open()
        {
            self.gap.1 = error.errno().map_or(error.to_string(), describe);
        }
        if self.torn {
            batch.begin_anew();
        }
        if self.has_gap() {
            let gap = (self.gap.0, self.gap.1.as_str());
            batch.push_marker(gap, stamp, self.number_of_first(batch));
        }
    }

    /// The file's number, for its first line.
    pub(super) fn number_of_first(&self, batch: &Batch) -> Option<u64> {
        let first = self.max_size.is_some() && self.filled == 0 && batch.is_empty();
        first.then_some(self.number)
    }

    fn open(&mut self) -> Result<()> {
        let file = self.dir.open_append(FILE, MODE)?;
        self.filled = mend(&file)?;
        if self.max_size.is_some() {
            self.number = match self.filled {
                0 => files::number_in(&self.dir, 1)?.unwrap_or(0) + 1,
                _ => files::number_in(&self.dir, 0)?.unwrap_or(0),
            };
        }
        self.file = Some(file);
        Ok(())
    }

    /// Writes the lines of a batch, all or as many as go; the rest is counted as lost.
    pub(super) fn append(&mut self, batch: &Batch) {
        let (written, error) = match &self.file {
            Some(file) => write(file, batch.text()),
            None => (0, None),
        };
        let (kept, any, lost) = batch.split(written);
        self.filled += kept as u64;
        self.torn = (self.torn && !any) || (kept < written && !self.cut(written - kept));
        if any && batch.marked {
            self.gap.0 = 0;
        }
        self.gap.0 += lost;
        self.lost += lost;
        if let Some(error) = error {
            self.gap.1 = error
                .raw_os_error()
                .map_or(error.to_string(), |code| describe(Errno::from_raw(code)));
        }
    }

    /// Takes the last bytes away again; from where they are, should somebody have emptied the file.
    fn cut(&self, length: usize) -> bool {
        let cut = |file: &File| {
            let size = metadata_of(file).ok()?.size();
            file.set_len(size.checked_sub(length as u64)?).ok()
        };
        self.file.as_ref().and_then(cut).is_some()
    }

    /// Puts the file aside. Where that cannot be, it is written on until as much has come again.
    pub(super) fn rotate(&mut self) {
        self.filled = 0;
        // Up to the first that is not there yet, or not since a crash half-way; else the oldest goes.
        let last = self.max_file.saturating_sub(1);
        let is_free = |index: &u32| matches!(self.dir.find(files::name(*index)), Ok(None));
        let free = (1..last).find(is_free).unwrap_or(last);
        for index in (1..free).rev() {
            let (from, to) = (files::name(index), files::name(index + 1));
            self.dir.rename(from, &self.dir, to).ok();
        }
        // Removed, not emptied: whoever reads it can finish it.
        let done = match self.max_file {
            0 | 1 => self.dir.remove_file(FILE),
            _ => self.dir.rename(FILE, &self.dir, files::name(1)),
        };
        let gone = |error: &SysError| error.errno() == Some(Errno::ENOENT);
        if done.as_ref().is_ok() || done.as_ref().is_err_and(gone) {
            self.file = None;
            self.torn = false;
            self.number += 1;
            self.open_next();
        }
    }

    fn open_next(&mut self) {
        // Tried again with the next batch.
        if let Ok(file) = self.dir.open_append(FILE, MODE) {
            self.file = Some(file);
        }
    }
}

fn describe(errno: Errno) -> String {
    errno.desc().to_lowercase()
}

/// How much was written, and what came in between.
fn write(mut file: &File, text: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < text.len() {
        match file.write(&text[written..]) {
            Ok(0) => return (written, Some(ErrorKind::WriteZero.into())),
            Ok(length) => written += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

/// Cuts off a line that a killed writer left without end; the file's size then.
fn mend(file: &File) -> Result<u64> {
    let failed = |error: &io::Error| SysError::from_io("pread", FILE, error);
    let size = metadata_of(file)?.size();
    let from = size.saturating_sub(TORN_MAX);
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)
            .map_err(|error| failed(&error))?;
    }
    if last == [b'\n'] {
        return Ok(size);
    }
    let mut tail = vec![0; usize::try_from(size - from).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)
        .map_err(|error| failed(&error))?;
    match memchr::memrchr(b'\n', &tail) {
        Some(at) => set_len(file, from + at as u64 + 1),
        None if from == 0 => set_len(file, 0),
        None => {
            let (written, error) = write(file, b"\n");
            error.map_or(Ok(size + written as u64), |error| Err(failed(&error)))
        }
    }
}

fn set_len(file: &File, size: u64) -> Result<u64> {
    file.set_len(size)
        .map_err(|error| SysError::from_io("ftruncate", FILE, &error))?;
    Ok(size)
}
