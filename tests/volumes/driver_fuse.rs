//! FUSE through its helpers: sshfs over the sftp server of this machine, with the part of ssh played
//! by a script; servers that say nothing, and one that falls silent.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::driver_users::mounted;
use crate::support::{Done, Shed, finish, read, wait_until, write_text};

const SERVER: &str = "/usr/lib/openssh/sftp-server";

/// A program that plays ssh.
fn script(shed: &Shed, name: &str, text: &str) -> String {
    let path = shed.file(name, &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A volume on a directory of this machine, by way of a script.
fn sshfs(shed: &Shed, volume: &str, (ssh, more): (&str, &str)) {
    assert!(Path::new(SERVER).exists(), "install openssh-sftp-server");
    let far = shed.dir("far");
    let line = format!(
        "volume create -o type=fuse.sshfs -o device=kim@host:{far} -o o=ssh_command={ssh}{more} \
         {volume}"
    );
    assert_eq!(shed.cowshed(&line).ok(), format!("{volume}\n"));
}

/// Helpers of this test that still run.
fn daemons(shed: &Shed) -> Vec<i32> {
    let scratch = shed.show("");
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: i32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        (line.contains("sshfs") && line.contains(&scratch)).then_some(pid)
    });
    pids.collect()
}

/// Runs a command with a deadline of two seconds for mounts; how long it took.
fn hurried(shed: &Shed, line: &str) -> (Done, Duration) {
    let began = Instant::now();
    let mut command = shed.command(line);
    command.env("COWSHED_MOUNT_TIMEOUT", "2");
    (finish(command), began.elapsed())
}

#[test]
#[ignore = "needs root"]
fn root_sshfs_is_mounted_by_its_helper_and_gone_with_the_last_user() {
    let shed = Shed::new();
    let ssh = script(&shed, "ssh", &format!("exec {SERVER}"));
    sshfs(&shed, "vol", (&ssh, ""));
    write_text(&shed.path("far/there"), "far\n");
    assert!(daemons(&shed).is_empty());
    let look = "mount | grep -c ' /x type fuse.sshfs'; cat /x/there; echo new >/x/new";
    assert_eq!(shed.sh("-v vol:/x", look), "1\nfar\n");
    assert_eq!(read(shed.path("far/new")), "new\n");
    assert_eq!(mounted(&shed), Vec::<String>::new());
    wait_until("the helper has ended", || daemons(&shed).is_empty());
    // Two users, one helper, which outlives the first.
    let mut user = shed.start("run --rm --name box -v vol:/x base sh -c 'echo ready; sleep 100'");
    assert_eq!(shed.sh("-v vol:/x:ro", "cat /x/new"), "new\n");
    assert_eq!(daemons(&shed).len(), 1);
    assert_eq!(shed.cowshed("exec box cat /x/there").ok(), "far\n");
    shed.cowshed("rm -f box").ok();
    user.wait();
    wait_until("the helper has ended", || daemons(&shed).is_empty());
    let told = shed.cowshed("run --rm --dry-run -v vol:/x base true").ok();
    assert!(
        told.contains("execve(") && told.contains("mount.fuse.sshfs"),
        "{told}"
    );
    shed.cowshed("volume rm vol").ok();
    assert_eq!(read(shed.path("far/there")), "far\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_password_reaches_ssh_and_no_argument() {
    let shed = Shed::new();
    // What sshfs was told, from outside, at the time when it asks.
    let ask = format!(
        "printf 'password: ' >/dev/tty; read -r word </dev/tty\n\
         cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' ' >{}\n\
         [ \"$word\" = 'hunter2,ro' ] || exit 255\nexec {SERVER}",
        shed.show("arguments")
    );
    let ssh = script(&shed, "ssh", &ask);
    let secret = shed.file("secret", "hunter2,ro\n");
    sshfs(&shed, "vol", (&ssh, &format!(",password-file={secret}")));
    write_text(&shed.path("far/there"), "far\n");
    assert_eq!(
        shed.sh("-v vol:/x", "cat /x/there; echo 1 >/x/written"),
        "far\n"
    );
    let arguments = read(shed.path("arguments"));
    assert!(arguments.contains("password_stdin"), "{arguments}");
    assert!(!arguments.contains("hunter2"), "{arguments}");
    write_text(Path::new(&secret), "wrong\n");
    let done = shed
        .try_sh("-v vol:/x", "true")
        .fails(125, "mount.fuse.sshfs failed with code");
    assert!(!done.err.contains("wrong"), "{}", done.err);
    wait_until("the helper has ended", || daemons(&shed).is_empty());
    assert_eq!(mounted(&shed), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_a_server_that_accepts_and_says_nothing_is_an_error_in_time() {
    let shed = Shed::new();
    let ssh = script(&shed, "ssh", "exec sleep 1000");
    sshfs(&shed, "vol", (&ssh, ""));
    let (done, took) = hurried(&shed, "run --rm -v vol:/x base true");
    done.fails(125, "did not answer within 2 s");
    assert!(
        took > Duration::from_secs(2) && took < Duration::from_secs(8),
        "{took:?}"
    );
    wait_until("the helper is gone", || daemons(&shed).is_empty());
    assert_eq!(mounted(&shed), Vec::<String>::new());
    shed.assert_no_containers();
    shed.cowshed("volume rm vol").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_server_that_falls_silent_hangs_nobody_else() {
    let shed = Shed::new();
    let ssh = script(&shed, "ssh", &format!("exec {SERVER}"));
    sshfs(&shed, "vol", (&ssh, ""));
    shed.cowshed("volume create other").ok();
    let mut user = shed.start("run --name box -v vol:/x base sh -c 'echo ready; sleep 100'");
    let daemon = daemons(&shed)[0];
    kill(Pid::from_raw(daemon), Signal::SIGSTOP).unwrap();
    for line in [
        "ps -a",
        "volume ls",
        "volume inspect vol",
        "inspect box",
        "info",
        "run --rm -v other:/x base true",
        "volume prune -f",
        "volume create new",
        "volume rm new",
    ] {
        let (done, took) = hurried(&shed, line);
        done.ok();
        assert!(took < Duration::from_secs(2), "{line}: {took:?}");
    }
    let (done, took) = hurried(&shed, "run --rm -v vol:/x base true");
    done.fails(125, "did not answer within 2 s");
    assert!(took < Duration::from_secs(8), "{took:?}");
    let (done, took) = hurried(&shed, "rm -f box");
    done.ok();
    assert!(took < Duration::from_secs(8), "{took:?}");
    user.wait();
    assert_eq!(mounted(&shed), Vec::<String>::new());
    let (done, took) = hurried(&shed, "volume rm vol");
    done.ok();
    assert!(took < Duration::from_secs(8), "{took:?}");
    kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    wait_until("the helper has ended", || daemons(&shed).is_empty());
}

#[test]
#[ignore = "needs root"]
fn root_a_helper_that_dies_leaves_an_error_and_no_mount() {
    let shed = Shed::new();
    let ssh = script(&shed, "ssh", &format!("exec {SERVER}"));
    sshfs(&shed, "vol", (&ssh, ""));
    let mut user = shed.start("run --rm --name box -v vol:/x base sh -c 'echo ready; sleep 100'");
    kill(Pid::from_raw(daemons(&shed)[0]), Signal::SIGKILL).unwrap();
    wait_until("it is dead", || daemons(&shed).is_empty());
    let (done, _) = hurried(&shed, "run --rm -v vol:/x base true");
    done.fails(125, "error while mounting volume");
    shed.cowshed("rm -f box").ok();
    user.wait();
    // The last one has gone: a new first one mounts anew.
    assert_eq!(shed.sh("-v vol:/x", "echo hi >/x/f; cat /x/f"), "hi\n");
    wait_until("the helper has ended", || daemons(&shed).is_empty());
}
