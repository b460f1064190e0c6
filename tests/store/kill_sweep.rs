//! `kill -9` of a command, its threads and its children at every call that changes something: what
//! was done before is there, the store is sound, and the same command succeeds.

use crate::{
    kill_operations::{CONTAINERS, IMAGES, Operation, VOLUMES},
    kill_points::{Blow, Point, WRITING, holds, record, sample, seed, strike},
    kill_scene::Scene,
    strace::has_strace,
};

/// How many points of each operation the short run has.
const SAMPLE: usize = 6;

/// Numbers for whoever runs the tests; not kept back by the capture of a passing test.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{text}").ok();
}

/// `COWSHED_ONLY`: operations whose line has this in it.
pub(crate) fn chosen(operations: &'static [Operation]) -> impl Iterator<Item = &'static Operation> {
    let only = std::env::var("COWSHED_ONLY").unwrap_or_default();
    operations
        .iter()
        .filter(move |one| one.line.contains(&only))
}

fn sweep(operations: &'static [Operation]) {
    if !has_strace() {
        return;
    }
    let scene = Scene::new();
    let (mut points, mut met, mut failures) = (0, 0, 0);
    for operation in chosen(operations) {
        let line = operation.line;
        scene.put_back();
        let all = record(&scene, line, WRITING);
        scene.assert_done(operation, line);
        let all: Vec<Point> = all
            .into_iter()
            .filter(|point| point.call != "openat" || point.creates())
            .collect();
        let (known, all) = (all.len(), sample(all, SAMPLE, line));
        for point in &all {
            let held = holds(|| {
                scene.put_back();
                let struck = strike(&scene, line, point, Blow::Kill);
                met += usize::from(struck.was_met);
                scene.assert_survived(operation, &format!("{line}, {} {point}", Blow::Kill));
            });
            failures += usize::from(!held);
        }
        points += all.len();
        say(&format!("{} of {known} kill points: {line}", all.len()));
    }
    say(&format!(
        "killed at {met} of {points} points, {failures} failures, seed {}",
        seed()
    ));
    assert_eq!(failures, 0);
    // A call more or less, as locks are free or not.
    assert!(met * 10 >= points * 8, "{met} of {points}");
}

#[test]
#[ignore = "needs root"]
fn root_images_survive_a_kill_at_any_call() {
    sweep(IMAGES);
}

#[test]
#[ignore = "needs root"]
fn root_containers_survive_a_kill_at_any_call() {
    sweep(CONTAINERS);
}

#[test]
#[ignore = "needs root"]
fn root_volumes_survive_a_kill_at_any_call() {
    sweep(VOLUMES);
}
