//! Ctrl-C at any moment: an error exit, and a store that is as if nothing had been begun, or all done.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    strace::has_strace,
    support::{Shed, Tar, tree, write_file},
};

/// Sends a signal at the given call of this name; whether it came that far, and how it ended.
fn interrupt(shed: &Shed, line: &str, call: &str, number: usize) -> Option<(i32, String)> {
    let log = shed.path("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    command.args(["-e", &format!("trace={call}"), "-e", "signal=none", "-e"]);
    command.arg(format!("inject={call}:signal=SIGINT:when={number}"));
    command.arg(env!("CARGO_BIN_EXE_cowshed"));
    command.args(line.split(' ')).stdin(Stdio::null());
    command.env("COWSHED_ROOT", shed.store());
    command.current_dir(shed.path(""));
    let done = command.output().unwrap();
    let text = fs::read_to_string(&log).unwrap();
    let came = text
        .lines()
        .filter(|line| line.contains("INJECTED"))
        .count()
        > 0
        || text.lines().filter(|line| line.contains(call)).count() >= number;
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    came.then(|| (done.status.code().unwrap_or(-1), err))
}

/// Nothing is on its way, and nothing is without an owner.
#[track_caller]
fn assert_clean(shed: &Shed, what: &str) {
    assert_eq!(tree(&shed.store().join("tmp")), "", "{what}");
    let trash = tree(&shed.store().join("trash"));
    let left = trash.lines().filter(|line| !line.contains("volumes"));
    assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{what}");
    let rows = shed.cowshed("system df --all --format '{{.Type}} {{.Inodes}}'");
    let rows = rows.ok();
    assert!(rows.contains("Orphans 0\n"), "{what}: {rows}");
    let outputs = fs::read_dir(shed.path("")).unwrap();
    let names = outputs.map(|entry| entry.unwrap().file_name().display().to_string());
    let fresh: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    assert_eq!(fresh, [""; 0], "{what}");
}

/// Interrupts a command at some of its calls; `again` brings the store back to where it can be done.
fn sweep(shed: &Shed, line: &str, again: impl Fn(&Shed)) -> usize {
    let mut points = 0;
    for call in [
        "renameat,renameat2",
        "openat",
        "mkdirat",
        "unlinkat",
        "syncfs,fsync,fdatasync",
        "write",
    ] {
        let first = call.split(',').next().unwrap();
        let (mut number, mut born) = (1, false);
        loop {
            again(shed);
            let Some((code, err)) = interrupt(shed, line, first, number) else {
                break;
            };
            let what = format!("{line} at {first} {number}: {err}");
            // What came too late, or while the last word was said, is done.
            // Before it reads its command line a signal ends it as any program.
            let unborn = code == -1 && !born;
            assert!(code == 130 || code == 0 || unborn, "{code}: {what}");
            if code == 130 {
                (points, born) = (points + 1, true);
            }
            assert_clean(shed, &what);
            number += 1 + number / 2;
        }
    }
    points
}

fn some_image(shed: &Shed) {
    let more = Tar::new()
        .dir("many", 0o755)
        .file("many/파일", 0o644, &vec![7; 200_000])
        .file("many/small", 0o644, b"x");
    shed.image("two", more, &[]);
}

#[test]
#[ignore = "needs root"]
fn root_rule_65_load_and_commit_interrupted_at_any_call_leave_nothing() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    some_image(&shed);
    shed.cowshed("save -o two.tar two").ok();
    shed.cowshed("run --name box base sh -c 'echo x >/f'").ok();
    let points = sweep(&shed, "load -i two.tar", |shed| {
        shed.cowshed("rmi two");
    });
    assert!(points > 15, "{points}");
    shed.cowshed("load -i two.tar").ok();
    shed.cowshed("image verify two").ok();
    let points = sweep(&shed, "commit box image", |shed| {
        shed.cowshed("rmi image");
    });
    assert!(points > 15, "{points}");
    shed.cowshed("commit box image").ok();
    shed.cowshed("rm box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_rule_65_backup_and_restore_interrupted_at_any_call_leave_nothing() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    for number in 0..20 {
        write_file(
            &shed.data("data").join(format!("파일-{number}")),
            &vec![1; 30_000],
        );
    }
    shed.cowshed("volume backup -o kept.tar data").ok();
    let points = sweep(&shed, "volume backup -o data.tar data", |shed| {
        fs::remove_file(shed.path("data.tar")).ok();
    });
    // Most signals come between two looks for one, and find it done.
    assert!(points > 3, "{points}");
    let points = sweep(&shed, "volume restore kept.tar copy", |shed| {
        shed.cowshed("volume rm -f copy");
    });
    assert!(points > 3, "{points}");
    shed.cowshed("volume rm -f copy data").ok();
}

#[test]
#[ignore = "needs root"]
fn root_rule_65_prune_and_rmi_interrupted_at_any_call_leave_nothing() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    let again = |shed: &Shed| {
        if shed.cowshed("images -q two").ok().is_empty() {
            some_image(shed);
        }
        shed.cowshed("create --name one -v /anon base true");
        shed.cowshed("volume create named").ok();
    };
    let points = sweep(&shed, "system prune -f -a --volumes", |shed| {
        if shed.cowshed("images -q base").ok().is_empty() {
            shed.cowshed("import --sync=none base.tar base").ok();
        }
        again(shed);
    });
    assert!(points > 10, "{points}");
    let points = sweep(&shed, "rmi two", |shed| {
        if shed.cowshed("images -q base").ok().is_empty() {
            shed.cowshed("import --sync=none base.tar base").ok();
        }
        again(shed);
    });
    assert!(points > 5, "{points}");
    shed.cowshed("rm one").ok();
    shed.cowshed("volume rm named").ok();
    shed.cowshed("volume prune -af").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_signal_to_a_load_that_waits_ends_it_at_once() {
    let shed = Shed::new();
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
    ] {
        let mut command = shed.command("load");
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().unwrap();
        crate::support::wait_until("it reads", || !tree(&shed.store().join("tmp")).is_empty());
        let begin = Instant::now();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let stdin = child.stdin.take();
        let done = child.wait_with_output().unwrap();
        drop(stdin);
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!(done.status.code(), Some(code));
        let err = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(err.contains(&format!("interrupted by {signal}")), "{err}");
        assert_clean(&shed, "load");
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_second_signal_does_not_keep_the_first_from_tidying_up() {
    let shed = Shed::new();
    for pause in [0, 1, 2, 3, 5, 8, 13] {
        let mut command = shed.command("load");
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn().unwrap();
        crate::support::wait_until("it reads", || !tree(&shed.store().join("tmp")).is_empty());
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, Signal::SIGINT).unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        kill(pid, Signal::SIGINT).unwrap();
        let stdin = child.stdin.take();
        let done = child.wait_with_output().unwrap();
        drop(stdin);
        assert_eq!(done.status.code(), Some(130), "{pause} ms");
        assert_clean(&shed, "load");
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_run_that_is_interrupted_before_its_start_leaves_no_volume() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    let mut before_start = 0;
    for call in ["mkdirat", "renameat2", "renameat", "openat"] {
        for number in [1, 2, 3, 4, 5, 6, 8, 11, 15, 20, 26, 33, 41, 50] {
            let line = "run --rm -v /anon base true";
            let Some((code, err)) = interrupt(&shed, line, call, number) else {
                break;
            };
            before_start += usize::from(err.contains("start container: stopped"));
            let what = format!("{call} {number}: {code}: {err}");
            let left = shed.cowshed("volume ls -q").ok() + &shed.cowshed("ps -aq").ok();
            assert_eq!(left, "", "{what}");
        }
    }
    assert!(before_start > 0);
}

#[test]
#[ignore = "needs root"]
fn root_what_takes_longer_than_a_second_says_so_on_a_terminal_and_nowhere_else() {
    let shed = Shed::new();
    shed.cowshed("save -o base.saved base").ok();
    let archive = fs::read(shed.path("base.saved")).unwrap();
    let slow_load = |command: &mut Command| {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (head, tail) = archive.split_at(100_000);
        stdin.write_all(head).unwrap();
        std::thread::sleep(Duration::from_millis(1900));
        stdin.write_all(tail).unwrap();
        drop(stdin);
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        assert!(String::from_utf8_lossy(&done.stdout).contains("Loaded image: base"));
        done.stderr
    };
    let said = slow_load(shed.command("load").stderr(Stdio::piped()));
    assert_eq!(String::from_utf8_lossy(&said), "");
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = shed.command("load");
    command.stderr(Stdio::from(terminal.slave));
    slow_load(&mut command);
    drop(command);
    let mut said = Vec::new();
    // The end of a terminal is an error (EIO).
    fs::File::from(terminal.master).read_to_end(&mut said).ok();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("load: 1 s, read "), "{said:?}");
    // And the line is taken away.
    assert!(said.ends_with("\r\u{1b}[2K"), "{said:?}");
}
