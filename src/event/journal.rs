//! `Journal`: where processes write down what they did.

use std::{
    fs::{File, TryLockError},
    io::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Error, Event, line};
use crate::{
    store::{EVENTS, EVENTS_OLD, Staging, Store},
    sys::{At as _, Dir, Lines, Result, lock::Lock, metadata_of, sync},
};

/// As large as a file gets, but for what is written while nobody can rotate it.
const SIZE_MAX: u64 = 8 * 1024 * 1024;

/// How often to try where somebody rotates at this moment, which takes microseconds.
const TRIES: u32 = 50;

/// The journal of a store. Its file is opened with the first event.
#[derive(Debug)]
pub struct Journal {
    root: Dir,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
}

impl Journal {
    /// The journal of a store.
    pub fn of(store: &Store) -> std::result::Result<Self, Error> {
        Ok(Self {
            root: store.root().try_clone()?,
            open: Mutex::new(None),
        })
    }

    /// Writes an event down, if that is possible: what was done is done, whether or not the disk has
    /// room to tell of it.
    pub fn emit(&self, event: &Event) {
        if let Some(text) = line::print(event) {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            self.append(&mut open, &text).ok();
        }
    }

    fn append(&self, open: &mut Option<Open>, text: &[u8]) -> Result<()> {
        let mut may_rotate = true;
        for last in (0..TRIES).rev() {
            let current = match open.take() {
                Some(current) => current,
                None => self.open()?,
            };
            let locked = current.file.try_lock_shared();
            // Where whoever rotates is stopped, it is better in the end to write than to wait.
            if matches!(locked, Err(TryLockError::WouldBlock)) && last > 0 {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            let named = self.root.find(EVENTS)?;
            let named = named.filter(|named| (named.dev(), named.ino()) == current.identity);
            // Somebody has rotated it since we opened it.
            let Some(named) = named else { continue };
            if named.size() >= SIZE_MAX && std::mem::take(&mut may_rotate) {
                self.rotate(&current)?;
                continue;
            }
            write(&current.file, text);
            current.file.unlock().ok();
            *open = Some(current);
            return Ok(());
        }
        Ok(())
    }

    fn open(&self) -> Result<Open> {
        let file = self.root.open_append(EVENTS, 0o600)?;
        let metadata = metadata_of(&file)?;
        Ok(Open {
            file,
            identity: (metadata.dev(), metadata.ino()),
        })
    }

    /// Writes the file `name` of the journal again without the lines that cannot be read; whether that was
    /// done: not while others write to it. The old one is kept by the caller.
    pub fn mend(&self, store: &Store, name: &str) -> std::result::Result<bool, Error> {
        let file = self.root.open_file(name)?;
        let lock = file.try_clone().at("dup", || name)?;
        let Some(_lock) = Lock::try_exclusive(lock)? else {
            return Ok(false);
        };
        let (mut lines, mut whole) = (Lines::new(file, 0), Vec::new());
        while let Some(text) = lines.next_line()? {
            if line::parse(text).is_some() {
                whole.extend_from_slice(text);
                whole.push(b'\n');
            }
        }
        let staging = Staging::begin_unnamed(store).map_err(Error::from)?;
        let mut fresh = staging.dir().create_file(name, 0o600)?;
        fresh.write_all(&whole).at("write", || name)?;
        sync::data(&fresh)?;
        staging.dir().rename(name, &self.root, name)?;
        sync::directory(&self.root)?;
        Ok(true)
    }

    /// Puts the file aside unless others are writing to it: then one of the next ones does it.
    fn rotate(&self, current: &Open) -> Result<()> {
        // Changing a lock may let it go for a moment, so somebody else may have rotated.
        if current.file.try_lock().is_ok()
            && let Some(named) = self.root.find(EVENTS)?
            && (named.dev(), named.ino()) == current.identity
        {
            self.root.rename(EVENTS, &self.root, EVENTS_OLD)?;
        }
        Ok(())
    }
}

/// One write; half a line is ended, so that the next one begins anew.
fn write(mut file: &File, text: &[u8]) {
    if let Ok(written) = file.write(text)
        && written < text.len()
    {
        // Where this fails, too, the reader tells them apart.
        file.write_all(b"\n").ok();
    }
}
