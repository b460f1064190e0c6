//! `kill -9` at every call of a repair, and loads that mend.

use std::{collections::BTreeMap, fs};

use crate::{
    check_repair::flip,
    check_scene::{blob, faults, layer, shed},
    strace::{has_strace, inject, traced},
    support::{Shed, read},
};

/// Calls of a repair that change something.
const CHANGING: &str = "mkdirat,renameat2,unlinkat,linkat,write,fsync,fdatasync,syncfs";

/// In a short run every so manieth point.
const STRIDE: usize = 11;

/// Everything at once that a repair changes files for.
fn damage(shed: &Shed, trees: &[std::path::PathBuf]) {
    for tree in trees {
        flip(&tree.join("diff/top"));
        fs::remove_file(tree.join("layer.json")).ok();
    }
    let store = shed.store();
    let record = fs::read_dir(store.join("images")).unwrap();
    let mut record = record.map(|entry| entry.unwrap().path());
    let record = record
        .find(|path| path.file_name().unwrap().len() == 69)
        .unwrap();
    fs::File::options()
        .write(true)
        .open(record)
        .unwrap()
        .set_len(9)
        .unwrap();
    fs::File::create(store.join("volumes/data/volume.json")).unwrap();
    fs::create_dir(store.join("tmp/dead")).unwrap();
    fs::File::create(store.join("stranger")).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_repair_leaves_what_the_next_one_mends() {
    if !has_strace() {
        return;
    }
    let shed = shed();
    let trees = [layer(&shed, "two", 1)];
    damage(&shed, &trees);
    let recording = shed.path("calls");
    let options = ["-qq", "-f", "-e", "trace=none"].map(str::to_owned);
    let options = options.into_iter().take(2);
    let own = [
        "-o".to_owned(),
        recording.display().to_string(),
        "-e".to_owned(),
        format!("trace={CHANGING}"),
    ];
    traced(&shed, "system check --repair", options.chain(own));
    assert_eq!(faults(&shed, ""), [""; 0]);
    let mut counts = BTreeMap::<String, usize>::new();
    for line in read(&recording).lines() {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        if let Some((name, _)) = call.split_once('(') {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    let all = counts.into_iter();
    let all = all.flat_map(|(name, count)| (1..=count).map(move |number| (name.clone(), number)));
    let stride = if std::env::var_os("COWSHED_TORTURE").is_some() {
        1
    } else {
        STRIDE
    };
    let mut points = 0;
    for (call, number) in all.step_by(stride) {
        damage(&shed, &trees);
        let killing = inject(CHANGING, &call, number).into_iter();
        traced(
            &shed,
            "system check --repair",
            killing.chain(["-f".to_owned()]),
        );
        shed.cowshed("system check --repair").ok();
        assert_eq!(faults(&shed, ""), [""; 0], "{call} {number}");
        assert_eq!(shed.cowshed("run --rm two").ok(), "more content\n");
        assert_eq!(shed.sh("-v data:/data", "cat /data/own"), "kept\n");
        points += 1;
    }
    assert!(points > 10, "{points}");
}

#[test]
#[ignore = "needs root"]
fn root_a_load_mends_the_image_that_it_brings() {
    let shed = shed();
    shed.cowshed("save -o two.tar two").ok();
    shed.cowshed("tag two shares").ok();
    let image = shed.inspect("two");
    let tree = layer(&shed, "two", 1).join("diff");
    let load = |what: &str| {
        let told = faults(&shed, "");
        assert!(!told.is_empty(), "{what}");
        let said = shed.cowshed("load -i two.tar");
        assert_eq!(said.code, 0, "{what}: {said:?}");
        assert_eq!(faults(&shed, ""), [""; 0], "{what}");
        assert_eq!(shed.cowshed("run --rm shares").ok(), "more content\n");
    };
    flip(&tree.join("top"));
    load("a file");
    fs::remove_dir_all(tree.join("한글")).unwrap();
    load("a directory");
    fs::remove_dir_all(&tree).unwrap();
    load("the tree");
    flip(&blob(&shed, &image["Layers"][1]["Blob"]));
    load("a layer's blob");
    flip(&blob(&shed, &image["Layers"][0]["Blob"]));
    flip(&tree.join("top"));
    load("a blob and a tree");
    flip(&blob(&shed, &image["Id"]));
    load("the config");
    // Whole again: it is not looked at for longer than a moment.
    let before = shed.listing();
    shed.cowshed("load -i two.tar").ok();
    assert_eq!(shed.listing(), before);
    let mut live = shed.start("run --name live two sh -c 'echo ready; sleep 100'");
    flip(&tree.join("top"));
    let said = shed.cowshed("load -i two.tar");
    assert!(
        said.code == 0
            && said
                .err
                .contains("is damaged and stays: container live runs on it"),
        "{said:?}"
    );
    shed.cowshed("rm -f live").ok();
    live.wait();
    load("later");
}
