//! Parts of a log, and what others have done to it.

use std::{io::Write as _, time::Instant};

use cowshed::{
    ident::Timestamp,
    log::{LogOptions, Query, Reader, Stream},
};

use crate::{Scratch, at, lines_of, numbered, rotated};

fn ten_lines(options: &LogOptions) -> Scratch {
    let scratch = Scratch::new();
    let mut writer = scratch.writer(options);
    for second in 0..10 {
        let text = format!("line {second}\n");
        writer.write(
            Stream::Stdout,
            text.as_bytes(),
            at(&format!("2026-01-02T03:04:0{second}Z")),
        );
    }
    scratch
}

fn tail(count: u64) -> Query {
    Query {
        tail: Some(count),
        ..Query::default()
    }
}

#[test]
fn the_tail_goes_over_files() {
    for options in [LogOptions::default(), rotated(200, 20), rotated(1, 20)] {
        let scratch = ten_lines(&options);
        let all = lines_of(&scratch.entries());
        assert_eq!(all.len(), 10);
        for count in 0..12 {
            let (entries, _) = scratch.read(tail(count));
            let wanted = usize::try_from(count).unwrap().min(10);
            assert_eq!(
                lines_of(&entries),
                all[10 - wanted..],
                "{count} of {options:?}"
            );
        }
    }
}

#[test]
fn since_and_until_are_inclusive() {
    for options in [LogOptions::default(), rotated(200, 20)] {
        let scratch = ten_lines(&options);
        let query = Query {
            since: Some(at("2026-01-02T03:04:03Z")),
            until: Some(at("2026-01-02T03:04:05Z")),
            tail: None,
        };
        assert_eq!(
            lines_of(&scratch.read(query).0),
            ["line 3\n", "line 4\n", "line 5\n"]
        );
        // Docker takes the tail of the whole log first.
        let query = Query {
            tail: Some(2),
            ..query
        };
        assert_eq!(scratch.read(query).0, []);
        let future = Query {
            since: Some(at("2100-01-01T00:00:00Z")),
            ..Query::default()
        };
        assert_eq!(scratch.read(future).0, []);
    }
}

#[test]
fn there_may_be_no_log() {
    let scratch = Scratch::new();
    assert_eq!(scratch.read(Query::default()), (Vec::new(), 0));
    assert_eq!(scratch.read(tail(3)), (Vec::new(), 0));
    std::fs::File::create(scratch.path().join("log")).unwrap();
    assert_eq!(scratch.read(tail(3)), (Vec::new(), 0));
}

#[test]
fn lines_that_are_not_ours_are_counted_and_passed_over() {
    let scratch = ten_lines(&LogOptions::default());
    let path = scratch.path().join("log");
    let mut file = std::fs::File::options().append(true).open(path).unwrap();
    file.write_all(b"text\n\xff\xff\n{}\n").unwrap();
    scratch
        .writer(&LogOptions::default())
        .write(Stream::Stdout, b"more\n", Timestamp::now());
    let (entries, skipped) = scratch.read(Query::default());
    assert_eq!((entries.len(), skipped), (11, 3));
}

#[test]
fn the_tail_of_a_huge_log_is_found_at_once() {
    let scratch = Scratch::new();
    let path = scratch.path().join("log");
    // Ten gigabytes, most of them a hole: reading it through would take seconds.
    std::fs::File::create(&path)
        .unwrap()
        .set_len(10 << 30)
        .unwrap();
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"\n").unwrap();
    let mut writer = scratch.writer(&LogOptions::default());
    let text = numbered(100);
    writer.write(Stream::Stdout, text.as_bytes(), Timestamp::now());
    let begun = Instant::now();
    let mut reader = Reader::open(&scratch.dir(), tail(10)).unwrap();
    assert_eq!(reader.read_entry().unwrap().unwrap().bytes, b"line 90\n");
    assert!(begun.elapsed().as_millis() < 200, "{:?}", begun.elapsed());
}
