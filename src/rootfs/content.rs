//! Whether two files hold the same, and how much of one is not in the other.

use std::{ffi::OsStr, io::Read as _, os::unix::fs::FileExt as _};

use crate::sys::{At as _, Dir, FileKind, Metadata, Result, xattr};

/// Compared as a whole; the size of a page, in which files are written mostly.
const BLOCK: usize = 4096;

/// Bytes of `new` that stand in blocks which `old` has otherwise, or not at all.
///
/// Zero does not mean equal: `new` may be shorter.
pub(super) fn written(old: (&Dir, &OsStr), new: (&Dir, &OsStr)) -> Result<u64> {
    let open = |(dir, name): (&Dir, &OsStr)| dir.open_file(name);
    let (old, mut new_file) = (open(old)?, open(new)?);
    let failed = || new.1.display().to_string();
    let (mut now, mut then) = (vec![0; 64 * BLOCK], vec![0; 64 * BLOCK]);
    let (mut offset, mut written) = (0, 0);
    loop {
        let count = fill(&mut |rest| new_file.read(rest), &mut now).at("read", failed)?;
        if count == 0 {
            return Ok(written);
        }
        let mut at = offset;
        let mut read = |rest: &mut [u8]| {
            let count = old.read_at(rest, at)?;
            at += count as u64;
            Ok(count)
        };
        let had = fill(&mut read, &mut then).at("read", failed)?;
        for (number, block) in now[..count].chunks(BLOCK).enumerate() {
            let start = number * BLOCK;
            let before = &then[start.min(had)..had.min(start + block.len())];
            if before != block {
                written += block.len() as u64;
            }
        }
        offset += count as u64;
    }
}

fn fill(
    read: &mut impl FnMut(&mut [u8]) -> std::io::Result<usize>,
    buffer: &mut [u8],
) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Something in a directory, looked at.
pub(super) type At<'a> = (&'a Dir, &'a OsStr, &'a Metadata);

/// Whether two things that are no directories hold the same: bytes, a link's text, a device's
/// number.
pub(super) fn same_content(old: At<'_>, new: At<'_>) -> Result<bool> {
    let ((old_dir, old_name, before), (new_dir, new_name, now)) = (old, new);
    if before.kind() != now.kind() {
        return Ok(false);
    }
    match now.kind() {
        FileKind::File => {
            let same = (before.dev(), before.ino()) == (now.dev(), now.ino());
            Ok(same
                || (before.size() == now.size()
                    && written((old_dir, old_name), (new_dir, new_name))? == 0))
        }
        FileKind::Symlink => Ok(old_dir.read_symlink(old_name)? == new_dir.read_symlink(new_name)?),
        FileKind::CharDevice | FileKind::BlockDevice => Ok(before.rdev() == now.rdev()),
        FileKind::Directory | FileKind::Fifo | FileKind::Socket => Ok(true),
    }
}

/// What of two things of one kind is different but their content, in words: `mode`, `owner`,
/// `time`, `xattrs`.
pub(super) fn other_metadata(old: At<'_>, new: At<'_>) -> Result<Vec<&'static str>> {
    let (before, now) = (old.2, new.2);
    let mut what = Vec::new();
    if before.mode() != now.mode() {
        what.push("mode");
    }
    if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
        what.push("owner");
    }
    if before.mtime() != now.mtime() {
        what.push("time");
    }
    if xattrs(old)? != xattrs(new)? {
        what.push("xattrs");
    }
    Ok(what)
}

/// Those that are not the kernel's own books.
pub(super) fn xattrs((dir, name, _): At<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut all = Vec::new();
    for key in xattr::list(dir, name)? {
        if key.starts_with(b"trusted.overlay.") || key == b"security.selinux" {
            continue;
        }
        if let Some(value) = xattr::get(dir, name, OsStr::from_bytes(&key))? {
            all.push((key, value));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn blocks_that_differ_are_counted() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = Dir::open(scratch.path()).unwrap();
        let make = |name: &str, bytes: &[u8]| {
            dir.create_file(name, 0o600)
                .unwrap()
                .write_all(bytes)
                .unwrap();
        };
        let mut bytes = vec![7; 100 * BLOCK + 10];
        make("old", &bytes);
        make("same", &bytes);
        bytes[5] = 1;
        bytes[70 * BLOCK] = 1;
        make("two", &bytes);
        bytes.extend([9; BLOCK]);
        make("longer", &bytes);
        make("short", &[7; 3]);
        make("empty", b"");
        let of = |name: &str| written((&dir, "old".as_ref()), (&dir, name.as_ref())).unwrap();
        assert_eq!(of("same"), 0);
        assert_eq!(of("two"), 2 * BLOCK as u64);
        // The last block was short before.
        assert_eq!(of("longer"), 3 * BLOCK as u64 + 10);
        assert_eq!(of("empty"), 0);
        assert_eq!(of("short"), 0, "a part of a block is the block's");
    }
}
