//! What survives: layers that came with `--sync=none`, and what was reported as done.

use std::fs;

use serde_json::Value;

use crate::{
    strace::has_strace,
    support::{Shed, Tar, read, write_file},
};

/// The layers that say in which boot they were made without a sync.
fn unsynced(shed: &Shed) -> Vec<std::path::PathBuf> {
    let layers = fs::read_dir(shed.store().join("overlay2")).unwrap();
    let paths = layers.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| {
            let record = path.join("layer.json");
            record.exists() && read(record).contains("unsynced")
        })
        .collect();
    paths.sort();
    paths
}

/// As if the machine had gone down since.
fn reboot(shed: &Shed) {
    for layer in unsynced(shed) {
        let path = layer.join("layer.json");
        let mut record: Value = serde_json::from_str(&read(&path)).unwrap();
        record["unsynced"] = "another-boot".into();
        write_file(&path, record.to_string().as_bytes());
    }
}

fn two_layers(shed: &Shed) {
    let more = Tar::new()
        .dir("dir", 0o755)
        .file("dir/파일", 0o644, b"right\n")
        .dir("etc", 0o755)
        .file("etc/.wh.group", 0o644, b"");
    shed.image("two", more, &[]);
}

fn spoil(shed: &Shed) {
    for layer in unsynced(shed) {
        let file = layer.join("diff/dir/파일");
        if file.exists() {
            write_file(&file, b"wrong\n");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn root_layers_without_a_sync_are_unpacked_again_after_a_reboot() {
    let shed = Shed::new();
    two_layers(&shed);
    let count = unsynced(&shed).len();
    assert!(count >= 2, "{count}");
    spoil(&shed);
    // In the same boot they are believed.
    assert_eq!(shed.cowshed("run --rm two cat /dir/파일").ok(), "wrong\n");
    assert_eq!(unsynced(&shed).len(), count);
    reboot(&shed);
    assert_eq!(shed.cowshed("run --rm two cat /dir/파일").ok(), "right\n");
    assert_eq!(unsynced(&shed).len(), 0);
    shed.cowshed("image verify two").ok();
    assert_eq!(shed.cowshed("run --rm two cat /dir/파일").ok(), "right\n");
}

#[test]
#[ignore = "needs root"]
fn root_every_way_to_a_layer_finds_it_renewed() {
    let shed = Shed::new();
    two_layers(&shed);
    let spoiled = || {
        // Made again as they were, without a sync.
        shed.cowshed("rmi two").ok();
        two_layers(&shed);
        spoil(&shed);
        reboot(&shed);
    };
    spoiled();
    shed.cowshed("create --name box two true").ok();
    shed.cowshed("start -a box").ok();
    assert_eq!(unsynced(&shed).len(), 0);
    shed.cowshed("rm box").ok();
    spoiled();
    let place = shed.cowshed("image mount two").ok();
    assert_eq!(read(format!("{}/dir/파일", place.trim())), "right\n");
    shed.cowshed("image unmount two").ok();
    spoiled();
    let mount = "--mount type=image,source=two,target=/two";
    assert_eq!(shed.sh(mount, "cat /two/dir/파일"), "right\n");
    spoiled();
    fs::create_dir(shed.path("context")).unwrap();
    write_file(
        &shed.path("context/Dockerfile"),
        b"FROM two\nRUN cp /dir/\xed\x8c\x8c\xec\x9d\xbc /copy\n",
    );
    shed.cowshed("build -t built context").ok();
    assert_eq!(shed.cowshed("run --rm built cat /copy").ok(), "right\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_lost_blob_is_said_and_a_load_makes_it_good() {
    let shed = Shed::new();
    two_layers(&shed);
    shed.cowshed("save -o two.tar two").ok();
    reboot(&shed);
    // As xfs leaves what was not written: the size is right.
    for entry in fs::read_dir(shed.store().join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if !bytes.starts_with(b"{") {
            write_file(&path, &vec![0; bytes.len()]);
        }
    }
    spoil(&shed);
    let failed = shed.cowshed("run --rm two cat /dir/파일");
    let failed = failed.fails(125, "its blob did not reach the disk");
    assert!(failed.err.contains("load or pull the image again"));
    for line in [
        "image cat two /dir/파일",
        "image ls-files two /dir",
        "image mount two",
    ] {
        shed.cowshed(line)
            .fails(1, "its blob did not reach the disk");
    }
    shed.cowshed("image verify two").fails(1, "");
    assert!(unsynced(&shed).len() >= 2);
    shed.cowshed("load -i two.tar").ok();
    assert_eq!(unsynced(&shed).len(), 0);
    assert_eq!(shed.cowshed("run --rm two cat /dir/파일").ok(), "right\n");
    shed.cowshed("image verify two").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_synced_load_of_what_is_there_unsynced_syncs_it() {
    let shed = Shed::new();
    shed.cowshed("save -o base.tar base").ok();
    assert_eq!(unsynced(&shed).len(), 1);
    shed.cowshed("load -i base.tar --sync=none").ok();
    assert_eq!(unsynced(&shed).len(), 1);
    shed.cowshed("load -i base.tar").ok();
    assert_eq!(unsynced(&shed).len(), 0);
}

#[test]
#[ignore = "needs root"]
fn root_a_synced_commit_of_what_is_there_unsynced_syncs_it() {
    let shed = Shed::new();
    shed.cowshed("run --name box base touch /new").ok();
    shed.cowshed("commit --sync=none box one").ok();
    assert_eq!(unsynced(&shed).len(), 2);
    shed.cowshed("commit box two").ok();
    assert_eq!(unsynced(&shed).len(), 0);
}

/// Of a stack, the layer that was made last.
fn topmost(shed: &Shed) -> std::path::PathBuf {
    let holds_it = |layer: &std::path::PathBuf| layer.join("diff/dir/파일").exists();
    unsynced(shed).into_iter().find(holds_it).unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_below_a_synced_layer_there_is_none_unsynced() {
    let shed = Shed::new();
    two_layers(&shed);
    // The lower one was loaded again since the machine was down.
    let record = topmost(&shed).join("layer.json");
    let mut of_old: Value = serde_json::from_str(&read(&record)).unwrap();
    of_old["unsynced"] = "another-boot".into();
    write_file(&record, of_old.to_string().as_bytes());
    shed.cowshed("run --rm two true").ok();
    assert_eq!(unsynced(&shed).len(), 0);
}

#[test]
#[ignore = "needs root"]
fn root_a_repair_leaves_no_doubtful_layer_below_a_mended_one() {
    let shed = Shed::new();
    two_layers(&shed);
    reboot(&shed);
    fs::remove_file(topmost(&shed).join("diff/dir/파일")).unwrap();
    shed.cowshed("system check --repair").ok();
    assert_eq!(unsynced(&shed).len(), 0);
    assert_eq!(shed.cowshed("run --rm two cat /dir/파일").ok(), "right\n");
}

/// What is done to a store's files, call by call.
fn calls(shed: &Shed, line: &str) -> Vec<String> {
    let log = shed.path("calls");
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-qq", "-y", "-e"]);
    command.arg("trace=renameat,renameat2,fsync,fdatasync,syncfs,unlinkat,symlinkat");
    command
        .arg("-o")
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_cowshed"));
    command
        .args(line.split(' '))
        .env("COWSHED_ROOT", shed.store());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    read(&log).lines().map(str::to_owned).collect()
}

/// After the last move between these directories the first of them is synced.
#[track_caller]
fn assert_synced(calls: &[String], from: &str, moved: &str) {
    let is_move = |call: &&String| call.contains("renameat") && call.contains(moved);
    let at = calls.iter().rposition(|call| is_move(&call));
    let at = at.unwrap_or_else(|| panic!("nothing is moved to {moved}: {calls:#?}"));
    let is_sync = |call: &String| call.contains("fsync(") && call.contains(from);
    assert!(calls[at..].iter().any(is_sync), "{from}: {calls:#?}");
}

#[test]
#[ignore = "needs root"]
fn root_what_is_reported_as_done_is_on_disk() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    let made = calls(&shed, "create --name box -v vol:/v base true");
    assert_synced(&made, "store/containers>", "store/containers>");
    assert_synced(&made, "store/volumes>", "store/volumes>");
    assert!(
        made.iter()
            .any(|call| call.contains("fsync(") && call.contains("by-name"))
    );
    let removed = calls(&shed, "rm box");
    assert_synced(&removed, "store/containers>", "store/trash>");
    let removed = calls(&shed, "volume rm vol");
    assert_synced(&removed, "store/volumes>", "store/trash>");
    let removed = calls(&shed, "rmi base");
    assert!(
        removed
            .iter()
            .any(|call| call.contains("fsync(") && call.contains("store/images>"))
    );
    // Nobody is told of what `--rm` makes.
    let shed = Shed::new();
    let run = calls(&shed, "run --rm base true");
    assert!(!run.iter().any(|call| call.contains("sync(")), "{run:#?}");
}
