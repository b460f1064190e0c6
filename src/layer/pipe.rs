//! Two threads for one blob: this one reads, hashes and inflates; the other hashes the tar and does
//! something with it.
//!
//! Buffers go round between the two, so that memory is bounded and nothing is copied twice. Either
//! side may stop: the other notices by the closed channel.

use std::{
    fs::File,
    io::{self, BufRead, Read},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
};

use super::{
    Compression, Error, Limits,
    source::{BUFFER, Source},
};
use crate::{
    ident::{DiffId, Digest, Hasher},
    sys::thread::spawn,
};

/// Buffers on their way.
const IN_FLIGHT: usize = 16;

/// Digests and sizes of a blob and of the tar in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digested {
    /// The digest of the blob as it came in.
    pub blob: Digest,
    /// Its size in bytes.
    pub blob_size: u64,
    /// The digest of the tar.
    pub diff_id: DiffId,
    /// The tar's size in bytes.
    pub tar_size: u64,
}

/// Decompresses and hashes a blob without unpacking it; `copy_to` gets it as it comes in.
pub fn digest(
    blob: impl Read + Send,
    compression: Compression,
    limits: &Limits,
    copy_to: Option<&File>,
) -> Result<Digested, Error> {
    let input = Input {
        blob,
        compression,
        limits,
        copy_to,
    };
    run(input, |_| Ok(())).map(|(digested, ())| digested)
}

/// A blob and how to read it.
pub(super) struct Input<'a, R> {
    pub(super) blob: R,
    pub(super) compression: Compression,
    pub(super) limits: &'a Limits,
    pub(super) copy_to: Option<&'a File>,
}

/// Decodes the blob on this thread while `consume` reads the tar on another. What `consume` leaves
/// is read and hashed too.
pub(super) fn run<R: Read, T: Send>(
    input: Input<'_, R>,
    consume: impl FnOnce(&mut TarStream) -> Result<T, Error> + Send,
) -> Result<(Digested, T), Error> {
    let (sender, receiver) = sync_channel(IN_FLIGHT);
    let (give_back, recycled) = channel();
    let (produced, consumed) = thread::scope(|scope| {
        let reader = move || {
            let mut stream = TarStream::new(receiver, give_back);
            let value = consume(&mut stream)?;
            stream.drain()?;
            Ok((value, stream.hasher.finish(), stream.total))
        };
        let reader = spawn(scope, reader).map_err(|source| Error::Blob {
            operation: "read",
            source,
        })?;
        let produced = produce(input, &Output { sender, recycled });
        let consumed = reader.join();
        Ok((
            produced,
            consumed.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        ))
    })?;
    let (value, diff_id, tar_size) = match consumed {
        Ok(consumed) => consumed,
        // The consumer met the end of a broken stream: the producer knows why.
        Err(Error::Stream { source }) => {
            return Err(produced.err().unwrap_or(Error::Stream { source }));
        }
        Err(error) => return Err(error),
    };
    let (blob_size, blob) = produced?;
    let digested = Digested {
        blob: blob.map_or(diff_id, Hasher::finish),
        blob_size,
        diff_id: DiffId(diff_id),
        tar_size,
    };
    Ok((digested, value))
}

enum Piece {
    Bytes { buffer: Vec<u8>, filled: usize },
    End,
}

struct Output {
    sender: SyncSender<Piece>,
    recycled: Receiver<Vec<u8>>,
}

/// Sends the decoded blob. A receiver that is gone is no error: it has one itself.
fn produce<R: Read>(input: Input<'_, R>, output: &Output) -> Result<(u64, Option<Hasher>), Error> {
    let compression = input.compression;
    let mut source = Source::new(input.blob, compression != Compression::None, input.copy_to);
    let decoded = decode(compression.decoder(&mut source, input.limits), output);
    let (total, hasher, failure) = source.finish();
    match (decoded, failure) {
        (Ok(()), _) => Ok((total, hasher)),
        (Err(_), Some(failure)) => Err(failure),
        (Err(source), None) => Err(Error::Corrupt {
            compression,
            source,
        }),
    }
}

fn decode(mut decoder: impl Read, output: &Output) -> io::Result<()> {
    loop {
        let recycled = output.recycled.try_recv();
        let mut buffer = recycled.unwrap_or_else(|_| vec![0; BUFFER]);
        let (filled, ended) = fill(&mut decoder, &mut buffer);
        // What was decoded before an error goes out first, so that the outcome does not depend on
        // how the blob was cut into buffers.
        if filled > 0 && output.sender.send(Piece::Bytes { buffer, filled }).is_err() {
            return Ok(());
        }
        match ended {
            None => {}
            Some(Ok(())) => {
                drop(output.sender.send(Piece::End));
                return Ok(());
            }
            Some(Err(error)) => return Err(error),
        }
    }
}

/// Fills the buffer as far as the decoder gives; tells whether and how it ended.
fn fill(decoder: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match decoder.read(&mut buffer[filled..]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}

/// The decoded tar on the consumer's side; hashes each buffer as it arrives.
pub(super) struct TarStream {
    receiver: Receiver<Piece>,
    give_back: Sender<Vec<u8>>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    hasher: Hasher,
    total: u64,
}

impl TarStream {
    fn new(receiver: Receiver<Piece>, give_back: Sender<Vec<u8>>) -> Self {
        Self {
            receiver,
            give_back,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            hasher: Hasher::new(),
            total: 0,
        }
    }

    fn drain(&mut self) -> Result<(), Error> {
        loop {
            let count = self
                .fill_buf()
                .map_err(|source| Error::Stream { source })?
                .len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        match self.receiver.recv() {
            Ok(Piece::Bytes { buffer, filled }) => {
                self.hasher.update(&buffer[..filled]);
                self.total += filled as u64;
                (self.start, self.end) = (0, filled);
                let empty = std::mem::replace(&mut self.buffer, buffer);
                if !empty.is_empty() {
                    // The producer may be done already.
                    drop(self.give_back.send(empty));
                }
                Ok(())
            }
            Ok(Piece::End) => {
                self.ended = true;
                Ok(())
            }
            Err(_) => Err(io::Error::other("the blob could not be decoded to its end")),
        }
    }
}

impl Read for TarStream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for TarStream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && !self.ended {
            self.receive()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}
