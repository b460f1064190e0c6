//! What a supervisor costs while nothing happens.

use std::{fs, time::Duration};

use crate::{
    support::Shed,
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

#[test]
#[ignore = "needs root"]
fn root_an_idle_supervisor_is_small_and_asleep() {
    let shed = Shed::new();
    for flags in ["", "-i", "-t", "--restart always"] {
        shed.cowshed(&format!("run -d --name box {flags} base sleep 1000"))
            .ok();
        let supervisor = parent_of(shed.pid_of("box"));
        // It makes itself small once its container has started.
        std::thread::sleep(Duration::from_secs(2));
        let cost = || {
            (
                ticks(supervisor),
                field(supervisor, "voluntary_ctxt_switches"),
            )
        };
        let before = cost();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(cost(), before, "{flags}");
        let resident = field(supervisor, "VmRSS");
        crate::traces::say(&format!("{flags}: {resident} kB"));
        // Unoptimised, the program itself is larger.
        let most = if cfg!(debug_assertions) { 8192 } else { 2048 };
        assert!(resident < most, "{flags}: {resident} kB");
        assert_removable(&shed, flags);
    }
}
