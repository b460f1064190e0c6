//! The data of files.

use std::{
    fs::File,
    io::{BufRead, Seek as _, SeekFrom, Write as _},
};

use super::{Error, PathBytes, frame::Frames, places::Named as _, sparse::SparseMap};
use crate::sys::At as _;

/// Writes the entry's data straight from the stream's buffers, at most `most` bytes.
pub(super) fn copy(
    frames: &mut Frames<'_, impl BufRead>,
    file: &mut File,
    mut most: u64,
    path: &PathBytes,
) -> Result<(), Error> {
    while most > 0 {
        let bytes = frames.data()?;
        let count = bytes.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        if count == 0 {
            break;
        }
        file.write_all(&bytes[..count])
            .at("write", String::new)
            .named(path)?;
        frames.consume(count);
        most -= count as u64;
    }
    Ok(())
}

/// Holes are skipped, never written as zeros.
pub(super) fn copy_sparse(
    frames: &mut Frames<'_, impl BufRead>,
    file: &mut File,
    map: &SparseMap,
    path: &PathBytes,
) -> Result<(), Error> {
    file.set_len(map.size)
        .at("ftruncate", || map.size.to_string())
        .named(path)?;
    for (offset, length) in &map.parts {
        let start = SeekFrom::Start(*offset);
        file.seek(start)
            .at("lseek", || offset.to_string())
            .named(path)?;
        copy(frames, file, *length, path)?;
    }
    Ok(())
}
