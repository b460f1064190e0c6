//! `Digester`: file digests and the ledger, on a thread beside the one that reads.
//!
//! SHA-256 takes as long as reading and copying do. What is read goes to the other thread in
//! batches, in the order of the entries, so that the ledger is told in that order, too.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::{
    ContentDigest, EntryMetadata, Error, Item, ItemKind, Ledger, PathBytes,
    content_digest::ContentHasher, draft::On as _,
};
use crate::sys::thread::spawn;

/// Bytes of a batch, about: small enough for a core's cache.
const BYTES: usize = 256 << 10;

/// Steps of a batch, for trees of empty files.
const STEPS: usize = 512;

/// Batches on their way.
const IN_FLIGHT: usize = 4;

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    steps: Vec<Step>,
}

enum Step {
    /// As many of the batch's bytes are a file's next ones.
    Data(usize),
    /// As many zeros are a file's next ones.
    Hole(u64),
    /// The file ends.
    File(FileEnd),
    /// Any other entry.
    Entry(Item),
}

/// A file but for its digest.
pub(super) struct FileEnd {
    pub(super) path: PathBytes,
    pub(super) size: u64,
    pub(super) metadata: EntryMetadata,
    pub(super) changed: bool,
}

impl FileEnd {
    fn with(self, digest: ContentDigest) -> Item {
        Item {
            path: self.path,
            kind: ItemKind::File {
                size: self.size,
                digest,
            },
            metadata: self.metadata,
            changed: self.changed,
        }
    }
}

/// Takes what is read.
pub(super) struct Digester {
    batch: Batch,
    to: SyncSender<Batch>,
    /// Batches that were worked off, to be filled again.
    back: Receiver<Batch>,
}

/// Runs `work`, with a digester where the ledger wants to be told.
///
/// # Errors
///
/// The ledger's, and otherwise those of `work`.
pub(super) fn beside<T>(
    ledger: &mut (dyn Ledger + Send),
    work: impl FnOnce(Option<&mut Digester>) -> Result<T, Error>,
) -> Result<T, Error> {
    if !ledger.wants_items() {
        return work(None);
    }
    let (to, batches) = sync_channel(IN_FLIGHT);
    let (give_back, back) = sync_channel(IN_FLIGHT);
    thread::scope(|scope| {
        let telling = move || digest(&batches, &give_back, ledger);
        let telling = spawn(scope, telling).map_err(|source| Error::Blob {
            operation: "list files of",
            source,
        })?;
        let mut digester = Digester {
            batch: Batch::default(),
            to,
            back,
        };
        let done = work(Some(&mut digester));
        let last = digester.send().map_err(stopped);
        drop(digester);
        let told = telling.join();
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        last?;
        done
    })
}

fn digest(
    batches: &Receiver<Batch>,
    give_back: &SyncSender<Batch>,
    ledger: &mut dyn Ledger,
) -> Result<(), Error> {
    let mut hasher = ContentHasher::default();
    for mut batch in batches {
        let mut rest = &batch.bytes[..];
        for step in batch.steps.drain(..) {
            match step {
                Step::Data(length) => {
                    let (data, after) = rest.split_at(length);
                    hasher.feed(data);
                    rest = after;
                }
                Step::Hole(length) => hasher.hole(length),
                Step::File(end) => {
                    let digest = std::mem::take(&mut hasher).finish();
                    tell(ledger, end.with(digest))?;
                }
                Step::Entry(item) => tell(ledger, item)?,
            }
        }
        batch.bytes.clear();
        // Nobody fills any more, or there are enough of them.
        give_back.try_send(batch).ok();
    }
    Ok(())
}

fn tell(ledger: &mut dyn Ledger, item: Item) -> Result<(), Error> {
    let path = item.path.clone();
    ledger.item(item).on(&path)
}

impl Digester {
    /// The next bytes of the file that is read.
    pub(super) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.batch.bytes.extend_from_slice(bytes);
        match self.batch.steps.last_mut() {
            Some(Step::Data(length)) => *length += bytes.len(),
            _ => self.batch.steps.push(Step::Data(bytes.len())),
        }
        self.send_if_full()
    }

    /// The next bytes of it are as many zeros.
    pub(super) fn hole(&mut self, length: u64) {
        if length > 0 {
            self.batch.steps.push(Step::Hole(length));
        }
    }

    /// Ends a file: what came since the entry before is its content.
    pub(super) fn file(&mut self, end: FileEnd) -> Result<(), Error> {
        self.batch.steps.push(Step::File(end));
        self.send_if_full().map_err(stopped)
    }

    /// Any other entry.
    pub(super) fn entry(&mut self, item: Item) -> Result<(), Error> {
        self.batch.steps.push(Step::Entry(item));
        self.send_if_full().map_err(stopped)
    }

    fn send_if_full(&mut self) -> io::Result<()> {
        if self.batch.bytes.len() < BYTES && self.batch.steps.len() < STEPS {
            return Ok(());
        }
        self.send()
    }

    /// Fails where the ledger has failed; its error is the one that is told.
    fn send(&mut self) -> io::Result<()> {
        let next = self.back.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.batch, next);
        let sent = self.to.send(full);
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn stopped(source: io::Error) -> Error {
    Error::Stream { source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ident::Digest,
        sys::{Result as SysResult, SysError},
    };

    /// Takes this many items and fails then.
    struct Books {
        room: usize,
        items: Vec<Item>,
    }

    impl Ledger for Books {
        fn item(&mut self, item: Item) -> SysResult<()> {
            if self.items.len() == self.room {
                let full = io::Error::from(io::ErrorKind::StorageFull);
                return Err(SysError::from_io("write", "list", &full));
            }
            self.items.push(item);
            Ok(())
        }
    }

    fn end(path: &str, size: usize) -> FileEnd {
        FileEnd {
            path: PathBytes::new(path.as_bytes()),
            size: size as u64,
            metadata: EntryMetadata::default(),
            changed: false,
        }
    }

    #[test]
    fn every_file_has_its_own_digest_however_the_batches_are_cut() {
        let mut books = Books {
            room: usize::MAX,
            items: Vec::new(),
        };
        let content = |number: usize| number.to_string().repeat(number * 97 % 20_000).into_bytes();
        beside(&mut books, |digester| {
            let digester = digester.unwrap();
            for number in 0..2000 {
                for part in content(number).chunks(4099) {
                    digester.data(part).unwrap();
                }
                digester.file(end(&number.to_string(), number)).unwrap();
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(books.items.len(), 2000);
        for (number, item) in books.items.iter().enumerate() {
            assert_eq!(item.path.as_bytes(), number.to_string().as_bytes());
            let ItemKind::File { digest, .. } = item.kind else {
                panic!("{item:?}");
            };
            assert_eq!(digest.sha256, Digest::of(&content(number)), "{number}");
        }
    }

    #[test]
    fn a_ledger_that_fails_stops_the_work_and_its_error_is_told() {
        let mut books = Books {
            room: 10,
            items: Vec::new(),
        };
        let outcome: Result<(), Error> = beside(&mut books, |digester| {
            let digester = digester.unwrap();
            loop {
                digester.file(end("endless", 0))?;
            }
        });
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Pack { .. }), "{error:?}");
        assert_eq!(books.items.len(), 10);
    }
}
