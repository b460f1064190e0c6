//! The corpus of hostile and odd layers, by the names of its cases, and agreement with GNU tar.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod extended;
mod gnu_tar;
mod names;
mod packing;
mod round_trip;
mod scribble;
mod streams;
mod types;
mod whiteouts;
mod whole_tree;

use std::{error::Error as _, path::PathBuf};

use archive::{Archive, tree};
use cowshed::{
    layer::{Compression, Error, Limits, Unpacked, unpack},
    sys::Dir,
};

/// A scratch directory with a target, and beside it something that must stay as it is.
struct Ground {
    scratch: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for dir in ["layer", "canary", "canary/dir"] {
            std::fs::create_dir(scratch.path().join(dir)).unwrap();
        }
        std::io::Write::write_all(
            &mut std::fs::File::create(scratch.path().join("canary/secret")).unwrap(),
            b"secret",
        )
        .unwrap();
        Self { scratch }
    }

    fn layer(&self) -> PathBuf {
        self.scratch.path().join("layer")
    }

    fn dir(&self) -> Dir {
        Dir::open(&self.layer()).unwrap()
    }

    fn canary(&self) -> String {
        self.scratch.path().join("canary").display().to_string()
    }

    fn unpack(&self, blob: &[u8]) -> Result<Unpacked, Error> {
        let compression = Compression::detect(blob);
        let done = unpack(blob, compression, &self.dir(), &Limits::default(), None);
        assert_eq!(
            tree(&self.scratch.path().join("canary")),
            "d 0755 dir\nf 0644 secret = secret"
        );
        let links = std::fs::metadata(self.scratch.path().join("canary/secret")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&links), 1);
        done
    }
}

/// Unpacks and compares the whole tree.
#[track_caller]
fn accepted(tar: Archive, expected: &[&str]) -> Unpacked {
    let ground = Ground::new();
    let unpacked = ground.unpack(&tar.end()).unwrap();
    assert_eq!(tree(&ground.layer()), expected.join("\n"));
    unpacked
}

/// Unpacks in vain; the error's whole chain must contain `expected`.
#[track_caller]
fn refused(tar: Archive, expected: &str) {
    blob_refused(&tar.end(), expected);
}

#[track_caller]
fn blob_refused(blob: &[u8], expected: &str) {
    let error = Ground::new().unpack(blob).unwrap_err();
    let text = chain(&error);
    assert!(text.contains(expected), "{text}");
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
