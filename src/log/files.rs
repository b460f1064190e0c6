//! The files of a log.

use std::fs::File;

use nix::errno::Errno;

use super::{FILE, line};
use crate::sys::{Dir, FileKind, Lines, Result, SysError, TimeSpec, metadata_of};

/// Nobody keeps more; a larger number is somebody else's file.
const INDEX_MAX: u32 = 9999;

/// An open file of a log.
#[derive(Debug)]
pub(super) struct LogFile {
    pub lines: Lines,
    /// Device and inode.
    pub identity: (u64, u64),
    pub size: u64,
    pub modified: TimeSpec,
}

impl LogFile {
    fn new(file: File) -> Result<Option<Self>> {
        let metadata = metadata_of(&file)?;
        Ok((metadata.kind() == FileKind::File).then(|| Self {
            identity: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: metadata.mtime(),
            lines: Lines::new(file, 0),
        }))
    }

    /// Its number in a log that is rotated, from its first line.
    pub(super) fn number(&self) -> Result<Option<u64>> {
        let file = self.lines.file().try_clone();
        let file = file.map_err(|error| SysError::from_io("dup", FILE, &error))?;
        number_of(file)
    }

    /// Begins again at another place, where a line begins.
    pub(super) fn seek(&mut self, at: u64) -> Result<()> {
        let file = self.lines.file().try_clone();
        let file = file.map_err(|error| SysError::from_io("dup", FILE, &error))?;
        self.lines = Lines::new(file, at);
        Ok(())
    }
}

/// `log`, `log.1`, ...
pub(super) fn name(index: u32) -> String {
    match index {
        0 => FILE.to_owned(),
        _ => format!("{FILE}.{index}"),
    }
}

fn number_of(file: File) -> Result<Option<u64>> {
    let mut lines = Lines::new(file, 0);
    Ok(lines.next_line()?.and_then(line::number))
}

/// The number of the file with this index; `None` where it has none or is not there.
pub(super) fn number_in(dir: &Dir, index: u32) -> Result<Option<u64>> {
    match open(dir, index)? {
        Some(file) => number_of(file),
        None => Ok(None),
    }
}

fn open(dir: &Dir, index: u32) -> Result<Option<File>> {
    match dir.open_file(name(index)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens all files, oldest first.
///
/// They may be rotated meanwhile, which only moves a file to a higher index: looked at upwards, one
/// can be met twice, never missed.
pub(super) fn open_all(dir: &Dir) -> Result<Vec<LogFile>> {
    let names = match dir.entries() {
        // The directory itself was removed, which is then empty.
        Err(error) if error.errno() == Some(Errno::ENOENT) => Vec::new(),
        names => names?,
    };
    let index = |name: &std::ffi::OsString| name.to_str()?.strip_prefix("log.")?.parse().ok();
    let indexes = names.iter().filter_map(index);
    let highest = indexes
        .filter(|index| *index <= INDEX_MAX)
        .max()
        .unwrap_or(0);
    let mut files: Vec<LogFile> = Vec::new();
    for index in 0..=INDEX_MAX {
        let found = open(dir, index)?.map(LogFile::new).transpose()?.flatten();
        if found.is_none() && index > highest {
            break;
        }
        if let Some(file) = found {
            // Where it was met last is its place.
            files.retain(|met| met.identity != file.identity);
            files.push(file);
        }
    }
    files.reverse();
    Ok(files)
}
