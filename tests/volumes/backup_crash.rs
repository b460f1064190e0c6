//! Backups and restores that are killed, and disks that are full: whole or not there.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    backup_scene::{facts, host},
    support::{Shed, tree, wait_until},
};

/// A volume that takes a while.
fn large() -> Shed {
    let shed = Shed::empty();
    shed.cowshed("volume create data").ok();
    host(
        &shed.data("data"),
        "for f in 1 2 3 4 5 6; do head -c 8000000 /dev/urandom >f$f; done; mkdir d; echo x >d/x",
    );
    shed
}

/// Starts a command line and sends it a signal after a while.
fn killed(shed: &Shed, line: &str, after: Duration, signal: Signal) {
    let mut command = shed.command(line);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, signal).ok();
    child.wait().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_backup_leaves_nothing() {
    let shed = large();
    let start = Instant::now();
    shed.cowshed("volume backup -q --compress gzip -o whole.tar.gz data")
        .ok();
    let whole = start.elapsed();
    let mut seen = 0;
    for step in 0..10 {
        killed(
            &shed,
            "volume backup -q --compress gzip -o a.tar.gz data",
            whole * step / 10,
            Signal::SIGKILL,
        );
        if shed.path("a.tar.gz").exists() {
            shed.cowshed("volume verify a.tar.gz data").ok();
            fs::remove_file(shed.path("a.tar.gz")).unwrap();
        } else {
            seen += 1;
        }
        assert_eq!(host(&shed.path(""), "ls -A"), "store\nwhole.tar.gz\n");
    }
    assert!(seen > 0, "never killed in the middle");
    // Politely: nothing is left at all.
    killed(
        &shed,
        "volume backup -q --compress gzip -o a.tar.gz data",
        whole / 3,
        Signal::SIGINT,
    );
    assert_eq!(host(&shed.path(""), "ls -A"), "store\nwhole.tar.gz\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_restore_leaves_the_volume_as_it_was() {
    let shed = large();
    shed.cowshed("volume backup -q -o a.tar data").ok();
    shed.cowshed("volume create old").ok();
    host(&shed.data("old"), "echo old >old");
    let before = facts(&shed.data("old"));
    let after = facts(&shed.data("data"));
    let start = Instant::now();
    shed.cowshed("volume restore -q a.tar first").ok();
    let whole = start.elapsed();
    for step in 0..12 {
        let name = format!("new{step}");
        killed(
            &shed,
            &format!("volume restore a.tar {name}"),
            whole * step / 10,
            Signal::SIGKILL,
        );
        if shed.volumes().contains(&name) {
            assert_eq!(facts(&shed.data(&name)), after);
        }
        killed(
            &shed,
            "volume restore --replace a.tar old",
            whole * step / 10,
            Signal::SIGKILL,
        );
        let now = facts(&shed.data("old"));
        assert!(now == before || now == after, "{now}");
        if now == after {
            shed.cowshed("volume rm old").ok();
            shed.cowshed("volume create old").ok();
            host(&shed.data("old"), "echo old >old");
            let fresh = facts(&shed.data("old"));
            assert_ne!(fresh, after);
            host(&shed.data("old"), "touch -d 2001-01-01 old .");
            break;
        }
    }
    // What killed commands left is swept by the next ones.
    let tmp = shed.store().join("tmp");
    wait_until("tmp/ is swept", || {
        shed.cowshed("volume restore nothing new");
        tree(&tmp).is_empty()
    });
}

#[test]
#[ignore = "needs root"]
fn root_a_full_disk_leaves_nothing_under_the_name() {
    let shed = large();
    let small = shed.dir("small");
    let (kind, size) = (Some("tmpfs"), Some("size=20m"));
    mount(kind, &*small, kind, MsFlags::empty(), size).unwrap();
    for compress in ["none", "gzip", "zstd"] {
        shed.cowshed(&format!(
            "volume backup --compress {compress} -o small/a data"
        ))
        .fails(1, "no space left on device");
        assert_eq!(host(small.as_ref(), "ls -A"), "", "{compress}");
    }
    // An older backup stays.
    host(small.as_ref(), "echo older >a");
    shed.cowshed("volume backup -o small/a data")
        .fails(1, "no space");
    assert_eq!(host(small.as_ref(), "cat a; ls -A"), "older\na\n");
    // And a store that is full.
    shed.cowshed("volume backup -q -o a.tar data").ok();
    let program = env!("CARGO_BIN_EXE_cowshed");
    let line = format!(
        "rm a; export COWSHED_ROOT={small}/store; {program} volume create old; \
         if {program} volume restore ../a.tar new; then exit 1; fi; \
         if {program} volume restore --into-empty ../a.tar old; then exit 1; fi; \
         if {program} volume import imported ../a.tar; then exit 1; fi; \
         {program} volume ls -q; ls -A store/tmp store/volumes/old/_data"
    );
    let out = host(small.as_ref(), &line);
    assert_eq!(out, "old\nold\nstore/tmp:\n\nstore/volumes/old/_data:\n");
    umount2(&*small, MntFlags::MNT_DETACH).unwrap();
}
