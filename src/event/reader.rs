//! `EventReader`: the journal from some moment on, and what is still being written to it.

use std::{collections::VecDeque, fs::File, os::fd::BorrowedFd, time::Duration};

use nix::errno::Errno;

use super::{Error, Event, Filter, line};
use crate::{
    ident::Timestamp,
    store::{EVENTS, EVENTS_OLD, Store},
    sys::{
        Dir, Lines, Result, metadata_of,
        watch::{self, Watch},
    },
};

/// How often to look where nothing wakes us.
const INTERVAL: Duration = Duration::from_millis(100);

/// Which part of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Nothing earlier.
    pub since: Option<Timestamp>,
    /// Nothing later.
    pub until: Option<Timestamp>,
}

/// Reads the journal. With neither end given it begins with what comes now.
#[derive(Debug)]
pub struct EventReader {
    root: Dir,
    watch: Option<Watch>,
    /// Oldest first; the first one is being read.
    files: VecDeque<(Lines, (u64, u64))>,
    span: Span,
    filter: Filter,
}

impl EventReader {
    /// Opens the journal of a store.
    pub fn open(store: &Store, span: Span, filter: Filter) -> std::result::Result<Self, Error> {
        let root = store.root().try_clone()?;
        // Before the files are looked at, so that nothing falls in between.
        let watch = Watch::on_dir(&root).ok();
        let mut files = open_all(&root)?;
        if span == Span::default() {
            files.drain(..files.len().saturating_sub(1));
            if let Some((lines, _)) = files.front_mut() {
                *lines = Lines::at_end(reopen(lines)?)?;
            }
        }
        Ok(Self {
            root,
            watch,
            files,
            span,
            filter,
        })
    }

    /// The next event that is wanted and there; `None` when everything so far was read.
    pub fn read_available(&mut self) -> std::result::Result<Option<Event>, Error> {
        // First forget, then look: what comes in between wakes us again.
        if let Some(watch) = &self.watch {
            watch.drain()?;
        }
        let mut sealed = false;
        loop {
            if let Some(event) = self.next_wanted()? {
                return Ok(Some(event));
            }
            if self.files.len() > 1 {
                self.files.pop_front();
                continue;
            }
            let named = self.root.find(EVENTS)?;
            let named = named.map(|named| (named.dev(), named.ino()));
            let current = self.files.front().map(|(_, identity)| *identity);
            if named.is_none() || named == current {
                return Ok(None);
            }
            // Something may have come before it was rotated and after we read.
            if current.is_some() && !std::mem::replace(&mut sealed, true) {
                continue;
            }
            sealed = false;
            let mut next = open_all(&self.root)?;
            if let Some(here) = next
                .iter()
                .position(|(_, identity)| Some(*identity) == current)
            {
                next.drain(..=here);
            }
            if next.is_empty() {
                return Ok(None);
            }
            self.files = next;
        }
    }

    /// Waits for more, for the reader of `output` to go, or for the time to be over; whether the
    /// reader has gone.
    pub fn wait(
        &self,
        output: BorrowedFd<'_>,
        timeout: Duration,
    ) -> std::result::Result<bool, Error> {
        use std::os::fd::AsFd as _;
        Ok(match &self.watch {
            Some(watch) => watch::wait(&[watch.as_fd()], &[output], timeout)?,
            None => watch::wait(&[], &[output], timeout.min(INTERVAL))?,
        })
    }

    fn next_wanted(&mut self) -> Result<Option<Event>> {
        let Some((lines, _)) = self.files.front_mut() else {
            return Ok(None);
        };
        while let Some(text) = lines.next_line()? {
            let Some(event) = line::parse(text) else {
                continue;
            };
            let early = self.span.since.is_some_and(|since| event.time < since);
            // Not the end: processes write at the same moment, and clocks are set.
            let late = self.span.until.is_some_and(|until| event.time > until);
            if !early && !late && self.filter.fits(&event) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

fn reopen(lines: &Lines) -> Result<File> {
    let file = lines.file().try_clone();
    file.map_err(|error| crate::sys::SysError::from_io("dup", EVENTS, &error))
}

/// Both files, the older one first. The newer one is opened first: it may become the older one
/// meanwhile, and is met twice, but none is missed.
fn open_all(root: &Dir) -> Result<VecDeque<(Lines, (u64, u64))>> {
    let mut files = VecDeque::new();
    for name in [EVENTS, EVENTS_OLD] {
        let file = match root.open_file(name) {
            Ok(file) => file,
            Err(error) if error.errno() == Some(Errno::ENOENT) => continue,
            Err(error) => return Err(error),
        };
        let metadata = metadata_of(&file)?;
        let identity = (metadata.dev(), metadata.ino());
        files.retain(|(_, met)| *met != identity);
        files.push_front((Lines::new(file, 0), identity));
    }
    Ok(files)
}
