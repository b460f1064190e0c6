//! Why containers that share a volume need locks.

use crate::scene::Scene;

/// Adds one, so many times, beside somebody who does the same.
const COUNT: &str = "for i in $(seq 300); do n=$(cat /data/n); echo $((n+1)) >/data/n; done";

/// The same, one at a time.
const LOCKED: &str = "exec 9>/data/lock; for i in $(seq 300); do \
    flock 9; n=$(cat /data/n); echo $((n+1)) >/data/n; flock -u 9; done";

fn count(scene: &Scene, script: &str) -> u32 {
    scene
        .say("run --rm -v data:/data debian sh -c 'echo 0 >/data/n; rm -f /data/go'")
        .ok();
    for name in ["one", "two"] {
        let waits = "until test -e /data/go; do sleep 0.01; done";
        scene
            .say(&format!(
                "run -d --name {name} -v data:/data debian sh -c '{waits}; {script}'"
            ))
            .ok();
    }
    // Both at once.
    crate::support::write_text(&scene.data("data").join("go"), "");
    assert_eq!(scene.say("wait one two").ok(), "0\n0\n");
    scene.say("rm one two").ok();
    let count = scene.say("run --rm -v data:/data:ro debian cat /data/n");
    count.ok().trim().parse().unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_two_containers_lose_updates_without_locks_and_none_with_them() {
    let Some(scene) = Scene::new("debian", crate::support::Tar::new(), &[]) else {
        return;
    };
    scene.say("volume create data").ok();
    let lost = 600 - count(&scene, COUNT);
    assert!(lost > 0, "none of 600 was lost");
    assert_eq!(count(&scene, LOCKED), 600);
}
