//! `Ledger`: somebody who is told of every entry that goes into an archive or comes out of one.

use std::io::Read;

use super::{ContentDigest, EntryMetadata, PathBytes};
use crate::sys::{FileKind, Result};

/// One entry as it is in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its path; the top is empty.
    pub path: PathBytes,
    /// What it is.
    pub kind: ItemKind,
    /// What belongs to its inode; of no meaning for a hard link.
    pub metadata: EntryMetadata,
    /// It was written to while it was read: what the archive has may never have been there.
    pub changed: bool,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Its size, holes included, in bytes.
        size: u64,
        /// Its content.
        digest: ContentDigest,
    },
    /// A symbolic link and its text.
    Symlink(Vec<u8>),
    /// Another name of an entry that came before.
    HardLink(PathBytes),
    /// A fifo or a device with its numbers.
    Node {
        /// Which of them.
        kind: FileKind,
        /// Major and minor number.
        device: (u64, u64),
    },
}

/// Keeps the books.
pub trait Ledger {
    /// An entry was written, or read and made. An error ends the work.
    fn item(&mut self, item: Item) -> Result<()>;

    /// Whether it wants to be told at all: digests cost time.
    fn wants_items(&self) -> bool {
        true
    }

    /// Whether a member that is read is not part of the tree but the ledger's.
    fn owns(&self, path: &PathBytes) -> bool {
        let _ = path;
        false
    }

    /// Reads such a member; what is left of it is skipped.
    fn read(&mut self, path: &PathBytes, data: &mut dyn Read) -> Result<()> {
        let _ = (path, data);
        Ok(())
    }
}

/// Nobody who wants to know.
#[derive(Debug)]
pub struct Unledgered;

impl Ledger for Unledgered {
    fn item(&mut self, _: Item) -> Result<()> {
        Ok(())
    }

    fn wants_items(&self) -> bool {
        false
    }
}
