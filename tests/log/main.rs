//! The log from outside: what a container writes is what is read, whatever happens in between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod following;
mod full_disk;
mod reading;
mod writing;

use std::path::Path;

use cowshed::{
    ident::Timestamp,
    log::{Entry, LogOptions, Query, Reader, Stream, Writer},
    sys::Dir,
};

/// A directory with a log.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn dir(&self) -> Dir {
        Dir::open(self.path()).unwrap()
    }

    fn writer(&self, options: &LogOptions) -> Writer {
        Writer::new(self.dir(), options).unwrap()
    }

    fn read(&self, query: Query) -> (Vec<Entry>, u64) {
        let mut reader = Reader::open(&self.dir(), query).unwrap();
        let mut entries = Vec::new();
        while let Some(entry) = reader.read_entry().unwrap() {
            entries.push(entry);
        }
        (entries, reader.skipped())
    }

    fn entries(&self) -> Vec<Entry> {
        let (entries, skipped) = self.read(Query::default());
        assert_eq!(skipped, 0);
        entries
    }

    fn text(&self, name: &str) -> String {
        let bytes = std::fs::read(self.path().join(name)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Names of the files, sorted.
    fn names(&self) -> Vec<String> {
        let names = self.dir().sorted_entries().unwrap();
        names
            .into_iter()
            .map(|name| name.into_string().unwrap())
            .collect()
    }
}

fn rotated(max_size: u64, max_file: u32) -> LogOptions {
    LogOptions {
        max_size: Some(max_size),
        max_file,
        ..LogOptions::default()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn bytes_of(entries: &[Entry], stream: Stream) -> Vec<u8> {
    let own = entries.iter().filter(|entry| entry.stream == stream);
    own.flat_map(|entry| entry.bytes.clone()).collect()
}

fn lines_of(entries: &[Entry]) -> Vec<String> {
    let text = |entry: &Entry| String::from_utf8(entry.bytes.clone()).unwrap();
    entries.iter().map(text).collect()
}

/// `line 0` and so on.
fn numbered(count: u32) -> String {
    let lines: Vec<_> = (0..count)
        .map(|number| format!("line {number}\n"))
        .collect();
    lines.concat()
}
