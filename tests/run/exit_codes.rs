//! Exit codes and signals (rules 60-65), and a command line that dies.

use std::os::unix::process::ExitStatusExt as _;

use nix::sys::signal::Signal;

use crate::support::{Shed, Tar, processes_of, wait_until};

#[test]
#[ignore = "needs root"]
fn root_rule_60_the_program_s_own_code_125_126_and_127() {
    let shed = Shed::new();
    for code in [0, 1, 42, 125, 255] {
        assert_eq!(shed.try_sh("", &format!("exit {code}")).code, code);
    }
    shed.cowshed("run --rm --nosuchflag base true")
        .fails(125, "nosuchflag");
    shed.cowshed("run --rm --pull never nosuchimage true")
        .fails(125, "nosuchimage");
    shed.cowshed("run --rm -v /x:y base true")
        .fails(125, "must be absolute");
    shed.cowshed("run --rm -w relative base true").fails(
        125,
        "the working directory 'relative' is invalid, it needs to be an absolute path",
    );
    shed.cowshed("run --rm -u nobody2 base true").fails(
        125,
        "unable to find user nobody2: no matching entries in passwd file",
    );
    shed.cowshed("run --rm base")
        .fails(125, "No command specified");
    for program in ["/plain", "/etc/passwd", "/etc"] {
        shed.cowshed(&format!("run --rm base {program}"))
            .fails(126, program);
    }
    shed.cowshed("run --rm base nosuchprogram").fails(
        127,
        "exec: \"nosuchprogram\": executable file not found in $PATH",
    );
    shed.cowshed("run --rm base /no/such/program")
        .fails(127, "exec: \"/no/such/program\": no such file or directory");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_60_a_missing_interpreter_is_not_found() {
    let shed = Shed::new();
    let layer = Tar::new()
        .file("script", 0o755, b"#!/no/such/interpreter\n")
        .file("good", 0o755, b"#!/bin/sh\necho \"$0 $1\"\n")
        .file("garbage", 0o755, b"\x7fELFgarbage");
    shed.image("odd", layer, &[]);
    assert_eq!(shed.cowshed("run --rm odd /good x").ok(), "/good x\n");
    shed.cowshed("run --rm odd /script").fails(127, "/script");
    shed.cowshed("run --rm odd /garbage").fails(126, "/garbage");
}

#[test]
#[ignore = "needs root"]
fn root_rule_62_process_1_ignores_signals_that_it_does_not_handle() {
    let shed = Shed::new();
    assert_eq!(
        shed.sh("", "kill -TERM $$; kill -9 $$; echo alive"),
        "alive\n"
    );
    assert_eq!(shed.try_sh("", "sh -c 'kill -TERM $$'; exit $?").code, 143);
    assert_eq!(shed.try_sh("", "sh -c 'kill -9 $$'; exit $?").code, 137);
    let mut live = shed.start("run --rm --name live base sh -c 'echo ready; sleep 100; true'");
    live.signal(Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(live.child.try_wait().unwrap().is_none());
    assert_eq!(shed.cowshed("ps --format json").ok().lines().count(), 1);
    shed.cowshed("rm -f live").ok();
    assert_eq!(live.wait().1, Some(137));
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_62_with_init_a_signal_ends_it() {
    let shed = Shed::new();
    let mut live = shed.start("run --rm --init base sh -c 'echo ready; exec sleep 100'");
    live.signal(Signal::SIGTERM);
    assert_eq!(live.wait().1, Some(143));
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_what_the_caller_ignores_the_program_does_not() {
    let shed = Shed::new();
    let mut command = std::process::Command::new("sh");
    let script = "trap '' HUP INT QUIT TERM; exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_cowshed"), "--root"]);
    command.arg(shed.store()).args(["run", "--rm", "base"]);
    command.args(["grep", "SigIgn", "/proc/self/status"]);
    let ignored = crate::support::finish(command).ok();
    let ignored = ignored.trim().rsplit('\t').next().unwrap();
    // Without the real-time signals, of which libraries keep two to themselves.
    let ordinary = u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff;
    assert_eq!(ordinary, 0, "{ignored}");
}

#[test]
#[ignore = "needs root"]
fn root_signals_to_the_command_reach_the_program() {
    let shed = Shed::new();
    for (signal, name) in [
        (Signal::SIGTERM, "TERM"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGQUIT, "QUIT"),
    ] {
        let script = format!(
            "trap \"echo got {name}; exit 7\" {name}; echo ready; while true; do sleep 0.01; done"
        );
        let mut live = shed.start(&format!("run --rm base sh -c '{script}'"));
        live.signal(signal);
        assert_eq!(live.wait(), (format!("got {name}\n"), Some(7)));
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_command_takes_its_container_along_and_leaves_the_truth() {
    let shed = Shed::new();
    for flags in ["", "--init", "-u app"] {
        let command =
            format!("run --name box -v vol:/v {flags} base sh -c 'echo ready; sleep 1000'");
        let mut live = shed.start(&command);
        let (id, pid) = (shed.id_of("box"), shed.pid_of("box"));
        assert_eq!(shed.inspect("box")["State"]["Status"], "running");
        live.signal(Signal::SIGKILL);
        assert_eq!(live.child.wait().unwrap().signal(), Some(9));
        wait_until("the container is gone", || {
            !std::path::Path::new(&format!("/proc/{pid}")).exists()
                && processes_of(&shed.store(), &id).is_empty()
        });
        let state = &shed.inspect("box")["State"];
        assert_eq!(
            (&state["Status"], &state["Running"], &state["Pid"]),
            (&"exited".into(), &false.into(), &0.into())
        );
        assert_eq!(state["ExitCode"], 137);
        assert_eq!(shed.cowshed("ps -q").ok(), "");
        let listed = shed.cowshed("ps -a").ok();
        assert!(listed.contains("Exited (137)"), "{listed}");
        shed.cowshed("volume rm vol").fails(1, "volume is in use");
        shed.cowshed("rm box").ok();
        shed.cowshed("volume rm vol").ok();
        shed.assert_no_containers();
    }
}

#[test]
#[ignore = "needs root"]
fn root_rule_63_a_bad_command_stays_created_with_its_code() {
    let shed = Shed::new();
    shed.cowshed("run --name bad base nosuchprogram")
        .fails(127, "");
    let state = &shed.inspect("bad")["State"];
    assert_eq!(
        (&state["Status"], &state["ExitCode"]),
        (&"created".into(), &127.into())
    );
    assert!(
        state["Error"].as_str().unwrap().contains("nosuchprogram"),
        "{state}"
    );
    assert!(shed.cowshed("ps -a").ok().contains("Created"));
    shed.cowshed("rm bad").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_64_other_commands_fail_with_1_and_bad_flags_with_125() {
    let shed = Shed::empty();
    for line in [
        "rm nobody",
        "inspect nobody",
        "volume rm nobody",
        "rmi nobody",
        "diff nobody",
    ] {
        shed.cowshed(line).fails(1, "nobody");
    }
    for line in [
        "ps --nosuchflag",
        "volume ls --nosuchflag",
        "volume rm",
        "nosuchcommand",
    ] {
        assert_eq!(shed.cowshed(line).code, 125, "{line}");
    }
    for line in ["volume", "image", "container", "--help", "run --help"] {
        let done = shed.cowshed(line);
        assert!(
            done.code == 0 && done.out.contains("Usage:"),
            "{line}: {done:?}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_rule_61_a_volume_whose_device_is_missing_exits_127() {
    let shed = Shed::new();
    let device = shed.show("gone");
    let options = format!("-o type=none -o o=bind -o device={device}");
    shed.cowshed(&format!("volume create --no-check {options} vol"))
        .ok();
    let done = shed.cowshed("run --rm -v vol:/x base true");
    done.fails(127, "no such file or directory");
    // It is its cause that counts, not what was to be run.
    shed.cowshed("run --rm -v vol:/x base /etc")
        .fails(127, "no such file or directory");
    shed.dir("gone");
    shed.cowshed("run --rm -v vol:/x base true").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_65_an_interrupted_command_ends_with_128_and_the_signal() {
    use std::process::Stdio;
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    shed.cowshed("run -d --name box base sleep 1000").ok();
    // Each waits for something: for its end, for its standard input.
    for line in [
        "wait box",
        "events",
        "logs -f box",
        "cp - box:/",
        "volume cp - data:/",
        "volume import data -",
        "volume restore - new",
        "load",
    ] {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut command = shed.command(line);
            command.stdin(Stdio::piped());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut command = command.spawn().unwrap();
            let pid = command.id();
            // Asleep, and not at its beginning: it has the store open.
            wait_until("it waits", || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
                let store =
                    std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|open| open.count() > 6);
                store && stat.is_ok_and(|stat| stat.contains(") S "))
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
            nix::sys::signal::kill(pid, signal).unwrap();
            let mut ended = None;
            for _ in 0..1000 {
                ended = command.try_wait().unwrap();
                if ended.is_some() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            // Where the test itself ignores the signal, so does the command.
            let status = ended.unwrap_or_else(|| panic!("{line} goes on after {signal}"));
            // As a shell tells it.
            let code = status.code().or(status.signal().map(|signal| 128 + signal));
            assert_eq!(code, Some(128 + signal as i32), "{line}: {status:?}");
        }
    }
    shed.cowshed("rm -f box").ok();
    // What a killed load left is swept up.
    shed.cowshed("volume trash ls").ok();
}
