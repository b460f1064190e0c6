//! The data of files.

use std::{
    fs::File,
    io::{BufRead, Seek as _, SeekFrom, Write as _},
};

use super::{
    Error, PathBytes, content_digest::ContentHasher, frame::Frames, places::Named as _,
    sparse::SparseMap,
};
use crate::sys::At as _;

/// Where an entry's data goes.
pub(super) struct Sink<'a> {
    pub(super) file: &'a mut File,
    /// Sees it, too.
    pub(super) hasher: Option<&'a mut ContentHasher>,
    pub(super) path: &'a PathBytes,
}

/// Writes the entry's data; holes are skipped, never written as zeros.
pub(super) fn write(
    frames: &mut Frames<'_, impl BufRead>,
    sparse: Option<&SparseMap>,
    mut sink: Sink<'_>,
) -> Result<(), Error> {
    let Some(map) = sparse else {
        return sink.copy(frames, u64::MAX);
    };
    if map.is_full {
        return sink.full(frames, map);
    }
    sink.file
        .set_len(map.size)
        .at("ftruncate", || map.size.to_string())
        .named(sink.path)?;
    let mut end = 0;
    for (offset, length) in &map.parts {
        sink.file
            .seek(SeekFrom::Start(*offset))
            .at("lseek", || offset.to_string())
            .named(sink.path)?;
        sink.hole(offset - end);
        sink.copy(frames, *length)?;
        end = offset + length;
    }
    sink.hole(map.size - end);
    Ok(())
}

impl Sink<'_> {
    fn hole(&mut self, length: u64) {
        if let Some(hasher) = &mut self.hasher {
            hasher.hole(length);
        }
    }

    /// A file whose holes are stored as zeros. What is none is written: nobody else would skip it.
    fn full(
        &mut self,
        frames: &mut Frames<'_, impl BufRead>,
        map: &SparseMap,
    ) -> Result<(), Error> {
        let mut end = 0;
        for (offset, length) in &map.parts {
            self.zeros(frames, offset - end)?;
            self.copy(frames, *length)?;
            end = offset + length;
        }
        self.file
            .set_len(map.size)
            .at("ftruncate", || map.size.to_string())
            .named(self.path)
    }

    fn zeros(&mut self, frames: &mut Frames<'_, impl BufRead>, mut most: u64) -> Result<(), Error> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while most > 0 {
            let bytes = frames.data()?;
            let limit = usize::try_from(most).unwrap_or(usize::MAX).min(ZEROS.len());
            let bytes = &bytes[..bytes.len().min(limit)];
            if bytes.is_empty() {
                break;
            }
            if bytes == &ZEROS[..bytes.len()] {
                let forward = SeekFrom::Current(i64::try_from(bytes.len()).unwrap_or(0));
                let sought = self.file.seek(forward);
                sought.at("lseek", String::new).named(self.path)?;
            } else {
                let written = self.file.write_all(bytes);
                written.at("write", String::new).named(self.path)?;
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.feed(bytes);
            }
            let count = bytes.len();
            frames.consume(count);
            most -= count as u64;
        }
        Ok(())
    }

    /// Straight from the stream's buffers, at most `most` bytes.
    fn copy(&mut self, frames: &mut Frames<'_, impl BufRead>, mut most: u64) -> Result<(), Error> {
        while most > 0 {
            let bytes = frames.data()?;
            let count = bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            let bytes = &bytes[..count];
            self.file
                .write_all(bytes)
                .at("write", String::new)
                .named(self.path)?;
            if let Some(hasher) = &mut self.hasher {
                hasher.feed(bytes);
            }
            frames.consume(count);
            most -= count as u64;
        }
        Ok(())
    }
}
