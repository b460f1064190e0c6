//! `Writer`: from the chunks of a pipe to lines in the log.
//!
//! A container never learns that its output could not be kept: what is lost is counted, and the log
//! says so as soon as it can.

use super::{
    LogDriver, LogOptions, PIECE_MAX, Stream,
    append::Appender,
    batch::{Batch, Stamp},
};
use crate::{ident::Timestamp, sys::Dir};

/// As much text is written with one call at most; a chunk of ordinary text makes less.
const BATCH_MAX: usize = 192 * 1024;

/// Writes the log of one container; there must be no other.
#[derive(Debug)]
pub struct Writer {
    appender: Appender,
    batch: Batch,
    /// What has no newline yet, of each stream.
    pending: [Vec<u8>; 2],
}

impl Writer {
    /// For the log in a container's directory, whose file is made with the first line. `None` where
    /// the driver keeps nothing.
    pub fn new(dir: Dir, options: &LogOptions) -> Option<Self> {
        (options.driver != LogDriver::None).then(|| Self {
            appender: Appender::new(dir, options),
            batch: Batch::default(),
            pending: [Vec::new(), Vec::new()],
        })
    }

    /// Takes what came from a stream at this moment.
    pub fn write(&mut self, stream: Stream, mut chunk: &[u8], now: Timestamp) {
        if chunk.is_empty() {
            return;
        }
        let stamp = Stamp::new(stream, now);
        let mut pending = std::mem::take(&mut self.pending[stream as usize]);
        while !chunk.is_empty() {
            let window = &chunk[..(PIECE_MAX - pending.len()).min(chunk.len())];
            let end = memchr::memchr(b'\n', window).map(|at| at + 1);
            let (taken, rest) = chunk.split_at(end.unwrap_or(window.len()));
            let full = pending.len() + taken.len() == PIECE_MAX;
            if pending.is_empty() && (end.is_some() || full) {
                let whole = end.unwrap_or_else(|| whole_characters(taken));
                self.put(&taken[..whole], &stamp);
                chunk = &chunk[whole..];
                continue;
            }
            chunk = rest;
            pending.extend_from_slice(taken);
            if end.is_some() || full {
                let whole = end.map_or_else(|| whole_characters(&pending), |_| pending.len());
                self.put(&pending[..whole], &stamp);
                pending.drain(..whole);
            }
        }
        self.pending[stream as usize] = pending;
        self.send();
    }

    /// Writes what has no newline: nothing will follow it.
    pub fn flush(&mut self, now: Timestamp) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(&mut self.pending[stream as usize]);
            if !rest.is_empty() {
                self.put(&rest, &Stamp::new(stream, now));
            }
        }
        self.send();
        if self.appender.has_gap() {
            let stamp = Stamp::new(Stream::Stderr, now);
            self.appender.begin(&mut self.batch, &stamp);
            self.send();
        }
    }

    /// How many bytes of output could not be written so far.
    pub fn lost(&self) -> u64 {
        self.appender.lost()
    }

    fn put(&mut self, line: &[u8], stamp: &Stamp) {
        if self.batch.is_empty() {
            self.appender.begin(&mut self.batch, stamp);
        }
        if self.appender.is_full(&self.batch) {
            self.send();
            // Not where nothing could be written: older files would make room for an empty one.
            if self.appender.is_full(&self.batch) {
                self.appender.rotate();
            }
            self.appender.begin(&mut self.batch, stamp);
        }
        let number = self.appender.number_of_first(&self.batch);
        self.batch.push(line, stamp, number);
        if self.batch.text().len() >= BATCH_MAX {
            self.send();
        }
    }

    fn send(&mut self) {
        if !self.batch.is_empty() {
            self.appender.append(&self.batch);
            self.batch.clear();
        }
    }
}

/// How much of a piece can be taken without dividing a character at its end.
fn whole_characters(piece: &[u8]) -> usize {
    for back in 1..=piece.len().min(3) {
        let at = piece.len() - back;
        let length = match piece[at] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if length > back { at } else { piece.len() };
    }
    piece.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_not_divided() {
        for (piece, whole) in [
            (&b"ab"[..], 2),
            (b"ab\xed", 2),
            (b"ab\xed\x95", 2),
            (b"ab\xed\x95\x9c", 5),
            (b"ab\xf0\x9f\x90", 2),
            (b"a\x80\x80\x80\x80", 5),
            (b"ab\xff", 3),
        ] {
            assert_eq!(whole_characters(piece), whole, "{piece:?}");
        }
    }
}
