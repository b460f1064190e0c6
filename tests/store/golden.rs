//! Stores that earlier versions wrote work: `tests/stores/*.tar.gz`, made by `make.sh` there and never
//! changed since.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::support::{Shed, read, write_file};

/// Each with something that its records do not have yet.
const STORES: [(&str, &str); 2] = [
    // Before containers had a check of their health.
    ("format-1-early", "\"health\""),
    // Before layers said in which boot they were made.
    ("format-1", "\"unsynced\""),
];

fn unpack(shed: &Shed, name: &str) {
    let archives = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores");
    let done = Command::new("tar")
        .args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpzf"])
        .arg(archives.join(format!("{name}.tar.gz")))
        .arg("-C")
        .arg(shed.path(""))
        .status();
    assert!(done.unwrap().success(), "{name}");
}

/// Of every container and layer.
fn records(shed: &Shed) -> String {
    let listing = shed.listing();
    let lines = listing.lines().filter_map(|line| line.strip_prefix("f "));
    let files = lines.filter(|file| {
        let is_record = file.ends_with("/config.json") || file.ends_with("/layer.json");
        is_record && !file.contains("/diff/")
    });
    files.map(|file| read(shed.store().join(file))).collect()
}

#[test]
#[ignore = "needs root"]
fn root_stores_of_earlier_versions_work_whole() {
    if !cfg!(target_arch = "x86_64") {
        // Their one program is for that.
        return;
    }
    for (name, missing) in STORES {
        let shed = Shed::empty();
        unpack(&shed, name);
        assert!(!records(&shed).contains(missing), "{name}");
        let images = shed
            .cowshed("images --format '{{.Repository}}:{{.Tag}}'")
            .ok();
        assert_eq!(images, "golden:1\ngolden:latest\n", "{name}");
        shed.cowshed("image verify").ok();
        let containers = shed.cowshed("ps -a --format '{{.Names}} {{.Status}}'").ok();
        assert!(
            containers.starts_with("box Exited (0)"),
            "{name}: {containers}"
        );
        // The changes are there, and what comes next is added to them.
        assert_eq!(shed.cowshed("diff box").ok(), "A /written\n", "{name}");
        shed.cowshed("start -a box").ok();
        shed.cowshed("cp box:/written copy").ok();
        assert_eq!(read(shed.path("copy")), "first\nfirst\n", "{name}");
        assert_eq!(shed.inspect("box")["Config"]["Labels"]["kind"], "golden");
        // The layers: changed, removed, hidden, linked.
        let show = |file: &str| shed.cowshed(&format!("run --rm golden:1 {file}"));
        assert_eq!(show("/etc/file").ok(), "위층\n", "{name}");
        assert_eq!(show("/etc/same").ok(), "lower\n", "{name}");
        assert_eq!(show("/old/shown").ok(), "shown\n", "{name}");
        show("/etc/gone").fails(1, "");
        show("/old/hidden").fails(1, "");
        // Volumes.
        let volumes = shed.volumes();
        assert_eq!(volumes.len(), 3, "{name}: {volumes:?}");
        assert!(volumes.iter().any(|volume| volume.len() == 64));
        assert_eq!(shed.inspect("named")["Labels"]["purpose"], "test");
        let note = shed.cowshed("run --rm -v named:/data golden:1 /data/note");
        assert_eq!(note.ok(), "inside\n", "{name}");
        let kept = shed.cowshed("run --rm -v named:/data golden:1 /data/kept");
        assert_eq!(kept.ok(), "kept\n", "{name}");
        shed.cowshed("volume rm named").fails(1, "volume is in use");
        // The journal goes on.
        let events = shed.cowshed("events --since 2020-01-01 --until 0s").ok();
        assert!(events.contains("container create"), "{name}: {events}");
        assert!(events.contains("volume create other"), "{name}: {events}");
        // What it wrote is understood by everything that is newer, and can be removed.
        shed.cowshed("commit --sync=none box golden:2").ok();
        assert_eq!(
            shed.cowshed("run --rm golden:2 /written").ok(),
            "first\nfirst\n"
        );
        shed.cowshed("system df --all").ok();
        shed.cowshed("rm box").ok();
        shed.cowshed("volume prune -af").ok();
        shed.cowshed("image prune -af").ok();
        shed.assert_no_containers();
        let header: Value = serde_json::from_str(&read(shed.store().join("store.json"))).unwrap();
        assert_eq!(header["format"], 1);
        shed.cowshed("system destroy -f").ok();
        assert!(!shed.store().exists());
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_newer_store_is_refused_and_left_as_it_is() {
    let shed = Shed::empty();
    unpack(&shed, "format-1");
    for header in [
        r#"{"format": 2, "driver": "overlay2"}"#,
        r#"{"format": 1, "driver": "overlay2", "incompatible": ["packs"]}"#,
    ] {
        write_file(&shed.store().join("store.json"), header.as_bytes());
        let before = shed.listing();
        for (line, code) in [
            ("images", 1),
            ("run --rm golden:1", 125),
            ("rm -f box", 1),
            ("system destroy -f", 1),
        ] {
            let refused = shed.cowshed(line).fails(code, "open store");
            assert!(
                refused.err.contains("a newer cowshed wrote it"),
                "{refused:?}"
            );
        }
        assert_eq!(shed.listing(), before);
        assert_eq!(read(shed.store().join("store.json")), header);
    }
    // What only says more than we know is opened, and keeps what it says.
    let header = r#"{"format": 1, "driver": "overlay2", "compatible": ["summaries"]}"#;
    write_file(&shed.store().join("store.json"), header.as_bytes());
    shed.cowshed("images").ok();
    assert_eq!(read(shed.store().join("store.json")), header);
    shed.cowshed("system destroy -f").ok();
}
