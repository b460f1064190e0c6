//! `volume prune` and `volume trash` (rules 44-48).

use std::{fs, io::Write as _, process::Stdio};

use crate::support::{Shed, read, wait_until, write_text};

fn put(shed: &Shed, volume: &str, text: &str) {
    write_text(&shed.data(volume).join("file"), text);
}

fn trash(shed: &Shed) -> Vec<String> {
    let names = shed.cowshed("volume trash ls --format '{{.Name}}'").ok();
    names.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root"]
fn root_rule_44_named_volumes_go_to_the_trash_and_come_back() {
    let shed = Shed::new();
    shed.cowshed("volume create --label a=1 data").ok();
    put(&shed, "data", "precious");
    shed.cowshed("run --name anon -v /anon base true").ok();
    shed.cowshed("rm anon").ok();
    let list = shed.cowshed("volume prune --dry-run").ok();
    for line in list.lines().skip(1) {
        assert!(
            line.contains("named") || line.contains("anonymous"),
            "{list}"
        );
        let kept = line.starts_with("data") && line.ends_with("to the trash");
        assert!(kept || line.ends_with("at once"), "{list}");
    }
    assert_eq!(list.lines().count(), 3);
    let done = shed.cowshed("volume prune -f");
    assert!(
        done.err.contains("1 of them with 8B can be had back"),
        "{done:?}"
    );
    assert!(done.out.contains("data\n"), "{done:?}");
    // What is kept takes its room.
    assert!(
        done.out.ends_with("\nTotal reclaimed space: 0B\n"),
        "{done:?}"
    );
    assert_eq!(shed.volumes(), Vec::<String>::new());
    assert_eq!(trash(&shed), ["data"]);
    assert!(shed.cowshed("info").ok().contains(" In Trash: 1\n"));
    // The table stays Docker's.
    let usage = shed.cowshed("system df");
    assert_eq!(usage.out.lines().count(), 5, "{usage:?}");
    let note = "note: 1 volumes in the trash take 8B: cowshed volume trash ls\n";
    assert!(usage.err.ends_with(note), "{usage:?}");

    assert_eq!(shed.cowshed("volume trash restore data").ok(), "data\n");
    assert_eq!(trash(&shed), Vec::<String>::new());
    assert_eq!(read(shed.data("data").join("file")), "precious");
    assert_eq!(shed.inspect("data")["Labels"]["a"], "1");
    assert!(!shed.cowshed("info").ok().contains("In Trash"));
    shed.cowshed("volume trash restore data")
        .fails(1, "restore data: no such volume in the trash");

    let done = shed.cowshed("volume prune -f --no-trash").ok();
    assert!(done.ends_with("Total reclaimed space: 8B\n"), "{done}");
    assert_eq!(trash(&shed), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_a_name_that_is_taken_is_not_restored_over() {
    let shed = Shed::empty();
    for text in ["first", "second"] {
        shed.cowshed("volume create data").ok();
        put(&shed, "data", text);
        shed.cowshed("volume prune -f").ok();
    }
    shed.cowshed("volume create data").ok();
    put(&shed, "data", "third");
    shed.cowshed("volume trash restore data")
        .fails(1, "restore data: a volume of this name exists");
    shed.cowshed("volume trash restore --as a/b data")
        .fails(1, "includes invalid characters");
    // Of two the later one, and an id means one.
    let ids = shed.cowshed("volume trash ls -q").ok();
    let first = ids.lines().last().unwrap();
    shed.cowshed("volume trash restore --as two data").ok();
    shed.cowshed(&format!("volume trash restore --as one {first}"))
        .ok();
    for (name, text) in [("one", "first"), ("two", "second"), ("data", "third")] {
        assert_eq!(read(shed.data(name).join("file")), text, "{name}");
        assert_eq!(shed.inspect(name)["Name"], name);
    }
    assert_eq!(trash(&shed), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_the_trash_is_emptied_by_hand_and_after_a_week() {
    let shed = Shed::empty();
    for name in ["one", "two", "three"] {
        shed.cowshed(&format!("volume create {name}")).ok();
        put(&shed, name, "12345");
    }
    shed.cowshed("volume prune -f").ok();
    let asked = shed.cowshed("volume trash empty").ok();
    assert!(asked.ends_with("[y/N] "), "{asked}");
    assert_eq!(trash(&shed).len(), 3);
    shed.cowshed("volume trash empty -f missing")
        .fails(1, "no such volume in the trash");
    let done = shed.cowshed("volume trash empty -f one").ok();
    assert_eq!(done, "one\nTotal reclaimed space: 5B\n");
    // Eight days ago.
    let place = shed.store().join("trash/volumes");
    let old = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap());
    let old = old.map(|entry| entry.file_name().into_string().unwrap());
    let old = old.into_iter().find(|name| name.ends_with("-two")).unwrap();
    let (time, rest) = old.split_once('-').unwrap();
    let time: i64 = time.parse::<i64>().unwrap() - 8 * 86400 * 1_000_000_000;
    fs::rename(place.join(&old), place.join(format!("{time}-{rest}"))).unwrap();
    // The store's own sweeping is none of its end.
    shed.cowshed("ps").ok();
    assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
    shed.cowshed("volume prune -f").ok();
    assert_eq!(trash(&shed), ["three"]);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
    shed.cowshed("volume trash empty --force").ok();
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
}

#[test]
#[ignore = "needs root"]
fn root_rule_45_prune_skips_volumes_with_driver_options() {
    let shed = Shed::empty();
    shed.cowshed("volume create plain").ok();
    shed.cowshed("volume create special").ok();
    let record = shed.store().join("volumes/special/volume.json");
    let text = read(&record).replace(
        "\"options\": null",
        "\"options\": {\"type\": \"none\", \"o\": \"bind\", \"device\": \"/srv\"}",
    );
    assert!(text.contains("/srv"), "{text}");
    write_text(&record, &text);
    shed.cowshed("volume prune -f --all").ok();
    assert_eq!(shed.volumes(), ["special"]);
}

#[test]
#[ignore = "needs root"]
fn root_rule_46_prune_removes_no_more_than_it_listed() {
    let shed = Shed::new();
    for name in ["listed", "replaced", "started"] {
        shed.cowshed(&format!("volume create {name}")).ok();
    }
    let mut command = shed.command("volume prune");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It has listed when it asks.
    let mut said = Vec::new();
    let mut out = child.stdout.take().unwrap();
    while !said.ends_with(b"[y/N] ") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut out, &mut byte).unwrap();
        said.push(byte[0]);
    }
    shed.cowshed("volume create late").ok();
    shed.cowshed("volume rm replaced").ok();
    shed.cowshed("volume create replaced").ok();
    shed.cowshed("create --name box -v started:/s base true")
        .ok();
    child.stdin.take().unwrap().write_all(b"y\n").unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(
        rest,
        "Deleted Volumes:\nlisted\n\nTotal reclaimed space: 0B\n"
    );
    assert_eq!(shed.volumes(), ["late", "replaced", "started"]);
}

#[test]
#[ignore = "needs root"]
fn root_rule_48_prune_filters_and_prints_json() {
    let shed = Shed::new();
    shed.cowshed("volume create --label keep=1 kept").ok();
    shed.cowshed("volume create other").ok();
    put(&shed, "other", "123");
    shed.cowshed("run --name anon -v /anon base true").ok();
    shed.cowshed("rm anon").ok();
    let listed = |flags: &str| {
        let format = "--format '{{.Kind}} {{.SizeBytes}} {{.Removal}}'";
        let line = format!("volume prune --dry-run {format} {flags}");
        let lines = shed.cowshed(&line).ok();
        let mut lines: Vec<_> = lines.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join("; ")
    };
    assert_eq!(listed("--filter all=0"), "anonymous 0 at once");
    assert_eq!(listed("--anonymous"), "anonymous 0 at once");
    assert_eq!(
        listed("--filter label!=keep --filter all=1 --no-trash"),
        "anonymous 0 at once; named 3 at once"
    );
    assert_eq!(listed("--filter until=1h"), "");
    assert_eq!(listed("--filter size>1"), "named 3 to the trash");
    shed.cowshed("volume prune --format json")
        .fails(1, "--force or --dry-run");
    let lines = shed
        .cowshed("volume prune -f --format json --filter name=other")
        .ok();
    let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(
        (&line["Name"], &line["SizeBytes"]),
        (&"other".into(), &3.into())
    );
    assert_eq!(shed.volumes().len(), 2);
    shed.cowshed("volume prune -f --filter bogus=1")
        .fails(1, "Invalid filter 'bogus'");
}

#[test]
#[ignore = "needs root"]
fn root_last_use_is_when_a_container_comes_and_goes() {
    let shed = Shed::new();
    shed.cowshed("volume create vol").ok();
    let used = || shed.inspect("vol")["LastUsedAt"].clone();
    let stamp = shed.store().join("volumes/vol/last-used");
    assert!(used().is_null());
    let mut live = shed.start("run --rm --name live -v vol:/v base sh -c 'echo ready; sleep 100'");
    let came = fs::metadata(&stamp).unwrap().modified().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let table = shed.cowshed("volume ls -s").ok();
    assert!(table.contains("in use"), "{table}");
    shed.cowshed("rm -f live").ok();
    live.wait();
    wait_until("it has gone", || {
        fs::metadata(&stamp).unwrap().modified().unwrap() > came
    });
    assert!(used().is_string());
}

#[test]
#[ignore = "needs root"]
fn root_rule_47_system_prune_takes_volumes_only_when_asked_and_only_anonymous_ones() {
    let shed = Shed::new();
    shed.cowshed("volume create named").ok();
    shed.cowshed("run --name loose -v /anon base true").ok();
    shed.cowshed("rm loose").ok();
    shed.cowshed("run --name box -v used:/u -v /anon base true")
        .ok();
    let asked = shed.cowshed("system prune --volumes").ok();
    assert!(asked.starts_with("WARNING! This will remove:\n"), "{asked}");
    assert!(asked.ends_with("[y/N] "), "{asked}");
    shed.cowshed("system prune -f --volumes --filter until=1h")
        .fails(
            1,
            "The \"until\" filter is not supported with \"--volumes\"",
        );
    assert_eq!(shed.volumes().len(), 4);
    let id = shed.id_of("box");
    let done = shed.cowshed("system prune -f").ok();
    assert_eq!(
        done,
        format!("Deleted Containers:\n{id}\n\nTotal reclaimed space: 0B\n")
    );
    assert_eq!(shed.volumes().len(), 4);
    shed.cowshed("run --name box -v used:/u -v /anon base true")
        .ok();
    let done = shed.cowshed("system prune -f --volumes").ok();
    // The loose ones, and that of the container that goes with them.
    assert!(done.contains("\n\nDeleted Volumes:\n"), "{done}");
    assert_eq!(shed.volumes(), ["named", "used"]);
    assert_eq!(
        shed.cowshed("system prune -f --volumes").ok(),
        "Total reclaimed space: 0B\n"
    );
}
