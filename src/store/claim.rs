//! Who works with a store at all: every command, and every supervisor, has its root shared.
//!
//! Alone it is had by who changes all of it: a migration, and the end of `system destroy`. A store that
//! was opened in time is never pulled away from under a command.

use std::time::{Duration, Instant};

use super::{
    Error, Store,
    format::{FORMAT, Header},
    migrate::{self, MIGRATIONS},
};
use crate::sys::{Dir, SysError, lock::Lock};

/// How long one waits for commands that work with the store.
const PATIENCE: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(20);

/// Shares the root, migrates what is older, refuses what must not be opened. `None` in place of a format
/// where nothing was migrated; the header is `None` in a directory that has none.
pub(super) fn claim(store: &Store) -> Result<(Lock, Option<Header>, Option<u64>), Error> {
    let failed = |source| open_failed(store, source);
    let own = reopened(store)?;
    let lock = match Lock::try_shared(own).map_err(failed)? {
        Some(lock) => lock,
        None => match Header::find(store)? {
            Some(header) if !header.is_doomed() => {
                // Somebody migrates it.
                Lock::shared(reopened(store)?).map_err(failed)?
            }
            _ => return Err(Error::Doomed { path: store.path() }),
        },
    };
    let Some(header) = Header::find(store)? else {
        return Ok((lock, None, None));
    };
    header.check(store)?;
    if header.format == FORMAT {
        return Ok((lock, Some(header), None));
    }
    let from = header.format;
    if migrate::way(MIGRATIONS, from, FORMAT).is_none() {
        let (path, found) = (store.path(), from);
        return Err(Error::Format { path, found });
    }
    drop(lock);
    let lock = alone(store)?;
    // Another one may have been quicker.
    let header = Header::find(store)?.unwrap_or(header);
    header.check(store)?;
    let steps = migrate::way(MIGRATIONS, header.format, FORMAT).unwrap_or_default();
    let header = migrate::migrate(store, header, &steps)?;
    lock.share().map_err(failed)?;
    Ok((lock, Some(header), Some(from)))
}

/// Shares the root, whatever its header says.
pub(super) fn share(store: &Store) -> Result<Lock, Error> {
    let lock = Lock::try_shared(reopened(store)?).map_err(|source| open_failed(store, source))?;
    lock.ok_or_else(|| Error::Doomed { path: store.path() })
}

/// The root alone.
///
/// # Errors
///
/// Where others still work with it after a while.
pub(super) fn alone(store: &Store) -> Result<Lock, Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        let own = reopened(store)?;
        if let Some(lock) = Lock::try_exclusive(own).map_err(|source| open_failed(store, source))? {
            return Ok(lock);
        }
        if Instant::now() > end {
            return Err(Error::Busy { path: store.path() });
        }
        std::thread::sleep(PAUSE);
    }
}

/// An open file of its own: a lock ends with the last descriptor of its open file (flock(2)).
fn reopened(store: &Store) -> Result<std::fs::File, Error> {
    let own = store.root().reopen().map(Dir::into_fd);
    own.map(Into::into)
        .map_err(|source| open_failed(store, source))
}

fn open_failed(store: &Store, source: SysError) -> Error {
    Error::Open {
        path: store.path(),
        source,
    }
}
