//! `kill -9` of what mounts images on the host, at every call that changes something: an image is
//! whole, and nothing stays mounted for ever.

use crate::{
    kill_walk::{Whom, inject, points_of, record, traced},
    strace::has_strace,
    support::{Shed, Tar, tree},
};

/// An image of two layers that nobody else has.
fn prepare(shed: &Shed, before: &[&str]) {
    let more = Tar::new()
        .dir("many", 0o755)
        .file("many/파일", 0o644, b"hangul")
        .hard_link("many/same", "many/파일");
    shed.image("img", more, &[]);
    for line in before {
        shed.cowshed(line).ok();
    }
}

/// Whatever was interrupted, it can be done again, and then nothing is left.
#[track_caller]
fn whole_or_gone(shed: &Shed, what: &str) {
    shed.cowshed("image unmount --all").ok();
    if !shed.cowshed("images -q img").ok().is_empty() {
        let verified = shed.cowshed("image verify img");
        assert_eq!(verified.code, 0, "{what}: {verified:?}");
        let said = shed.cowshed("run --rm img cat /many/same");
        assert_eq!(said.out, "hangul", "{what}: {said:?}");
    }
    shed.cowshed("rmi -f img").ok();
    shed.cowshed("image prune -af").ok();
    let layers = tree(&shed.store().join("overlay2"));
    let layers: Vec<_> = layers.lines().filter(|line| !line.contains('/')).collect();
    assert_eq!(layers, ["d init"], "{what}");
    assert_eq!(tree(&shed.store().join("blobs/sha256")), "", "{what}");
    let mounted = shed.store().join("images/mounted");
    if mounted.exists() {
        assert!(
            !tree(&mounted).contains(".json"),
            "{what}: {}",
            tree(&mounted)
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_mounts_of_images_killed_at_any_call() {
    if !has_strace() {
        return;
    }
    let mut shed = Shed::new();
    shed.strict = false;
    shed.cowshed("rmi base").ok();
    let sequences: [(&[&str], &str); 2] = [
        (&[], "image mount img"),
        (&["image mount img"], "image unmount img"),
    ];
    for (before, line) in sequences {
        prepare(&shed, before);
        let recording = shed.path("calls");
        assert!(traced(&shed, line, Whom::Command, &record(&recording)).success());
        whole_or_gone(&shed, line);
        let points = points_of(&recording, 1);
        assert!(points.len() > 2, "{line}: {points:?}");
        for point in &points {
            prepare(&shed, before);
            traced(&shed, line, Whom::Command, &inject(point));
            whole_or_gone(&shed, &format!("call {point:?} of {line}"));
        }
    }
}
