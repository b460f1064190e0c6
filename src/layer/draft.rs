//! `Draft`: the header of an entry that is being written.

use std::io;

use nix::sys::stat::{major, minor};
use tar::{EntryType, Header};

use super::{Error, PathBytes, pax};
use crate::sys::{SysError, TimeSpec};

/// A header and the PAX records that say what it cannot.
pub(super) struct Draft {
    pub(super) header: Header,
    records: Vec<u8>,
}

impl Draft {
    pub(super) fn new(kind: EntryType, path: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(0);
        let mut draft = Self {
            header,
            records: Vec::new(),
        };
        if !put(&mut draft.header.as_old_mut().name, path) {
            draft.record(b"path", path);
        }
        draft
    }

    pub(super) fn metadata(&mut self, mode: u32, (uid, gid): (u32, u32), mtime: TimeSpec) {
        self.header.set_mode(mode);
        self.header.set_uid(uid.into());
        self.header.set_gid(gid.into());
        self.header
            .set_mtime(u64::try_from(mtime.seconds).unwrap_or(0));
        if mtime.seconds < 0 || mtime.nanoseconds != 0 {
            self.record(b"mtime", decimal(mtime).as_bytes());
        }
    }

    pub(super) fn link(&mut self, target: &[u8]) {
        if !put(&mut self.header.as_old_mut().linkname, target) {
            self.record(b"linkpath", target);
        }
    }

    pub(super) fn xattrs(&mut self, xattrs: &[(PathBytes, Vec<u8>)]) {
        for (key, value) in xattrs {
            let key = pax::encode_keyword(key.as_bytes());
            self.record(&[b"SCHILY.xattr.", &key[..]].concat(), value);
        }
    }

    pub(super) fn device(&mut self, device: u64) -> io::Result<()> {
        let narrow = |part: u64| u32::try_from(part).map_err(io::Error::other);
        self.header.set_device_major(narrow(major(device))?)?;
        self.header.set_device_minor(narrow(minor(device))?)
    }

    /// That the data begin with a map of what is not a hole (GNU.sparse 1.0).
    pub(super) fn sparse(&mut self, path: &[u8], size: u64) {
        let size = size.to_string();
        let records: [(&[u8], &[u8]); 4] = [
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", path),
            (b"GNU.sparse.realsize", size.as_bytes()),
        ];
        for (key, value) in records {
            self.record(key, value);
        }
    }

    /// That some of the data need no room.
    pub(super) fn holes(&mut self, holes: &[u8]) {
        self.record(pax::HOLES, holes);
    }

    /// The records and the header as they stand before the data.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.records.is_empty() {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::XHeader);
            header.as_old_mut().name[..11].copy_from_slice(b"@PaxHeader/");
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(self.records.len() as u64);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(&self.records);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        let mut header = self.header.clone();
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes
    }

    /// Adds `length key=value\n`; the length counts its own digits.
    fn record(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        let start = format!("{length} ");
        for part in [start.as_bytes(), key, b"=", value, b"\n"] {
            self.records.extend_from_slice(part);
        }
    }
}

/// Puts the path to a failed call.
pub(super) trait On<T> {
    fn on(self, path: &PathBytes) -> Result<T, Error>;
}

impl<T> On<T> for Result<T, SysError> {
    fn on(self, path: &PathBytes) -> Result<T, Error> {
        self.map_err(|source| Error::Pack {
            path: path.clone(),
            source,
        })
    }
}

/// Copies a text into a header field; `false` where it was cut off.
fn put(field: &mut [u8], text: &[u8]) -> bool {
    let count = text.len().min(field.len());
    field[..count].copy_from_slice(&text[..count]);
    count == text.len()
}

/// Seconds with nine decimals.
fn decimal(time: TimeSpec) -> String {
    if time.seconds >= 0 || time.nanoseconds == 0 {
        return format!("{}.{:09}", time.seconds, time.nanoseconds);
    }
    let (seconds, nanoseconds) = (-(time.seconds + 1), 1_000_000_000 - time.nanoseconds);
    format!("-{seconds}.{nanoseconds:09}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_their_own_length() {
        let mut draft = Draft::new(EntryType::Regular, b"f");
        draft.record(b"path", b"a");
        draft.record(b"path", &[b'x'; 89]);
        let pax = pax::parse(&draft.records).unwrap();
        assert_eq!(pax.path, Some(vec![b'x'; 89]));
    }

    #[test]
    fn times_before_1970_are_read_back() {
        for (seconds, nanoseconds) in [(-2, 500_000_000), (-1, 0), (-1, 1), (5, 7)] {
            let time = TimeSpec {
                seconds,
                nanoseconds,
            };
            let text = decimal(time);
            assert_eq!(
                crate::layer::number::time(text.as_bytes()),
                Some(time),
                "{text}"
            );
        }
    }
}
