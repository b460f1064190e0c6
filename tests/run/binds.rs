//! Bind mounts: missing sources, read-only, propagation, files (rules 15-24).

use std::{os::unix::fs::MetadataExt as _, path::Path, process::Command};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::{Shed, finish, read, wait_until};

/// A tmpfs with one file, of the test's own namespace.
fn tmpfs_on(path: &Path, file: &str) {
    std::fs::create_dir_all(path).unwrap();
    mount(
        Some("none"),
        path,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    std::fs::File::create(path.join(file)).unwrap();
}

fn propagation(path: &Path, flags: MsFlags) {
    mount(None::<&str>, path, None::<&str>, flags, None::<&str>).unwrap();
}

fn unmount(path: &Path) {
    umount2(path, MntFlags::MNT_DETACH).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_rule_15_v_makes_a_missing_source_at_start_even_for_ro() {
    let shed = Shed::new();
    let missing = shed.show("not/there/yet");
    let mut careful = Command::new("sh");
    careful.args([
        "-c",
        "umask 077; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_cowshed"),
    ]);
    careful.arg("--root").arg(shed.store());
    careful.args([
        "run",
        "--rm",
        "-v",
        &format!("{missing}:/x:ro"),
        "base",
        "ls",
        "-A",
        "/x",
    ]);
    assert_eq!(finish(careful).ok(), "");
    for part in ["not", "not/there", "not/there/yet"] {
        let found = std::fs::metadata(shed.path(part)).unwrap();
        assert_eq!(
            (found.mode(), found.uid(), found.gid()),
            (0o40755, 0, 0),
            "{part}"
        );
    }
    // Nothing is made for a container that is refused before.
    shed.cowshed(&format!(
        "run --rm -v {}:/x --name not/valid base true",
        shed.show("no")
    ))
    .fails(125, "Invalid container name");
    shed.cowshed(&format!(
        "run --rm --pull never -v {}:/x nosuchimage true",
        shed.show("no")
    ))
    .fails(125, "nosuchimage");
    shed.cowshed(&format!(
        "run --dry-run -v {}:/x base true",
        shed.show("no")
    ))
    .ok();
    assert!(!shed.path("no").exists());
}

#[test]
#[ignore = "needs root"]
fn root_rule_16_mount_refuses_a_missing_source_and_makes_nothing() {
    let shed = Shed::new();
    let before = shed.listing();
    let missing = shed.show("missing");
    shed.try_sh(
        &format!("--mount type=bind,src={missing},dst=/x -v new:/y"),
        "true",
    )
    .fails(
        125,
        &format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {missing}"
        ),
    );
    assert!(!shed.path("missing").exists());
    assert_eq!(shed.listing(), before);
}

#[test]
#[ignore = "needs root"]
fn root_rule_17_bind_create_src_makes_it() {
    let shed = Shed::new();
    let missing = shed.show("missing");
    shed.sh(
        &format!("--mount type=bind,src={missing},dst=/x,bind-create-src"),
        "touch /x/y",
    );
    assert!(shed.path("missing/y").exists());
}

#[test]
#[ignore = "needs root"]
fn root_rule_18_binds_are_recursive_and_private() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    tmpfs_on(&shed.path("dir/sub"), "in-sub");
    assert_eq!(shed.sh(&format!("-v {dir}:/x"), "ls /x/sub"), "in-sub\n");
    shed.cowshed(&format!("run --name box -v {dir}:/x -v vol:/y base true"))
        .ok();
    let mounts = &shed.inspect("box")["Mounts"];
    assert_eq!(mounts[0]["Propagation"], "rprivate");
    assert_eq!(mounts[1]["Propagation"], "");
    // What the host mounts later does not get in.
    let flags = format!("run --rm --name live -v {dir}:/x base sh -c");
    let script = "echo ready; until test -e /x/go; do sleep 0.01; done; ls -A /x/late";
    let mut live = shed.start(&format!("{flags} '{script}'"));
    tmpfs_on(&shed.path("dir/late"), "late");
    shed.file("dir/go", "");
    assert_eq!(live.wait(), (String::new(), Some(0)));
    unmount(&shed.path("dir/late"));
    unmount(&shed.path("dir/sub"));
}

#[test]
#[ignore = "needs root"]
fn root_rule_19_read_only_reaches_what_is_mounted_below() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    tmpfs_on(&shed.path("dir/sub"), "x");
    let script = "touch /x/a; touch /x/sub/b; ls /x/sub";
    for (flags, wanted) in [
        (format!("-v {dir}:/x:ro"), "x\n"),
        (
            format!("--mount type=bind,src={dir},dst=/x,readonly"),
            "x\n",
        ),
        (
            format!(
                "--mount type=bind,src={dir},dst=/x,ro,bind-recursive=readonly,bind-propagation=rprivate"
            ),
            "x\n",
        ),
        (
            format!("--mount type=bind,src={dir},dst=/x,ro,bind-recursive=disabled"),
            "",
        ),
        (
            format!("--mount type=bind,src={dir},dst=/x,ro,bind-recursive=writable"),
            "b\nx\n",
        ),
    ] {
        let done = shed.try_sh(&flags, script);
        assert!(
            done.err.contains("/x/a: Read-only file system"),
            "{flags}: {done:?}"
        );
        assert_eq!(done.out, wanted, "{flags}");
    }
    assert!(!shed.path("dir/a").exists());
    unmount(&shed.path("dir/sub"));
}

#[test]
#[ignore = "needs root"]
fn root_rule_20_shared_needs_a_shared_mount() {
    let shed = Shed::new();
    shed.dir("dir");
    let host = shed.path("dir");
    tmpfs_on(&host, "x");
    let path = host.display();
    shed.try_sh(&format!("-v {path}:/x:rshared"), "true").fails(
        125,
        &format!("path {path} is mounted on {path} but it is not a shared mount"),
    );
    shed.try_sh(&format!("-v {path}:/x:rslave"), "true").fails(
        125,
        &format!("path {path} is mounted on {path} but it is not a shared or slave mount"),
    );
    unmount(&host);
}

#[test]
#[ignore = "needs root"]
fn root_rule_20_mounts_travel_both_ways_through_rshared_and_in_through_rslave() {
    let shed = Shed::new();
    shed.dir("dir");
    let host = shed.path("dir");
    tmpfs_on(&host, "x");
    propagation(&host, MsFlags::MS_SHARED);
    for (mode, out) in [("rshared", true), ("rslave", false)] {
        let flags = format!("run --rm --name {mode} -v {}:/x:{mode}", host.display());
        let script = "mkdir -p /x/made; echo ready; while [ ! -e /x/in/go ]; do sleep 0.01; done";
        let mut live = shed.start(&format!("{flags} base sh -c '{script}'"));
        let pid = shed.pid_of(mode).to_string();
        let mut inside = Command::new("nsenter");
        inside.args([
            "-t",
            &pid,
            "-m",
            "/bin/busybox",
            "mount",
            "-t",
            "tmpfs",
            "none",
            "/x/made",
        ]);
        finish(inside).ok();
        let table = read("/proc/thread-self/mountinfo");
        let made = table.contains(&format!(" {}/made ", host.display()));
        assert_eq!(made, out, "{mode}");
        tmpfs_on(&host.join("in"), "go");
        assert_eq!(live.wait().1, Some(0));
        unmount(&host.join("in"));
        if out {
            unmount(&host.join("made"));
        }
    }
    unmount(&host);
}

#[test]
#[ignore = "needs root"]
fn root_rule_21_file_and_directory_do_not_mix() {
    let shed = Shed::new();
    let (dir, file) = (shed.dir("dir"), shed.file("a-file", ""));
    let message = "Are you trying to mount a directory onto a file (or vice-versa)? Check if the \
        specified host path exists and is the expected type";
    for flags in [
        format!("-v {file}:/data"),
        format!("-v {dir}:/file"),
        format!("-v {dir}:/file:ro"),
        format!("--mount type=bind,src={file},dst=/data"),
    ] {
        let done = shed.try_sh(&flags, "true").fails(125, message);
        let mut lines = done.err.lines();
        let error = lines.find(|line| line.starts_with("cowshed: error: "));
        let error = error.unwrap();
        assert!(error.ends_with("is the expected type"), "{error}");
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_22_binds_hide_and_are_never_filled() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    assert_eq!(shed.sh(&format!("-v {dir}:/data"), "ls -A /data"), "");
    assert_eq!(crate::support::tree(&shed.path("dir")), "");
}

#[test]
#[ignore = "needs root"]
fn root_rule_23_a_file_bind_follows_the_inode() {
    let shed = Shed::new();
    let file = shed.file("conf", "old\n");
    let script = "echo ready; while [ ! -e /go/go ]; do sleep 0.01; done; cat /conf; \
        touch /new; mv /new /conf; mv /conf /elsewhere";
    let go = shed.dir("go");
    let line = format!("run --rm -v {file}:/conf -v {go}:/go base sh -c '{script}'");
    let mut command = shed.command(&line);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until("it runs", || !shed.cowshed("ps -q").ok().is_empty());
    shed.file("conf.new", "new\n");
    // The container has the old inode by the time that it says so; renaming waits for that.
    wait_until("it is ready", || {
        let pid = shed.cowshed("ps -q").ok();
        shed.pid_of(pid.trim()) > 0
    });
    std::thread::sleep(std::time::Duration::from_millis(50));
    std::fs::rename(shed.path("conf.new"), shed.path("conf")).unwrap();
    shed.file("go/go", "");
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ready\nold\n");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(errors.matches("esource busy").count(), 2, "{errors}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_24_a_nested_mount_makes_its_place_in_the_host_directory() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.sh(
        &format!("-v {dir}:/x -v vol:/x/in/side"),
        "touch /x/in/side/y",
    );
    assert!(shed.path("dir/in/side").is_dir());
    assert!(shed.data("vol").join("y").exists());
    let other = shed.dir("other");
    shed.try_sh(&format!("-v {other}:/x:ro --tmpfs /x/in"), "true")
        .fails(125, "read-only file system");
    shed.sh(
        &format!("-v {dir}:/x:ro -v vol:/x/in/side"),
        "touch /x/in/side/z",
    );
    assert_eq!(crate::support::tree(&shed.path("other")), "");
}

#[test]
#[ignore = "needs root"]
fn root_a_bind_source_that_is_a_link_is_followed() {
    let shed = Shed::new();
    shed.dir("real");
    shed.file("real/x", "x\n");
    std::os::unix::fs::symlink("real", shed.path("alias")).unwrap();
    assert_eq!(
        shed.sh(&format!("-v {}:/m", shed.show("alias")), "cat /m/x"),
        "x\n"
    );
}
