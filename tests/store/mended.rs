//! What crowds and cuts have found, one by one.

use std::{fs::File, time::Duration};

use crate::support::{Shed, processes_of, tree, wait_until};

/// A power cut leaves a file without what was in it, where nobody had it synced.
fn empty_record(shed: &Shed, id: &str) {
    let path = shed.store().join("containers").join(id).join("config.json");
    File::options()
        .write(true)
        .truncate(true)
        .open(path)
        .unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_what_a_cut_left_of_a_container_that_was_to_go_anyway_goes() {
    let shed = Shed::new();
    let create = |flags: &str| {
        let id = shed.cowshed(&format!("create {flags} base true")).ok();
        id.trim().to_owned()
    };
    let (gone, kept) = (create("--rm --name gone"), create("--name kept"));
    empty_record(&shed, &gone);
    empty_record(&shed, &kept);
    let done = shed.cowshed("ps -aq --no-trunc");
    assert!(!done.out.contains(&gone), "{done:?}");
    // This one was promised to somebody: he shall see that it is damaged.
    assert!(shed.store().join("containers").join(&kept).exists());
    shed.cowshed(&format!("rm {kept}")).ok();
    shed.cowshed("create --name gone base true").ok();
    shed.cowshed("rm gone").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_name_given_while_it_ran_is_free_when_it_has_gone() {
    let shed = Shed::new();
    shed.cowshed("run -d --rm --name before base sleep 1000")
        .ok();
    shed.cowshed("rename before after").ok();
    shed.cowshed("kill after").ok();
    wait_until("it has gone", || {
        processes_of(&shed.store(), "any").is_empty()
    });
    assert_eq!(tree(&shed.store().join("containers")), "d by-name\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_restore_waits_a_moment_for_another_command() {
    let shed = Shed::new();
    shed.cowshed("volume create vol").ok();
    shed.cowshed("volume backup -q -o vol.tar vol").ok();
    let held = File::open(shed.store().join("volumes/vol")).unwrap();
    held.lock_shared().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(400));
            held.unlock().unwrap();
        });
        shed.cowshed("volume restore -q --replace vol.tar vol").ok();
    });
}

#[test]
#[ignore = "needs root"]
fn root_a_file_that_comes_late_into_what_is_removed_goes_along() {
    let shed = Shed::new();
    for _ in 0..20 {
        let id = shed.cowshed("create --name box base true").ok();
        let own = shed.store().join("containers").join(id.trim());
        let dir = File::open(&own).unwrap();
        let late = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&dir));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..200 {
                    File::create(format!("{late}/late-{number}")).ok();
                }
            });
            shed.cowshed("rm box").ok();
        });
    }
    // A file of ours may have been the last one, after the directory was read.
    shed.assert_no_containers();
}
