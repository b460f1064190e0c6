//! Freezing and killing.

use std::{fs, path::Path, time::Duration};

use cowshed::cgroup::{Group, Hierarchies, Limits};

use crate::scene::{Scene, ended, machines, skip, wait_until};

fn count(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

fn counter(file: &Path) -> String {
    format!(
        "i=0; while :; do i=$((i+1)); echo $i >{0}.new; mv {0}.new {0}; done",
        file.display()
    )
}

#[test]
#[ignore = "needs root"]
fn root_freeze_stops_a_counter_and_thaw_lets_it_go_on() {
    for hierarchies in machines() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("count");
        let mut scene = Scene::on(hierarchies, &Limits::default());
        let mut child = scene.shell(&counter(&file));
        wait_until("it counts", || count(&file) > 3);
        assert!(!scene.group.is_frozen().unwrap());
        scene.group.freeze().unwrap();
        assert!(scene.group.is_frozen().unwrap());
        // Once more is no error.
        scene.group.freeze().unwrap();
        let stopped = count(&file);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(count(&file), stopped);
        // Whoever opens it sees the same.
        let other = Group::open(&scene.hierarchies, scene.group.id()).unwrap();
        assert!(other.is_frozen().unwrap());
        other.thaw().unwrap();
        assert!(!scene.group.is_frozen().unwrap());
        wait_until("it counts on", || count(&file) > stopped + 3);
        scene.group.kill_all().unwrap();
        ended(&mut child);
    }
}

#[test]
#[ignore = "needs root"]
fn root_an_empty_group_freezes() {
    for hierarchies in machines() {
        let mut scene = Scene::on(hierarchies, &Limits::default());
        scene.group.freeze().unwrap();
        assert!(scene.group.is_frozen().unwrap());
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_group_without_a_freezer_enters_one() {
    let mounts = cowshed::sys::mountinfo::read().unwrap();
    let legacy: Vec<_> = mounts
        .into_iter()
        .filter(|mount| mount.kind == "cgroup")
        .collect();
    let all = Hierarchies::new(&legacy, "");
    let memory: Vec<_> = legacy
        .into_iter()
        .filter(|mount| mount.super_options.contains("memory"))
        .collect();
    if all.of_controller("freezer").is_none() || memory.is_empty() {
        return skip("there is no version 1 with freezer and memory here");
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("count");
    let mut scene = Scene::on(Hierarchies::new(&memory, ""), &Limits::default());
    let mut child = scene.shell(&counter(&file));
    wait_until("it counts", || count(&file) > 3);
    scene.hierarchies = all;
    scene.group = Group::open(&scene.hierarchies, scene.group.id()).unwrap();
    assert_eq!(scene.directories().len(), 1);
    scene.group.freeze().unwrap();
    assert_eq!(scene.directories().len(), 2);
    let stopped = count(&file);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(count(&file), stopped);
    scene.group.kill_all().unwrap();
    ended(&mut child);
}

#[test]
#[ignore = "needs root"]
fn root_kill_all_kills_the_frozen_and_those_that_fork() {
    for hierarchies in machines() {
        let mut scene = Scene::on(hierarchies, &Limits::default());
        let mut forking = scene.shell("trap '' TERM INT; while :; do sleep 60 & sleep 0.01; done");
        wait_until("it forks", || scene.group.processes().unwrap().len() > 10);
        scene.group.kill_all().unwrap();
        assert!(!scene.group.is_populated().unwrap());
        ended(&mut forking);
        let mut frozen = scene.shell("sleep 60 & sleep 60");
        wait_until("two run", || scene.group.processes().unwrap().len() == 3);
        scene.group.freeze().unwrap();
        scene.group.kill_all().unwrap();
        ended(&mut frozen);
        assert_eq!(scene.group.processes().unwrap(), [0; 0]);
    }
}
