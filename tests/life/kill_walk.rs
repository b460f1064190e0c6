//! `kill -9` of the command, of the supervisor and of both at every call that changes something; of
//! all three at once while they run something new: `tests/store/kill_sweep.rs`.
//!
//! strace(1) sends the signal when a call begins, so every point is hit, and each only once.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use crate::{
    strace::{self, has_strace},
    support::{Shed, finish, read, wait_until},
    traces::{assert_removable, assert_truthful, kill, torture},
};

/// Calls that change something outside the process, or that another process sees.
const CHANGING: &str = "mkdirat,renameat,renameat2,unlinkat,symlinkat,linkat,mknodat,flock,clone3,\
    socketpair,bind,listen,connect,accept4,sendmsg,sendto,recvmsg,write,pwrite64,fsync,fdatasync,\
    syncfs,ftruncate,setsid,pidfd_send_signal,pidfd_open,setns,fsopen,fsmount,move_mount,open_tree,\
    waitid,shutdown,umount2";

/// Which processes strace looks after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    Command,
    /// Each at its own call of this number.
    Everybody,
}

/// A call, and the how manieth of its name in its process.
pub(crate) type Point = (String, usize);

pub(crate) fn inject((call, number): &Point) -> [String; 6] {
    strace::inject(CHANGING, call, *number)
}

pub(crate) fn record(to: &Path) -> [String; 5] {
    let calls = format!("trace={CHANGING}");
    let to = to.display().to_string();
    [
        "-qq".to_owned(),
        "-o".to_owned(),
        to,
        "-e".to_owned(),
        calls,
    ]
}

/// Of a short run, where there are so many.
const LEAST: usize = 10;

/// Every call of a recording; in the short run every so manieth.
pub(crate) fn points_of(recording: &Path, stride: usize) -> Vec<Point> {
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for line in read(recording).lines() {
        let process: String = line.chars().take_while(char::is_ascii_digit).collect();
        let call = line[process.len()..].trim_start();
        if let Some((name, _)) = call.split_once('(')
            && CHANGING.contains(name)
        {
            *counts.entry((name.to_owned(), process)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::<String, usize>::new();
    for ((name, _), count) in counts {
        let most = most.entry(name).or_default();
        *most = count.max(*most);
    }
    let all = most
        .into_iter()
        .flat_map(|(name, count)| (1..=count).map(move |number| (name.clone(), number)));
    let all: Vec<_> = all.collect();
    // So few that one which is not met counts for much say nothing.
    let stride = stride.min(all.len() / LEAST).max(1);
    let stride = if torture().is_some() { 1 } else { stride };
    all.into_iter().step_by(stride).collect()
}

/// `line` below strace.
pub(crate) fn traced(shed: &Shed, line: &str, whom: Whom, arguments: &[String]) -> ExitStatus {
    let all = (whom == Whom::Everybody).then(|| "-f".to_owned());
    strace::traced(shed, line, arguments.iter().cloned().chain(all))
}

/// Prepares with `before`, kills `line` at every call; the number of points.
fn walk(shed: &Shed, before: &[&str], line: &str, (whom, stride): (Whom, usize)) -> usize {
    let prepare = || {
        for line in before {
            shed.cowshed(line).ok();
        }
    };
    prepare();
    let recording = shed.path("calls");
    let status = traced(shed, line, whom, &record(&recording));
    assert!(status.success(), "{line}: {status}");
    assert_removable(shed, line);
    let points = points_of(&recording, stride);
    let mut killed = 0;
    for point in &points {
        prepare();
        let status = traced(shed, line, whom, &inject(point));
        killed += usize::from(status.signal() == Some(9));
        let what = format!("call {point:?} of {line}");
        assert_truthful(shed, &what);
        assert_removable(shed, &what);
    }
    crate::traces::say(&format!("{} points: {line}", points.len()));
    if whom == Whom::Command {
        // A call more or less, as locks are free or not.
        assert!(killed * 10 >= points.len() * 8, "{killed} of {points:?}");
    }
    points.len()
}

const UP: &str = "run -d --name box base sleep 1000";

#[test]
#[ignore = "needs root"]
fn root_the_command_killed_at_any_call() {
    if !has_strace() {
        return;
    }
    let mut shed = Shed::new();
    shed.strict = false;
    let sequences: [(&[&str], &str); 13] = [
        (&[], "create --name box -v /anon base true"),
        (&["create --name box base sleep 1000"], "start box"),
        (&[UP], "exec box true"),
        (&[UP], "exec -d box sleep 1000"),
        (&[UP], "pause box"),
        (&[UP, "pause box"], "unpause box"),
        (&[UP], "stop -t 0 box"),
        (&[UP], "kill box"),
        (&[UP], "restart -t 0 box"),
        (&[UP], "rename box other"),
        (&[UP], "rm -f box"),
        (
            &["volume prune -f"],
            "run --rm --name box -v /anon -v vol:/vol base true",
        ),
        (&[], "run -d --name box base sleep 1000"),
    ];
    let points = sequences
        .iter()
        .map(|(before, line)| walk(&shed, before, line, (Whom::Command, 5)));
    let points: usize = points.sum();
    crate::traces::say(&format!("the command was killed at {points} points"));
    assert!(points >= 20, "{points}");
}

#[test]
#[ignore = "needs root"]
fn root_command_supervisor_and_first_process_killed_at_any_call() {
    if !has_strace() {
        return;
    }
    let mut shed = Shed::new();
    shed.strict = false;
    let sequences: [(&[&str], &str); 3] = [
        (&["create --name box base sleep 0.2"], "start box"),
        // It has a supervisor of its own.
        (&[UP], "exec box true"),
        (&[UP], "exec -d box sleep 0.2"),
    ];
    let points = sequences
        .iter()
        .map(|(before, line)| walk(&shed, before, line, (Whom::Everybody, 6)));
    let points: usize = points.sum();
    crate::traces::say(&format!("each was killed at {points} points"));
    assert!(points >= 8, "{points}");
}

fn supervisor_of_box(shed: &Shed) -> Option<i32> {
    let pid = shed.inspect("box")["State"]["Pid"].as_i64()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
    parent.parse().ok().filter(|parent| *parent > 1)
}

/// Traces the supervisor of `box`, and it alone, while it does what `line` asks.
fn with_traced_supervisor(shed: &Shed, line: &str, arguments: &[String]) {
    // A program that ends by itself may be between two runs, or at its end.
    let Some(supervisor) = (0..200).find_map(|_| supervisor_of_box(shed)) else {
        return;
    };
    let mut tracer = Command::new("strace");
    tracer.args(arguments).args(["-p", &supervisor.to_string()]);
    tracer.stdout(Stdio::null()).stderr(Stdio::null());
    let mut tracer = tracer.spawn().unwrap();
    wait_until("the supervisor is traced", || {
        let status = std::fs::read_to_string(format!("/proc/{supervisor}/status"));
        // A container that comes and goes by itself may be quicker.
        status.map_or(true, |text| !text.contains("TracerPid:\t0\n"))
    });
    // It may fail: the one that it asks is killed.
    finish(shed.command(line));
    if shed.cowshed("ps -q").ok().is_empty() {
        tracer.wait().unwrap();
        return;
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(tracer.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).ok();
    tracer.wait().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_the_supervisor_killed_at_any_call() {
    if !has_strace() {
        return;
    }
    let mut shed = Shed::new();
    shed.strict = false;
    let mut all = 0;
    for (up, line) in [
        (UP, "restart -t 0 box"),
        (UP, "stop -t 0 box"),
        (UP, "rm -f box"),
        (UP, "exec box true"),
        (
            "run -d --rm --name box -v /anon base sleep 1000",
            "kill box",
        ),
        (
            "run -d --restart on-failure:2 --name box base sh -c 'sleep 0.2; exit 3'",
            "wait box",
        ),
    ] {
        shed.cowshed(up).ok();
        let recording = shed.path("calls");
        with_traced_supervisor(&shed, line, &record(&recording));
        assert_removable(&shed, line);
        let points = points_of(&recording, 4);
        for point in &points {
            shed.cowshed(up).ok();
            with_traced_supervisor(&shed, line, &inject(point));
            let what = format!("call {point:?} of the supervisor in {line}");
            assert_truthful(&shed, &what);
            assert_removable(&shed, &what);
        }
        crate::traces::say(&format!("{} points: supervisor in {line}", points.len()));
        all += points.len();
    }
    crate::traces::say(&format!("the supervisor was killed at {all} points"));
    assert!(all >= 20, "{all}");
}

#[test]
#[ignore = "needs root"]
fn root_the_first_process_killed_from_the_host() {
    let shed = Shed::new();
    for line in [UP, "run -d --rm --name box base sleep 1000"] {
        shed.cowshed(line).ok();
        kill(shed.pid_of("box"));
        wait_until("it has ended", || {
            let code = shed.cowshed("inspect -f '{{.State.Status}} {{.State.ExitCode}}' box");
            code.code != 0 || code.out == "exited 137\n"
        });
        assert_removable(&shed, line);
    }
}

/// What strace(1) cannot say: between two calls. The command's children are killed, too.
#[test]
#[ignore = "needs root"]
fn root_command_and_supervisor_killed_after_any_delay() {
    let mut shed = Shed::new();
    shed.strict = false;
    let (mut random, count) = match torture() {
        Some(number) => (number, 300),
        None => (1, 20),
    };
    for number in 0..count {
        // Knuth's multiplier (MMIX).
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let delay = std::time::Duration::from_micros((random >> 33) % 25_000);
        let line = "run -d --name box -v /anon base sleep 1000";
        let mut command = shed.command(line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut command = command.spawn().unwrap();
        std::thread::sleep(delay);
        let pid = command.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        if number % 2 == 0 {
            command.kill().unwrap();
        }
        for supervisor in children.split_whitespace() {
            kill(supervisor.parse().unwrap());
        }
        command.wait().unwrap();
        let what = format!("{delay:?} of {line}, number {number}");
        assert_truthful(&shed, &what);
        assert_removable(&shed, &what);
    }
}
