//! The tar around an image: what is in it and where, without reading what is in the members.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    os::unix::fs::FileExt as _,
};

use super::{Compression, Error, Limits, PathBytes, frame::Frames, pipe};
use crate::sys::At as _;

const BLOCK: u64 = 512;

/// A file or link in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveMember {
    /// Its name as the archive gives it.
    pub path: Vec<u8>,
    /// Where its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub size: u64,
    /// For links: to where.
    pub link: Option<Vec<u8>>,
}

/// Lists the files and links of a plain tar in a seekable file.
pub fn members(file: &File, limits: &Limits) -> Result<Vec<ArchiveMember>, Error> {
    let mut found = Vec::new();
    let mut position = 0;
    let length = length_of(file)?;
    while (found.len() as u64) < limits.entries {
        let window = BufReader::with_capacity(4096, ReadAt { file, position });
        let mut frames = Frames::new(window, limits);
        let Some(frame) = frames.next()? else {
            return Ok(found);
        };
        let offset = position + frames.offset();
        // Seeking over the bytes would not notice that they are not there.
        if frame.size > length.saturating_sub(offset) {
            return Err(Error::Truncated {
                entry: PathBytes::new(frame.name),
            });
        }
        position = offset + frame.size.next_multiple_of(BLOCK);
        if frame.sparse.is_some() {
            let why = "a sparse member of an image archive".into();
            return Err(Error::Malformed {
                entry: PathBytes::new(frame.name),
                why,
            });
        }
        let link = matches!(frame.flag, b'1' | b'2').then(|| frame.link.clone());
        let is_file = matches!(frame.flag, b'0' | 0 | b'7');
        if is_file || link.is_some() {
            found.push(ArchiveMember {
                path: frame.name,
                offset,
                size: frame.size,
                link,
            });
        }
    }
    let why = "more members than an image archive has".into();
    Err(Error::Malformed {
        entry: PathBytes::new("archive"),
        why,
    })
}

fn length_of(file: &File) -> Result<u64, Error> {
    let metadata = crate::sys::metadata_of(file).map_err(|source| Error::Blob {
        operation: "look at",
        source,
    })?;
    Ok(metadata.size())
}

/// Writes the decompressed bytes of `input`.
pub fn decompress(
    input: impl Read,
    compression: Compression,
    limits: &Limits,
    mut output: impl Write + Send,
) -> Result<(), Error> {
    // By hand, to tell a full disk from a damaged input.
    let write = |tar: &mut pipe::TarStream| {
        let mut buffer = vec![0; 1 << 17];
        loop {
            let count = tar.read(&mut buffer);
            let count = count.map_err(|source| Error::Stream { source })?;
            if count == 0 {
                return Ok(());
            }
            let written = output.write_all(&buffer[..count]).at("write", || "");
            written.map_err(|source| Error::Blob {
                operation: "write decompressed",
                source,
            })?;
        }
    };
    let input = pipe::Input {
        blob: input,
        compression,
        limits,
        copy_to: None,
    };
    pipe::run(input, write).map(drop)
}

/// A reader that starts somewhere and moves nobody else's position.
struct ReadAt<'a> {
    file: &'a File,
    position: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_where_they_are() {
        let mut builder = tar::Builder::new(tempfile::tempfile().unwrap());
        let long = format!("{}/layer.tar", "d".repeat(150));
        for (name, bytes) in [("manifest.json", &b"[]"[..]), (&long, &[7; 1000])] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder
            .append_link(&mut header, "other", "manifest.json")
            .unwrap();
        let file = builder.into_inner().unwrap();
        let members = members(&file, &Limits::default()).unwrap();
        assert_eq!(members.len(), 3);
        assert_eq!(members[1].path, long.as_bytes());
        let mut bytes = vec![0; 1000];
        file.read_exact_at(&mut bytes, members[1].offset).unwrap();
        assert_eq!(bytes, [7; 1000]);
        assert_eq!(members[2].link.as_deref(), Some(&b"manifest.json"[..]));
    }

    #[test]
    fn a_member_that_is_cut_off_is_no_member() {
        let mut builder = tar::Builder::new(tempfile::tempfile().unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(1000);
        builder
            .append_data(&mut header, "layer.tar", &[7; 1000][..])
            .unwrap();
        let file = builder.into_inner().unwrap();
        file.set_len(512 + 999).unwrap();
        let error = members(&file, &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }), "{error}");
    }
}
