//! What tests of `system check` share.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Shed, Tar};

/// A store with the image `base` of one layer and the image `two` of two, and a stopped container of
/// each.
pub(crate) fn shed() -> Shed {
    let shed = Shed::new();
    let layer = Tar::new()
        .dir("한글", 0o755)
        .file("한글/파일", 0o644, b"content of a file\n")
        .file("top", 0o755, b"more content\n");
    shed.image("two", layer, &["CMD cat /top"]);
    shed.cowshed("run --name one base true").ok();
    shed.cowshed("run --name other -v data:/data two sh -c 'echo kept > /data/own'")
        .ok();
    shed
}

/// What a check says, without its summary: severity, object, what, remedy.
#[track_caller]
pub(crate) fn findings(shed: &Shed, flags: &str) -> Vec<Value> {
    let done = shed.cowshed(&format!("system check --format json {flags}"));
    let mut all: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = all.pop().unwrap_or_default();
    assert_eq!(summary["Summary"], true, "{done:?}");
    let is_clean = summary["Faults"] == 0;
    assert_eq!(
        (is_clean, summary["Clean"].as_bool()),
        (done.code == 0, Some(is_clean)),
        "{done:?}"
    );
    all
}

/// The same, one a line, without what only a note tells.
#[track_caller]
pub(crate) fn faults(shed: &Shed, flags: &str) -> Vec<String> {
    let all = findings(shed, flags).into_iter();
    let faults = all.filter(|one| one["Severity"] != "note");
    let text = |one: Value| {
        let part = |key: &str| one[key].as_str().unwrap().to_owned();
        format!("{}: {}: {}", part("Severity"), part("Object"), part("What"))
    };
    faults.map(text).collect()
}

/// Nothing is wrong.
#[track_caller]
pub(crate) fn assert_clean(shed: &Shed) {
    let none: [Value; 0] = [];
    assert_eq!(findings(shed, ""), none);
}

/// The directory of a layer of an image, from 0.
pub(crate) fn layer(shed: &Shed, image: &str, number: usize) -> PathBuf {
    let chain = shed.inspect(image)["Layers"][number]["ChainID"].clone();
    shed.store().join("overlay2").join(hex(&chain))
}

/// The file of a blob.
pub(crate) fn blob(shed: &Shed, digest: &Value) -> PathBuf {
    shed.store().join("blobs/sha256").join(hex(digest))
}

fn hex(digest: &Value) -> String {
    digest
        .as_str()
        .unwrap()
        .trim_start_matches("sha256:")
        .to_owned()
}
