//! Records: small JSON files that are read whole and replaced whole.
//!
//! Invariant: a reader sees the old record or the new one, never a part (rename(2) is atomic).

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::fs::FileExt as _,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Error, Place, Store, staging};
use crate::sys::{At as _, Dir, Result as SysResult, SysError, metadata_of, sync};

/// No record of ours comes near; a larger file is not a record (CVE class: unbounded JSON).
const SIZE_MAX: u64 = 64 * 1024 * 1024;

/// What names in `tmp/` begin with.
pub(super) const PREFIX: &str = "record-";

/// What a replaced record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: data and name are synced before we go on.
    Synced,
    /// A crash of the program, not of the machine. For run state, which a reboot ends anyway.
    Volatile,
}

/// Reads and parses a record.
pub fn read<T: DeserializeOwned>(dir: &Dir, name: &str) -> Result<T, Error> {
    parse(dir.open_file(name), name)
}

fn parse<T: DeserializeOwned>(file: SysResult<File>, name: &str) -> Result<T, Error> {
    let failed = |source| Error::Read {
        name: name.to_owned(),
        source,
    };
    let file = file.map_err(failed)?;
    let size = metadata_of(&file).map_err(failed)?.size().min(SIZE_MAX);
    // One read: room for the whole, and a byte more to see its end.
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(SIZE_MAX)
        .read_to_end(&mut text)
        .at("read", || name)
        .map_err(failed)?;
    serde_json::from_slice(&text).map_err(|source| Error::Parse {
        name: name.to_owned(),
        source,
    })
}

/// [`read`], `None` where there is no such record.
pub fn find<T: DeserializeOwned>(dir: &Dir, name: &str) -> Result<Option<T>, Error> {
    found(read(dir, name))
}

/// Most records are smaller.
const HEAD: usize = 2048;

/// [`find`] in a subdirectory of `parent`, with three calls for most: for whoever reads thousands.
pub fn find_in<T: DeserializeOwned>(
    parent: &Dir,
    dir: &str,
    name: &str,
) -> Result<Option<T>, Error> {
    let opened = parent.open_file_in(dir, name);
    let mut head = [0; HEAD];
    if let Ok(file) = &opened
        && let Ok(length) = file.read_at(&mut head, 0)
        && length < HEAD
        && let Ok(record) = serde_json::from_slice(&head[..length])
    {
        return Ok(Some(record));
    }
    // Large, or damaged, or not there: whoever reads it whole says which.
    found(parse(opened, &format!("{dir}/{name}")))
}

fn found<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(record) => Ok(Some(record)),
        Err(Error::Read { source, .. }) if source.errno() == Some(nix::errno::Errno::ENOENT) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What nobody may write is what nobody misses: the mode of a record that is made without a sync.
const VOLATILE_MODE: u32 = 0o400;

const MODE: u32 = 0o600;

/// Writes a record under a name nobody reads yet: in a directory that is still in `tmp/`. Synced or
/// not is the caller's business.
pub fn create<T: Serialize>(dir: &Dir, name: &str, record: &T) -> Result<(), Error> {
    write(dir, name, MODE, record).map(drop)
}

/// The same; of a volatile one is known what it was ([`is_volatile`]), should a power cut leave
/// nothing else of it. To sync the other one is the caller's business.
pub fn create_as<T: Serialize>(
    dir: &Dir,
    name: &str,
    record: &T,
    durability: Durability,
) -> Result<(), Error> {
    let mode = match durability {
        Durability::Volatile => VOLATILE_MODE,
        Durability::Synced => MODE,
    };
    write(dir, name, mode, record).map(drop)
}

/// Whether a record was never promised to survive a power cut: of a file, its mode is on disk
/// before its content is.
pub fn is_volatile(dir: &Dir, name: &str) -> Result<bool, Error> {
    let found = dir.find(name).map_err(|source| Error::Read {
        name: name.to_owned(),
        source,
    })?;
    Ok(found.is_some_and(|found| found.mode() & 0o777 == VOLATILE_MODE))
}

/// Puts a new record in the place of an old one, or of none.
pub fn replace<T: Serialize>(
    store: &Store,
    dir: &Dir,
    name: &str,
    record: &T,
    durability: Durability,
) -> Result<(), Error> {
    let failed = |source| Error::Write {
        name: name.to_owned(),
        source,
    };
    let tmp = store.open_dir(Place::Tmp)?;
    let random = crate::sys::random_bytes().map_err(failed)?;
    let _gate = staging::gate(tmp).map_err(failed)?;
    let unfinished = format!("{PREFIX}{}", crate::ident::Digest::of(&random).short());
    let put = || {
        let file = write(tmp, &unfinished, MODE, record)?;
        if durability == Durability::Synced {
            sync::data(&file).map_err(failed)?;
        }
        tmp.rename(&unfinished, dir, name).map_err(failed)
    };
    if let Err(error) = put() {
        tmp.remove_file(&unfinished).ok();
        return Err(error);
    }
    match durability {
        Durability::Synced => sync::directory(dir).map_err(failed),
        Durability::Volatile => Ok(()),
    }
}

fn write<T: Serialize>(dir: &Dir, name: &str, mode: u32, record: &T) -> Result<File, Error> {
    let failed = |source: SysError| Error::Write {
        name: name.to_owned(),
        source,
    };
    let mut text = serde_json::to_vec_pretty(record).map_err(|source| Error::Parse {
        name: name.to_owned(),
        source,
    })?;
    text.push(b'\n');
    let mut file = dir.create_file(name, mode).map_err(failed)?;
    file.write_all(&text).at("write", || name).map_err(failed)?;
    Ok(file)
}
