//! A crowd: many processes do anything at all with one store at the same moment.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    crowd_conflicts::conflict,
    crowd_lines::{Place, line},
    cuts_story::make_archives,
    dice::{Dice, say, seed},
    leftovers::assert_nothing_left,
    support::Shed,
};

/// Longer than this no command may take, however many there are; it is stuck.
const STUCK: Duration = Duration::from_secs(90);

/// Worth to be told of.
const SLOW: Duration = Duration::from_secs(5);

/// What a crowd has done.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    /// How often each conflict was told.
    conflicts: BTreeMap<&'static str, usize>,
    /// The longest of each verb.
    longest: BTreeMap<String, Duration>,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, line: &str, took: Duration, ended: Result<(), Ended>) {
        self.done += 1;
        let verb = line.split(' ').take_while(|word| !word.starts_with('-'));
        let verb: Vec<_> = verb.take(2).collect();
        let verb = match verb[0] {
            "volume" | "system" | "image" | "container" => verb.join(" "),
            alone => alone.to_owned(),
        };
        let longest = self.longest.entry(verb).or_default();
        *longest = took.max(*longest);
        if took > SLOW {
            say(&format!("{took:?}: {line}: {ended:?}"));
        }
        let Err(ended) = ended else { return };
        match conflict(line, ended.code, &ended.said) {
            Some(known) => *self.conflicts.entry(known).or_default() += 1,
            None => self.wrong.push(format!("{line}\n    {ended:?}")),
        }
    }
}

/// A command that has not succeeded.
#[derive(Debug)]
struct Ended {
    code: i32,
    said: String,
}

/// Runs a command to its end, or kills it when it is stuck.
fn run(shed: &Shed, line: &str) -> (Duration, Result<(), Ended>) {
    let mut command = shed.command(line);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    if line == "system check" {
        // What it finds is on its standard output.
        command = shed.command(line);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "exec \"$@\" >&2", "sh"]);
        shell.arg(command.get_program()).arg("system").arg("check");
        shell.env("COWSHED_ROOT", shed.store());
        command = shell;
        command.stdin(Stdio::null()).stderr(Stdio::piped());
    }
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let stuck = AtomicBool::new(false);
    let mut said = String::new();
    std::thread::scope(|scope| {
        let (ended, until) = std::sync::mpsc::channel::<()>();
        let (pid, stuck) = (child.id(), &stuck);
        scope.spawn(move || {
            if until.recv_timeout(STUCK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                stuck.store(true, Ordering::Relaxed);
                say(&format!("stuck: {}", describe(pid)));
                kill(pid);
            }
        });
        // It ends with the command: what stays in the background has another one.
        std::io::Read::read_to_string(&mut errors, &mut said).ok();
        wait(&mut child);
        drop(ended);
    });
    let took = began.elapsed();
    let status = child.wait().unwrap();
    if stuck.into_inner() {
        said.push_str("\nit was stuck");
    }
    if status.success() {
        return (took, Ok(()));
    }
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    (took, Err(Ended { code, said }))
}

fn wait(child: &mut Child) {
    child.wait().unwrap();
}

fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).ok();
}

/// Where a process hangs.
fn describe(pid: u32) -> String {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let words = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
    let text = |name| String::from_utf8_lossy(&read(name)).into_owned();
    let (wchan, call) = (text("wchan"), text("syscall"));
    let number = call.split_whitespace().nth(1).unwrap_or_default();
    let file = number.trim_start_matches("0x");
    let file = u32::from_str_radix(file, 16).unwrap_or_default();
    let link = std::fs::read_link(format!("/proc/{pid}/fd/{file}"));
    format!("{words}: {wchan} in {call} of {link:?}\n{}", text("stack"))
}

/// So many processes for so long.
fn crowd(shed: &Shed, dice: &mut Dice, processes: usize, time: Duration) -> Tally {
    let tally = Mutex::new(Tally::default());
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        for number in 0..processes {
            let (mut dice, tally) = (dice.fork(), &tally);
            scope.spawn(move || {
                let place = Place {
                    shed,
                    worker: number,
                };
                while Instant::now() < end && tally.lock().unwrap().wrong.len() < 20 {
                    let line = line(&mut dice, &place);
                    let (took, ended) = run(shed, &line);
                    tally.lock().unwrap().take(&line, took, ended);
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_a_crowd_does_anything_and_nothing_breaks() {
    let (long, start) = seed("crowd");
    let seconds = std::env::var("COWSHED_CROWD_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().unwrap());
    let (processes, seconds) = if long {
        (64, seconds.unwrap_or(600))
    } else {
        (8, seconds.unwrap_or(10))
    };
    let mut shed = Shed::new();
    make_archives(&shed);
    for worker in 0..processes {
        let dir = shed.dir("files");
        shed.cowshed("volume create v1").ok();
        let line = format!("volume backup -q -o {dir}/backup-{worker}.tar v1");
        shed.cowshed(&line).ok();
    }
    let tally = crowd(
        &shed,
        &mut Dice::new(start),
        processes,
        Duration::from_secs(seconds),
    );
    let Tally {
        done,
        conflicts,
        longest,
        wrong,
    } = tally;
    say(&format!(
        "{processes} processes, {seconds} s, {done} commands; {conflicts:?}; {longest:?}"
    ));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(done > processes, "nothing was done");
    assert_nothing_left(&mut shed);
}
