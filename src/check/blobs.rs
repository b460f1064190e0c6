//! Blobs: the bytes of each against the digest that is its name.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Error, Finding, Progress, Remedy, Watcher, examine::Known};
use crate::{
    ident::{Digest, Hasher},
    sys::{At as _, Dir, SysError, metadata_of, thread},
};

/// They are read by so many.
const READERS: usize = 2;

/// A page of the hash, large enough for any disk.
const PIECE: usize = 1 << 20;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) count: u64,
    pub(super) bytes: u64,
    whole: BTreeMap<Digest, u64>,
    /// Those that are not what they are called, and why.
    pub(super) damaged: BTreeMap<Digest, String>,
}

/// Reads all of them, the largest first. Nothing is locked: a blob never changes, and one that is
/// removed meanwhile is no fault.
pub(super) fn read_all(
    dir: &Dir,
    blobs: &BTreeMap<Digest, u64>,
    known: &mut Known,
    watcher: Watcher<'_>,
) -> Result<Read, Error> {
    let mut queue: Vec<_> = blobs
        .iter()
        .filter(|(digest, _)| !known.blobs.contains_key(digest))
        .map(|(digest, size)| (*size, *digest))
        .collect();
    queue.sort_unstable();
    let total: u64 = queue.iter().map(|(size, _)| size).sum();
    let (queue, done) = (Mutex::new(queue), AtomicU64::new(0));
    let (read, failure) = (Mutex::new(Read::default()), Mutex::new(None));
    let tell = |count: u64| {
        let done = done.fetch_add(count, Ordering::Relaxed) + count;
        watcher(&Progress::Blobs { done, total });
    };
    let work = || {
        while let Some((_, digest)) = pop(&queue) {
            match digest_of(dir, digest, &tell) {
                Ok(None) => {}
                Ok(Some((bytes, fault))) => {
                    let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                    read.count += 1;
                    read.bytes += bytes;
                    match fault {
                        None => drop(read.whole.insert(digest, bytes)),
                        Some(why) => drop(read.damaged.insert(digest, why)),
                    }
                }
                Err(error) => {
                    let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(error);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        // One of them is this thread.
        thread::crew(scope, READERS - 1, work);
        work();
    });
    let failure = failure.into_inner();
    if let Some(error) = failure.unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
    let still = |(digest, _): &(&Digest, &u64)| blobs.contains_key(digest);
    for (_, bytes) in known.blobs.iter().filter(still) {
        read.count += 1;
        read.bytes += bytes;
    }
    known.blobs.extend(std::mem::take(&mut read.whole));
    Ok(read)
}

fn pop<T>(queue: &Mutex<Vec<T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// How many bytes it has, and what is wrong; `None` where it was removed meanwhile.
fn digest_of(
    dir: &Dir,
    digest: Digest,
    tell: &impl Fn(u64),
) -> Result<Option<(u64, Option<String>)>, Error> {
    let name = digest.hex();
    let file = match dir.open_file(&name) {
        Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => return Ok(None),
        Err(error) if is_ours(&error) => return Err(error.into()),
        Err(error) => return Ok(Some((0, Some(format!("cannot be read: {error}"))))),
        Ok(file) => file,
    };
    let own = metadata_of(&file)?;
    let (bytes, fault) = match hash(file, tell) {
        Ok((found, bytes)) if found == digest => (bytes, None),
        Ok((found, bytes)) => (bytes, Some(format!("its content has digest {found}"))),
        Err(error) => (0, Some(format!("cannot be read: {error}"))),
    };
    if fault.is_some() {
        // Another one may have taken its place.
        let now = dir.find(&name)?;
        let is_same = |now: crate::sys::Metadata| (now.dev(), now.ino()) == (own.dev(), own.ino());
        if !now.is_some_and(is_same) {
            return Ok(None);
        }
    }
    Ok(Some((bytes, fault)))
}

fn is_ours(error: &SysError) -> bool {
    use nix::errno::Errno::{EMFILE, ENFILE, ENOMEM};
    matches!(error.errno(), Some(EMFILE | ENFILE | ENOMEM))
}

fn hash(mut file: File, tell: &impl Fn(u64)) -> crate::sys::Result<(Digest, u64)> {
    let (mut hasher, mut bytes) = (Hasher::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece).at("read", || "blob")?;
        if count == 0 {
            return Ok((hasher.finish(), bytes));
        }
        hasher.update(&piece[..count]);
        bytes += count as u64;
        tell(count as u64);
    }
}

/// `users`: images that need a blob, as a user calls them.
pub(super) fn decide(read: &Read, users: impl Fn(Digest) -> Vec<String>) -> Vec<Finding> {
    let finding = |(digest, why): (&Digest, &String)| {
        let remedy = Remedy::PutBlobAside(*digest);
        let mut finding = Finding::damage(format!("blob {digest}"), why, remedy);
        let users = users(*digest);
        if !users.is_empty() {
            finding.details = vec![format!("needed by {}", users.join(", "))];
        }
        finding
    };
    read.damaged.iter().map(finding).collect()
}
