//! A directory to a tar: deterministic, with everything that belongs to the tree.

use std::{
    borrow::Cow,
    collections::HashMap,
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt as _,
};

use nix::sys::stat::{major, minor};
use tar::{Builder, EntryType, Header};

use super::{Error, PathBytes, metadata, whiteout};
use crate::sys::{At as _, Dir, FileKind, Metadata, RootDir, SysError, TimeSpec, xattr};

/// Writes the tree below `dir`, its root included, as it is on disk.
///
/// Names are in byte order within each directory, a directory before what is in it. Equal trees
/// give equal bytes: no access times, no user names. Sockets are left out, and so are extended
/// attributes that a layer could not bring back.
pub fn pack(dir: &Dir, out: impl Write) -> Result<(), Error> {
    write(dir, out, Form::Verbatim)
}

/// Writes a tree in overlay form, an upper dir, as a changeset: whiteouts and opaque directories as
/// `.wh.` names.
pub fn pack_changes(dir: &Dir, out: impl Write) -> Result<(), Error> {
    write(dir, out, Form::Changeset)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Verbatim,
    Changeset,
}

fn write(dir: &Dir, out: impl Write, form: Form) -> Result<(), Error> {
    let root = PathBytes::default();
    let top = dir.try_clone().on(&root)?;
    let mut packer = Packer {
        root: RootDir::new(top),
        out: Builder::new(out),
        links: HashMap::new(),
        form,
    };
    packer.node(&Node {
        dir,
        name: OsStr::new("."),
        path: &root,
    })?;
    // Open directories are not stacked: trees may be deeper than descriptors are many.
    let mut pending = vec![root];
    while let Some(path) = pending.pop() {
        let mut below = packer.directory(&path)?;
        below.reverse();
        pending.append(&mut below);
    }
    packer
        .out
        .finish()
        .at("write", || "end of the tar")
        .on(&PathBytes::default())
}

struct Packer<W: Write> {
    root: RootDir,
    out: Builder<W>,
    /// First names of inodes that have several.
    links: HashMap<(u64, u64), PathBytes>,
    form: Form,
}

/// A name in an open directory.
struct Node<'a> {
    dir: &'a Dir,
    name: &'a OsStr,
    path: &'a PathBytes,
}

impl<W: Write> Packer<W> {
    /// Writes everything in a directory; returns its subdirectories.
    fn directory(&mut self, path: &PathBytes) -> Result<Vec<PathBytes>, Error> {
        let dir = self.root.open_dir_without_links(path.as_path()).on(path)?;
        let mut below = Vec::new();
        if self.form == Form::Changeset && xattr::is_opaque(&dir) {
            self.mark(path, OsStr::from_bytes(whiteout::OPAQUE))?;
        }
        for name in dir.sorted_entries().on(path)? {
            let path = path.join(&name);
            if self.node(&Node {
                dir: &dir,
                name: &name,
                path: &path,
            })? {
                below.push(path);
            }
        }
        Ok(below)
    }

    /// An empty file whose name is the message.
    fn mark(&mut self, parent: &PathBytes, name: &OsStr) -> Result<(), Error> {
        let mut draft = Draft::new(EntryType::Regular, parent.join(name).as_bytes());
        draft.metadata(0o600, (0, 0), TimeSpec::default());
        self.append(&draft, io::empty(), parent)
    }

    /// Writes one name; tells whether it is a directory to go into.
    fn node(&mut self, node: &Node<'_>) -> Result<bool, Error> {
        let Node { dir, name, path } = *node;
        let found = if path.is_root() {
            dir.own_metadata()
        } else {
            dir.metadata(name)
        };
        let found = found.on(path)?;
        if found.is_whiteout() && self.form == Form::Changeset {
            let hidden = [whiteout::PREFIX, name.as_bytes()].concat();
            self.mark(&PathBytes::new(path.split().0), OsStr::from_bytes(&hidden))?;
            return Ok(false);
        }
        if found.kind() == FileKind::Socket {
            return Ok(false);
        }
        if !found.is_dir() && found.nlink() > 1 {
            let key = (found.dev(), found.ino());
            if let Some(first) = self.links.get(&key) {
                let mut draft = Draft::new(EntryType::Link, path.as_bytes());
                draft.metadata(found.mode(), (found.uid(), found.gid()), found.mtime());
                draft.link(first.as_bytes());
                self.append(&draft, io::empty(), path)?;
                return Ok(false);
            }
            self.links.insert(key, path.clone());
        }
        self.inode(node, &found)?;
        Ok(found.is_dir() && !path.is_root())
    }

    fn inode(&mut self, node: &Node<'_>, found: &Metadata) -> Result<(), Error> {
        let Node { dir, name, path } = *node;
        let kind = match found.kind() {
            FileKind::File | FileKind::Socket => EntryType::Regular,
            FileKind::Directory => EntryType::Directory,
            FileKind::Symlink => EntryType::Symlink,
            FileKind::CharDevice => EntryType::Char,
            FileKind::BlockDevice => EntryType::Block,
            FileKind::Fifo => EntryType::Fifo,
        };
        let text = match found.is_dir() {
            true if path.is_root() => Cow::Borrowed(&b"./"[..]),
            true => Cow::Owned([path.as_bytes(), b"/"].concat()),
            false => Cow::Borrowed(path.as_bytes()),
        };
        let mut draft = Draft::new(kind, &text);
        draft.metadata(found.mode(), (found.uid(), found.gid()), found.mtime());
        for (key, value) in metadata::xattrs(dir, name).on(path)? {
            draft.record(&[b"SCHILY.xattr.", key.as_bytes()].concat(), &value);
        }
        match found.kind() {
            FileKind::File => {
                let file = dir.open_file(name).on(path)?;
                draft.header.set_size(found.size());
                return self.append(&draft, Exactly(file, found.size()), path);
            }
            FileKind::Symlink => draft.link(dir.read_symlink(name).on(path)?.as_bytes()),
            FileKind::CharDevice | FileKind::BlockDevice => {
                draft
                    .device(found.rdev())
                    .at("write", || "device number")
                    .on(path)?;
            }
            FileKind::Directory | FileKind::Fifo | FileKind::Socket => {}
        }
        self.append(&draft, io::empty(), path)
    }

    fn append(&mut self, draft: &Draft, data: impl Read, path: &PathBytes) -> Result<(), Error> {
        let records = &draft.records;
        if !records.is_empty() {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::XHeader);
            header.as_old_mut().name[..11].copy_from_slice(b"@PaxHeader/");
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(records.len() as u64);
            header.set_cksum();
            self.out
                .append(&header, &records[..])
                .at("write", || "tar")
                .on(path)?;
        }
        let mut header = draft.header.clone();
        header.set_cksum();
        self.out
            .append(&header, data)
            .at("write", || "tar")
            .on(path)
    }
}

/// A header and the PAX records that say what it cannot.
struct Draft {
    header: Header,
    records: Vec<u8>,
}

impl Draft {
    fn new(kind: EntryType, path: &[u8]) -> Self {
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

    fn metadata(&mut self, mode: u32, (uid, gid): (u32, u32), mtime: TimeSpec) {
        self.header.set_mode(mode);
        self.header.set_uid(uid.into());
        self.header.set_gid(gid.into());
        self.header
            .set_mtime(u64::try_from(mtime.seconds).unwrap_or(0));
        if mtime.seconds < 0 || mtime.nanoseconds != 0 {
            self.record(b"mtime", decimal(mtime).as_bytes());
        }
    }

    fn link(&mut self, target: &[u8]) {
        if !put(&mut self.header.as_old_mut().linkname, target) {
            self.record(b"linkpath", target);
        }
    }

    fn device(&mut self, device: u64) -> io::Result<()> {
        let narrow = |part: u64| u32::try_from(part).map_err(io::Error::other);
        self.header.set_device_major(narrow(major(device))?)?;
        self.header.set_device_minor(narrow(minor(device))?)
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

/// As many bytes as the header promised: a file that grows is cut off, one that shrinks is an error.
struct Exactly<R>(R, u64);

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.0).take(self.1).read(out)?;
        if count == 0 && self.1 > 0 && !out.is_empty() {
            return Err(io::Error::other("the file shrank while it was read"));
        }
        self.1 -= count as u64;
        Ok(count)
    }
}

/// Puts the path to a failed call.
trait On<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_their_own_length() {
        let mut draft = Draft::new(EntryType::Regular, b"f");
        draft.record(b"path", b"a");
        draft.record(b"path", &[b'x'; 89]);
        let pax = crate::layer::pax::parse(&draft.records).unwrap();
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
