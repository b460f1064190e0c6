//! `TarWriter`: members of a tar, one after another.

use std::io::{self, Read, Write};

use tar::EntryType;

use super::draft::Draft;
use crate::sys::{At as _, Result, SysError, TimeSpec};

const BLOCK: usize = 512;

/// Read at once: a call for each 8 KiB would cost more than what is done with them.
const BUFFER: usize = 256 << 10;

/// Somebody who takes bytes, and lends the place that they are read into.
pub trait Sink: Write {
    /// Where the next bytes may be put; never empty.
    fn room(&mut self) -> &mut [u8];

    /// As many bytes were put there.
    fn filled(&mut self, count: usize) -> io::Result<()>;
}

impl<S: Sink> Sink for &mut S {
    fn room(&mut self) -> &mut [u8] {
        (**self).room()
    }

    fn filled(&mut self, count: usize) -> io::Result<()> {
        (**self).filled(count)
    }
}

/// Lends a place of its own.
#[derive(Debug)]
pub struct Buffered<W> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Write for Buffered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Sink for Buffered<W> {
    fn room(&mut self) -> &mut [u8] {
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER];
        }
        &mut self.buffer
    }

    fn filled(&mut self, count: usize) -> io::Result<()> {
        self.out.write_all(&self.buffer[..count])
    }
}

/// Writes members; the caller says when the tar is at its end.
#[derive(Debug)]
pub struct TarWriter<S> {
    out: S,
}

impl<W: Write> TarWriter<Buffered<W>> {
    /// A tar that begins here.
    pub fn new(out: W) -> Self {
        let buffer = Vec::new();
        Self::lent(Buffered { out, buffer })
    }
}

impl<S: Sink> TarWriter<S> {
    /// A tar that begins here and reads into the sink's own place.
    pub fn lent(out: S) -> Self {
        Self { out }
    }

    /// A plain file of root's, 0644, without a time: what belongs to the archive and not to what
    /// is archived.
    pub fn file(&mut self, name: &[u8], size: u64, data: impl Read) -> Result<()> {
        let mut draft = Draft::new(EntryType::Regular, name);
        draft.metadata(0o644, (0, 0), TimeSpec::default());
        draft.header.set_size(size);
        self.member(&draft, size, data)
    }

    /// A directory of root's, 0755, without a time.
    pub fn directory(&mut self, name: &[u8]) -> Result<()> {
        let mut draft = Draft::new(EntryType::Directory, &[name, b"/"].concat());
        draft.metadata(0o755, (0, 0), TimeSpec::default());
        self.header(&draft)
    }

    /// Writes what ends a tar.
    pub fn finish(&mut self) -> Result<()> {
        let end = [0; 2 * BLOCK];
        let ended = self.out.write_all(&end).and_then(|()| self.out.flush());
        ended.at("write", || "end of the tar")
    }

    /// A member without data.
    pub(super) fn header(&mut self, draft: &Draft) -> Result<()> {
        self.out.write_all(&draft.head()).at("write", || "tar")
    }

    /// A member and its data: exactly `size` bytes.
    pub(super) fn member(&mut self, draft: &Draft, size: u64, mut data: impl Read) -> Result<()> {
        self.header(draft)?;
        let mut left = size;
        while left > 0 {
            let room = self.out.room();
            let most = room.len().min(BUFFER);
            let most = usize::try_from(left).map_or(most, |left| left.min(most));
            let count = match data.read(&mut room[..most]) {
                Ok(0) => return Err(ended()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.at("read", String::new)?,
            };
            self.out.filled(count).at("write", || "tar")?;
            left -= count as u64;
        }
        let filling = size.next_multiple_of(BLOCK as u64) - size;
        let filling = usize::try_from(filling).unwrap_or(0);
        self.out
            .write_all(&[0; BLOCK][..filling])
            .at("write", || "tar")
    }
}

fn ended() -> SysError {
    let error = io::Error::other("the file shrank while it was read");
    SysError::from_io("read", "", &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_filled_up_to_blocks_and_short_data_is_an_error() {
        let mut bytes = Vec::new();
        let mut tar = TarWriter::new(&mut bytes);
        tar.file(b"a", 3, &b"abc"[..]).unwrap();
        tar.file(b"b", 0, io::empty()).unwrap();
        tar.finish().unwrap();
        assert_eq!(bytes.len(), 512 * 5);
        let error = TarWriter::new(Vec::new()).file(b"a", 4, &b"abc"[..]);
        assert!(error.unwrap_err().to_string().contains("shrank"));
    }
}
