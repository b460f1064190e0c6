//! What comes at an odd moment, or from an odd number.

use std::process::Command;

use crate::{
    support::{Shed, wait_until},
    traces::{assert_removable, parent_of},
};

fn status(shed: &Shed) -> String {
    shed.cowshed("inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' box")
        .out
}

#[test]
#[ignore = "needs root"]
fn root_real_time_signals_arrive_and_are_told() {
    let shed = Shed::new();
    // busybox's kill and trap know numbers.
    let dies = "sh -c 'kill -37 $$'";
    shed.cowshed("run -d --name box base sleep 1000").ok();
    assert_eq!(shed.cowshed(&format!("exec box {dies}")).code, 165);
    shed.cowshed("rm -f box").ok();
    assert_eq!(
        shed.cowshed(&format!("run --rm --init base {dies}")).code,
        165
    );
    for init in ["", "--init"] {
        shed.cowshed(&format!(
            "run -d {init} --name box base sh -c 'trap \"exit 9\" 37; echo ready; while :; do sleep 0.1; done'"
        ))
        .ok();
        wait_until("it traps", || shed.cowshed("logs box").out == "ready\n");
        shed.cowshed("kill -s RTMIN+3 box").ok();
        assert_eq!(shed.cowshed("wait box").ok(), "9\n", "{init:?}");
        assert_removable(&shed, init);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_reload_between_two_runs_is_no_end() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box --restart always base sh -c 'exit 5'")
        .ok();
    wait_until("it pauses", || status(&shed).starts_with("restarting 3"));
    shed.cowshed("kill -s HUP box").ok();
    wait_until("it goes on", || status(&shed).contains(" 4 5"));
    shed.cowshed("kill -s TERM box").ok();
    wait_until("it ends", || status(&shed).starts_with("exited"));
    assert_removable(&shed, "HUP");
}

#[test]
#[ignore = "needs root"]
fn root_more_callers_than_descriptors_do_not_end_a_container() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box base sleep 1000").ok();
    let supervisor = parent_of(shed.pid_of("box"));
    let limit = |number: &str| {
        // The soft one, which may be raised again.
        let limit = format!("--nofile={number}:");
        let mut prlimit = Command::new("prlimit");
        let done = prlimit.args(["--pid", &supervisor.to_string(), &limit]);
        assert!(done.status().unwrap().success());
    };
    // As many as it has open: none is left for a call.
    let open = std::fs::read_dir(format!("/proc/{supervisor}/fd"));
    let highest = open
        .unwrap()
        .filter_map(|one| one.ok()?.file_name().to_str()?.parse::<usize>().ok());
    limit(&(highest.max().unwrap() + 1).to_string());
    let mut waits: Vec<_> = (0..20)
        .map(|_| {
            let mut wait = shed.command("wait box");
            wait.stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(status(&shed).starts_with("running"), "{}", status(&shed));
    limit("1024");
    // They are heard now, or were told that nobody is there; the container is not harmed.
    shed.cowshed("kill box").ok();
    for wait in &mut waits {
        wait.wait().unwrap();
    }
    assert_removable(&shed, "descriptors");
}

#[test]
#[ignore = "needs root"]
fn root_whoever_calls_at_the_last_moment_gets_the_code() {
    let shed = Shed::new();
    for _ in 0..20 {
        shed.cowshed("run -d --rm --name box base sh -c 'sleep 0.15; exit 3'")
            .ok();
        let line = shed.command("wait box");
        let mut shell = Command::new("sh");
        // One after the other, until there is nobody to be asked.
        shell.args(["-c", "while \"$@\"; do :; done 2>/dev/null", "sh"]);
        shell.arg(line.get_program()).args(line.get_args());
        shell.env("COWSHED_ROOT", shed.store());
        let told = crate::support::finish(shell).out;
        assert!(told.starts_with("3\n"), "{told:?}");
    }
    assert_removable(&shed, "wait");
}
