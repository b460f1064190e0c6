//! Compressing on several threads while somebody writes and somebody takes.
//!
//! The stream is cut into pieces that are compressed each for itself and put one after the other:
//! gzip members and zstd frames may follow each other, and every decoder reads on. What is written
//! on one side is thus ready on the other in the same order; memory is a few pieces.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Mutex,
        mpsc::{Receiver, RecvError, SyncSender, sync_channel},
    },
    thread,
};

use super::{Compression, tar_writer::Sink};
use crate::sys::{Result as SysResult, thread::spawn};

/// Large enough that starting anew costs no ratio, small enough for the caches.
const PIECE: usize = 1 << 20;

/// Pieces on their way; each may be taken by nobody for a while.
const IN_FLIGHT: usize = 4;

/// What streams can be compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Encoding {
    None,
    Gzip,
    Zstd,
}

/// What compresses one piece after another, at the programs' own levels: gzip(1) 6, zstd(1) 3.
enum Encoder {
    Gzip,
    /// Made once: its tables are as large as a piece.
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Encoder {
    /// How one is made; none where nothing is to be compressed.
    fn maker(encoding: Encoding) -> Option<fn() -> io::Result<Self>> {
        match encoding {
            Encoding::None => None,
            Encoding::Gzip => Some(|| Ok(Self::Gzip)),
            Encoding::Zstd => Some(|| {
                let mut encoder = zstd::bulk::Compressor::new(3)?;
                encoder.include_checksum(true)?;
                Ok(Self::Zstd(encoder))
            }),
        }
    }

    fn encode(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => {
                let out = Vec::with_capacity(piece.len() / 2);
                let mut encoder =
                    flate2::write::GzEncoder::new(out, flate2::Compression::default());
                encoder.write_all(piece)?;
                encoder.finish()
            }
            Self::Zstd(encoder) => encoder.compress(piece),
        }
    }
}

impl From<Encoding> for Compression {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::None => Self::None,
            Encoding::Gzip => Self::Gzip,
            Encoding::Zstd => Self::Zstd,
        }
    }
}

type Encoded = io::Result<Piece>;
type Job = (Piece, SyncSender<Encoded>);

/// As many of the bytes count.
struct Piece {
    bytes: Vec<u8>,
    filled: usize,
}

impl Piece {
    fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        let filled = bytes.len();
        Self { bytes, filled }
    }
}

/// Takes what is to be compressed.
pub struct Pieces {
    piece: Piece,
    /// Those who compress, if anybody does.
    jobs: Option<SyncSender<Job>>,
    /// Where each piece's outcome will be, in the order of the pieces.
    order: SyncSender<Receiver<Encoded>>,
    /// Buffers that were compressed: a fresh page costs more than a byte of it.
    used: Receiver<Vec<u8>>,
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces")
            .field("held", &self.piece.filled)
            .finish_non_exhaustive()
    }
}

/// Runs `produce`, whose bytes `out` gets compressed. `out` is written to by this thread, all else
/// is done by others; `workers` of them compress.
///
/// The outcomes of both sides: where one broke off, the other has failed for its sake.
///
/// # Errors
///
/// There is no thread to be had: nothing was begun.
pub fn encode<T: Send>(
    encoding: Encoding,
    workers: usize,
    produce: impl FnOnce(&mut Pieces) -> T + Send,
    out: &mut impl Write,
) -> SysResult<(T, io::Result<()>)> {
    let (jobs, queue) = sync_channel::<Job>(IN_FLIGHT);
    let (order, ordered) = sync_channel(IN_FLIGHT);
    let (give_back, used) = sync_channel(IN_FLIGHT);
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        let queue = &queue;
        let maker = Encoder::maker(encoding);
        if let Some(make) = maker {
            for number in 0..workers.max(1) {
                let give_back = give_back.clone();
                let own = move || work(make, queue, &give_back);
                match spawn(scope, own) {
                    Ok(_) => {}
                    // One is enough.
                    Err(_) if number > 0 => break,
                    Err(error) => return Err(error),
                }
            }
        }
        let making = move || {
            let mut pieces = Pieces {
                piece: blank(),
                jobs: maker.map(|_| jobs),
                order,
                used,
            };
            let produced = produce(&mut pieces);
            // Nobody takes any more: told by the other side.
            pieces.send().ok();
            produced
        };
        let making = spawn(scope, making)?;
        // Whoever made it sees that nobody takes any more when this is dropped.
        let written = write(ordered, &give_back, out);
        let made = making.join();
        let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((made, written))
    })
}

fn work(
    make: fn() -> io::Result<Encoder>,
    queue: &Mutex<Receiver<Job>>,
    give_back: &SyncSender<Vec<u8>>,
) {
    let mut encoder = make();
    loop {
        let next = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => Err(RecvError),
        };
        let Ok((piece, answer)) = next else {
            return;
        };
        let outcome = match &mut encoder {
            Ok(encoder) => encoder.encode(piece.filled()).map(Piece::from),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Nobody wants it any more where this fails.
        answer.send(outcome).ok();
        // There are enough of them, or nobody fills any more.
        give_back.try_send(piece.bytes).ok();
    }
}

fn write(
    ordered: Receiver<Receiver<Encoded>>,
    give_back: &SyncSender<Vec<u8>>,
    out: &mut impl Write,
) -> io::Result<()> {
    for next in ordered {
        let piece = next
            .recv()
            .map_err(|_| io::Error::other("a thread that compresses has ended"))?;
        let piece = piece?;
        out.write_all(piece.filled())?;
        // One that was not compressed is as good as new.
        if piece.bytes.len() == PIECE {
            give_back.try_send(piece.bytes).ok();
        }
    }
    out.flush()
}

fn blank() -> Piece {
    Piece {
        bytes: vec![0; PIECE],
        filled: 0,
    }
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.filled == 0 {
            return Ok(());
        }
        let next = self.used.try_recv();
        let next = next.map_or_else(|_| blank(), |bytes| Piece { bytes, filled: 0 });
        let piece = std::mem::replace(&mut self.piece, next);
        let (answer, outcome) = sync_channel(1);
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.order.send(outcome).map_err(|_| gone())?;
        match &self.jobs {
            Some(jobs) => jobs.send((piece, answer)).map_err(|_| gone()),
            None => answer.send(Ok(piece)).map_err(|_| gone()),
        }
    }
}

impl Sink for Pieces {
    fn room(&mut self) -> &mut [u8] {
        &mut self.piece.bytes[self.piece.filled..]
    }

    fn filled(&mut self, count: usize) -> io::Result<()> {
        self.piece.filled += count;
        if self.piece.filled == self.piece.bytes.len() {
            self.send()?;
        }
        Ok(())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room();
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.filled(count)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::layer::Limits;

    fn bytes() -> Vec<u8> {
        let words = (0..900_000_u32).map(|number| number.wrapping_mul(2_654_435_761) >> 20);
        words.flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn what_is_compressed_in_pieces_is_one_stream_for_a_decoder() {
        let bytes = bytes();
        for encoding in [Encoding::None, Encoding::Gzip, Encoding::Zstd] {
            for size in [0, 1, PIECE, PIECE + 1, bytes.len()] {
                let mut out = Vec::new();
                let input = &bytes[..size];
                let (done, written) =
                    encode(encoding, 2, |pieces| pieces.write_all(input), &mut out).unwrap();
                done.unwrap();
                written.unwrap();
                let mut back = Vec::new();
                if !out.is_empty() {
                    assert_eq!(Compression::detect(&out), encoding.into());
                    let limits = Limits::default();
                    let mut decoder = Compression::from(encoding).decoder(&out[..], &limits);
                    decoder.read_to_end(&mut back).unwrap();
                }
                assert!(back == input, "{encoding:?} {size}");
            }
        }
    }

    #[test]
    fn a_taker_that_fails_stops_the_maker() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let endless = |pieces: &mut Pieces| loop {
            if let Err(error) = pieces.write_all(&[7; 1000]) {
                return error.kind();
            }
        };
        let (made, written) = encode(Encoding::Gzip, 2, endless, &mut Full).unwrap();
        assert_eq!(made, io::ErrorKind::BrokenPipe);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
