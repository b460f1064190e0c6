//! Redis: data in memory, on a tmpfs, on a volume; limits; pauses.

use crate::{
    scene::{Scene, eventually},
    support::{Tar, read},
};

fn scene() -> Option<Scene> {
    let changes = ["CMD [\"redis-server\"]", "WORKDIR /data", "VOLUME /data"];
    Scene::new(
        "redis",
        Tar::new().owner(100, 100).dir("data", 0o755),
        &changes,
    )
}

fn wait_until_ready(scene: &Scene, name: &str) {
    eventually("redis answers", || redis(scene, name, "ping") == "PONG");
}

fn redis(scene: &Scene, name: &str, words: &str) -> String {
    let done = scene.say(&format!("exec {name} redis-cli {words}"));
    done.out.trim_end().to_owned()
}

#[test]
#[ignore = "needs root"]
fn root_a_tmpfs_forgets_and_a_volume_keeps() {
    let Some(scene) = scene() else { return };
    scene
        .say("run -d --name memory --tmpfs /data --memory 64m redis redis-server --appendonly yes")
        .ok();
    scene
        .say("run -d --name disk -v cache:/data redis redis-server --appendonly yes")
        .ok();
    for name in ["memory", "disk"] {
        wait_until_ready(&scene, name);
        assert_eq!(redis(&scene, name, "set cow 'Bella 누렁이'"), "OK");
        assert_eq!(redis(&scene, name, "get cow"), "Bella 누렁이");
        let file = scene.exec(name, "ls /data/appendonlydir").ok();
        assert!(file.contains("appendonly.aof"), "{file}");
    }
    assert_eq!(scene.exec("memory", "stat -f -c %T /data").ok(), "tmpfs\n");
    let before = scene.pid_of("disk");
    scene.say("restart memory disk").ok();
    assert_ne!(scene.pid_of("disk"), before);
    for (name, value) in [("memory", ""), ("disk", "Bella 누렁이")] {
        wait_until_ready(&scene, name);
        assert_eq!(redis(&scene, name, "get cow"), value, "{name}");
    }
    // Redis ends by itself when asked to, and says so.
    scene.say("stop memory disk").ok();
    for name in ["memory", "disk"] {
        assert_eq!(scene.field(name, ".State.ExitCode"), "0");
        assert!(scene.log(name).contains("ready to exit, bye bye"));
    }
}

/// What the kernel says, in whichever hierarchy it has.
fn limit_of(scene: &Scene, name: &str) -> String {
    let groups = read(format!("/proc/{}/cgroup", scene.pid_of(name)));
    let file = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        match controllers {
            "memory" => Some(format!("/memory{path}/memory.limit_in_bytes")),
            "" => Some(format!("{path}/memory.max")),
            _ => None,
        }
    };
    let files = groups.lines().filter_map(file);
    let mut paths = files.map(|file| format!("/sys/fs/cgroup{file}"));
    let path = paths.find(|path| std::path::Path::new(path).exists());
    read(path.unwrap_or_else(|| panic!("no limit of memory in:\n{groups}")))
}

#[test]
#[ignore = "needs root"]
fn root_a_limit_is_seen_and_a_pause_is_felt() {
    let Some(scene) = scene() else { return };
    scene
        .say("run -d --name cache --memory 64m --tmpfs /data redis")
        .ok();
    wait_until_ready(&scene, "cache");
    assert_eq!(scene.field("cache", ".HostConfig.Memory"), "67108864");
    assert_eq!(limit_of(&scene, "cache"), "67108864\n");

    // Somebody in the container who stays while it is paused would be frozen with it: ask from
    // outside, through the network namespace of its first process.
    let pid = scene.pid_of("cache").to_string();
    let ping = || {
        let script = "exec 3<>/dev/tcp/127.0.0.1/6379; printf 'PING\\r\\n' >&3; read -t 2 -r a <&3; \
                      echo \"$a\"";
        let args = ["-n", "-t", &pid, "timeout", "5", "bash", "-c", script];
        let output = std::process::Command::new("nsenter").args(args).output();
        let output = output.unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(ping(), "+PONG");
    scene.say("pause cache").ok();
    assert_eq!(scene.field("cache", ".State.Status"), "paused");
    assert_eq!(ping(), "");
    scene.say("exec cache redis-cli ping").fails(1, "is paused");
    scene.say("unpause cache").ok();
    assert_eq!(ping(), "+PONG");
    assert_eq!(redis(&scene, "cache", "ping"), "PONG");
    // What is paused can be stopped as well.
    scene.say("pause cache").ok();
    scene.say("stop cache").ok();
    assert_eq!(scene.field("cache", ".State.ExitCode"), "0");
}
