//! Reading a tar that somebody has given us: opening it, counting it against limits, and keeping
//! the books of what is in it.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::{
    Compression, Dialect, EntryMetadata, Error, Item, ItemKind, Ledger, Limits, PathBytes,
    content_digest::ContentHasher,
    entry::{self, Change, LayerEntry},
    frame::Frames,
    sparse::SparseMap,
};
use crate::sys::Result as SysResult;

/// Buffers of the archive and of the tar in it.
const BUFFER: usize = 1 << 17;

/// The tar in a stream, compressed or not.
pub(super) fn open<'a>(
    tar: impl Read + 'a,
    limits: &Limits,
) -> Result<BufReader<Box<dyn Read + 'a>>, Error> {
    let mut tar = tar;
    let mut head = Vec::new();
    let beginning = tar.by_ref().take(6).read_to_end(&mut head);
    beginning.map_err(|source| Error::Stream { source })?;
    let compression = Compression::detect(&head);
    let tar = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(tar));
    let tar = compression.decoder(tar, limits);
    Ok(BufReader::with_capacity(BUFFER, tar))
}

/// Reads what follows the end of a tar: whoever writes it may still be writing what fills its last
/// block, and what is compressed has a checksum at its end.
pub(super) fn drain(mut tar: impl Read) -> Result<(), Error> {
    io::copy(&mut tar, &mut io::sink()).map_err(|source| Error::Stream { source })?;
    Ok(())
}

/// Whether this is the beginning of a tar, compressed or not: its first header can be read.
pub fn begins_archive(beginning: impl Read, limits: &Limits) -> bool {
    let Ok(mut tar) = open(beginning, limits) else {
        return false;
    };
    matches!(Frames::new(&mut tar, limits).next(), Ok(Some(_)))
}

/// Reads a tar, compressed or not, to its end and makes nothing of it.
pub fn inspect(
    tar: impl Read,
    dialect: Dialect,
    limits: &Limits,
    ledger: &mut dyn Ledger,
) -> Result<(), Error> {
    let mut tar = open(tar, limits)?;
    let mut frames = Frames::new(&mut tar, limits);
    let mut count = Count::default();
    while let Some(frame) = frames.next()? {
        let entry = entry::read(&frame, limits, dialect)?;
        count.add(&entry, limits)?;
        if aside(&entry, &mut frames, ledger)? {
            continue;
        }
        let LayerEntry {
            path,
            change,
            metadata,
        } = entry;
        let mut hasher = ContentHasher::default();
        if let Change::File { sparse, .. } = &change {
            let sparse = sparse.as_ref().filter(|map| !map.is_full);
            digest(&mut frames, sparse, &mut hasher)?;
        }
        if let Some(item) = item(path.clone(), change, metadata, hasher) {
            tell(ledger, item)?;
        }
    }
    drain(tar)
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Count {
    entries: u64,
    bytes: u64,
}

impl Count {
    /// Counts an entry before anything is made of it.
    pub(super) fn add(&mut self, entry: &LayerEntry, limits: &Limits) -> Result<(), Error> {
        self.entries += 1;
        if let Change::File { size, .. } = entry.change {
            self.bytes = self.bytes.saturating_add(size);
        }
        let (what, limit) = if self.entries > limits.entries {
            ("entries", limits.entries)
        } else if self.bytes > limits.bytes {
            ("bytes of files", limits.bytes)
        } else {
            return Ok(());
        };
        Err(Error::Limit {
            entry: entry.path.clone(),
            what,
            limit,
        })
    }
}

/// Gives the ledger what is its own; tells whether it was.
pub(super) fn aside(
    entry: &LayerEntry,
    frames: &mut Frames<'_, impl BufRead>,
    ledger: &mut dyn Ledger,
) -> Result<bool, Error> {
    if !ledger.owns(&entry.path) {
        return Ok(false);
    }
    if !matches!(entry.change, Change::File { sparse: None, .. }) {
        let why = "a reserved name that is not a plain file".into();
        return Err(Error::Malformed {
            entry: entry.path.clone(),
            why,
        });
    }
    let read = ledger.read(&entry.path, &mut EntryData(frames));
    read.map_err(|source| Error::Entry {
        entry: entry.path.clone(),
        source,
    })?;
    Ok(true)
}

/// Tells the ledger of an entry that is done.
pub(super) fn tell(ledger: &mut dyn Ledger, item: Item) -> Result<(), Error> {
    let path = item.path.clone();
    let told: SysResult<()> = ledger.item(item);
    told.map_err(|source| Error::Entry {
        entry: path,
        source,
    })
}

/// The entry as a ledger has it; none for what only a layer has.
pub(super) fn item(
    path: PathBytes,
    change: Change,
    metadata: EntryMetadata,
    hasher: ContentHasher,
) -> Option<Item> {
    let kind = match change {
        Change::Directory => ItemKind::Directory,
        Change::File { size, .. } => ItemKind::File {
            size,
            digest: hasher.finish(),
        },
        Change::Symlink(target) => ItemKind::Symlink(target),
        Change::HardLink(target) => ItemKind::HardLink(target),
        Change::Node { kind, device } => ItemKind::Node { kind, device },
        Change::Whiteout | Change::Opaque | Change::Skipped => return None,
    };
    Some(Item {
        path,
        kind,
        metadata,
        changed: false,
    })
}

fn digest(
    frames: &mut Frames<'_, impl BufRead>,
    map: Option<&SparseMap>,
    hasher: &mut ContentHasher,
) -> Result<(), Error> {
    let whole = [(0, u64::MAX)];
    let parts = map.map_or(&whole[..], |map| &map.parts);
    let mut end = 0;
    for (offset, length) in parts {
        hasher.hole(offset - end);
        let mut left = *length;
        while left > 0 {
            let bytes = frames.data()?;
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let count = bytes.len().min(most);
            if count == 0 {
                break;
            }
            hasher.feed(&bytes[..count]);
            frames.consume(count);
            left -= count as u64;
        }
        end = offset.saturating_add(*length);
    }
    if let Some(map) = map {
        hasher.hole(map.size - end);
    }
    Ok(())
}

/// The data of the current entry.
struct EntryData<'f, 'a, R>(&'f mut Frames<'a, R>);

impl<R: BufRead> Read for EntryData<'_, '_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // The next call on the frames meets the same error and tells it in its own words.
        let bytes = self.0.data().map_err(io::Error::other)?;
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        self.0.consume(count);
        Ok(count)
    }
}
