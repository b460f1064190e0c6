//! Every byte arrives, however slow its reader is.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    support::{Shed, finish, wait_until},
    traces::{assert_removable, parent_of, sockets_of, torture},
};

fn mebibytes() -> usize {
    match torture() {
        Some(_) => 1024,
        // Unoptimised, a megabyte takes some tenths of a second to log.
        None if cfg!(debug_assertions) => 16,
        None => 128,
    }
}

/// Bytes that are no text, the same each time.
const BYTES: &str = "dd if=/stuff/bytes bs=1M 2>/dev/null";

/// A directory with a file of so many MiB, and its checksum.
fn stuff(shed: &Shed, mebibytes: usize) -> String {
    let dir = shed.dir("stuff");
    let script = format!("head -c {mebibytes}M /dev/urandom >{dir}/bytes; md5sum <{dir}/bytes");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    finish(shell).ok()
}

/// `line | md5sum`, by way of `filter`.
fn sum_of(shed: &Shed, line: &str, filter: &str) -> String {
    let plain = shed.command(line);
    let mut shell = Command::new("timeout");
    let script = format!("set -o pipefail; \"$@\" {filter} | md5sum");
    shell.args(["1800", "bash", "-c", &script, "bash"]);
    shell.arg(plain.get_program()).args(plain.get_args());
    shell.env("COWSHED_ROOT", shed.store()).stdin(Stdio::null());
    finish(shell).ok()
}

#[test]
#[ignore = "needs root"]
fn root_a_flood_arrives_whole_in_the_foreground_and_in_the_log() {
    let shed = Shed::new();
    let wanted = stuff(&shed, mebibytes());
    let began = Instant::now();
    let line = format!(
        "run --name box -v {}:/stuff:ro base sh -c '{BYTES}'",
        shed.show("stuff")
    );
    assert_eq!(sum_of(&shed, &line, ""), wanted);
    crate::traces::say(&format!("foreground: {:?}", began.elapsed()));
    let began = Instant::now();
    assert_eq!(sum_of(&shed, "logs box", ""), wanted);
    crate::traces::say(&format!("logs: {:?}", began.elapsed()));
    assert_removable(&shed, "flood");
}

#[test]
#[ignore = "needs root"]
fn root_a_slow_reader_loses_nothing() {
    let shed = Shed::new();
    let wanted = stuff(&shed, 4);
    let line = format!(
        "run --rm -v {}:/stuff:ro base sh -c '{BYTES}'",
        shed.show("stuff")
    );
    let slow = "| (sleep 1; dd bs=100 count=50 2>/dev/null; sleep 1; cat)";
    assert_eq!(sum_of(&shed, &line, slow), wanted);
    assert_removable(&shed, "slow");
}

fn signal(child: &Child, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

/// An attached client whose output is kept in a file.
fn attached(shed: &Shed, name: &str) -> Child {
    let file = std::fs::File::create(shed.path(name)).unwrap();
    let mut command = shed.command("attach --no-stdin box");
    command.stdout(file).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_two_clients_get_everything_though_one_stops_for_a_while() {
    let shed = Shed::new();
    // More than everything on the way holds.
    let wanted = stuff(&shed, if torture().is_some() { 256 } else { 12 });
    let go = shed.dir("go");
    shed.cowshed(&format!(
        "run -d --name box -v {go}:/go -v {}:/stuff:ro base sh -c 'until test -e /go/on; do sleep 0.05; done; {BYTES}'",
        shed.show("stuff")
    ))
    .ok();
    let supervisor = parent_of(shed.pid_of("box"));
    let before = sockets_of(supervisor);
    let mut clients = [attached(&shed, "one"), attached(&shed, "two")];
    wait_until("both are attached", || sockets_of(supervisor) == before + 2);
    signal(&clients[1], Signal::SIGSTOP);
    shed.file("go/on", "");
    std::thread::sleep(Duration::from_millis(700));
    signal(&clients[1], Signal::SIGCONT);
    for client in &mut clients {
        wait_until("a client ends", || {
            let path = format!("/proc/{}/stat", client.id());
            let stat = std::fs::read_to_string(path).unwrap();
            stat.rsplit_once(')').unwrap().1.starts_with(" Z")
        });
        assert_eq!(client.wait().unwrap().code(), Some(0));
    }
    for name in ["one", "two"] {
        let mut sum = Command::new("sh");
        sum.args(["-c", &format!("md5sum <{}", shed.show(name))]);
        assert_eq!(finish(sum).ok(), wanted, "{name}");
    }
    assert_eq!(sum_of(&shed, "logs box", ""), wanted);
    assert_removable(&shed, "two");
}

#[test]
#[ignore = "needs root"]
fn root_outputs_stay_apart_and_input_comes_to_its_end() {
    let shed = Shed::new();
    let script =
        "while read -r line; do echo out $line; echo err $line >&2; done; echo end; exit 9";
    for verb in ["run -i --name box base", "exec -i box"] {
        if verb.starts_with("exec") {
            shed.cowshed("run -d --name box base sleep 1000").ok();
        }
        let mut command = shed.command(&format!("{verb} sh -c '{script}'"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all("하나\ntwo\n".as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&output.stdout), "out 하나\nout two\nend\n", "{verb}");
        assert_eq!(text(&output.stderr), "err 하나\nerr two\n", "{verb}");
        assert_eq!(output.status.code(), Some(9));
        assert_removable(&shed, verb);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_program_that_never_reads_does_not_hold_signals() {
    let shed = Shed::new();
    let script = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done";
    let mut command = shed.command(&format!(
        "run -i --rm base sh -c '{}'",
        script.replace('\'', "\"")
    ));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut ready = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    nix::fcntl::fcntl(
        &stdin,
        nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK),
    )
    .unwrap();
    // More than every pipe on the way holds.
    let (mut typed, end) = (0, Instant::now() + Duration::from_secs(1));
    while typed < 4 << 20 && Instant::now() < end {
        typed += stdin.write(&vec![b'x'; 65536]).unwrap_or(0);
    }
    signal(&child, Signal::SIGTERM);
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the signal is held up"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(42));
    assert_removable(&shed, "-i");
}
