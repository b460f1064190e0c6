//! Puts an entry's metadata on an inode: owner, then mode, then attributes, then times.
//!
//! In this order because chown(2) clears setuid, setgid and `security.capability`, and everything
//! before the times would change them. Always on a descriptor or a name in an open directory, never
//! through a link (CVE-2026-33056).

use std::{
    ffi::OsStr,
    fs::File,
    os::{fd::AsFd, unix::ffi::OsStrExt as _},
};

use nix::errno::Errno;

use super::{
    EntryMetadata, PathBytes,
    entry::{Dialect, is_kept},
};
use crate::sys::{Dir, Result, inode, xattr};

/// Bits that are lost when a file is made or chowned.
const SPECIAL: u32 = 0o7000;

/// A file that was just made with this mode under umask 0.
pub(super) fn to_new_file(file: impl AsFd, metadata: &EntryMetadata) -> Result<()> {
    let owned = is_owned(metadata);
    if owned {
        inode::chown(&file, metadata.uid, metadata.gid)?;
    }
    if owned || metadata.mode & SPECIAL != 0 {
        inode::chmod(&file, metadata.mode)?;
    }
    set_xattrs(&file, metadata)?;
    inode::set_times(&file, metadata.time())
}

/// An open directory, new or not.
pub(super) fn to_directory(dir: &Dir, metadata: &EntryMetadata) -> Result<()> {
    let now = dir.own_metadata()?;
    if (now.uid(), now.gid()) != (metadata.uid, metadata.gid) && !is_foreign_root(metadata) {
        inode::chown(dir, metadata.uid, metadata.gid)?;
    }
    if now.mode() != metadata.mode || metadata.mode & SPECIAL != 0 {
        inode::chmod(dir, metadata.mode)?;
    }
    set_xattrs(dir, metadata)?;
    inode::set_times(dir, metadata.time())
}

/// A link or a node, by its name: neither can be opened without side effects.
pub(super) fn to_name(
    dir: &Dir,
    name: &OsStr,
    metadata: &EntryMetadata,
    is_link: bool,
) -> Result<()> {
    if is_owned(metadata) {
        dir.chown(name, metadata.uid, metadata.gid)?;
        if !is_link {
            dir.chmod(name, metadata.mode)?;
        }
    }
    for (key, value) in &metadata.xattrs {
        tolerate(xattr::set(
            dir,
            name,
            OsStr::from_bytes(key.as_bytes()),
            value,
        ))?;
    }
    dir.set_times(name, metadata.time())
}

/// Owner, mode, time and attributes of a directory, as a layer carries them.
pub fn of_directory(dir: &Dir) -> Result<EntryMetadata> {
    let found = dir.own_metadata()?;
    let mtime = found.mtime();
    Ok(EntryMetadata {
        mode: found.mode(),
        uid: found.uid(),
        gid: found.gid(),
        mtime: (mtime.seconds, mtime.nanoseconds),
        xattrs: xattrs(dir, OsStr::new("."), Dialect::Layer)?,
    })
}

/// The attributes that an archive may carry.
pub(super) fn xattrs(
    dir: &Dir,
    name: &OsStr,
    dialect: Dialect,
) -> Result<Vec<(PathBytes, Vec<u8>)>> {
    let get = |key: &OsStr| xattr::get(dir, name, key);
    kept(xattr::list(dir, name)?, get, dialect)
}

/// Those of an open file.
pub(super) fn xattrs_of_file(file: &File, dialect: Dialect) -> Result<Vec<(PathBytes, Vec<u8>)>> {
    let get = |key: &OsStr| xattr::get_open(file, key);
    kept(xattr::list_open(file)?, get, dialect)
}

fn kept(
    keys: Vec<Vec<u8>>,
    get: impl Fn(&OsStr) -> Result<Option<Vec<u8>>>,
    dialect: Dialect,
) -> Result<Vec<(PathBytes, Vec<u8>)>> {
    let mut kept = Vec::new();
    for key in keys {
        if is_kept(&key, dialect)
            && let Some(value) = get(OsStr::from_bytes(&key))?
        {
            kept.push((PathBytes::new(key), value));
        }
    }
    Ok(kept)
}

fn set_xattrs(fd: impl AsFd, metadata: &EntryMetadata) -> Result<()> {
    for (key, value) in &metadata.xattrs {
        tolerate(inode::set_xattr(&fd, key.as_bytes(), value))?;
    }
    Ok(())
}

/// Links take no user attributes, some file systems take none at all: other engines go on, too.
fn tolerate(set: Result<()>) -> Result<()> {
    match set {
        Err(error) if matches!(error.errno(), Some(Errno::EPERM | Errno::EOPNOTSUPP)) => Ok(()),
        set => set,
    }
}

/// New files are root's already; saves a call for nearly every file of nearly every image.
fn is_owned(metadata: &EntryMetadata) -> bool {
    (metadata.uid, metadata.gid) != (0, 0)
}

/// Without root, what belongs to root stays ours.
fn is_foreign_root(metadata: &EntryMetadata) -> bool {
    !is_owned(metadata) && !crate::sys::process::is_root()
}
