//! `top`, `stats`, `container prune`, `generate systemd`, `start --restarting`, and flags of `run`
//! that change little.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Shed, finish, read, wait_until, write_text};

/// Aloud, past the test harness that keeps what tests print.
fn say(text: &str) {
    let line = format!("{text}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The words of a line.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
#[ignore = "needs root"]
fn root_top_lists_the_processes_of_one_container() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box base sleep 987").ok();
    shed.cowshed("run -d --name other base sleep 988").ok();
    shed.cowshed("exec -d box sleep 989").ok();
    let first = shed.pid_of("box").to_string();
    let text = shed.cowshed("top box").ok();
    let lines: Vec<_> = text.lines().collect();
    let header = "UID                 PID                 PPID                C                   \
                  STIME               TTY                 TIME                CMD";
    assert_eq!(lines[0], header);
    assert_eq!(lines.len(), 3, "{text}");
    let mut rows = lines.iter().map(|line| words(line));
    let row = rows.find(|row| row[1] == first).unwrap();
    assert_eq!((row[0], row[5], row[6]), ("root", "?", "00:00:00"));
    assert_eq!(row[7..], ["sleep", "987"]);
    assert!(text.contains("sleep 989") && !text.contains("sleep 988"));
    // How much of a processor it has used changes from look to look.
    let again = shed.cowshed("container top box").ok();
    let lasting = |text: &str| -> Vec<Vec<String>> {
        let rows = text.lines().map(|line| {
            let kept = words(line).into_iter().enumerate();
            kept.filter(|(column, _)| *column != 3)
                .map(|(_, word)| word.to_owned())
                .collect()
        });
        rows.collect()
    };
    assert_eq!(lasting(&again), lasting(&text));
    shed.cowshed("kill box other").ok();
    wait_until("it has ended", || !shed.cowshed("ps").ok().contains("box"));
    let done = shed.cowshed("top box").fails(1, "is not running");
    assert!(done.out.is_empty());
    shed.cowshed("top nobody")
        .fails(1, "No such container: nobody");
    shed.cowshed("rm box other").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_top_with_options_chooses_rows_of_the_hosts_ps() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box base sh -c 'sleep 987; true'")
        .ok();
    let first = shed.pid_of("box").to_string();
    let has_child = || shed.cowshed("top box").ok().contains("sleep 987");
    wait_until("the shell has a child", has_child);
    if finish(Command::new("ps")).code != 0 {
        say("SKIPPED: no ps(1) on this machine");
        shed.cowshed("rm -f box").ok();
        return;
    }
    let text = shed.cowshed("top box -o pid,args").ok();
    let lines: Vec<_> = text.lines().map(words).collect();
    assert_eq!(lines[0], ["PID", "COMMAND"]);
    assert_eq!(lines[1][0], first);
    assert_eq!(lines.len(), 3, "{text}");
    // `f` does not go with a choice of numbers; `aux` is no option with a dash.
    for options in ["-ef f", "aux", "-eo pid,ppid,comm"] {
        let text = shed.cowshed(&format!("top box {options}")).ok();
        assert_eq!(text.lines().count(), 3, "{options}\n{text}");
    }
    let line = "top box -o args";
    shed.cowshed(line)
        .fails(1, "Couldn't find PID field in ps output");
    shed.cowshed("top box -o ppid=PID")
        .fails(1, "specifying \"ppid=PID\" is not allowed");
    shed.cowshed("top box --nonsense").fails(1, "ps: exit");
    let mut without = shed.command("top box -o pid");
    without.env("PATH", shed.path("nowhere"));
    finish(without).fails(1, "run ps: it is not installed");
    shed.cowshed("rm -f box").ok();
    shed.assert_no_containers();
}

/// `stats --no-stream`, an object for each line.
fn stats(shed: &Shed, args: &str) -> Vec<serde_json::Value> {
    let line = format!("stats --no-stream --format json {args}");
    let text = shed.cowshed(&line).ok();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn percent(value: &serde_json::Value) -> f64 {
    value
        .as_str()
        .unwrap()
        .trim_end_matches('%')
        .parse()
        .unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_stats_tell_what_containers_use() {
    let shed = Shed::new();
    shed.cowshed("run -d --name busy -m 64m base sh -c 'while :; do :; done'")
        .ok();
    shed.cowshed("run -d --name idle base sleep 987").ok();
    shed.cowshed("run --name done base true").ok();
    let found = stats(&shed, "busy idle");
    let keys: Vec<_> = found[0].as_object().unwrap().keys().collect();
    let wanted = [
        "BlockIO",
        "CPUPerc",
        "Container",
        "ID",
        "MemPerc",
        "MemUsage",
        "Name",
        "NetIO",
        "PIDs",
    ];
    assert_eq!(keys, wanted);
    assert!(percent(&found[0]["CPUPerc"]) > 5.0, "{found:?}");
    assert!(percent(&found[1]["CPUPerc"]) < 5.0, "{found:?}");
    assert_eq!(found[0]["PIDs"], "1");
    assert_eq!(found[0]["NetIO"], "0B / 0B");
    let memory = found[0]["MemUsage"].as_str().unwrap();
    assert!(memory.ends_with(" / 64MiB"), "{memory}");
    let names = |args: &str| {
        let found = stats(&shed, args).into_iter();
        let names = found.map(|one| one["Name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["idle", "busy"]);
    assert_eq!(names("-a"), ["done", "idle", "busy"]);
    let stopped = &stats(&shed, "done")[0];
    assert_eq!(
        (&stopped["CPUPerc"], &stopped["PIDs"]),
        (&"0.00%".into(), &"0".into())
    );
    let table = shed.cowshed("stats --no-stream --no-trunc idle").ok();
    let id = shed.id_of("idle");
    assert!(
        table.starts_with("CONTAINER ID") && table.contains(&id),
        "{table}"
    );
    shed.cowshed("stats --no-stream idle nobody")
        .fails(1, "No such container: nobody");
    shed.cowshed("stats --no-stream --format '{{.Nothing}}' idle")
        .fails(1, "Nothing");
    shed.cowshed("rm -f busy idle done").ok();
    assert_eq!(names(""), [""; 0]);
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_stats_go_on_until_their_containers_are_gone() {
    let shed = Shed::new();
    shed.cowshed("run -d --rm --name box base sleep 987").ok();
    let mut command = shed.command("stats --format '{{.Name}} {{.PIDs}}' box");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        assert_eq!(lines.next().unwrap().unwrap(), "box 1");
    }
    shed.cowshed("rm -f box").ok();
    // What it had begun to look at may still come.
    assert!(lines.take(3).all(|line| line.unwrap().starts_with("box ")));
    assert!(child.wait().unwrap().success());
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_prune_removes_what_does_not_run_and_nothing_else() {
    let shed = Shed::new();
    shed.cowshed("run -d --name live base sleep 987").ok();
    shed.cowshed("create --name made -l keep=no base true").ok();
    shed.cowshed("run --name done -l keep=yes -v /anon base sh -c 'echo 12345 >/new'")
        .ok();
    let names = || {
        let text = shed.cowshed("ps -a --format '{{.Names}}'").ok();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let asked = shed.cowshed("container prune").ok();
    assert!(
        asked.starts_with("WARNING! This will remove all stopped containers.\n")
            && asked.ends_with("Are you sure you want to continue? [y/N] "),
        "{asked}"
    );
    assert!(asked.contains("made") && asked.contains("done") && !asked.contains("live"));
    assert_eq!(names(), ["done", "made", "live"]);
    shed.cowshed("container prune -f --filter colour=red")
        .fails(1, "Invalid filter 'colour'");
    shed.cowshed("container prune -f --filter until=")
        .fails(1, "Invalid filter 'until='");
    let none = "Total reclaimed space: 0B\n";
    assert_eq!(
        shed.cowshed("container prune -f --filter until=1h").ok(),
        none
    );
    let made = shed.id_of("made");
    assert_eq!(
        shed.cowshed("container prune -f --filter label!=keep=yes")
            .ok(),
        format!("Deleted Containers:\n{made}\n\n{none}")
    );
    assert_eq!(names(), ["done", "live"]);
    let done = shed.id_of("done");
    let text = shed.cowshed("container prune --force").ok();
    assert!(text.starts_with(&format!(
        "Deleted Containers:\n{done}\n\nTotal reclaimed space: "
    )));
    assert!(!text.ends_with(": 0B\n"), "{text}");
    assert_eq!(names(), ["live"]);
    // As in Docker, anonymous volumes are another command's.
    assert_eq!(shed.volumes().len(), 1);
    let told = shed
        .cowshed("events --since 1h --until 0s --filter event=prune")
        .ok();
    assert_eq!(told.matches(" container prune ").count(), 3, "{told}");
    shed.cowshed("rm -f live").ok();
    assert_eq!(shed.cowshed("container prune -f").ok(), none);
    shed.assert_no_containers();
}

/// Lets systemd judge a unit, where it is installed.
fn verify(unit: &str, path: &Path) {
    write_text(path, unit);
    let mut verify = Command::new("systemd-analyze");
    verify
        .args(["verify", "--man=no"])
        .arg(path)
        .stdin(Stdio::null());
    match verify.output() {
        Ok(output) => {
            // It has something to say about units of the machine, too.
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(
                output.status.success() && !said.contains(name),
                "{said}\n{unit}"
            );
        }
        Err(error) => say(&format!("SKIPPED: systemd-analyze verify: {error}")),
    }
}

#[test]
#[ignore = "needs root"]
fn root_generated_units_are_what_systemd_reads() {
    let shed = Shed::new();
    shed.cowshed("create --name web --stop-timeout 100 base true")
        .ok();
    let program = env!("CARGO_BIN_EXE_cowshed");
    let root = shed.store().display().to_string();
    let all = shed.cowshed("generate systemd").ok();
    let start = format!("ExecStart={program} --root {root} start --restarting\n");
    assert!(
        all.contains(&start) && all.contains("TimeoutStopSec=120\n"),
        "{all}"
    );
    verify(&all, &shed.path("cowshed.service"));
    let line = "generate systemd --name demo.service --restart-policy always web";
    let one = shed.cowshed(line).ok();
    let stop = format!("ExecStop={program} --root {root} stop web\n");
    assert!(
        one.contains(&stop) && one.contains("\nRestart=always\n"),
        "{one}"
    );
    assert!(one.contains("/etc/systemd/system/demo.service\n"));
    verify(&one, &shed.path("demo.service"));
    // A path that needs quoting is read back as it is.
    let odd = shed.path("한국 $HOME %n");
    let mut command = shed.command("generate systemd");
    command.env("COWSHED_ROOT", &odd);
    verify(&finish(command).ok(), &shed.path("odd.service"));
    shed.cowshed("generate systemd nobody")
        .fails(1, "No such container: nobody");
    shed.cowshed("generate systemd --name ../x")
        .fails(1, "invalid unit name");
    shed.cowshed("generate systemd --restart-policy always")
        .fails(125, "CONTAINER");
    shed.cowshed("rm web").ok();
    shed.assert_no_containers();
}

fn number_after(text: &str, label: &str) -> i32 {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap().trim().parse().unwrap()
}

/// Who keeps a container that runs.
fn supervisor_of(shed: &Shed, name: &str) -> i32 {
    let status = read(format!("/proc/{}/status", shed.pid_of(name)));
    number_after(&status, "PPid:")
}

fn is_gone(pid: i32) -> bool {
    !Path::new(&format!("/proc/{pid}/cmdline")).exists()
        || read(format!("/proc/{pid}/cmdline")).is_empty()
}

/// Power is cut: supervisor and program die, and what they wrote is of another boot.
fn cut_power(shed: &Shed, name: &str) {
    let pids = [supervisor_of(shed, name), shed.pid_of(name)];
    for pid in pids {
        assert!(pid > 1);
        kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
    wait_until("both are gone", || pids.into_iter().all(is_gone));
    let path = shed.store().join("containers").join(shed.id_of(name));
    let path = path.join("state.json");
    let mut state: serde_json::Value = serde_json::from_str(&read(&path)).unwrap();
    state["identity"][0] = "00000000-0000-0000-0000-000000000000".into();
    write_text(&path, &state.to_string());
}

#[test]
#[ignore = "needs root"]
fn root_after_a_boot_exactly_those_come_back_that_shall() {
    let shed = Shed::new();
    let sleeps = "base sleep 987";
    for policy in ["no", "always", "unless-stopped", "on-failure"] {
        shed.cowshed(&format!(
            "run -d --name {policy} --restart {policy} {sleeps}"
        ))
        .ok();
    }
    for policy in ["always", "unless-stopped"] {
        for how in ["stopped", "dismissed"] {
            let line = format!(
                "run -d --name {policy}-{how} --restart {policy} --stop-signal KILL {sleeps}"
            );
            shed.cowshed(&line).ok();
        }
        shed.cowshed(&format!("stop -t 0 {policy}-stopped")).ok();
        // What systemd sends when its unit is stopped.
        let name = format!("{policy}-dismissed");
        let supervisor = supervisor_of(&shed, &name);
        kill(Pid::from_raw(supervisor), Signal::SIGTERM).unwrap();
        wait_until("it has ended", || is_gone(supervisor));
    }
    shed.cowshed("run --name good --restart on-failure base true")
        .ok();
    shed.cowshed("create --name never --restart always base true")
        .ok();
    for name in ["no", "always", "unless-stopped", "on-failure"] {
        cut_power(&shed, name);
    }
    assert_eq!(shed.cowshed("ps -q").ok(), "");
    let started = shed.cowshed("start --restarting").ok();
    let mut running: Vec<_> = started.lines().map(|id| shed.inspect(id)).collect();
    running.retain(|one| one["State"]["Running"] == true);
    let mut names: Vec<_> = running
        .iter()
        .map(|one| one["Name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    let wanted = [
        "/always",
        "/always-dismissed",
        "/always-stopped",
        "/on-failure",
        "/unless-stopped",
        "/unless-stopped-dismissed",
    ];
    assert_eq!(names, wanted);
    assert_eq!(started.lines().count(), wanted.len(), "{started}");
    assert_eq!(shed.cowshed("start --restarting").ok(), "");
    let all = shed.cowshed("ps -aq").ok().replace('\n', " ");
    shed.cowshed(&format!("rm -f {all}")).ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_flags_that_scripts_pass_are_accepted() {
    let shed = Shed::new();
    let file = shed.file("labels", "# comment\n\na=file\nb=file\nbare\n");
    let flags = format!(
        "--pull never -q --expose 80/tcp --disable-content-trust --no-healthcheck --label-file {file} \
         -l b=flag"
    );
    shed.cowshed(&format!("create --name box {flags} base true"))
        .ok();
    let labels = &shed.inspect("box")["Config"]["Labels"];
    let wanted = serde_json::json!({"a": "file", "b": "flag", "bare": ""});
    assert_eq!(labels, &wanted);
    for (flags, message) in [
        ("--pull sometimes", "sometimes"),
        ("--expose http", "invalid range format for --expose: http"),
        ("--label-file nowhere", "nowhere"),
    ] {
        let line = format!("run --rm {flags} base true");
        shed.cowshed(&line).fails(125, message);
    }
    shed.cowshed("rm box").ok();
    shed.assert_no_containers();
}
