//! `FileParts`: the bytes of a file as its header promised them, whatever happens to the file.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
};

use super::{digester::Digester, sparse};
use crate::sys::{Metadata, Result, extents};

/// A map of more parts is not worth its size; the reader has a limit, too.
const PARTS_MAX: usize = 10_000;

/// As many bytes of holes in a file are written as zeros.
const HOLES_MAX: u64 = 64 << 20;

/// The map of a sparse file, if it has one, and then its parts.
pub(super) struct FileParts<'a> {
    file: &'a File,
    map: Vec<u8>,
    map_read: usize,
    parts: std::vec::IntoIter<(u64, u64)>,
    offset: u64,
    left: u64,
    stored: u64,
    filled: u64,
    size: u64,
    /// Offset and length of each hole that is read as zeros.
    holes: Option<Vec<u8>>,
    /// Who digests what is read, if anybody does, and how much of the file was handed over.
    digester: Option<(&'a mut Digester, u64)>,
}

impl<'a> FileParts<'a> {
    /// `size` bytes.
    pub(super) fn whole(file: &'a File, size: u64) -> Self {
        Self::new(file, size, Vec::new(), vec![(0, size)])
    }

    /// Only what is not a hole.
    pub(super) fn without_holes(file: &'a File, found: &Metadata) -> Result<Self> {
        let size = found.size();
        // Some file systems count a block more or less.
        if found.allocated() + 4096 > size {
            return Ok(Self::whole(file, size));
        }
        let mut parts = extents(file, size)?;
        if parts.len() > PARTS_MAX {
            return Ok(Self::whole(file, size));
        }
        // GNU tar ends the map where the file ends.
        parts.push((size, 0));
        Ok(Self::new(file, size, sparse::leading_text(&parts), parts))
    }

    /// Hands over what is read.
    pub(super) fn digested(self, digester: Option<&'a mut Digester>) -> Self {
        let digester = digester.map(|digester| (digester, 0));
        Self { digester, ..self }
    }

    /// Every hole is told, however small, as far as the map's size allows. Only many large ones are
    /// left out: other engines cannot write such a tar again.
    pub(super) fn exact(file: &'a File, size: u64) -> Result<Self> {
        let mut parts = extents(file, size)?;
        if parts == [(0, size)] || size == 0 || parts.len() > PARTS_MAX {
            return Ok(Self::whole(file, size));
        }
        let stored: u64 = parts.iter().map(|(_, length)| length).sum();
        parts.push((size, 0));
        if size - stored > HOLES_MAX {
            return Ok(Self::new(file, size, sparse::leading_text(&parts), parts));
        }
        let (mut holes, mut end) = (Vec::new(), 0);
        for (offset, length) in parts {
            if offset > end {
                holes.push(format!("{end},{}", offset - end));
            }
            end = offset + length;
        }
        Ok(Self {
            holes: Some(holes.join(",").into_bytes()),
            ..Self::whole(file, size)
        })
    }

    /// What is to be told of the holes beside the data.
    pub(super) fn holes(&self) -> Option<&[u8]> {
        self.holes.as_deref()
    }

    fn new(file: &'a File, size: u64, map: Vec<u8>, parts: Vec<(u64, u64)>) -> Self {
        let bytes: u64 = parts.iter().map(|(_, length)| length).sum();
        Self {
            file,
            stored: map.len() as u64 + bytes,
            map,
            map_read: 0,
            parts: parts.into_iter(),
            offset: 0,
            left: 0,
            filled: 0,
            size,
            holes: None,
            digester: None,
        }
    }

    pub(super) fn has_holes(&self) -> bool {
        !self.map.is_empty()
    }

    /// How many bytes there are to read, the map included.
    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    /// Tells the digester that everything was read; answers how many bytes were not there any more.
    pub(super) fn end(self) -> u64 {
        if let Some((digester, covered)) = self.digester {
            digester.hole(self.size - covered);
        }
        self.filled
    }
}

impl Read for FileParts<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.map_read < self.map.len() {
            let count = (&self.map[self.map_read..]).read(out)?;
            self.map_read += count;
            return Ok(count);
        }
        while self.left == 0 {
            let Some((offset, length)) = self.parts.next() else {
                return Ok(0);
            };
            (self.offset, self.left) = (offset, length);
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(out.len());
        let out = &mut out[..most];
        let mut count = self.file.read_at(out, self.offset)?;
        if count == 0 {
            out.fill(0);
            count = most;
            self.filled += count as u64;
        }
        if let Some((digester, covered)) = &mut self.digester {
            digester.hole(self.offset - *covered);
            digester.data(&out[..count])?;
            *covered = self.offset + count as u64;
        }
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        file
    }

    #[test]
    fn a_file_that_shrank_is_filled_with_zeros_and_one_that_grew_is_cut() {
        let file = file(b"12345");
        let mut out = Vec::new();
        let mut parts = FileParts::whole(&file, 8);
        parts.read_to_end(&mut out).unwrap();
        assert_eq!((out.as_slice(), parts.end()), (&b"12345\0\0\0"[..], 3));
        out.clear();
        let mut parts = FileParts::whole(&file, 3);
        parts.read_to_end(&mut out).unwrap();
        assert_eq!((out.as_slice(), parts.end()), (&b"123"[..], 0));
    }

    #[test]
    fn holes_are_left_out() {
        let file = file(b"head");
        file.set_len(1 << 40).unwrap();
        file.write_all_at(b"tail", (1 << 40) - 4).unwrap();
        let found = crate::sys::metadata_of(&file).unwrap();
        let mut parts = FileParts::without_holes(&file, &found).unwrap();
        assert!(parts.has_holes());
        let mut out = Vec::new();
        parts.read_to_end(&mut out).unwrap();
        assert_eq!(out.len() as u64, parts.stored());
        assert!(out.len() < 1 << 20, "{}", out.len());
    }
}
