//! `Spool`: lines on disk, however many; a file without a name, gone with its last holder.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{BackupError, FileLine, Tail};
use crate::sys::{At as _, Dir, Result as SysResult, unnamed_file};

/// Longer lines than any of ours: two paths with every byte escaped.
const LINE_MAX: u64 = 128 << 10;

/// Lines about files, written first and read then.
#[derive(Debug)]
pub struct Spool {
    out: BufWriter<File>,
    tail: Tail,
}

impl Spool {
    /// An empty one in a directory of ours.
    pub fn new(dir: &Dir) -> SysResult<Self> {
        let file = unnamed_file(dir)?;
        Ok(Self {
            out: BufWriter::with_capacity(1 << 16, file),
            tail: Tail::default(),
        })
    }

    /// Adds a line.
    pub fn add(&mut self, line: &FileLine) -> SysResult<()> {
        self.tail.add(line);
        self.write(line)
    }

    /// Ends it with its tail; from here on it is read.
    pub fn finish(mut self) -> SysResult<Finished> {
        let tail = self.tail;
        self.write(&tail)?;
        let file = self.out.into_inner();
        let file = file.map_err(std::io::IntoInnerError::into_error);
        let mut file = file.at("write", || "list of files")?;
        let length = file.stream_position().at("lseek", String::new)?;
        Ok(Finished { file, length, tail })
    }

    fn write(&mut self, value: &impl Serialize) -> SysResult<()> {
        let written = serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::from);
        written
            .and_then(|()| self.out.write_all(b"\n"))
            .at("write", || "list of files")
    }
}

/// A spool that is only read.
#[derive(Debug)]
pub struct Finished {
    file: File,
    length: u64,
    tail: Tail,
}

impl Finished {
    /// Bytes of all lines.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What they add up to.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// All of it, from the start.
    pub fn bytes(&mut self) -> SysResult<&mut File> {
        self.file.seek(SeekFrom::Start(0)).at("lseek", || "0")?;
        Ok(&mut self.file)
    }

    /// The same, line by line.
    pub fn lines(&mut self) -> SysResult<Lines<BufReader<&mut File>>> {
        Ok(Lines::new(BufReader::with_capacity(1 << 16, self.bytes()?)))
    }
}

/// Reads lines that may be anybody's.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            text: Vec::new(),
        }
    }

    /// The next line; none at the end.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BackupError> {
        let damaged = |why: String| BackupError::List { why };
        self.text.clear();
        let mut line = (&mut self.input).take(LINE_MAX);
        let read = line.read_until(b'\n', &mut self.text);
        read.map_err(|error| damaged(error.to_string()))?;
        if self.text.is_empty() {
            return Ok(None);
        }
        if self.text.last() != Some(&b'\n') {
            return Err(damaged("it ends in the middle of a line".to_owned()));
        }
        let value = serde_json::from_slice(&self.text);
        value.map(Some).map_err(|error| damaged(error.to_string()))
    }
}
