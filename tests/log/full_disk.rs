//! A disk without room, for real.

use std::path::Path;

use cowshed::{
    ident::Timestamp,
    log::{Entry, LogOptions, Lost, Query, Reader, Stream, Writer},
    sys::Dir,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use crate::rotated;

/// A file system of 64 KiB, which only this thread sees.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        mount_small(scratch.path());
        Self(scratch)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        umount2(self.path(), MntFlags::MNT_DETACH).ok();
    }
}

fn mount_small(path: &Path) {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root");
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let options = Some("size=64k,mode=0700");
    mount(
        Some("tmpfs"),
        path,
        Some("tmpfs"),
        MsFlags::empty(),
        options,
    )
    .unwrap();
}

fn read(dir: &Dir) -> Vec<Entry> {
    let mut reader = Reader::open(dir, Query::default()).unwrap();
    let mut entries = Vec::new();
    while let Some(entry) = reader.read_entry().unwrap() {
        entries.push(entry);
    }
    assert_eq!(reader.skipped(), 0, "no line is torn");
    entries
}

fn lost_in(entries: &[Entry]) -> u64 {
    let lost = entries.iter().filter_map(|entry| match &entry.lost {
        Some(Lost::Bytes { count, cause }) => {
            assert_eq!(cause, "no space left on device");
            Some(*count)
        }
        _ => None,
    });
    lost.sum()
}

fn bytes_in(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.bytes.len() as u64).sum()
}

/// Fills the disk, makes room, writes on; every byte is there or counted.
fn fill(options: &LogOptions, chunk: &[u8]) {
    let scratch = SmallDisk::new();
    let dir = || Dir::open(scratch.path()).unwrap();
    let ballast = scratch.path().join("ballast");
    std::fs::copy("/proc/self/exe", &ballast).unwrap_err();
    std::fs::File::options()
        .write(true)
        .open(&ballast)
        .unwrap()
        .set_len(24 * 1024)
        .unwrap();
    let mut writer = Writer::new(dir(), options).unwrap();
    let mut written = 0;
    let mut put = |writer: &mut Writer, chunk: &[u8]| {
        writer.write(Stream::Stdout, chunk, Timestamp::now());
        written += chunk.len() as u64;
    };
    while writer.lost() < 20_000 {
        put(&mut writer, chunk);
    }
    std::fs::remove_file(&ballast).unwrap();
    put(&mut writer, b"there is room again\n");
    let entries = read(&dir());
    assert_eq!(entries.last().unwrap().bytes, b"there is room again\n");
    assert_eq!(lost_in(&entries), writer.lost());
    writer.flush(Timestamp::now());
    assert_eq!(bytes_in(&read(&dir())) + writer.lost(), written);
}

#[test]
#[ignore = "needs root"]
fn root_what_does_not_fit_is_counted_and_told() {
    fill(
        &LogOptions::default(),
        "a line of text\n".repeat(50).as_bytes(),
    );
    fill(&LogOptions::default(), b"a line of text\n");
    let long = [b"x".repeat(60_000), b"\n".to_vec()].concat();
    fill(&LogOptions::default(), &long);
}

#[test]
#[ignore = "needs root"]
fn root_a_full_disk_does_not_rotate_the_log_away() {
    // Two files of 30 kB do not fit beside the ballast: the older one stays as it is.
    fill(
        &rotated(30_000, 3),
        "a line of text\n".repeat(50).as_bytes(),
    );
    fill(&rotated(15_000, 5), b"a line of text\n");
}

#[test]
#[ignore = "needs root"]
fn root_the_end_is_told_too_where_there_is_room_by_then() {
    let scratch = SmallDisk::new();
    let dir = || Dir::open(scratch.path()).unwrap();
    let mut writer = Writer::new(dir(), &LogOptions::default()).unwrap();
    let ballast = scratch.path().join("ballast");
    std::fs::copy("/proc/self/exe", &ballast).unwrap_err();
    writer.write(Stream::Stdout, b"lost\nunfinished", Timestamp::now());
    assert_eq!(writer.lost(), 5);
    std::fs::remove_file(&ballast).unwrap();
    writer.flush(Timestamp::now());
    let entries = read(&dir());
    assert_eq!((lost_in(&entries), bytes_in(&entries)), (5, 10));
}
