//! What a supervisor costs while nothing happens.

use std::{fs, time::Duration};

use crate::{
    support::{Shed, wait_until},
    traces::{assert_removable, parent_of},
};

fn field(pid: i32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap().trim_start_matches(':').trim();
    value.trim_end_matches(" kB").parse().unwrap()
}

fn ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Unoptimised, the program itself is larger.
const MOST: u64 = if cfg!(debug_assertions) { 8192 } else { 2048 };

/// It makes itself small once its container has started, and after each probe.
const SETTLED: Duration = Duration::from_millis(500);

#[track_caller]
fn assert_idle(supervisor: i32, what: &str) {
    let cost = || {
        (
            ticks(supervisor),
            field(supervisor, "voluntary_ctxt_switches"),
        )
    };
    wait_until("what belongs to the start is done", || {
        let before = cost();
        std::thread::sleep(Duration::from_millis(200));
        cost() == before
    });
    let before = cost();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(cost(), before, "{what}");
    assert_small(supervisor, what);
}

#[track_caller]
fn assert_small(supervisor: i32, what: &str) {
    let resident = field(supervisor, "VmRSS");
    crate::traces::say(&format!("{what}: {resident} kB"));
    assert!(resident < MOST, "{what}: {resident} kB");
}

#[test]
#[ignore = "needs root"]
fn root_an_idle_supervisor_is_small_and_asleep() {
    let shed = Shed::new();
    for flags in ["", "-i", "-t", "--restart always"] {
        shed.cowshed(&format!("run -d --name box {flags} base sleep 1000"))
            .ok();
        let supervisor = parent_of(shed.pid_of("box"));
        std::thread::sleep(SETTLED);
        assert_idle(supervisor, flags);
        assert_removable(&shed, flags);
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_supervisor_of_a_foreground_run_is_as_small() {
    let shed = Shed::new();
    let mut command = shed.command("run --name box base sleep 1000");
    let mut child = command.spawn().unwrap();
    wait_until("it runs", || shed.cowshed("exec box true").code == 0);
    let supervisor = parent_of(shed.pid_of("box"));
    std::thread::sleep(SETTLED);
    assert_idle(supervisor, "foreground");
    assert_removable(&shed, "foreground");
    child.wait().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_between_health_probes_a_supervisor_is_as_small() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box --health-cmd true --health-interval 1s base sleep 1000")
        .ok();
    let supervisor = parent_of(shed.pid_of("box"));
    wait_until("a probe was made", || {
        let inspect = "inspect --format {{.State.Health.Status}} box";
        shed.cowshed(inspect).out.trim() == "healthy"
    });
    std::thread::sleep(SETTLED);
    assert_small(supervisor, "probed");
    assert_removable(&shed, "probed");
}
