//! Reads an archive and compares it with its own list.

use std::io::{BufReader, Read};

use nix::errno::Errno;

use super::{
    BackupError, FILES, FORMAT, FileLine, HEAD, Head, RESERVED, Spool, Tail,
    spool::{Finished, Lines},
};
use crate::{
    layer::{Destination, Dialect, Item, Ledger, Limits, Owner, PathBytes, Terms, inspect, place},
    sys::{Result as SysResult, RootDir, SysError},
};

/// Descriptions are small.
const HEAD_MAX: u64 = 1 << 20;

/// An archive that is what it says.
#[derive(Debug)]
pub struct Checked {
    /// Which volume it is of.
    pub head: Head,
    /// Its list, as it was found to be true.
    pub files: Finished,
    /// What its own list adds up to, with how many files changed while they were read.
    pub tail: Tail,
}

/// Reads an archive to its end and compares everything with its list.
pub fn check(archive: impl Read, limits: &Limits, spool: Spool) -> Result<Checked, BackupError> {
    let mut reading = Reading::new(spool);
    let read = inspect(archive, Dialect::Backup, limits, &mut reading);
    reading.finish(read.map_err(BackupError::from))
}

/// The same, putting everything into an empty directory that nobody else has.
///
/// # Errors
///
/// What was put there before is left to the caller, who throws it away.
pub fn restore(
    archive: impl Read,
    into: &RootDir,
    limits: &Limits,
    spool: Spool,
) -> Result<Checked, BackupError> {
    let mut reading = Reading::new(spool);
    let destination = Destination {
        root: into,
        dir: std::path::Path::new(""),
        name: None,
        owner: Owner::Archive,
        terms: Terms::Whole,
    };
    let read = place(archive, &destination, limits, &mut reading);
    reading.finish(read.map(drop).map_err(BackupError::from))
}

/// What was read so far.
struct Reading {
    head: Option<Head>,
    spool: Option<Spool>,
    compared: Option<(Finished, Tail)>,
    /// What is told in place of the error that ended the reading.
    failure: Option<BackupError>,
}

impl Reading {
    fn new(spool: Spool) -> Self {
        Self {
            head: None,
            spool: Some(spool),
            compared: None,
            failure: None,
        }
    }

    fn finish(self, read: Result<(), BackupError>) -> Result<Checked, BackupError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        read?;
        let head = self.head.ok_or(BackupError::Foreign)?;
        let (files, tail) = self.compared.ok_or(BackupError::Unlisted)?;
        Ok(Checked { head, files, tail })
    }

    fn read_member(&mut self, path: &PathBytes, data: &mut dyn Read) -> Result<(), BackupError> {
        if path.as_bytes() == HEAD.as_bytes() && self.head.is_none() {
            self.head = Some(head(data)?);
            return Ok(());
        }
        match self.spool.take() {
            Some(spool) if path.as_bytes() == FILES.as_bytes() && self.head.is_some() => {
                let mut files = spool.finish().map_err(|source| BackupError::System {
                    what: "write list of files",
                    source,
                })?;
                let tail = against(&mut files, Lines::new(BufReader::new(data)))?;
                self.compared = Some((files, tail));
                Ok(())
            }
            _ => Err(BackupError::List {
                why: format!("\"{path}\" is not where it belongs"),
            }),
        }
    }
}

impl Ledger for Reading {
    fn item(&mut self, item: Item) -> SysResult<()> {
        if self.head.is_none() {
            self.failure = Some(BackupError::Foreign);
            return Err(stopped());
        }
        if let Some(spool) = &mut self.spool {
            return spool.add(&FileLine::from(item));
        }
        let why = format!("\"{}\" comes after it", item.path);
        self.failure = Some(BackupError::List { why });
        Err(stopped())
    }

    fn owns(&self, path: &PathBytes) -> bool {
        path.components()
            .next()
            .is_some_and(|first| first == RESERVED)
    }

    fn read(&mut self, path: &PathBytes, data: &mut dyn Read) -> SysResult<()> {
        self.read_member(path, data).map_err(|failure| {
            self.failure = Some(failure);
            stopped()
        })
    }
}

/// Only ends the reading: the failure is told.
fn stopped() -> SysError {
    SysError::new("read", "archive", Errno::EBADMSG)
}

fn head(data: &mut dyn Read) -> Result<Head, BackupError> {
    let damaged = |why: String| BackupError::Head { why };
    let mut text = Vec::new();
    let read = data.take(HEAD_MAX).read_to_end(&mut text);
    read.map_err(|error| damaged(error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    // Before anything else that a newer version may have changed.
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    let format = format.and_then(|format| u32::try_from(format).ok());
    match format {
        Some(FORMAT) => serde_json::from_value(value).map_err(|error| damaged(error.to_string())),
        Some(found) => Err(BackupError::Newer {
            found,
            known: FORMAT,
        }),
        None => Err(damaged("it does not say its format".to_owned())),
    }
}

/// Compares what was found with what the archive lists; the order is the archive's.
fn against(
    found: &mut Finished,
    mut listed: Lines<BufReader<&mut dyn Read>>,
) -> Result<Tail, BackupError> {
    let count = found.tail().entries;
    let mut found = found.lines().map_err(|source| BackupError::System {
        what: "read list of files",
        source,
    })?;
    let mut changed = 0;
    let mut bytes = 0;
    for _ in 0..count {
        let is: FileLine = found.next()?.ok_or(BackupError::Unlisted)?;
        let said: FileLine = listed.next()?.ok_or_else(|| BackupError::List {
            why: format!("it ends before \"{}\"", is.path),
        })?;
        if said.path != is.path {
            let why = format!("it has \"{}\" where \"{}\" comes", said.path, is.path);
            return Err(BackupError::List { why });
        }
        if let Some(what) = said.difference(&is) {
            let path = is.path;
            return Err(BackupError::Mismatch { path, what });
        }
        changed += u64::from(said.changed);
        bytes += is.size.unwrap_or(0);
    }
    let tail: Tail = listed.next()?.ok_or_else(|| BackupError::List {
        why: "it has no last line".to_owned(),
    })?;
    let counted = Tail {
        entries: count,
        bytes,
        changed,
    };
    if tail != counted {
        let why = "its last line does not count what is before it".to_owned();
        return Err(BackupError::List { why });
    }
    Ok(tail)
}
