//! The journal: many processes at once, rotation, a full disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use cowshed::{
    event::{Actor, Event, EventReader, Filter, Journal, Kind, Span},
    ident::Timestamp,
    store::Store,
};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

const ROOT: &str = "COWSHED_TEST_JOURNAL";
const WHO: &str = "COWSHED_TEST_EMITTER";
const EACH: usize = 300;

fn event(id: &str, size: usize) -> Event {
    let attributes = BTreeMap::from([("filling".to_owned(), "x".repeat(size))]);
    Event {
        time: Timestamp::now(),
        kind: Kind::Volume,
        action: "create".to_owned(),
        actor: Actor {
            id: id.to_owned(),
            attributes,
        },
    }
}

fn ids(reader: &mut EventReader) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(event) = reader.read_available().unwrap() {
        ids.push(event.actor.id);
    }
    ids
}

fn all() -> Span {
    Span {
        since: Timestamp::from_nanosecond(0),
        until: None,
    }
}

fn reader(root: &Path, span: Span) -> EventReader {
    EventReader::open(&Store::open(root).unwrap(), span, Filter::default()).unwrap()
}

/// Makes the journal as large as it is before it is put aside.
fn nearly_full(root: &Path, missing: u64) {
    let journal = Journal::of(&Store::open(root).unwrap()).unwrap();
    journal.emit(&event("old", 0));
    let mut file = std::fs::File::options()
        .append(true)
        .open(root.join("events"))
        .unwrap();
    let size = file.metadata().unwrap().len();
    // Nobody's lines, which readers pass over.
    let lines = usize::try_from((8 * 1024 * 1024 - missing - size) / 100).unwrap();
    file.write_all(format!("{}\n", "-".repeat(99)).repeat(lines).as_bytes())
        .unwrap();
}

/// One of the processes of the next test.
#[test]
#[ignore = "started by another test"]
fn emitter() {
    let (Ok(root), Ok(who)) = (std::env::var(ROOT), std::env::var(WHO)) else {
        return;
    };
    let journal = Journal::of(&Store::open(Path::new(&root)).unwrap()).unwrap();
    for number in 0..EACH {
        journal.emit(&event(&format!("{who}-{number}"), number * 13));
    }
}

#[test]
fn sixteen_processes_lose_nothing_and_mix_nothing_while_the_file_is_rotated() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    nearly_full(root, 4_000_000);
    let mut follower = reader(root, Span::default());
    let start = |who: usize| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "emitter", "--ignored"]);
        command.env(ROOT, root).env(WHO, who.to_string());
        command.stdout(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    let mut children: Vec<_> = (0..16).map(start).collect();
    let mut heard = Vec::new();
    let (begun, wanted) = (Instant::now(), 16 * EACH);
    while heard.len() < wanted && begun.elapsed() < Duration::from_mins(1) {
        heard.extend(ids(&mut follower));
        std::thread::sleep(Duration::from_millis(5));
    }
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert!(root.join("events.1").exists(), "it was rotated");
    let distinct: BTreeSet<_> = heard.iter().collect();
    assert_eq!((heard.len(), distinct.len()), (wanted, wanted));
    // Read from the beginning they are all there, and each process's are in order.
    let mut read = ids(&mut reader(root, all()));
    assert_eq!(read.remove(0), "old");
    assert_eq!(read.len(), wanted);
    for who in 0..16 {
        let own = read
            .iter()
            .filter_map(|id| id.strip_prefix(&format!("{who}-")));
        let own: Vec<usize> = own.map(|number| number.parse().unwrap()).collect();
        assert_eq!(own, (0..EACH).collect::<Vec<_>>(), "{who}");
    }
}

#[test]
fn only_two_files_are_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    let journal = Journal::of(&Store::open(root).unwrap()).unwrap();
    for round in 0..3 {
        nearly_full(root, 0);
        journal.emit(&event(&format!("{round}a"), 100));
        journal.emit(&event(&format!("{round}b"), 100));
    }
    let names = Store::open(root).unwrap().root().sorted_entries().unwrap();
    let names: Vec<_> = names.iter().filter_map(|name| name.to_str()).collect();
    assert_eq!(
        names
            .iter()
            .filter(|name| name.starts_with("events"))
            .count(),
        2
    );
    let read = ids(&mut reader(root, all()));
    assert_eq!(read.last().map(String::as_str), Some("2b"));
    assert!(!read.contains(&"0a".to_owned()));
    let size = |name: &str| std::fs::metadata(root.join(name)).unwrap().len();
    assert!(size("events") + size("events.1") < 17 * 1024 * 1024);
}

#[test]
fn a_span_has_its_ends() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = Journal::of(&Store::open(scratch.path()).unwrap()).unwrap();
    let mut times = Vec::new();
    for id in ["a", "b", "c"] {
        let event = event(id, 0);
        times.push(event.time);
        journal.emit(&event);
        std::thread::sleep(Duration::from_millis(2));
    }
    let span = |since: Option<usize>, until: Option<usize>| Span {
        since: since.map(|index| times[index]),
        until: until.map(|index| times[index]),
    };
    let read = |span| ids(&mut reader(scratch.path(), span)).concat();
    assert_eq!(read(span(Some(1), None)), "bc");
    assert_eq!(read(span(None, Some(1))), "ab");
    assert_eq!(read(span(Some(1), Some(1))), "b");
    let mut now = reader(scratch.path(), Span::default());
    assert_eq!(ids(&mut now), [""; 0]);
    journal.emit(&event("d", 0));
    assert_eq!(ids(&mut now), ["d"]);
}

#[test]
fn without_a_journal_it_is_waited_for() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let mut now = reader(scratch.path(), Span::default());
    assert_eq!(ids(&mut now), [""; 0]);
    Journal::of(&store).unwrap().emit(&event("first", 0));
    assert_eq!(ids(&mut now), ["first"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_full_disk_stops_nobody_and_spoils_nothing() {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root");
    let scratch = tempfile::tempdir().unwrap();
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let size = Some("size=64k,mode=0700");
    mount(
        Some("tmpfs"),
        scratch.path(),
        Some("tmpfs"),
        MsFlags::empty(),
        size,
    )
    .unwrap();
    let root = scratch.path();
    let journal = Journal::of(&Store::open(root).unwrap()).unwrap();
    journal.emit(&event("first", 0));
    let ballast = root.join("tmp/ballast");
    std::fs::copy("/proc/self/exe", &ballast).unwrap_err();
    for number in 0..100 {
        journal.emit(&event(&format!("full{number}"), 300));
    }
    std::fs::remove_file(&ballast).unwrap();
    journal.emit(&event("last", 0));
    let read = ids(&mut reader(root, all()));
    assert_eq!(read.first().map(String::as_str), Some("first"));
    assert_eq!(read.last().map(String::as_str), Some("last"));
    assert!(read.len() < 50, "it was full: {}", read.len());
    umount2(root, MntFlags::MNT_DETACH).unwrap();
}

/// `cargo test --release --test event cost -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "a measurement")]
fn cost() {
    let scratch = tempfile::tempdir().unwrap();
    let journal = Journal::of(&Store::open(scratch.path()).unwrap()).unwrap();
    let begun = Instant::now();
    for _ in 0..10_000 {
        journal.emit(&event("some-volume", 50));
    }
    eprintln!("{:?} an event", begun.elapsed() / 10_000);
}
