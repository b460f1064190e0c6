//! `kill -9` at every call of renaming and of having back what was pruned: a volume is whole, in one place.

use std::{fs, os::unix::process::ExitStatusExt as _};

use crate::{
    strace::{has_strace, inject, traced},
    support::{Shed, read, write_text},
};

/// Calls that change something.
const CHANGING: [&str; 9] = [
    "renameat2",
    "mkdirat",
    "unlinkat",
    "openat",
    "openat2",
    "write",
    "fsync",
    "fdatasync",
    "flock",
];

/// Runs a line that is killed at the so manieth call of a name; whether it was.
fn killed(shed: &Shed, line: &str, call: &str, number: usize) -> bool {
    traced(shed, line, inject(call, call, number)).signal() == Some(9)
}

/// Kills `line` at each call there is; the number of points.
fn walk(shed: &Shed, line: &str, prepare: impl Fn(), check: impl Fn(&str)) -> usize {
    let mut points = 0;
    for call in CHANGING {
        for number in 1.. {
            prepare();
            let was_killed = killed(shed, line, call, number);
            check(&format!("{line}, killed at {call} {number}: {was_killed}"));
            if !was_killed {
                break;
            }
            points += 1;
        }
    }
    points
}

/// Where the one volume is: `name` among the volumes, or the trash.
fn places(shed: &Shed) -> Vec<String> {
    let mut places: Vec<_> = shed.volumes();
    let trashed = shed.cowshed("volume trash ls --format '{{.Name}}'").ok();
    places.extend(trashed.lines().map(|name| format!("trashed {name}")));
    places
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_rename_has_happened_or_not_and_containers_find_their_data() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    shed.cowshed("run --name box -v old:/data base sh -c 'echo here >/data/file; cat /data/file'")
        .ok();
    shed.cowshed("create --name other -v old:/x base true").ok();
    let prepare = || {
        if shed.volumes() == ["new"] {
            shed.cowshed("volume rename new old").ok();
        }
        assert_eq!(shed.volumes(), ["old"]);
    };
    let check = |what: &str| {
        // The next command goes on where it was killed; also where that is a start.
        let out = shed.cowshed("start -a box");
        assert_eq!(out.out, "here\n", "{what}: {out:?}");
        let names = shed.volumes();
        assert!(names == ["old"] || names == ["new"], "{what}: {names:?}");
        for container in ["box", "other"] {
            let mount = shed.inspect(container)["Mounts"][0].clone();
            assert_eq!(mount["Name"], names[0].as_str(), "{what}");
        }
        assert_eq!(
            shed.inspect(&names[0])["UsedBy"].as_array().unwrap().len(),
            2
        );
        assert!(!shed.store().join("volumes/.renaming").exists(), "{what}");
    };
    let points = walk(&shed, "volume rename old new", prepare, check);
    assert!(points > 20, "{points}");
    // What was killed half-way is swept up.
    shed.cowshed("volume trash ls").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_return_from_the_trash_leaves_the_volume_whole() {
    if !has_strace() {
        return;
    }
    let shed = Shed::empty();
    shed.cowshed("volume create data").ok();
    write_text(&shed.data("data").join("file"), "precious");
    let is_whole = |what: &str| {
        let places = places(&shed);
        assert!(
            places == ["data"] || places == ["trashed data"],
            "{what}: {places:?}"
        );
        if places == ["data"] {
            assert_eq!(read(shed.data("data").join("file")), "precious", "{what}");
        } else {
            let place = shed.store().join("trash/volumes");
            let entry = fs::read_dir(place).unwrap().next().unwrap().unwrap();
            assert_eq!(read(entry.path().join("_data/file")), "precious", "{what}");
        }
    };
    let gone = || {
        shed.cowshed("volume prune -f").ok();
        assert_eq!(shed.volumes(), Vec::<String>::new());
    };
    let restored = walk(&shed, "volume trash restore data", gone, is_whole);
    assert!(restored > 10, "{restored}");
    // What was killed half-way is swept up.
    shed.cowshed("volume trash ls").ok();
}
