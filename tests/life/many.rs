//! Many in a row and many at once.

use std::{fs, process::Stdio};

use crate::{
    support::{Shed, finish, processes_of, wait_until},
    traces::{assert_removable, torture},
};

/// Bytes on disk below the store.
fn disk_usage(shed: &Shed) -> u64 {
    let mut du = std::process::Command::new("du");
    du.args(["-s", "-B1", "--exclude=events*"])
        .arg(shed.store());
    let text = finish(du).ok();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn own_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Zombies whose parent we are.
fn zombies() -> usize {
    let own = std::process::id();
    let tasks = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let states = tasks.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    states
        .filter(|stat| {
            let fields = stat
                .rsplit_once(')')
                .map_or("", |(_, fields)| fields)
                .trim();
            fields.starts_with(&format!("Z {own} "))
        })
        .count()
}

#[test]
#[ignore = "needs root"]
fn root_runs_in_a_row_leave_nothing() {
    let shed = Shed::new();
    shed.cowshed("run --rm base true").ok();
    // Of the whole test program: other tests have some, unless this one is alone.
    let ours = || torture().map(|_| (own_descriptors(), zombies()));
    let before = (disk_usage(&shed), ours());
    let count = if torture().is_some() { 1000 } else { 100 };
    for number in 0..count {
        let done = shed.cowshed(&format!("run --rm base echo {number}"));
        assert_eq!(done.out, format!("{number}\n"), "{done:?}");
        assert_eq!((done.code, &*done.err), (0, ""));
    }
    assert_eq!((disk_usage(&shed), ours()), before);
    assert_eq!(processes_of(&shed.store(), "any"), Vec::<i32>::new());
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_64_lives_at_once() {
    let shed = Shed::new();
    let mut running = Vec::new();
    for number in 0..64 {
        let line = match number % 2 {
            0 => format!("run --rm --name n{number} base sh -c 'echo {number}; exit 7'"),
            _ => format!("run -d --rm --name n{number} base sh -c 'exit 7'"),
        };
        let mut command = shed.command(&line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        running.push((number, command.spawn().unwrap()));
    }
    let mut wrong = Vec::new();
    for (number, child) in running {
        let output = child.wait_with_output().unwrap();
        let wanted = if number % 2 == 0 { Some(7) } else { Some(0) };
        if output.status.code() != wanted || !output.stderr.is_empty() {
            wrong.push((number, output));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    wait_until("all have gone", || {
        processes_of(&shed.store(), "any").is_empty()
    });
    shed.assert_no_containers();
    assert_removable(&shed, "64");
}
