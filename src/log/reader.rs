//! `Reader`: a log from its oldest file on.

use std::collections::VecDeque;

use super::{
    Entry, Error,
    files::{self, LogFile},
    line, tail,
};
use crate::{
    ident::Timestamp,
    sys::{self, Dir},
};

/// Which part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Query {
    /// The last lines only, of the whole log; a long line counts for each of its pieces.
    pub tail: Option<u64>,
    /// Nothing earlier.
    pub since: Option<Timestamp>,
    /// Nothing later.
    pub until: Option<Timestamp>,
}

/// Reads what is in a log, never more than a line at once in memory.
#[derive(Debug)]
pub struct Reader {
    /// Oldest first; the first one is being read.
    pub(super) files: VecDeque<LogFile>,
    query: Query,
    skipped: u64,
    done: bool,
    /// Whether to read what comes after it was opened.
    pub(super) endless: bool,
}

impl Reader {
    /// Opens the log in a container's directory; none is an empty one.
    pub fn open(dir: &Dir, query: Query) -> Result<Self, Error> {
        let mut files = files::open_all(dir)?;
        if let Some(wanted) = query.tail {
            leave_last(&mut files, wanted)?;
        }
        if let Some(since) = query.since {
            leave_since(&mut files, since);
        }
        Ok(Self {
            files: files.into(),
            query,
            skipped: 0,
            done: false,
            endless: false,
        })
    }

    /// The next entry; `None` at the end.
    pub fn read_entry(&mut self) -> Result<Option<Entry>, Error> {
        while !self.done {
            let Some(current) = self.files.front_mut() else {
                break;
            };
            let passed_over = current.lines.passed_over();
            // Otherwise one could run after a writer for ever.
            let ended = !self.endless && current.lines.position() >= current.size;
            let line = if ended {
                None
            } else {
                current.lines.next_line()?
            };
            let parsed = line.map(line::parse);
            self.skipped += current.lines.passed_over() - passed_over;
            match parsed {
                Some(Some(entry)) if self.is_after(&entry) => self.done = true,
                Some(Some(entry)) if self.is_before(&entry) => {}
                Some(Some(entry)) => return Ok(Some(entry)),
                Some(None) => self.skipped += 1,
                None if self.files.len() > 1 => self.leave()?,
                None => break,
            }
        }
        Ok(None)
    }

    /// Goes on with the next file; what has no end by now is torn.
    pub(super) fn leave(&mut self) -> Result<(), Error> {
        if let Some(left) = self.files.pop_front()
            && left.lines.has_rest()?
        {
            self.skipped += 1;
        }
        Ok(())
    }

    /// How many lines so far were torn or not ours.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether everything up to `until` was read.
    pub fn is_done(&self) -> bool {
        self.done
    }

    fn is_before(&self, entry: &Entry) -> bool {
        self.query.since.is_some_and(|since| entry.time < since)
    }

    fn is_after(&self, entry: &Entry) -> bool {
        self.query.until.is_some_and(|until| entry.time > until)
    }
}

fn leave_last(files: &mut Vec<LogFile>, mut wanted: u64) -> sys::Result<()> {
    for index in (0..files.len()).rev() {
        let file = &mut files[index];
        let (at, found) = tail::begin(file.lines.file(), file.size, wanted)?;
        file.seek(at)?;
        wanted -= found;
        if wanted == 0 {
            files.drain(..index);
            break;
        }
    }
    Ok(())
}

/// Files that were finished before have nothing of interest. Times of files are coarser than ours.
fn leave_since(files: &mut Vec<LogFile>, since: Timestamp) {
    let last = files.len().saturating_sub(1);
    let of_interest = |file: &LogFile| file.modified.seconds >= since.as_second() - 1;
    let first = files.iter().position(of_interest).unwrap_or(last);
    files.drain(..first);
}
