//! Following a log while it is written and rotated.

use std::{
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use cowshed::{
    ident::Timestamp,
    log::{Entry, Follow, LogOptions, Lost, Query, Stream},
};

use crate::{Scratch, lines_of, rotated};

const LONG: Duration = Duration::from_secs(30);

fn available(follow: &mut Follow) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some(entry) = follow.read_available().unwrap() {
        entries.push(entry);
    }
    entries
}

/// What comes until this line, waiting for it.
fn until(follow: &mut Follow, last: &str, pause: Duration) -> Vec<Entry> {
    let (mut entries, begun) = (Vec::new(), Instant::now());
    let (_reader, output) = std::io::pipe().unwrap();
    loop {
        entries.extend(available(follow));
        let ended = entries
            .last()
            .is_some_and(|entry| entry.bytes == last.as_bytes());
        if ended {
            return entries;
        }
        assert!(
            begun.elapsed() < LONG,
            "{last} did not come: {}",
            entries.len()
        );
        follow
            .wait(None, output.as_fd(), Duration::from_secs(5))
            .unwrap();
        std::thread::sleep(pause);
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("{number}\n")).collect()
}

#[test]
fn lines_come_as_they_are_written() {
    let scratch = Scratch::new();
    let mut follow = Follow::open(scratch.dir(), Query::default()).unwrap();
    assert_eq!(available(&mut follow), []);
    let mut writer = scratch.writer(&LogOptions::default());
    writer.write(Stream::Stdout, b"one\nunfinished", Timestamp::now());
    assert_eq!(
        lines_of(&until(&mut follow, "one\n", Duration::ZERO)),
        ["one\n"]
    );
    writer.write(Stream::Stdout, b" two\n", Timestamp::now());
    let entries = until(&mut follow, "unfinished two\n", Duration::ZERO);
    assert_eq!(lines_of(&entries), ["unfinished two\n"]);
}

#[test]
fn only_the_tail_and_what_comes_then() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&rotated(1, 10));
    writer.write(Stream::Stdout, b"1\n2\n3\n", Timestamp::now());
    let tail = Query {
        tail: Some(0),
        ..Query::default()
    };
    let mut none = Follow::open(scratch.dir(), tail).unwrap();
    let tail = Query {
        tail: Some(2),
        ..Query::default()
    };
    let mut two = Follow::open(scratch.dir(), tail).unwrap();
    writer.write(Stream::Stdout, b"4\n", Timestamp::now());
    assert_eq!(lines_of(&available(&mut none)), ["4\n"]);
    assert_eq!(lines_of(&available(&mut two)), ["2\n", "3\n", "4\n"]);
}

#[test]
fn nothing_is_lost_or_repeated_across_rotations() {
    for (max_size, pause) in [(1, 0), (1, 20), (1000, 3), (50_000, 0)] {
        let scratch = Scratch::new();
        let mut follow = Follow::open(scratch.dir(), Query::default()).unwrap();
        let mut writer = scratch.writer(&rotated(max_size, 450));
        let count = if max_size == 1 { 150 } else { 10_000 };
        let entries = std::thread::scope(|scope| {
            scope.spawn(|| {
                for line in numbers(0..count) {
                    writer.write(Stream::Stdout, line.as_bytes(), Timestamp::now());
                }
                writer.write(Stream::Stdout, b"end\n", Timestamp::now());
            });
            until(&mut follow, "end\n", Duration::from_millis(pause))
        });
        let mut wanted = numbers(0..count);
        wanted.push("end\n".to_owned());
        assert!(
            lines_of(&entries) == wanted,
            "{} lines of {max_size}",
            entries.len()
        );
    }
}

#[test]
fn files_that_are_gone_are_told() {
    for max_file in [1, 3] {
        let scratch = Scratch::new();
        let mut writer = scratch.writer(&rotated(1, max_file));
        let mut follow = Follow::open(scratch.dir(), Query::default()).unwrap();
        writer.write(Stream::Stdout, b"0\n", Timestamp::now());
        assert_eq!(lines_of(&available(&mut follow)), ["0\n"]);
        // As many as are kept: nothing is missing.
        for line in numbers(1..max_file + 1) {
            writer.write(Stream::Stdout, line.as_bytes(), Timestamp::now());
        }
        assert_eq!(lines_of(&available(&mut follow)), numbers(1..max_file + 1));
        for line in numbers(50..60) {
            writer.write(Stream::Stdout, line.as_bytes(), Timestamp::now());
        }
        let entries = available(&mut follow);
        let count = Some(u64::from(10 - max_file));
        assert_eq!(entries[0].lost, Some(Lost::Files { count }));
        assert_eq!(lines_of(&entries[1..]), numbers(60 - max_file..60));
    }
}

#[test]
fn a_log_that_somebody_emptied_goes_on() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&LogOptions::default());
    writer.write(Stream::Stdout, b"one\ntwo\n", Timestamp::now());
    let mut follow = Follow::open(scratch.dir(), Query::default()).unwrap();
    assert_eq!(available(&mut follow).len(), 2);
    let path = scratch.path().join("log");
    std::fs::File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .unwrap();
    assert_eq!(available(&mut follow).len(), 0);
    writer.write(Stream::Stdout, b"new\n", Timestamp::now());
    assert_eq!(lines_of(&available(&mut follow)), ["new\n"]);
}

#[test]
fn a_removed_container_can_be_read_to_its_end() {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(&LogOptions::default());
    writer.write(Stream::Stdout, b"one\n", Timestamp::now());
    let mut follow = Follow::open(scratch.dir(), Query::default()).unwrap();
    assert_eq!(available(&mut follow).len(), 1);
    writer.write(Stream::Stdout, b"two\n", Timestamp::now());
    std::fs::remove_file(scratch.path().join("log")).unwrap();
    std::fs::remove_dir(scratch.path()).unwrap();
    assert_eq!(lines_of(&available(&mut follow)), ["two\n"]);
    assert_eq!(available(&mut follow), []);
}

#[test]
fn until_ends_it() {
    let scratch = Scratch::new();
    let now = Timestamp::now();
    let query = Query {
        until: Some(now),
        ..Query::default()
    };
    let mut follow = Follow::open(scratch.dir(), query).unwrap();
    let mut writer = scratch.writer(&LogOptions::default());
    writer.write(Stream::Stdout, b"one\n", now);
    assert_eq!(available(&mut follow).len(), 1);
    assert!(!follow.is_done());
    let later = Timestamp::from_nanosecond(now.as_nanosecond() + 1).unwrap();
    writer.write(Stream::Stdout, b"two\n", later);
    assert_eq!(available(&mut follow), []);
    assert!(follow.is_done());
}
