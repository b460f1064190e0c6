//! Builds that end too early: a signal, `kill -9`, a second one at the same moment.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::{
    build_scene::{ids, reasons},
    support::{Shed, Started, finish, wait_until, write_text},
};

const SLOW: &str =
    "FROM base\nRUN echo finished > /f\nRUN trap '' INT TERM; echo ready; sleep 1000\n";

/// A build that has come to its slow command.
fn begin(shed: &Shed) -> Started {
    use std::io::BufRead as _;
    shed.context(".keep", "");
    write_text(&shed.path("Dockerfile"), SLOW);
    let mut command = shed.command("build --sync=none -f Dockerfile context");
    command.stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended early");
    }
    Started { child, out }
}

#[test]
#[ignore = "needs root"]
fn root_a_signal_ends_the_build_and_leaves_the_finished_steps() {
    let shed = Shed::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut build = begin(&shed);
        build.signal(signal);
        assert_eq!(build.wait().1, Some(code));
        shed.assert_no_containers();
        assert_eq!(shed.cowshed("ps -aq").ok(), "");
    }
    let out = shed.build("", "FROM base\nRUN echo finished > /f\n");
    assert_eq!(reasons(&out), ["hit: same parent, same instruction"]);
}

#[test]
#[ignore = "needs root"]
fn root_kill_9_leaves_no_container_no_mount_and_the_finished_steps() {
    let shed = Shed::new();
    let mut build = begin(&shed);
    let container = shed.cowshed("ps -q --no-trunc").ok();
    build.signal(Signal::SIGKILL);
    build.child.wait().unwrap();
    let gone = || shed.cowshed("ps -aq").ok().is_empty();
    wait_until("the container is gone", gone);
    let processes = || crate::support::processes_of(&shed.store(), container.trim());
    wait_until("its processes are gone", || processes().is_empty());
    // What was made half is put away by the next build.
    let out = shed.build("", "FROM base\nRUN echo finished > /f\n");
    assert_eq!(reasons(&out), ["hit: same parent, same instruction"]);
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_kill_9_at_any_call_leaves_a_store_that_builds() {
    use crate::strace::{has_strace, inject, traced};
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    shed.context("src/a", "a");
    write_text(
        &shed.path("Dockerfile"),
        "FROM base\nENV A=1\nRUN echo 1 > /one\nCOPY src /app\nWORKDIR /w\n",
    );
    let context = shed.show("context");
    let line = format!(
        "build --no-cache --sync=none -t x -f {} {context}",
        shed.show("Dockerfile")
    );
    let calls = "renameat2,unlinkat,mkdirat";
    for call in ["renameat2", "unlinkat", "mkdirat"] {
        for number in [1, 2, 3, 5, 8, 13, 21] {
            traced(&shed, &line, inject(calls, call, number));
            let gone = || shed.cowshed("ps -aq").ok().is_empty();
            wait_until("no container is left", gone);
            shed.cowshed(&line).ok();
            shed.assert_no_containers();
            assert_eq!(shed.in_image("x", "cat /one /app/a; pwd"), "1\na/w\n");
        }
    }
    // Nothing of the steps that were cut off stays for ever.
    for id in shed.cowshed("images -qa --no-trunc").ok().lines() {
        if shed.inspect("base")["Id"] != id {
            shed.cowshed(&format!("rmi -f {id}"));
        }
    }
    let blobs = std::fs::read_dir(shed.store().join("blobs/sha256")).unwrap();
    assert_eq!(blobs.count(), 3);
}

#[test]
#[ignore = "needs root"]
fn root_many_builds_at_once_do_not_disturb_each_other() {
    let shed = Shed::new();
    shed.context("src/a", "a");
    let mut builds = Vec::new();
    for number in 0..6 {
        let file = shed.file(
            &format!("Dockerfile.{number}"),
            &format!(
                "FROM base\nENV A=1\nRUN echo same > /s\nCOPY src /app\nRUN echo {number} > /n\n"
            ),
        );
        let line = format!("build --sync=none -t x{number} -f {file} context");
        let mut command = shed.command(&line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        builds.push(command.spawn().unwrap());
    }
    for build in builds {
        let output = build.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    for number in 0..6 {
        let found = shed.in_image(&format!("x{number}"), "cat /s /app/a /n");
        assert_eq!(found, format!("same\na{number}\n"));
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_container_that_is_removed_while_it_runs_fails_its_step() {
    let shed = Shed::new();
    let mut build = begin(&shed);
    let id = shed.cowshed("ps -q").ok();
    shed.cowshed(&format!("rm -f {}", id.trim())).ok();
    assert_eq!(build.wait().1, Some(137));
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_build_uses_an_image_by_its_id_as_well() {
    let shed = Shed::new();
    let first = shed.build("", "FROM base\nRUN echo 1 > /one\n");
    let id = ids(&first).pop().unwrap();
    shed.build("-t x", &format!("FROM {id}\nRUN echo 2 > /two\n"));
    assert_eq!(shed.in_image("x", "cat /one /two"), "1\n2\n");
    let mut command =
        shed.command("image build --rm=false --force-rm --progress=plain --pull --network host -q");
    command.args(["-f", "Dockerfile", "context"]);
    finish(command).ok();
}
