//! `Follow`: a log and what is still being written to it, across rotations.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    time::Duration,
};

use super::{
    Entry, Error, FILE, Lost, Query, Reader, Stream,
    files::{self, LogFile},
};
use crate::{
    ident::Timestamp,
    sys::{
        Dir,
        watch::{self, Watch},
    },
};

/// How often to look where nothing wakes us.
const INTERVAL: Duration = Duration::from_millis(100);

/// Reads a log and goes on with what is appended. The file that is read is kept open, so rotating or
/// removing it takes nothing away.
#[derive(Debug)]
pub struct Follow {
    dir: Dir,
    /// None where the machine has no more of them to give: then we look from time to time.
    watch: Option<Watch>,
    reader: Reader,
    /// The current file has another's name or none: nothing more is written to it.
    sealed: bool,
}

impl Follow {
    /// Opens the log in a container's directory, whether or not there is one yet.
    pub fn open(dir: Dir, query: Query) -> Result<Self, Error> {
        // Before the files are looked at, so that nothing falls in between.
        let watch = Watch::on_dir(&dir).ok();
        let mut reader = Reader::open(&dir, query)?;
        reader.endless = true;
        Ok(Self {
            dir,
            watch,
            reader,
            sealed: false,
        })
    }

    /// Readable when there may be more; poll it beside whatever tells that the container has ended.
    /// `None` where one can only look from time to time.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(Watch::as_fd)
    }

    /// Waits for more, for `ended` to become readable, for the reader of `output` to go, or for the
    /// time to be over; whether the reader has gone.
    pub fn wait(
        &self,
        ended: Option<BorrowedFd<'_>>,
        output: BorrowedFd<'_>,
        timeout: Duration,
    ) -> Result<bool, Error> {
        let readable: Vec<_> = self.fd().into_iter().chain(ended).collect();
        let timeout = if self.watch.is_some() {
            timeout
        } else {
            timeout.min(INTERVAL)
        };
        Ok(watch::wait(&readable, &[output], timeout)?)
    }

    /// The next entry that is there; `None` when everything so far was read, and [`Follow::fd`]
    /// tells of more.
    pub fn read_available(&mut self) -> Result<Option<Entry>, Error> {
        if let Some(entry) = self.reader.read_entry()? {
            return Ok(Some(entry));
        }
        // First forget, then look: what comes in between wakes us again.
        if let Some(watch) = &self.watch {
            watch.drain()?;
        }
        loop {
            if let Some(entry) = self.reader.read_entry()? {
                return Ok(Some(entry));
            }
            if self.reader.is_done() {
                return Ok(None);
            }
            match self.turn()? {
                Turn::Same => return Ok(None),
                Turn::ReadOn => {}
                Turn::Missed(entry) => return Ok(Some(entry)),
            }
        }
    }

    /// How many lines so far were torn or not ours.
    pub fn skipped(&self) -> u64 {
        self.reader.skipped()
    }

    /// Whether everything up to `until` was read.
    pub fn is_done(&self) -> bool {
        self.reader.is_done()
    }

    /// Looks whether the log goes on in another file.
    fn turn(&mut self) -> Result<Turn, Error> {
        let named = self.dir.find(FILE)?;
        let Some(current) = self.reader.files.back() else {
            self.reader.files = files::open_all(&self.dir)?.into();
            let found = !self.reader.files.is_empty();
            return Ok(if found { Turn::ReadOn } else { Turn::Same });
        };
        let identity = named.map(|named| (named.dev(), named.ino()));
        if identity == Some(current.identity) {
            return Ok(Turn::Same);
        }
        // Something may have come before it was rotated and after we read.
        if !std::mem::replace(&mut self.sealed, true) {
            return Ok(Turn::ReadOn);
        }
        let (next, missed) = successors(current, files::open_all(&self.dir)?)?;
        if next.is_empty() {
            return Ok(Turn::Same);
        }
        self.sealed = false;
        self.reader.files.extend(next);
        self.reader.leave()?;
        Ok(missed.map_or(Turn::ReadOn, |lost| Turn::Missed(note(lost))))
    }
}

enum Turn {
    /// Nothing has changed.
    Same,
    /// There is more to read.
    ReadOn,
    /// The same, and something before it is gone.
    Missed(Entry),
}

fn note(lost: Lost) -> Entry {
    Entry {
        stream: Stream::Stderr,
        time: Timestamp::now(),
        bytes: Vec::new(),
        lost: Some(lost),
    }
}

/// Which of all files come after the current one, and what between is gone.
fn successors(
    current: &LogFile,
    mut all: Vec<LogFile>,
) -> Result<(Vec<LogFile>, Option<Lost>), Error> {
    let here = all
        .iter()
        .position(|file| file.identity == current.identity);
    if let Some(here) = here {
        // The oldest go first: what came after it is still there.
        return Ok((all.split_off(here + 1), None));
    }
    let Some(first) = all.first() else {
        return Ok((all, None));
    };
    let missed = match (current.number()?, first.number()?) {
        (Some(current), Some(next)) if next == current + 1 => None,
        (Some(current), Some(next)) => Some(next.checked_sub(current + 1)),
        // Just made: it says which it is with its first line.
        (Some(_), None) if all.len() == 1 => return Ok((Vec::new(), None)),
        _ => Some(None),
    };
    Ok((all, missed.map(|count| Lost::Files { count })))
}
