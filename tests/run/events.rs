//! `events`, by semantics 49.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use crate::support::Shed;

/// `volume create aa (driver=local)`: lines without their time.
fn told(shed: &Shed, flags: &str) -> Vec<String> {
    let until = "--since 1h --until 0s";
    let text = shed.cowshed(&format!("events {until} {flags}")).ok();
    let rest = |line: &str| line.split_once(' ').unwrap().1.to_owned();
    text.lines().map(rest).collect()
}

#[test]
#[ignore = "needs root"]
fn root_rule_49_volumes_tell_what_is_done_to_them() {
    let shed = Shed::new();
    shed.cowshed("volume create aa").ok();
    shed.cowshed("volume create aa").ok();
    shed.cowshed("run --rm -v bb:/b -v /c base true").ok();
    shed.cowshed("volume rm aa").ok();
    shed.cowshed("volume prune -f").ok();
    let all = told(&shed, "--filter type=volume");
    let uses = |action: &str| {
        let begin = format!("volume {action} ");
        all.iter().filter(|line| line.starts_with(&begin)).count()
    };
    assert_eq!((uses("mount"), uses("unmount")), (2, 2), "{all:?}");
    let is_use = |line: &String| line.contains(" mount ") || line.contains(" unmount ");
    let lines: Vec<String> = all.into_iter().filter(|line| !is_use(line)).collect();
    let anonymous: Vec<_> = lines.iter().filter(|line| line.len() > 80).collect();
    assert_eq!(anonymous.len(), 2, "{lines:?}");
    let named: Vec<_> = lines.iter().filter(|line| line.len() <= 80).collect();
    let wanted = [
        "volume create aa (driver=local)",
        "volume create bb (driver=local)",
        "volume destroy aa (driver=local)",
        "volume destroy bb (driver=local)",
    ];
    assert_eq!(named[..4], wanted);
    assert!(
        named[4].starts_with("volume prune  (reclaimed="),
        "{lines:?}"
    );
    assert_eq!(told(&shed, "--filter volume=aa"), [wanted[0], wanted[2]]);
    assert_eq!(
        told(&shed, "--filter volume=bb --filter event=destroy"),
        [wanted[3]]
    );
}

#[test]
#[ignore = "needs root"]
fn root_images_tell_what_is_done_to_them() {
    let shed = Shed::new();
    let id = shed.inspect("base")["Id"].as_str().unwrap().to_owned();
    shed.cowshed("tag base other:1").ok();
    shed.cowshed("rmi other:1").ok();
    shed.cowshed("rmi base").ok();
    let wanted = [
        format!("image import {id} (name=base:latest)"),
        format!("image tag {id} (name=base:latest)"),
        format!("image tag {id} (name=other:1)"),
        format!("image untag {id} (name=other:1)"),
        format!("image untag {id} (name=base:latest)"),
        format!("image delete {id} (name={id})"),
    ];
    assert_eq!(told(&shed, "--filter type=image"), wanted);
    assert_eq!(told(&shed, "--filter image=other").len(), 2);
}

#[test]
#[ignore = "needs root"]
fn root_without_an_end_events_are_followed() {
    let shed = Shed::new();
    shed.cowshed("volume create before").ok();
    let mut events = shed.command("system events --format json");
    let mut events = events.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(events.stdout.take().unwrap());
    // Made again and again until the command has begun to listen.
    let listening = || {
        shed.cowshed("volume create now").ok();
        shed.cowshed("volume rm now").ok();
    };
    let line = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line
        });
        while !reading.is_finished() {
            listening();
        }
        reading.join().unwrap()
    });
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["Actor"]["ID"], "now", "nothing from before");
    assert_eq!(
        (&value["Type"], &value["scope"]),
        (&"volume".into(), &"local".into())
    );
    events.kill().unwrap();
    events.wait().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_bad_flags_are_refused() {
    let shed = Shed::empty();
    shed.cowshed("events --filter colour=red")
        .fails(1, "invalid filter 'colour=red'");
    shed.cowshed("events --since soon")
        .fails(1, "failed to parse value as time or duration: \"soon\"");
    shed.cowshed("events --format '{{.ID}}'")
        .fails(1, "only json");
    assert_eq!(shed.cowshed("events --until 0s").ok(), "");
}
