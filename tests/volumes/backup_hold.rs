//! Backups of volumes that are written to: seen, or prevented by holding the containers.

use std::{os::unix::fs::FileExt as _, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    backup_scene::{host, meanwhile},
    support::{Shed, wait_until},
};

/// A container that writes the same number to two files for ever.
fn writer() -> Shed {
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    host(&shed.data("data"), "head -c 30000000 /dev/urandom >large");
    let script = "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo $n >/data/a; echo $n >>/data/log; echo $n >/data/b; done";
    let mut command = shed.command("run -d --name writer -v data:/data base sh -c");
    command.arg(script);
    crate::support::finish(command).ok();
    wait_until("it writes", || shed.data("data").join("b").exists());
    shed
}

fn status(shed: &Shed) -> String {
    let found = shed.inspect("writer");
    found["State"]["Status"].as_str().unwrap().to_owned()
}

#[track_caller]
fn writes(shed: &Shed) {
    let log = shed.data("data").join("log");
    let size = || std::fs::metadata(&log).unwrap().len();
    let before = size();
    wait_until("it goes on writing", || size() != before);
}

#[test]
#[ignore = "needs root"]
fn root_what_changes_while_it_is_read_is_told_and_the_archive_is_good() {
    let shed = Shed::empty();
    shed.cowshed("volume create data").ok();
    let large = shed.data("data").join("large");
    host(&shed.data("data"), "head -c 60000000 /dev/urandom >large");
    let file = std::fs::File::options().write(true).open(&large).unwrap();
    let mut turn = 0_u64;
    let scribble = || {
        turn += 1;
        file.write_all_at(&turn.to_le_bytes(), turn % 50_000_000)
            .unwrap();
        file.set_len(60_000_000 - turn % 7 * 1_000_000).unwrap();
    };
    let done = meanwhile(scribble, || shed.cowshed("volume backup -o a.tar.gz data"));
    assert!(done.err.contains("note: large: "), "{}", done.err);
    let told = "1 files changed while they were read";
    assert!(done.err.contains(told), "{}", done.err);
    done.ok();
    let out = shed.cowshed("volume verify a.tar.gz").ok();
    assert!(
        out.contains("1 files changed while they were read"),
        "{out}"
    );
    shed.cowshed("volume restore a.tar.gz copy").ok();
    let list = host(
        &shed.path(""),
        "tar xOzf a.tar.gz .cowshed-backup/files.jsonl",
    );
    let line = list
        .lines()
        .find(|line| line.contains("\"large\""))
        .unwrap();
    assert!(line.contains("\"changed\":true"), "{line}");
}

#[test]
#[ignore = "needs root"]
fn root_frozen_containers_hold_still_and_go_on() {
    let shed = writer();
    let done = shed.cowshed("volume backup --freeze -o a.tar.gz data");
    assert!(done.err.contains("writer frozen meanwhile"), "{}", done.err);
    done.ok();
    assert_eq!(status(&shed), "running");
    writes(&shed);
    shed.cowshed("volume restore a.tar.gz copy").ok();
    let pair = host(&shed.data("copy"), "cat a b; tail -n 1 log");
    let numbers: Vec<i64> = pair.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(
        numbers
            .iter()
            .all(|number| (number - numbers[0]).abs() <= 1),
        "{pair}"
    );
    // On an error, too.
    let small = shed.dir("small");
    let kind = Some("tmpfs");
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(kind, &*small, kind, flags, Some("size=1m")).unwrap();
    shed.cowshed("volume backup --freeze -o small/a data")
        .fails(1, "no space left on device");
    nix::mount::umount2(&*small, nix::mount::MntFlags::MNT_DETACH).unwrap();
    assert_eq!(status(&shed), "running");
    // One that was frozen before stays so.
    shed.cowshed("pause writer").ok();
    shed.cowshed("volume backup -q --freeze -o b.tar.gz data")
        .ok();
    assert_eq!(status(&shed), "paused");
    shed.cowshed("unpause writer").ok();
    shed.cowshed("rm -f writer").ok();
}

#[test]
#[ignore = "needs root"]
fn root_containers_go_on_even_when_the_backup_is_killed() {
    let shed = writer();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let mut child = shed
            .command("volume backup -q --freeze --compress gzip -o a.tar.gz data")
            .spawn()
            .unwrap();
        wait_until("it is frozen", || status(&shed) == "paused");
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, signal).unwrap();
        child.wait().unwrap();
        wait_until("it goes on", || status(&shed) == "running");
        assert!(!shed.path("a.tar.gz").exists(), "{signal}");
        writes(&shed);
    }
    let mut child = shed
        .command("volume backup -q --stop --compress gzip -o a.tar.gz data")
        .spawn()
        .unwrap();
    wait_until("it is stopped", || status(&shed) == "exited");
    std::thread::sleep(Duration::from_millis(100));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("it is started", || status(&shed) == "running");
    shed.cowshed("rm -f writer").ok();
}

#[test]
#[ignore = "needs root"]
fn root_stopped_containers_are_started_again() {
    let shed = writer();
    let done = shed.cowshed("volume backup --stop -o a.tar.gz data");
    assert!(
        done.err.contains("writer stopped meanwhile"),
        "{}",
        done.err
    );
    assert_eq!(done.ok(), "a.tar.gz\n");
    assert_eq!(status(&shed), "running");
    writes(&shed);
    let found = shed.cowshed("stop writer").ok();
    assert_eq!(found, "writer\n");
    shed.cowshed("rm writer").ok();
    let mut run =
        shed.start("run --rm --name brief -v data:/data base sh -c 'echo ready; sleep 60'");
    shed.cowshed("volume backup --stop -o b.tar.gz data")
        .fails(1, "it runs with --rm");
    shed.cowshed("volume restore --replace a.tar.gz data")
        .fails(1, "volume data is in use");
    shed.cowshed("rm -f brief").ok();
    run.wait();
    shed.cowshed("volume restore --replace a.tar.gz data").ok();
}
