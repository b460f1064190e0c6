//! Copies a tree with everything that belongs to it: owners, modes, times, xattrs, hard links,
//! holes, fifos, sockets, devices.
//!
//! By descriptors; the source is never followed through a link (CVE-2022-23648: an image's volume
//! path that was a link copied host files).

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::File,
    io::{Seek as _, SeekFrom},
    os::unix::ffi::OsStrExt as _,
};

use nix::{
    errno::Errno,
    sys::stat::{major, minor},
    unistd::Whence,
};

use super::{At as _, Dir, FileKind, Metadata, Result, SysError, raw, xattr};

/// Deeper trees end the copy: each level costs two descriptors and a piece of the stack.
const DEPTH_MAX: usize = 2000;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyReport {
    /// Files, directories and all the rest, without the top directory.
    pub entries: u64,
    /// Bytes of file data, holes not counted.
    pub bytes: u64,
}

/// Copies everything below `from` into `to`, then the top directory's own owner, mode, times and
/// xattrs. Extended attributes that the target refuses are left out.
pub fn copy_tree(from: &Dir, to: &Dir) -> Result<CopyReport> {
    let mut copy = Copy {
        links: HashMap::new(),
        report: CopyReport::default(),
    };
    copy.content(from, to, 0)?;
    let top = from.own_metadata()?;
    copy_top_metadata(from, to, &top)?;
    Ok(copy.report)
}

/// Copies what `name` is in `from` to `new` in `to`, which must not exist: a file, link, fifo,
/// socket or device with everything that belongs to it; not a directory.
pub fn copy_entry(from: &Dir, name: &OsStr, to: &Dir, new: &OsStr) -> Result<()> {
    let metadata = from.metadata(name)?;
    let mut copy = Copy {
        links: HashMap::new(),
        report: CopyReport::default(),
    };
    copy.leaf_as(from, name, (to, new), &metadata)?;
    // A default ACL of the directory leaves its mark on what is made in it.
    remove_other_xattrs(from, name, (to, new))?;
    copy_metadata_as(from, name, (to, new), &metadata)
}

/// Gives the directory `to` owner, mode, times and xattrs of `from`; attributes that `from` does
/// not have are taken away.
pub fn copy_own_metadata(from: &Dir, to: &Dir) -> Result<()> {
    let here = OsStr::new(".");
    remove_other_xattrs(from, here, (to, here))?;
    copy_top_metadata(from, to, &from.own_metadata()?)
}

/// Whether two directories have the same owner, mode and xattrs; times are not looked at.
pub fn same_own_metadata(one: &Dir, other: &Dir) -> Result<bool> {
    let (a, b) = (one.own_metadata()?, other.own_metadata()?);
    if (a.uid(), a.gid(), a.mode()) != (b.uid(), b.gid(), b.mode()) {
        return Ok(false);
    }
    Ok(own_xattrs(one)? == own_xattrs(other)?)
}

/// Keys and values in turn.
fn own_xattrs(dir: &Dir) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for key in xattr::list(dir, ".")? {
        if !key.starts_with(b"trusted.overlay.") {
            let value = xattr::get(dir, ".", OsStr::from_bytes(&key))?;
            all.extend([key, value.unwrap_or_default()]);
        }
    }
    Ok(all)
}

fn remove_other_xattrs(from: &Dir, name: &OsStr, (to, new): (&Dir, &OsStr)) -> Result<()> {
    let wanted = xattr::list(from, name)?;
    for key in xattr::list(to, new)? {
        if !key.starts_with(b"trusted.overlay.") && !wanted.contains(&key) {
            match xattr::remove(to, new, OsStr::from_bytes(&key)) {
                // Some are the file system's own.
                Err(error) if matches!(error.errno(), Some(Errno::EOPNOTSUPP | Errno::EPERM)) => {}
                done => done?,
            }
        }
    }
    Ok(())
}

struct Copy {
    /// (device, inode) of a source with several names, to where its first copy is.
    links: HashMap<(u64, u64), (Dir, Vec<u8>)>,
    report: CopyReport,
}

impl Copy {
    fn content(&mut self, from: &Dir, to: &Dir, depth: usize) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(SysError::new("openat", "", Errno::ENAMETOOLONG));
        }
        for name in from.entries()? {
            let metadata = from.metadata(&name)?;
            self.report.entries += 1;
            if metadata.is_dir() {
                to.make_dir(&name, 0o700)?;
                self.content(&from.open_dir(&name)?, &to.open_dir(&name)?, depth + 1)?;
            } else if self.linked(to, &name, &metadata)? {
                continue;
            } else {
                self.leaf(from, to, &name, &metadata)?;
            }
            copy_metadata(from, to, &name, &metadata)?;
        }
        Ok(())
    }

    /// Links to the first copy of the same inode, or remembers this one.
    fn linked(&mut self, to: &Dir, name: &OsStr, metadata: &Metadata) -> Result<bool> {
        if metadata.nlink() < 2 {
            return Ok(false);
        }
        let key = (metadata.dev(), metadata.ino());
        if let Some((dir, first)) = self.links.get(&key) {
            dir.link(OsStr::from_bytes(first), to, name)?;
            return Ok(true);
        }
        self.links
            .insert(key, (to.try_clone()?, name.as_bytes().to_vec()));
        Ok(false)
    }

    fn leaf(&mut self, from: &Dir, to: &Dir, name: &OsStr, metadata: &Metadata) -> Result<()> {
        self.leaf_as(from, name, (to, name), metadata)
    }

    fn leaf_as(
        &mut self,
        from: &Dir,
        name: &OsStr,
        (to, new): (&Dir, &OsStr),
        metadata: &Metadata,
    ) -> Result<()> {
        match metadata.kind() {
            FileKind::File => {
                let source = from.open_file(name)?;
                let target = to.create_file(new, 0o600)?;
                self.report.bytes += copy_data(&source, &target, metadata.size())?;
                Ok(())
            }
            FileKind::Symlink => to.make_symlink(&from.read_symlink(name)?, new),
            kind @ (FileKind::Directory
            | FileKind::CharDevice
            | FileKind::BlockDevice
            | FileKind::Fifo
            | FileKind::Socket) => {
                let device = (major(metadata.rdev()), minor(metadata.rdev()));
                to.make_node(new, kind, metadata.mode(), device)
            }
        }
    }
}

fn copy_data(mut source: &File, mut target: &File, size: u64) -> Result<u64> {
    if raw::ficlone(
        std::os::fd::AsFd::as_fd(target),
        std::os::fd::AsFd::as_fd(source),
    )
    .is_ok()
    {
        return Ok(size);
    }
    target.set_len(size).at("ftruncate", || size.to_string())?;
    let (mut offset, mut copied) = (0, 0);
    while let Some((start, end)) = next_data(source, offset, size)? {
        source
            .seek(SeekFrom::Start(start))
            .at("lseek", || start.to_string())?;
        target
            .seek(SeekFrom::Start(start))
            .at("lseek", || start.to_string())?;
        let mut part = std::io::Read::take(source, end - start);
        // std copies with copy_file_range or sendfile where the kernel can.
        copied += std::io::copy(&mut part, &mut target).at("copy_file_range", String::new)?;
        offset = end;
    }
    Ok(copied)
}

/// The stretches of a file's first `size` bytes that are not holes: offset and length, ascending.
pub fn extents(file: &File, size: u64) -> Result<Vec<(u64, u64)>> {
    let (mut found, mut offset) = (Vec::new(), 0);
    while let Some((start, end)) = next_data(file, offset, size)? {
        // A file that is cut off under our feet could stand still.
        if end <= start {
            break;
        }
        found.push((start, end - start));
        offset = end;
    }
    Ok(found)
}

/// The next stretch that is not a hole (lseek(2), `SEEK_DATA`).
fn next_data(source: &File, offset: u64, size: u64) -> Result<Option<(u64, u64)>> {
    if offset >= size {
        return Ok(None);
    }
    let seek = |from: u64, whence| {
        let from = i64::try_from(from).map_err(|_| Errno::EOVERFLOW)?;
        nix::unistd::lseek(source, from, whence).map(i64::unsigned_abs)
    };
    match seek(offset, Whence::SeekData) {
        Ok(start) => {
            match seek(start, Whence::SeekHole) {
                Ok(end) => Ok(Some((start, end.min(size)))),
                // Cut off meanwhile.
                Err(Errno::ENXIO) => Ok(None),
                Err(errno) => Err(errno).at("lseek", || "SEEK_HOLE"),
            }
        }
        Err(Errno::ENXIO) => Ok(None),
        Err(Errno::EINVAL) => Ok(Some((offset, size))),
        Err(errno) => Err(errno).at("lseek", || "SEEK_DATA"),
    }
}

/// Owner before mode, because chown clears setuid and setgid; times last.
fn copy_metadata(from: &Dir, to: &Dir, name: &OsStr, metadata: &Metadata) -> Result<()> {
    copy_metadata_as(from, name, (to, name), metadata)
}

fn copy_metadata_as(
    from: &Dir,
    name: &OsStr,
    (to, new): (&Dir, &OsStr),
    metadata: &Metadata,
) -> Result<()> {
    to.chown(new, metadata.uid(), metadata.gid())?;
    if metadata.kind() != FileKind::Symlink {
        to.chmod(new, metadata.mode())?;
    }
    copy_xattrs(from, name, (to, new))?;
    to.set_times(new, metadata.mtime())
}

fn copy_top_metadata(from: &Dir, to: &Dir, metadata: &Metadata) -> Result<()> {
    to.chown(".", metadata.uid(), metadata.gid())?;
    nix::sys::stat::fchmod(
        to,
        nix::sys::stat::Mode::from_bits_truncate(metadata.mode()),
    )
    .at("fchmod", || format!("{:04o}", metadata.mode()))?;
    let here = OsStr::new(".");
    copy_xattrs(from, here, (to, here))?;
    to.set_times(".", metadata.mtime())
}

fn copy_xattrs(from: &Dir, name: &OsStr, (to, new): (&Dir, &OsStr)) -> Result<()> {
    for key in xattr::list(from, name)? {
        // overlayfs keeps its own books in these: they mean nothing elsewhere.
        if key.starts_with(b"trusted.overlay.") {
            continue;
        }
        let key = OsStr::from_bytes(&key);
        let Some(value) = xattr::get(from, name, key)? else {
            continue;
        };
        match xattr::set(to, new, key, &value) {
            Err(error) if matches!(error.errno(), Some(Errno::EOPNOTSUPP | Errno::EPERM)) => {}
            done => done?,
        }
    }
    Ok(())
}
