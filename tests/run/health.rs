//! Health checks, on real containers.

use std::{
    fs::File,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Shed, Tar, processes_of, read, tree, wait_until};

/// A container `cc` that sleeps, with a check of this script; every 50 ms unless the flags say
/// otherwise.
fn run(shed: &Shed, flags: &str, script: &str) {
    let mut command = shed.command("run -d --name cc");
    if !flags.contains("--health-interval") {
        command.args(["--health-interval", "50ms"]);
    }
    command.args(flags.split_whitespace());
    command.arg("--health-cmd").arg(script);
    command.args(["base", "sleep", "600"]);
    crate::support::finish(command).ok();
}

fn health(shed: &Shed) -> Value {
    shed.inspect("cc")["State"]["Health"].clone()
}

fn status(shed: &Shed) -> String {
    let status = health(shed)["Status"].as_str().map(str::to_owned);
    status.unwrap_or_else(|| "absent".to_owned())
}

#[track_caller]
fn becomes(shed: &Shed, wanted: &str) {
    wait_until(wanted, || status(shed) == wanted);
}

/// The last result of which the health tells.
fn last(shed: &Shed) -> Value {
    let health = health(shed);
    let log = health["Log"].as_array().unwrap();
    log.last().cloned().unwrap_or_default()
}

fn shown(shed: &Shed) -> String {
    shed.cowshed("ps --format {{.Status}}").ok()
}

/// The supervisor of `cc`: process 1's parent.
fn supervisor(shed: &Shed) -> i32 {
    let text = read(format!("/proc/{}/status", shed.pid_of("cc")));
    let parent = text.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.unwrap().trim().parse().unwrap()
}

fn end(shed: &Shed) {
    shed.cowshed("rm -f cc").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_container_becomes_healthy_unhealthy_and_healthy_again() {
    let shed = Shed::new();
    let flags = "--health-retries 2 -e WORD=한글 -u app -w /tmp";
    run(
        &shed,
        flags,
        "echo $WORD $(id -un) $(pwd) $HOME; echo bad >&2; cat /tmp/ok",
    );
    becomes(&shed, "unhealthy");
    assert!(shown(&shed).ends_with("(unhealthy)\n"));
    assert_eq!(shed.cowshed("ps -q --filter health=healthy").ok(), "");
    assert_eq!(last(&shed)["ExitCode"], 1);
    shed.cowshed("exec cc touch /tmp/ok").ok();
    becomes(&shed, "healthy");
    assert!(shown(&shed).ends_with("(healthy)\n"));
    let output = last(&shed)["Output"].as_str().unwrap().to_owned();
    assert_eq!(output, "한글 app /tmp /home/app\nbad\n");
    assert_eq!(health(&shed)["FailingStreak"], 0);
    wait_until("five results", || {
        health(&shed)["Log"].as_array().unwrap().len() == 5
    });
    assert_ne!(shed.cowshed("ps -q --filter health=healthy").ok(), "");
    shed.cowshed("exec cc rm /tmp/ok").ok();
    becomes(&shed, "unhealthy");
    assert!(health(&shed)["FailingStreak"].as_u64().unwrap() >= 2);
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_what_takes_too_long_is_killed_with_its_children_and_has_failed() {
    let shed = Shed::new();
    let script = "echo begun; sleep 543 & sleep 543";
    run(&shed, "--health-timeout 2s --health-retries 1", script);
    becomes(&shed, "unhealthy");
    let last = last(&shed);
    assert_eq!(last["ExitCode"], -1);
    assert_eq!(
        last["Output"],
        "Health check exceeded timeout (2s): begun\n"
    );
    // At most the two of a probe on its way.
    for _ in 0..20 {
        let all = shed.cowshed("exec cc ps -o args").ok();
        assert!(all.matches("sleep 543\n").count() <= 2, "{all}");
    }
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_probe_that_cannot_start_has_failed_and_says_why() {
    let shed = Shed::new();
    let check = "HEALTHCHECK --interval=50ms --retries=1 CMD [\"/no/such\"]";
    shed.image("checked", Tar::new(), &[check]);
    shed.cowshed("run -d --name cc checked sleep 600").ok();
    becomes(&shed, "unhealthy");
    let last = last(&shed);
    assert_eq!(last["ExitCode"], -1);
    let output = last["Output"].as_str().unwrap();
    assert!(output.contains("no such file or directory"), "{output}");
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_in_the_start_period_failures_do_not_count() {
    let shed = Shed::new();
    let flags = "--health-start-period 60s --health-start-interval 20ms --health-retries 1";
    run(&shed, flags, "test -e /ok");
    wait_until("five results", || {
        health(&shed)["Log"].as_array().unwrap().len() == 5
    });
    let now = health(&shed);
    assert_eq!(
        (&now["Status"], &now["FailingStreak"]),
        (&"starting".into(), &0.into())
    );
    shed.cowshed("exec cc touch /ok").ok();
    becomes(&shed, "healthy");
    shed.cowshed("exec cc rm /ok").ok();
    becomes(&shed, "unhealthy");
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_an_images_check_is_merged_with_the_users() {
    let shed = Shed::new();
    let check = "HEALTHCHECK --interval=50ms --timeout=7s CMD echo image";
    shed.image("checked", Tar::new(), &[check]);
    let wanted = serde_json::json!({
        "Test": ["CMD-SHELL", "echo image"],
        "Interval": 50_000_000,
        "Timeout": 7_000_000_000_u64,
    });
    assert_eq!(shed.inspect("checked")["Config"]["Healthcheck"], wanted);
    shed.cowshed("run -d --name cc --health-retries 9 checked sleep 600")
        .ok();
    let merged = shed.inspect("cc")["Config"]["Healthcheck"].clone();
    assert_eq!(
        (&merged["Retries"], &merged["Test"]),
        (&9.into(), &wanted["Test"])
    );
    becomes(&shed, "healthy");
    assert_eq!(last(&shed)["Output"], "image\n");
    end(&shed);
    shed.cowshed("run -d --name cc --no-healthcheck checked sleep 600")
        .ok();
    let inspected = shed.inspect("cc");
    assert_eq!(inspected["Config"]["Healthcheck"]["Test"][0], "NONE");
    assert_eq!(inspected["State"].get("Health"), None);
    assert!(!shown(&shed).contains('('));
    assert_ne!(shed.cowshed("ps -q --filter health=none").ok(), "");
    end(&shed);
    shed.image("none", Tar::new(), &["HEALTHCHECK NONE"]);
    shed.cowshed("run -d --name cc none sleep 600").ok();
    assert_eq!(shed.inspect("cc")["State"].get("Health"), None);
    end(&shed);
    assert_eq!(shed.inspect("base")["Config"].get("Healthcheck"), None);
}

#[test]
#[ignore = "needs root"]
fn root_bad_flags_are_refused_and_make_nothing() {
    let shed = Shed::new();
    for (flags, text) in [
        (
            "--no-healthcheck --health-cmd x",
            "--no-healthcheck conflicts with --health-* options",
        ),
        (
            "--health-interval 999us",
            "Interval in Healthcheck cannot be less than 1ms",
        ),
        (
            "--health-start-period 1ns",
            "StartPeriod in Healthcheck cannot be less than 1ms",
        ),
        (
            "--health-timeout -1s",
            "--health-timeout cannot be negative",
        ),
        (
            "--health-timeout 5",
            "invalid argument \"5\" for \"--health-timeout\" flag: time: missing unit in duration",
        ),
    ] {
        shed.cowshed(&format!("run {flags} base true"))
            .fails(125, text);
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_the_journal_tells_when_a_status_changes() {
    let shed = Shed::new();
    let flags = "--health-cmd true --health-interval 50ms";
    shed.cowshed(&format!("run -d --name cc {flags} base sleep 100"))
        .ok();
    let told = || {
        let line = "events --since 1h --until 0s --filter event=health_status";
        shed.cowshed(line).ok()
    };
    wait_until("it is told", || told().contains("health_status: healthy"));
    assert_eq!(told().lines().count(), 1);
    shed.cowshed("rm -f cc").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_new_start_begins_anew_and_an_end_leaves_no_record() {
    let shed = Shed::new();
    run(&shed, "--health-retries 1", "test -e /run/ok");
    becomes(&shed, "unhealthy");
    shed.cowshed("exec cc touch /run/ok").ok();
    becomes(&shed, "healthy");
    let id = shed.id_of("cc");
    let record = shed.store().join("containers").join(id).join("health.json");
    assert!(record.exists());
    shed.cowshed("stop -t 0 cc").ok();
    assert!(!record.exists());
    let stopped = health(&shed);
    assert_eq!(stopped["Status"], "unhealthy", "as in Docker");
    assert_eq!(stopped["Log"], serde_json::json!([]));
    assert!(
        shed.cowshed("ps -a --format {{.Status}}")
            .ok()
            .starts_with("Exited (137)")
    );
    shed.cowshed("start cc").ok();
    becomes(&shed, "healthy");
    end(&shed);
    // Nothing is probed for an hour: it stays what it is at the start.
    run(&shed, "--health-interval 1h", "true");
    assert_eq!(status(&shed), "starting");
    assert!(shown(&shed).ends_with("(health: starting)\n"));
    let begun = Instant::now();
    shed.cowshed("restart -t 0 cc").ok();
    assert_eq!(status(&shed), "starting");
    assert!(begun.elapsed() < Duration::from_secs(9));
    end(&shed);
    shed.cowshed("create --name cc --health-cmd true base true")
        .ok();
    assert_eq!(status(&shed), "absent");
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_while_it_is_paused_nothing_is_probed_and_nothing_fails() {
    let shed = Shed::new();
    let flags = "--health-timeout 2s --health-retries 1";
    run(&shed, flags, "true");
    becomes(&shed, "healthy");
    let paused = shed.cowshed("pause cc");
    if paused.code != 0 {
        // No freezer on this machine.
        assert!(paused.err.contains("freezer"), "{paused:?}");
        return end(&shed);
    }
    assert!(shown(&shed).ends_with("(Paused)\n"));
    // Longer than a probe that was on its way may take.
    std::thread::sleep(Duration::from_millis(2500));
    let before = health(&shed);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(health(&shed), before);
    assert_eq!(before["Status"], "healthy");
    shed.cowshed("unpause cc").ok();
    wait_until("the next result", || health(&shed) != before);
    assert_eq!(status(&shed), "healthy");
    shed.cowshed("pause cc").ok();
    // It must not wait for a probe either.
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_of_megabytes_the_first_4096_bytes_are_kept() {
    let shed = Shed::new();
    let script = "yes 한 | head -c 30000000; yes bad | head -c 3000000 >&2";
    run(&shed, "", script);
    becomes(&shed, "healthy");
    let output = last(&shed)["Output"].as_str().unwrap().to_owned();
    assert!(output.ends_with("..."), "{}", &output[output.len() - 9..]);
    assert!(output.len() <= 4096 + 3 && output.len() > 4090);
    assert!(output.contains("한\n한\n"));
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_daemon_that_holds_the_pipe_does_not_hold_the_probe() {
    let shed = Shed::new();
    run(
        &shed,
        "--health-timeout 30s",
        "test -e /once || { touch /once; echo first; sleep 500 & }",
    );
    becomes(&shed, "healthy");
    wait_until("a second result", || {
        health(&shed)["Log"].as_array().unwrap().len() > 1
    });
    assert_eq!(health(&shed)["Log"][0]["ExitCode"], 0);
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_probe_gets_no_descriptor_of_the_supervisors() {
    let shed = Shed::new();
    let secret = File::open("/").unwrap();
    nix::fcntl::fcntl(
        &secret,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .unwrap();
    run(&shed, "", "ls -l /proc/self/fd; cat /dev/stdin");
    becomes(&shed, "healthy");
    let output = last(&shed)["Output"].as_str().unwrap().to_owned();
    let names: Vec<_> = output
        .lines()
        .filter_map(|line| line.split(" -> ").nth(1))
        .collect();
    // Null and two pipes; the directory that ls reads is closed by the time it looks.
    assert_eq!(names.len(), 3, "{output}");
    assert_eq!(names[0], "/dev/null");
    assert!(names[1].starts_with("pipe:") && names[2].starts_with("pipe:"));
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_supervisor_leaves_no_probe() {
    let shed = Shed::new();
    run(&shed, "", "touch /begun; sleep 432");
    wait_until("a probe runs", || {
        shed.cowshed("exec cc test -e /begun").code == 0
    });
    let id = shed.id_of("cc");
    let parent = nix::unistd::Pid::from_raw(supervisor(&shed));
    nix::sys::signal::kill(parent, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("all are gone", || {
        processes_of(&shed.store(), &id).is_empty()
    });
    let state = shed.inspect("cc")["State"].clone();
    assert_eq!(
        (&state["Running"], &state["ExitCode"]),
        (&false.into(), &137.into())
    );
    shed.cowshed("start cc").ok();
    assert_eq!(status(&shed), "starting");
    end(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_the_end_of_the_program_is_the_end_of_its_probe() {
    let shed = Shed::new();
    let mut command = shed.command("run --rm --name cc --health-interval 10ms --health-cmd");
    command.args(["touch /begun; sleep 432", "base", "sh", "-c"]);
    command.arg("while ! test -e /begun; do sleep 0.01; done; exit 7");
    let begun = Instant::now();
    assert_eq!(crate::support::finish(command).code, 7);
    assert!(begun.elapsed() < Duration::from_secs(9));
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_between_probes_a_supervisor_sleeps_and_holds_nothing() {
    let shed = Shed::new();
    run(
        &shed,
        "--health-start-period 1h --health-start-interval 200ms --health-interval 1h",
        "true",
    );
    becomes(&shed, "healthy");
    let pid = supervisor(&shed);
    let switches = || {
        let text = read(format!("/proc/{pid}/status"));
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt"));
        line.unwrap().to_owned()
    };
    // It has made itself small, and everything that belongs to the start is done.
    wait_until("it is at rest", || {
        let before = switches();
        std::thread::sleep(Duration::from_millis(200));
        switches() == before
    });
    let before = switches();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(switches(), before);
    assert_eq!(
        tree(std::path::Path::new(&format!("/proc/{pid}/task")))
            .lines()
            .filter(|line| !line.contains('/'))
            .count(),
        1
    );
    end(&shed);
}
