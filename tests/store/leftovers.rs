//! What a crowd must not leave: mounts, loop devices, control groups, processes, files.

use std::{fs, path::Path};

use crate::support::{Shed, mounts_below, processes_of, tree, wait_until};

/// Control groups below ours.
fn groups() -> Vec<String> {
    let all = fs::read_dir("/sys/fs/cgroup").unwrap();
    let mut places: Vec<_> = all.map(|entry| entry.unwrap().path()).collect();
    places.push("/sys/fs/cgroup".into());
    let own = places.iter().map(|place| place.join("cowshed"));
    let below = own.filter_map(|own| fs::read_dir(own).ok()).flatten();
    let below = below
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir());
    below
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn loops_of(scratch: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().filter_map(Result::ok);
    let files = devices
        .filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files
        .filter(|file| file.starts_with(&*scratch.to_string_lossy()))
        .collect()
}

/// Ends everything; the store is whole, and nothing is left of what was in it.
#[track_caller]
pub(crate) fn assert_nothing_left(shed: &mut Shed) {
    let ids: Vec<_> = shed
        .cowshed("ps -aq --no-trunc")
        .ok()
        .lines()
        .map(str::to_owned)
        .collect();
    for id in &ids {
        let done = shed.cowshed(&format!("rm -f -v {id}"));
        // With --rm, and quicker than we.
        assert!(
            done.code == 0 || done.err.contains("No such container"),
            "{done:?}"
        );
    }
    wait_until("no process is left", || {
        processes_of(&shed.store(), "any").is_empty()
    });
    // The next commands tidy up.
    shed.cowshed("ps -a").ok();
    shed.cowshed("image prune -f").ok();
    assert_whole(shed);
    let ours = groups();
    assert!(ids.iter().all(|id| !ours.contains(id)), "{ours:?}");
    assert_eq!(mounts_below(&shed.store()), Vec::<String>::new());
    assert_eq!(loops_of(&shed.path("")), Vec::<String>::new());
    // A name may stay reserved for nobody until somebody wants it.
    let containers = tree(&shed.store().join("containers"));
    let left = containers
        .lines()
        .filter(|line| !line.starts_with("l by-name/"));
    assert_eq!(left.collect::<Vec<_>>(), ["d by-name"]);
    shed.strict = true;
}

/// What the store says of itself.
#[track_caller]
pub(crate) fn assert_whole(shed: &Shed) {
    shed.cowshed("system check").ok();
    shed.cowshed("image verify -q").ok();
    crate::df::assert_equal(shed);
}
