//! What is in a directory.

use std::{
    ffi::OsString,
    os::{fd::AsFd as _, unix::ffi::OsStringExt as _},
};

use nix::unistd::{Whence, lseek};

use super::{At as _, Dir, FileKind, Result, raw};

impl Dir {
    /// All names but `.` and `..`, in the file system's order.
    pub fn entries(&self) -> Result<Vec<OsString>> {
        Ok(self
            .typed_entries()?
            .into_iter()
            .map(|(name, _)| name)
            .collect())
    }

    /// The same with what each is, where the file system tells without asking.
    pub fn typed_entries(&self) -> Result<Vec<(OsString, Option<FileKind>)>> {
        lseek(self, 0, Whence::SeekSet).at("lseek", || "directory")?;
        // Most directories of ours are small, and a fresh page costs more than a second call.
        let (mut entries, mut buffer) = (Vec::new(), vec![0; 2 * 1024]);
        loop {
            let length =
                raw::getdents64(self.as_fd(), &mut buffer).at("getdents64", String::new)?;
            if length == 0 {
                return Ok(entries);
            }
            entries.extend(records(&buffer[..length]));
            if length > buffer.len() / 2 {
                buffer.resize(32 * 1024, 0);
            }
        }
    }

    /// The names in byte order, with what each was.
    pub fn sorted_typed_entries(&self) -> Result<Vec<(OsString, Option<FileKind>)>> {
        let mut entries = self.typed_entries()?;
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(entries)
    }

    /// All names in byte order.
    pub fn sorted_entries(&self) -> Result<Vec<OsString>> {
        let mut entries = self.entries()?;
        entries.sort();
        Ok(entries)
    }
}

/// Splits what getdents64(2) wrote: inode (8), offset (8), length (2), type (1), name.
fn records(mut bytes: &[u8]) -> Vec<(OsString, Option<FileKind>)> {
    const NAME: usize = 19;
    let mut entries = Vec::new();
    while let Some(head) = bytes.get(..NAME) {
        let length = usize::from(u16::from_ne_bytes([head[16], head[17]]));
        let Some(record) = bytes.get(NAME..length) else {
            break;
        };
        let name = record.split(|byte| *byte == 0).next().unwrap_or_default();
        let kind = match head[18] {
            libc::DT_REG => Some(FileKind::File),
            libc::DT_DIR => Some(FileKind::Directory),
            libc::DT_LNK => Some(FileKind::Symlink),
            libc::DT_CHR => Some(FileKind::CharDevice),
            libc::DT_BLK => Some(FileKind::BlockDevice),
            libc::DT_FIFO => Some(FileKind::Fifo),
            libc::DT_SOCK => Some(FileKind::Socket),
            _ => None,
        };
        if name != b"." && name != b".." {
            entries.push((OsString::from_vec(name.to_vec()), kind));
        }
        bytes = &bytes[length..];
    }
    entries
}
