//! A pipe between two threads, of a few buffers.

use std::{
    io::{self, Read, Write},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
};

use super::source::BUFFER;

/// Buffers on their way.
const IN_FLIGHT: usize = 4;

/// The end that is written to.
#[derive(Debug)]
pub struct Inlet {
    buffer: Vec<u8>,
    to: SyncSender<Vec<u8>>,
    /// Buffers that were read.
    used: Receiver<Vec<u8>>,
    is_refused: bool,
}

/// The end that is read from.
#[derive(Debug)]
pub(super) struct Outlet {
    buffer: Vec<u8>,
    read: usize,
    from: Receiver<Vec<u8>>,
    give_back: Sender<Vec<u8>>,
    is_ended: bool,
}

pub(super) fn conduit() -> (Inlet, Outlet) {
    let (to, from) = sync_channel(IN_FLIGHT);
    let (give_back, used) = channel();
    let inlet = Inlet {
        buffer: Vec::with_capacity(BUFFER),
        to,
        used,
        is_refused: false,
    };
    let outlet = Outlet {
        buffer: Vec::new(),
        read: 0,
        from,
        give_back,
        is_ended: false,
    };
    (inlet, outlet)
}

impl Inlet {
    /// Says that this was all; without it the reader gets an error in place of an end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.send()?;
        // An empty buffer is the end.
        self.send_buffer(Vec::new())
    }

    /// Whether the reader went away.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }

    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let next = self.used.try_recv();
        let mut next = next.unwrap_or_else(|_| Vec::with_capacity(BUFFER));
        next.clear();
        let full = std::mem::replace(&mut self.buffer, next);
        self.send_buffer(full)
    }

    fn send_buffer(&mut self, buffer: Vec<u8>) -> io::Result<()> {
        self.to.send(buffer).map_err(|_| {
            self.is_refused = true;
            io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl Write for Inlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BUFFER - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == BUFFER {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Outlet {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read == self.buffer.len() && !self.is_ended {
            let next = self.from.recv();
            let next = next.map_err(|_| io::Error::other("its writer broke off"))?;
            self.is_ended = next.is_empty();
            let empty = std::mem::replace(&mut self.buffer, next);
            self.read = 0;
            // The writer may be done already.
            drop(self.give_back.send(empty));
        }
        let count = (&self.buffer[self.read..]).read(out)?;
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` at one end; what comes out at the other.
    fn through(bytes: &[u8], finishes: bool) -> io::Result<Vec<u8>> {
        let (mut inlet, mut outlet) = conduit();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                inlet.write_all(bytes).unwrap();
                finishes.then(|| inlet.finish().unwrap());
            });
            let mut back = Vec::new();
            outlet.read_to_end(&mut back).map(|_| back)
        })
    }

    #[test]
    fn what_goes_in_comes_out_and_an_end_is_no_break() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(BUFFER * 9 + 1).collect();
        for size in [0, 3, BUFFER, bytes.len()] {
            assert!(through(&bytes[..size], true).unwrap() == bytes[..size]);
            assert!(through(&bytes[..size], false).is_err());
        }
    }

    #[test]
    fn a_reader_that_goes_is_noticed() {
        let (mut inlet, outlet) = conduit();
        drop(outlet);
        let error = inlet.write_all(&vec![1; BUFFER]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(inlet.is_refused());
    }
}
