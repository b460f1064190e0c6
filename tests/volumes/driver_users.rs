//! The first user mounts, the last one unmounts, whoever comes and goes in between and however.

use std::{
    fs,
    process::{Child, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Shed, mounts_below, read, wait_until, write_text};

const TMPFS: &str = "volume create -o type=tmpfs -o device=tmpfs -o o=size=4m vol";

/// Of volumes: the store itself may be on a mount.
pub(crate) fn mounted(shed: &Shed) -> Vec<String> {
    mounts_below(&shed.store().join("volumes"))
}

fn parent_of(pid: i32) -> i32 {
    let status = read(format!("/proc/{pid}/status"));
    let line = status.lines().find(|line| line.starts_with("PPid:"));
    line.unwrap()[5..].trim().parse().unwrap()
}

/// Kills the supervisor of a container, which is its volume's last user.
fn kill_supervisor(shed: &Shed, name: &str) {
    let supervisor = parent_of(shed.pid_of(name));
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_rule_39_a_tmpfs_is_lost_with_its_last_user_and_kept_while_there_is_one() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    assert_eq!(mounted(&shed), Vec::<String>::new());
    let mut first = shed
        .start("run --rm --name one -v vol:/x base sh -c 'echo hi >/x/a; echo ready; sleep 100'");
    assert_eq!(mounted(&shed), [shed.data("vol").display().to_string()]);
    let script = "cat /x/a; mount | grep -c ' /x type tmpfs'; echo more >/x/b";
    assert_eq!(shed.sh("-v vol:/x", script), "hi\n1\n");
    // The second one has left: the first still has everything.
    assert_eq!(
        shed.cowshed("exec one sh -c 'cat /x/a /x/b'").ok(),
        "hi\nmore\n"
    );
    assert_eq!(mounted(&shed).len(), 1);
    shed.cowshed("rm -f one").ok();
    first.wait();
    assert_eq!(mounted(&shed), Vec::<String>::new());
    assert_eq!(shed.sh("-v vol:/x", "ls /x | wc -l"), "0\n");
    // Of one container that uses it twice, too.
    assert_eq!(
        shed.sh("-v vol:/x -v vol:/y:ro", "echo hi >/x/a; cat /y/a"),
        "hi\n"
    );
    assert_eq!(mounted(&shed), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_rule_40_the_host_directory_behind_a_bind_volume_stays() {
    let shed = Shed::new();
    let host = shed.dir("host dir 한글");
    write_text(&shed.path("host dir 한글/kept"), "data\n");
    let line = format!("volume create -o type=none -o o=bind -o 'device={host}' vol");
    shed.cowshed(&line).ok();
    assert_eq!(
        shed.sh("-v vol:/x", "cat /x/kept; echo new >/x/new"),
        "data\n"
    );
    assert_eq!(read(format!("{host}/new")), "new\n");
    assert_eq!(shed.cowshed("volume rm vol").ok(), "vol\n");
    assert_eq!(read(format!("{host}/kept")), "data\n");
    // And when it is still mounted because its last user was killed.
    shed.cowshed(&line).ok();
    let mut user = shed.start("run --name box -v vol:/x base sh -c 'echo ready; sleep 100'");
    kill_supervisor(&shed, "box");
    user.wait();
    assert_eq!(mounted(&shed).len(), 1);
    shed.cowshed("rm -f box").ok();
    shed.cowshed("volume rm vol").ok();
    assert_eq!(read(format!("{host}/kept")), "data\n");
    assert_eq!(read(format!("{host}/new")), "new\n");
}

#[test]
#[ignore = "needs root"]
fn root_what_is_mounted_below_a_bind_volume_stays_mounted_on_the_host() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let shed = Shed::new();
    let host = shed.dir("host");
    let below = shed.dir("host/below");
    mount(
        Some("t"),
        below.as_str(),
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    // As on most hosts: mounts travel.
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, shared, None::<&str>).unwrap();
    write_text(&shed.path("host/below/in"), "in\n");
    let line = format!("volume create -o type=none -o o=rbind -o device={host} vol");
    shed.cowshed(&line).ok();
    assert_eq!(shed.sh("-v vol:/x", "cat /x/below/in"), "in\n");
    assert_eq!(read(shed.path("host/below/in")), "in\n");
    shed.cowshed("volume rm vol").ok();
    assert_eq!(read(shed.path("host/below/in")), "in\n");
    umount2(below.as_str(), MntFlags::empty()).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_rule_26_a_bind_volume_is_filled_from_the_image_once() {
    let shed = Shed::new();
    let host = shed.dir("host");
    let line = format!("volume create -o type=none -o o=bind -o device={host} vol");
    shed.cowshed(&line).ok();
    assert_eq!(shed.sh("-v vol:/data", "cat /data/one"), "one\n");
    assert_eq!(read(format!("{host}/sub/two")), "two\n");
    let names: Vec<_> = fs::read_dir(&host)
        .unwrap()
        .map(|one| one.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().starts_with(".cowshed"))
    );
    fs::remove_file(format!("{host}/one")).unwrap();
    shed.try_sh("-v vol:/data", "cat /data/one")
        .fails(1, "No such file");
}

#[test]
#[ignore = "needs root"]
fn root_rule_45_prune_leaves_volumes_with_options_alone() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    shed.cowshed("volume create plain").ok();
    let listed = shed.cowshed("volume prune --dry-run").ok();
    assert!(
        listed.contains("plain") && !listed.contains("vol "),
        "{listed}"
    );
    let done = shed.cowshed("volume prune -f").ok();
    assert!(done.contains("plain"), "{done}");
    shed.cowshed("volume prune -f --all").ok();
    assert_eq!(shed.volumes(), ["vol"]);
}

#[test]
#[ignore = "needs root"]
fn root_the_next_command_unmounts_what_a_killed_user_left() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    let line = "run --name box -v vol:/x base sh -c 'echo hi >/x/a; echo ready; sleep 100'";
    for next in ["ps", "volume ls", "info", "volume inspect vol"] {
        let mut user = shed.start(line);
        kill_supervisor(&shed, "box");
        user.wait();
        assert_eq!(mounted(&shed).len(), 1, "before {next}");
        shed.cowshed(next).ok();
        assert_eq!(mounted(&shed), Vec::<String>::new(), "after {next}");
        shed.cowshed("rm -f box").ok();
    }
    // `run` is in a hurry and looks at nothing else: still it gets a new one.
    let mut user = shed.start(line);
    kill_supervisor(&shed, "box");
    user.wait();
    assert_eq!(shed.sh("-v vol:/x", "ls /x | wc -l"), "0\n");
    assert_eq!(mounted(&shed), Vec::<String>::new());
    // Nobody takes away what somebody uses.
    let mut second =
        shed.start("run --rm --name live -v vol:/x base sh -c 'echo ready; sleep 100'");
    shed.cowshed("ps").ok();
    shed.cowshed("volume rm vol").fails(1, "volume is in use");
    assert_eq!(mounted(&shed).len(), 1);
    shed.cowshed("rm -f live box").ok();
    second.wait();
    assert_eq!(shed.cowshed("volume rm vol").ok(), "vol\n");
}

fn background(shed: &Shed, script: &str) -> Child {
    let mut command = shed.command("run --rm -v vol:/x base sh -c");
    command
        .arg(script)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command.spawn().unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_first_users_at_one_moment_share_one_mount() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    for _ in 0..3 {
        // Each waits until it sees all the others.
        let script = |number| {
            format!(
                "touch /x/{number}; for i in $(seq 400); do [ $(ls /x | wc -l) = 6 ] && exit 0; \
                 sleep 0.02; done; exit 9"
            )
        };
        let users: Vec<_> = (0..6)
            .map(|number| background(&shed, &script(number)))
            .collect();
        for mut user in users {
            assert_eq!(user.wait().unwrap().code(), Some(0));
        }
        wait_until("nothing is mounted", || mounted(&shed).is_empty());
    }
}

#[test]
#[ignore = "needs root"]
fn root_users_that_come_while_the_last_one_leaves_always_find_it_mounted() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    let script = "grep -q ' /x tmpfs ' /proc/mounts || exit 9; echo $$ >/x/mine && cat /x/mine";
    let mut running: Vec<Child> = Vec::new();
    for number in 0..60 {
        running.push(background(&shed, script));
        if number >= 3 {
            let mut oldest = running.remove(0);
            assert_eq!(oldest.wait().unwrap().code(), Some(0), "user {number}");
        }
    }
    for mut user in running {
        assert_eq!(user.wait().unwrap().code(), Some(0));
    }
    assert_eq!(mounted(&shed), Vec::<String>::new());
}

/// Kills at all moments between the start and the end of a user's life.
#[test]
#[ignore = "needs root"]
fn root_kill_at_any_moment_leaves_nothing_for_long() {
    let mut shed = Shed::new();
    // What a killed command was making stays in tmp/ until that is swept.
    shed.strict = false;
    shed.cowshed(TMPFS).ok();
    for pause in (0..30).map(Duration::from_millis) {
        let mut user = background(&shed, "true");
        std::thread::sleep(pause);
        user.kill().ok();
        user.wait().unwrap();
        // A supervisor that outlives its command goes on to the end.
        wait_until("it has ended", || {
            shed.cowshed("ps -a").ok().lines().count() == 1
        });
        wait_until("the next command has unmounted", || {
            shed.cowshed("ps").ok();
            mounted(&shed).is_empty()
        });
    }
    assert_eq!(shed.sh("-v vol:/x", "ls /x | wc -l"), "0\n");
    shed.cowshed("volume rm vol").ok();
}

#[test]
#[ignore = "needs root"]
fn root_cp_sees_what_is_behind_the_volume_of_a_stopped_container() {
    let shed = Shed::new();
    let host = shed.dir("host");
    let line = format!("volume create -o type=none -o o=bind -o device={host} vol");
    shed.cowshed(&line).ok();
    write_text(&shed.path("host/out"), "out\n");
    let into = shed.file("in", "in\n");
    shed.cowshed("create --name box -v vol:/x base true").ok();
    shed.cowshed(&format!("cp box:/x/out {}", shed.show("copied")))
        .ok();
    assert_eq!(read(shed.path("copied")), "out\n");
    shed.cowshed(&format!("cp {into} box:/x/sub-in")).ok();
    assert_eq!(read(shed.path("host/sub-in")), "in\n");
    assert_eq!(mounted(&shed), Vec::<String>::new());
    // A volume that must not be written.
    let line = format!("volume create -o type=none -o o=bind,ro -o device={host} ro");
    shed.cowshed(&line).ok();
    shed.cowshed("create --name robox -v ro:/x base true").ok();
    shed.cowshed(&format!("cp {into} robox:/x/no"))
        .fails(1, "read-only");
    assert_eq!(mounted(&shed), Vec::<String>::new());
    shed.cowshed("rm box robox").ok();
}

#[test]
#[ignore = "needs root"]
fn root_explain_and_dry_run_tell_what_is_mounted() {
    let shed = Shed::new();
    shed.cowshed(TMPFS).ok();
    let told = shed.cowshed("run --rm --dry-run -v vol:/x base true").ok();
    assert!(
        told.contains("fsopen(\"tmpfs\")") && told.contains("\"size\", \"4m\""),
        "{told}"
    );
    assert!(told.contains("move_mount(\"volumes/vol/_data\")"), "{told}");
    assert_eq!(mounted(&shed), Vec::<String>::new());
    let told = shed.cowshed("run --rm --explain -v vol:/x base true").err;
    assert!(told.contains("fsopen(\"tmpfs\")"), "{told}");
    let mut user = shed.start("run --rm --name one -v vol:/x base sh -c 'echo ready; sleep 100'");
    let told = shed.cowshed("run --rm --explain -v vol:/x base true").err;
    assert!(
        told.contains("an earlier user did it") && !told.contains("\"size\""),
        "{told}"
    );
    shed.cowshed("rm -f one").ok();
    user.wait();
    // The script mounts it for itself, and only for itself.
    let mut command = shed.command("run --rm --explain=sh -v vol:/x base sh -c");
    command.arg("mount | grep ' /x '");
    let script = command.output().unwrap().stdout;
    let path = shed.file("script.sh", std::str::from_utf8(&script).unwrap());
    let done = std::process::Command::new("sh")
        .arg(&path)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(shown.contains("size=4096k"), "{done:?}");
    assert_eq!(mounted(&shed), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_an_anonymous_volume_with_options_goes_with_its_container() {
    let shed = Shed::new();
    let flag = "--mount dst=/x,volume-opt=type=tmpfs,volume-opt=device=tmpfs";
    assert_eq!(shed.sh(flag, "echo hi >/x/a; cat /x/a"), "hi\n");
    assert_eq!(shed.volumes(), Vec::<String>::new());
    assert_eq!(mounted(&shed), Vec::<String>::new());
    // Started again it begins anew.
    let script = "ls /x; echo hi >/x/a";
    let mut command = shed.command(&format!("run --name box {flag} base sh -c"));
    command.arg(script);
    assert_eq!(crate::support::finish(command).ok(), "");
    assert_eq!(shed.cowshed("start -a box").ok(), "");
    shed.cowshed("rm -v box").ok();
    assert_eq!(shed.volumes(), Vec::<String>::new());
}
