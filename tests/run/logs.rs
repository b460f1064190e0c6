//! `logs`

use std::{io::Read as _, process::Stdio};

use cowshed::{
    ident::Timestamp,
    log::{LogOptions, Stream, Writer},
    sys::Dir,
};

use crate::support::Shed;

fn writer(shed: &Shed, name: &str) -> Writer {
    let dir = shed.store().join("containers").join(shed.id_of(name));
    Writer::new(Dir::open(&dir).unwrap(), &LogOptions::default()).unwrap()
}

/// A container that has ended, with a log.
fn web() -> Shed {
    let shed = Shed::new();
    shed.cowshed("run --name web base true").ok();
    let mut writer = writer(&shed, "web");
    for second in 0..5 {
        let time: Timestamp = format!("2026-01-02T03:04:0{second}Z").parse().unwrap();
        writer.write(Stream::Stdout, format!("out {second}\n").as_bytes(), time);
        writer.write(Stream::Stderr, format!("err {second}\n").as_bytes(), time);
    }
    shed
}

#[test]
#[ignore = "needs root"]
fn root_streams_go_where_they_came_from() {
    let shed = web();
    for command in ["logs web", "container logs web", "logs -f web"] {
        let done = shed.cowshed(command);
        assert_eq!(done.err, "err 0\nerr 1\nerr 2\nerr 3\nerr 4\n");
        assert_eq!(done.ok(), "out 0\nout 1\nout 2\nout 3\nout 4\n");
    }
}

#[test]
#[ignore = "needs root"]
fn root_parts_of_a_log() {
    let shed = web();
    let out = |flags: &str| shed.cowshed(&format!("logs {flags} web")).ok();
    assert_eq!(out("-n 4"), "out 3\nout 4\n");
    assert_eq!(out("--tail 0"), "");
    assert_eq!(out("--tail -1").lines().count(), 5);
    assert_eq!(out("--tail all").lines().count(), 5);
    assert_eq!(out("--since 2026-01-02T03:04:03Z"), "out 3\nout 4\n");
    assert_eq!(out("--until 1767323041.5"), "out 0\nout 1\n");
    assert_eq!(out("--since 10m"), "");
    assert_eq!(out("-tn2"), "2026-01-02T03:04:04.000000000Z out 4\n");
    assert_eq!(
        out("-t --details -n2"),
        "2026-01-02T03:04:04.000000000Z  out 4\n"
    );
    shed.cowshed("logs --since yesterday web").fails(
        1,
        "invalid value for \"since\": failed to parse value as time or duration: \"yesterday\"",
    );
    shed.cowshed("logs -n x web")
        .fails(1, "invalid value for \"tail\"");
    shed.cowshed("logs nobody")
        .fails(1, "No such container: nobody");
}

#[test]
#[ignore = "needs root"]
fn root_bytes_are_the_containers() {
    let shed = web();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut writer = writer(&shed, "web");
    writer.write(Stream::Stdout, &bytes, Timestamp::now());
    writer.flush(Timestamp::now());
    let output = shed.command("logs --since 1h web").output().unwrap();
    assert!(output.stdout == bytes, "{} bytes", output.stdout.len());
}

#[test]
#[ignore = "needs root"]
fn root_without_a_log_there_is_nothing_to_read() {
    let shed = Shed::new();
    shed.cowshed("run --name web --log-driver none base true")
        .ok();
    shed.cowshed("logs web")
        .fails(1, "configured logging driver does not support reading");
    shed.cowshed("run --name new base true").ok();
    assert_eq!(shed.cowshed("logs new").ok(), "");
    for (flags, text) in [
        (
            "--log-driver syslog",
            "logger: no log driver named 'syslog' is registered",
        ),
        (
            "--log-opt x=1",
            "unknown log opt 'x' for json-file log driver",
        ),
        (
            "--log-driver none --log-opt max-size=1m",
            "invalid logging opts for driver none",
        ),
    ] {
        shed.cowshed(&format!("run {flags} base true"))
            .fails(125, text);
    }
}

#[test]
#[ignore = "needs root"]
fn root_following_ends_with_the_container() {
    let shed = Shed::new();
    let go = shed.dir("go");
    let script = "echo one; until [ -e /go/two ]; do sleep 0.02; done; echo two; \
                  printf \"three\nunfinished\"; until [ -e /go/end ]; do sleep 0.02; done";
    shed.cowshed(&format!(
        "run -d --name web -v {go}:/go base sh -c '{script}'"
    ))
    .ok();
    let mut logs = shed.command("logs -f web");
    let mut logs = logs.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = logs.stdout.take().unwrap();
    let mut line = [0; 4];
    for (wanted, next) in [(b"one\n", "go/two"), (b"two\n", "go/end")] {
        out.read_exact(&mut line).unwrap();
        assert_eq!(&line, wanted);
        shed.file(next, "");
    }
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "three\nunfinished");
    assert!(logs.wait().unwrap().success());
    shed.cowshed("rm web").ok();
}

#[test]
#[ignore = "needs root"]
fn root_following_ends_with_its_reader() {
    let shed = Shed::new();
    let mut running = shed.start("run --rm --name web base sh -c 'echo ready; sleep 100'");
    let mut logs = shed.command("logs -f web");
    let mut logs = logs.stdout(Stdio::piped()).spawn().unwrap();
    drop(logs.stdout.take());
    assert!(logs.wait().unwrap().success());
    shed.cowshed("rm -f web").ok();
    running.wait();
}
