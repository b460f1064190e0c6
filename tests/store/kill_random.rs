//! What strace(1) cannot say: a kill between two calls, of the command, of what it forked, or of
//! both at once.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    kill_operations::{CONTAINERS, IMAGES, Operation, VOLUMES},
    kill_points::{Random, holds, is_whole, seed},
    kill_scene::Scene,
    kill_sweep::{chosen, say},
};

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Whom {
    Command,
    /// Its supervisor.
    Children,
    Both,
}

/// Longer than any of the commands takes.
const LONGEST: usize = 150_000;

fn killed(scene: &Scene, operation: &Operation, (whom, delay): (Whom, Duration)) {
    let mut command = scene.shed.command(operation.line);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut command = command.spawn().unwrap();
    std::thread::sleep(delay);
    let pid = command.id();
    let children = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(children).unwrap_or_default();
    if !matches!(whom, Whom::Children) {
        command.kill().unwrap();
    }
    if !matches!(whom, Whom::Command) {
        for child in children.split_whitespace() {
            kill(Pid::from_raw(child.parse().unwrap()), Signal::SIGKILL).ok();
        }
    }
    command.wait().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_whoever_is_killed_at_any_moment_loses_nothing() {
    let scene = Scene::new();
    let all = [IMAGES, CONTAINERS, VOLUMES];
    let all = all.into_iter().flat_map(chosen);
    let rounds = if is_whole() { 12 } else { 1 };
    let mut random = Random::new("moments");
    let (mut kills, mut failures) = (0, 0);
    for operation in all {
        for _ in 0..rounds {
            let whom = [Whom::Command, Whom::Children, Whom::Both][random.below(3)];
            // Most end soon: short delays are more likely.
            let longest = random.below(LONGEST) + 1;
            let delay = Duration::from_micros(random.below(longest).try_into().unwrap());
            let held = holds(|| {
                scene.put_back();
                killed(&scene, operation, (whom, delay));
                let what = format!("{}, {whom:?} killed after {delay:?}", operation.line);
                scene.assert_survived(operation, &what);
            });
            failures += usize::from(!held);
            kills += 1;
        }
    }
    say(&format!(
        "{kills} kills, {failures} failures, seed {}",
        seed()
    ));
    assert_eq!(failures, 0);
}
