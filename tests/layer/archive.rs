//! A tar, block by block, hostile ones included; and what became of it.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use tar::{EntryType, Header};

/// Archives are written in exactly the order of the calls.
#[derive(Default, Clone)]
pub(crate) struct Archive(pub(crate) Vec<u8>);

pub(crate) fn header(kind: u8, name: &str) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::new(kind));
    header.set_mode(if kind == b'5' { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(0);
    let count = name.len().min(100);
    header.as_old_mut().name[..count].copy_from_slice(&name.as_bytes()[..count]);
    header
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn block(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A header as it is, with a right checksum, and data.
    pub(crate) fn put(self, mut header: Header, data: &[u8]) -> Self {
        header.set_cksum();
        self.block(header.as_bytes()).block(data)
    }

    /// As [`Archive::put`] with a right size.
    pub(crate) fn sized(self, mut header: Header, data: &[u8]) -> Self {
        header.set_size(data.len() as u64);
        self.put(header, data)
    }

    pub(crate) fn file(self, name: &str, data: &str) -> Self {
        self.sized(header(b'0', name), data.as_bytes())
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.put(header(b'5', name), b"")
    }

    pub(crate) fn link(self, kind: u8, name: &str, target: &str) -> Self {
        let mut header = header(kind, name);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        self.put(header, b"")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.link(b'2', name, target)
    }

    pub(crate) fn hard(self, name: &str, target: &str) -> Self {
        self.link(b'1', name, target)
    }

    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let data: Vec<u8> = records
            .iter()
            .flat_map(|(key, value)| record(key, value))
            .collect();
        self.sized(header(b'x', "pax"), &data)
    }

    /// The two zero blocks.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut lengths = rest..rest + 20;
    let length = lengths
        .find(|length| rest + length.to_string().len() == *length)
        .unwrap();
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// Every name below `root` on a line: type, mode, path, and content or target.
pub(crate) fn tree(root: &Path) -> String {
    let mut lines = Vec::new();
    walk(root, "", &mut lines);
    lines.join("\n")
}

fn walk(dir: &Path, prefix: &str, lines: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!(
            "{prefix}{}",
            entry.file_name().as_encoded_bytes().escape_ascii()
        );
        let metadata = path.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        let mode = metadata.permissions().mode() & 0o7777;
        if kind.is_dir() {
            lines.push(format!("d {mode:04o} {name}"));
            walk(&path, &format!("{name}/"), lines);
        } else if kind.is_symlink() {
            lines.push(format!(
                "l {name} -> {}",
                fs::read_link(&path).unwrap().display()
            ));
        } else if kind.is_file() {
            let data = fs::read(&path).unwrap();
            let shown = if data.len() > 40 {
                format!("{} bytes", data.len())
            } else {
                data.escape_ascii().to_string()
            };
            lines.push(format!("f {mode:04o} {name} = {shown}"));
        } else if kind.is_fifo() {
            lines.push(format!("p {mode:04o} {name}"));
        } else {
            lines.push(format!("n {mode:04o} {name} {:x}", metadata.rdev()));
        }
    }
}
