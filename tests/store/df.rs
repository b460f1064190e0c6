//! `system df --all`: every byte of the root, as du(1) says.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command, time::Instant};

use serde_json::Value;

use crate::support::{Shed, Tar, wait_until, write_file};

/// `du -sx --block-size=1` of the root: blocks, and inodes.
fn du(shed: &Shed) -> (u64, u64) {
    let ask = |flags: &[&str]| {
        let out = Command::new("du")
            .args(flags)
            .arg(shed.store())
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    };
    (ask(&["-sx", "--block-size=1"]), ask(&["-sx", "--inodes"]))
}

/// Bytes and inodes of each kind.
fn df(shed: &Shed, flags: &str) -> Vec<(String, u64, u64)> {
    let lines = shed
        .cowshed(&format!("system df --all --format json {flags}"))
        .ok();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (
            row["Type"].as_str().unwrap().to_owned(),
            row["Bytes"].as_u64().unwrap(),
            row["Inodes"].as_u64().unwrap(),
        )
    };
    lines.lines().map(row).collect()
}

fn of(rows: &[(String, u64, u64)], kind: &str) -> (u64, u64) {
    let row = rows.iter().find(|row| row.0 == kind).unwrap();
    (row.1, row.2)
}

/// What `system df` adds up to is what du(1) says.
#[track_caller]
pub(crate) fn assert_equal(shed: &Shed) -> Vec<(String, u64, u64)> {
    let first = df(shed, "");
    let wanted = du(shed);
    assert_eq!(of(&first, "Total"), wanted, "{first:#?}");
    // From what is written down, and from a walk.
    assert_eq!(df(shed, ""), first);
    assert_eq!(df(shed, "--no-cache"), first);
    first
}

#[test]
#[ignore = "needs root"]
fn root_rule_72_every_byte_has_a_kind_and_the_sum_is_dus() {
    let shed = Shed::new();
    assert_equal(&shed);
    let layer = Tar::new()
        .dir("many", 0o755)
        .file("many/파일", 0o644, &vec![7; 70_000])
        .hard_link("many/same", "many/파일")
        .file("many/small", 0o644, b"x");
    shed.image("more", layer, &["CMD echo hello"]);
    // A layer that is all on disk has its size written down.
    shed.cowshed("save -o more.tar more").ok();
    shed.cowshed("rmi more").ok();
    shed.cowshed("load -i more.tar").ok();
    shed.cowshed("run --name box -v named:/v -v /anon more sh -c 'echo hello; echo x >/f; ln /f /g; ln /v/x /v/y 2>/dev/null; dd if=/dev/zero of=/v/sparse bs=1 count=1 seek=5000000 2>/dev/null; echo d >/v/d; ln /v/d /v/e'")
        .ok();
    fs::hard_link(shed.data("named").join("d"), shed.data("named").join("z")).unwrap();
    // One inode, two kinds.
    fs::hard_link(shed.data("named").join("d"), shed.store().join("stray")).unwrap();
    shed.cowshed("volume create gone").ok();
    write_file(&shed.data("gone").join("f"), &[1; 9000]);
    shed.cowshed("volume prune -af --filter label!=x").ok();
    fs::create_dir_all(shed.store().join("what/is this")).unwrap();
    write_file(&shed.store().join("what/is this/이것"), &[1; 5000]);
    let blob = "b".repeat(64);
    write_file(&shed.store().join("blobs/sha256").join(&blob), &[1; 12_000]);
    let mut rows = assert_equal(&shed);
    assert_eq!(of(&rows, "Orphans").1, 1, "{rows:#?}");
    assert_eq!(of(&rows, "Unknown").1, 4, "{rows:#?}");
    assert!(
        of(&rows, "Logs").1 >= 2 && of(&rows, "Trash").1 >= 3,
        "{rows:#?}"
    );
    for kind in [
        "Image Layers",
        "Image Blobs",
        "Containers",
        "Volumes",
        "Records",
    ] {
        assert!(of(&rows, kind).0 > 0, "{kind}: {rows:#?}");
    }
    let layers = of(&rows, "Image Layers");
    fs::remove_file(shed.store().join("blobs/sha256").join(blob)).unwrap();
    fs::remove_file(shed.store().join("stray")).unwrap();
    fs::remove_dir_all(shed.store().join("what")).unwrap();
    // A container that runs writes while we look, and its layers stay those of an image.
    shed.cowshed("run -d --name live more sh -c 'while :; do echo y >/y; rm /y; done'")
        .ok();
    for _ in 0..20 {
        rows = df(&shed, "");
        assert_eq!(of(&rows, "Image Layers"), layers);
    }
    shed.cowshed("rm -f live box").ok();
    assert_equal(&shed);
    shed.cowshed("volume rm named").ok();
}

#[test]
#[ignore = "needs root"]
fn root_other_file_systems_do_not_count_as_du_x_does_not_count_them() {
    let shed = Shed::new();
    shed.cowshed("volume create --opt type=tmpfs --opt device=tmpfs apart")
        .ok();
    shed.cowshed("run -d --name user -v apart:/a base sh -c 'dd if=/dev/zero of=/a/large bs=1000 count=500; sleep 100'")
        .ok();
    wait_until("it has written", || {
        shed.data("apart").join("large").exists()
    });
    let done = shed.cowshed("system df --all");
    assert!(
        done.err.contains("1 other file system is mounted"),
        "{done:?}"
    );
    assert_equal(&shed);
    shed.cowshed("rm -f user").ok();
    assert_equal(&shed);
    shed.cowshed("volume rm apart").ok();
}

#[test]
#[ignore = "needs root"]
fn root_the_long_form_and_its_json_have_the_store_after_dockers() {
    let shed = Shed::new();
    let text = shed.cowshed("system df -v").ok();
    let (docker, own) = text.split_once("\nStore usage on disk:\n\nTYPE").unwrap();
    assert!(docker.contains("Build cache usage: 0B"), "{text}");
    assert!(
        own.contains("Image Layers") && own.contains("\nTotal"),
        "{text}"
    );
    let all = shed.cowshed("system df -v --format json").ok();
    let all: Value = serde_json::from_str(&all).unwrap();
    let keys: Vec<_> = all.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["Images", "Containers", "Volumes", "BuildCache", "Store"]
    );
    let total = all["Store"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(total["Type"], "Total");
    assert_eq!(total["Bytes"], du(&shed).0);
    shed.cowshed("system df -v --all").fails(125, "--all");
}

#[test]
#[ignore = "needs root"]
fn root_a_known_size_goes_with_the_tree_it_was_taken_of() {
    let shed = Shed::new();
    shed.cowshed("save -o base.saved base").ok();
    shed.cowshed("rmi base").ok();
    shed.cowshed("load -i base.saved").ok();
    let known = || {
        let layers = fs::read_dir(shed.store().join("overlay2")).unwrap();
        let mut paths = layers.map(|entry| entry.unwrap().path().join("size.json"));
        paths.find(|path| path.exists())
    };
    assert!(known().is_none());
    let before = assert_equal(&shed);
    let path = known().unwrap();
    // One of another tree, and one that is damaged: walked again.
    let text = crate::support::read(&path);
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["allocated"] = 1.into();
    other["stamp"][0] = 1.into();
    write_file(&path, other.to_string().as_bytes());
    assert_eq!(df(&shed, ""), before);
    write_file(&path, b"{");
    assert_eq!(df(&shed, ""), before);
    assert_eq!(crate::support::read(&path), text);
    // A size of the same tree is believed: that is what it is for.
    other["stamp"] = serde_json::from_str::<Value>(&text).unwrap()["stamp"].clone();
    write_file(&path, other.to_string().as_bytes());
    let believed = df(&shed, "");
    assert!(of(&believed, "Total").0 < of(&before, "Total").0);
    assert_eq!(of(&df(&shed, "--no-cache"), "Total"), of(&before, "Total"));
    assert_equal(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_second_look_at_40_000_files_walks_none_of_them() {
    let shed = Shed::empty();
    let tree = shed.path("tree");
    for dir in 0..100 {
        let dir = tree.join(format!("dir-{dir}"));
        fs::create_dir_all(&dir).unwrap();
        for file in 0..400 {
            fs::File::create(dir.join(format!("file-{file}"))).unwrap();
        }
    }
    shed.cowshed("import tree many").ok();
    let took = |flags: &str| {
        let begin = Instant::now();
        let rows = df(&shed, flags);
        assert!(of(&rows, "Image Layers").1 > 40_000, "{rows:#?}");
        begin.elapsed()
    };
    let walked = took("--no-cache");
    let known = (0..5).map(|_| took("")).min().unwrap();
    assert!(known * 3 < walked, "walked {walked:?}, known {known:?}");
    assert_eq!(of(&df(&shed, ""), "Total"), du(&shed));
    // The tree is the one that was walked.
    assert!(fs::metadata(&tree).unwrap().nlink() > 100);
}
