//! `put_aside`: out of the way, and not lost.
//!
//! ```text
//! quarantine/<when>-<id>/where.json    where it was, why it is here, since when
//!                        <its name>    the thing itself
//! ```
//!
//! The record is there first: a crash in between leaves an entry without a thing, never a thing that
//! somebody takes for garbage.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Error, QUARANTINE, Staging, Store, record};
use crate::{
    ident::{Digest, Timestamp},
    sys::{Dir, Result as SysResult, SysError, random_bytes, sync},
};

/// What lies beside each thing.
const WHERE: &str = "where.json";

/// Why something is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Where it was, relative to the store; what is no UTF-8 is replaced.
    pub was: String,
    /// What was wrong.
    pub why: String,
    /// Since when it is here.
    pub since: Timestamp,
}

/// Moves what is at `path`, relative to the store, into quarantine; answers where it is then, relative
/// to the store. Durable when it returns. The caller sees to it that nobody uses it.
pub fn put_aside(store: &Store, path: &Path, why: &str) -> Result<PathBuf, Error> {
    let (parent, name) = place_of(store, path)?;
    let (entry, dir) = begin(store, path, why)?;
    parent
        .rename(name, &dir, name)
        .and_then(|()| sync::directory(&dir))
        .and_then(|()| sync::directory(&parent))
        .map_err(|source| failed(path, source))?;
    Ok(Path::new(QUARANTINE).join(entry).join(name))
}

/// Keeps what is in a file at `path` now, under another name; the file stays where it is, to be
/// replaced.
pub fn keep_copy(store: &Store, path: &Path, why: &str) -> Result<PathBuf, Error> {
    let (parent, name) = place_of(store, path)?;
    let (entry, dir) = begin(store, path, why)?;
    parent
        .link(name, &dir, name)
        .and_then(|()| sync::directory(&dir))
        .map_err(|source| failed(path, source))?;
    Ok(Path::new(QUARANTINE).join(entry).join(name))
}

/// The names of what is in quarantine.
pub fn in_quarantine(store: &Store) -> Result<Vec<std::ffi::OsString>, Error> {
    let list = || match store.root().find(QUARANTINE)? {
        None => Ok(Vec::new()),
        Some(_) => store.root().open_dir(QUARANTINE)?.sorted_entries(),
    };
    list().map_err(|source| failed(Path::new(QUARANTINE), source))
}

fn place_of<'p>(store: &Store, path: &'p Path) -> Result<(Dir, &'p OsStr), Error> {
    let open = || -> SysResult<_> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let top = store.root().try_clone()?;
        let parent = parent
            .iter()
            .try_fold(top, |dir, part| dir.open_dir(part))?;
        Ok((parent, path.file_name().unwrap_or_default()))
    };
    open().map_err(|source| failed(path, source))
}

fn begin(store: &Store, path: &Path, why: &str) -> Result<(String, Dir), Error> {
    let of = |source| failed(path, source);
    store.root().ensure_dir(QUARANTINE, 0o700).map_err(of)?;
    let quarantine = store.root().open_dir(QUARANTINE).map_err(of)?;
    let (now, random) = (Timestamp::now(), random_bytes().map_err(of)?);
    let entry = format!("{}-{}", now.as_second(), Digest::of(&random).short());
    let staging = Staging::begin_unnamed(store)?;
    let aside = Aside {
        was: path.display().to_string(),
        why: why.to_owned(),
        since: now,
    };
    record::create(staging.dir(), WHERE, &aside)?;
    sync::file_system(staging.dir()).map_err(of)?;
    let published = staging.publish(&quarantine, &entry)?;
    sync::directory(&quarantine).map_err(of)?;
    let (dir, _lock) = published.ok_or_else(|| {
        of(SysError::new(
            "renameat2",
            entry.clone(),
            nix::errno::Errno::EEXIST,
        ))
    })?;
    Ok((entry, dir))
}

fn failed(path: &Path, source: SysError) -> Error {
    Error::System {
        what: format!("put {} into quarantine", path.display()),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Place, sweep};

    #[test]
    fn what_is_put_aside_is_kept_with_where_it_was() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let images = store.open_dir(Place::Images).unwrap();
        images.create_file("한글.json", 0o600).unwrap();
        assert!(in_quarantine(&store).unwrap().is_empty());
        let now = put_aside(&store, Path::new("images/한글.json"), "odd").unwrap();
        sweep(&store).unwrap();
        assert!(images.find("한글.json").unwrap().is_none());
        assert!(store.path().join(&now).exists());
        let entry = in_quarantine(&store).unwrap().remove(0);
        let quarantine = store.root().open_dir(QUARANTINE).unwrap();
        let aside: Aside = record::read(&quarantine.open_dir(entry).unwrap(), WHERE).unwrap();
        assert_eq!((&*aside.was, &*aside.why), ("images/한글.json", "odd"));
    }

    #[test]
    fn a_copy_leaves_the_file_where_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let images = store.open_dir(Place::Images).unwrap();
        images.create_file("x", 0o600).unwrap();
        let now = keep_copy(&store, Path::new("images/x"), "odd").unwrap();
        assert!(images.find("x").unwrap().is_some() && store.path().join(now).exists());
    }
}
