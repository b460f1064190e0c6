//! `cowshed top`: a container's processes, looked at from outside; nothing of the container is run.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::Args;
use cowshed::{
    container::Engine,
    ident::Timestamp,
    sys::process_table::{self, ProcessStatus},
};

use super::top_ps;
use crate::cli::{
    output,
    report::{Exit, Outcome},
    text::printable,
};

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Name or id
    container: String,
    /// What ps(1) of the host is called with; -ef where nothing is given
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ps OPTIONS"
    )]
    options: Vec<String>,
}

/// A header and rows.
pub(crate) type Table = (Vec<String>, Vec<Vec<String>>);

pub(crate) fn run(engine: &Engine, args: &TopArgs) -> Outcome {
    top_ps::check(&args.options)?;
    let container = engine.container(&args.container)?;
    let pids = engine.processes(&container)?;
    let (header, rows) = if args.options.is_empty() || args.options == ["-ef"] {
        full(&pids)
    } else {
        top_ps::table(&args.options, &pids)?
    };
    let cell = |cell: &String| printable(cell).replace(['\t', '\n'], " ");
    let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join("\t") + "\n";
    let text: String = std::iter::once(&header).chain(&rows).map(line).collect();
    output::raw(&output::tabulate_from(20, &text)).map_err(Exit::from)?;
    Ok(ExitCode::SUCCESS)
}

/// What `ps -ef` shows of these processes.
fn full(pids: &[i32]) -> Table {
    let header = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
    let header = header.map(str::to_owned).to_vec();
    let users = users(&std::fs::read("/etc/passwd").unwrap_or_default());
    let now = Now {
        time: Timestamp::now(),
        uptime: process_table::uptime(),
    };
    let found = pids.iter().filter_map(|pid| ProcessStatus::of(*pid));
    (header, found.map(|one| row(&one, &users, now)).collect())
}

#[derive(Debug, Clone, Copy)]
struct Now {
    time: Timestamp,
    uptime: Duration,
}

fn row(process: &ProcessStatus, users: &BTreeMap<u32, String>, now: Now) -> Vec<String> {
    let user = users.get(&process.uid);
    let age = now.uptime.saturating_sub(process.began);
    vec![
        user.cloned().unwrap_or_else(|| process.uid.to_string()),
        process.pid.to_string(),
        process.parent.to_string(),
        percent(process.cpu, age).to_string(),
        start(now.time, age),
        process.terminal.clone().unwrap_or_else(|| "?".to_owned()),
        clock(process.cpu),
        command(process),
    ]
}

/// Names by number, the first one of each; the host's, as ps(1) shows them.
fn users(passwd: &[u8]) -> BTreeMap<u32, String> {
    let mut users = BTreeMap::new();
    for line in String::from_utf8_lossy(passwd).lines() {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty());
        let uid = fields.nth(1).map(str::parse);
        if let (Some(name), Some(Ok(uid))) = (name, uid) {
            users.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    users
}

/// CPU time as a part of the time that it lives, in whole percent.
fn percent(cpu: Duration, age: Duration) -> u128 {
    match age.as_millis() {
        0 => 0,
        age => cpu.as_millis() * 100 / age,
    }
}

/// The time of day; the day for what began on another; the year for what began in another.
fn start(now: Timestamp, age: Duration) -> String {
    let age = i128::try_from(age.as_nanos()).unwrap_or(i128::MAX);
    let then = now.as_nanosecond().checked_sub(age);
    match then.and_then(Timestamp::from_nanosecond) {
        Some(then) => then.since_when(now),
        None => "?".to_owned(),
    }
}

/// `[DAYS-]HH:MM:SS`
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours) = (seconds / 86400, seconds / 3600 % 24);
    let clock = format!("{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    match days {
        0 => clock,
        days => format!("{days}-{clock}"),
    }
}

/// The arguments; the name in brackets for a process without, which has ended or is the kernel's.
fn command(process: &ProcessStatus) -> String {
    let name = String::from_utf8_lossy(&process.name);
    if process.is_zombie {
        return format!("[{name}] <defunct>");
    }
    let arguments = String::from_utf8_lossy(&process.arguments);
    match arguments.trim_end_matches('\0') {
        "" => format!("[{name}]"),
        arguments => arguments.replace('\0', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ProcessStatus {
        ProcessStatus {
            pid: 42,
            parent: 1,
            uid: 1000,
            terminal: None,
            began: Duration::from_secs(100),
            cpu: Duration::from_secs(90_061),
            arguments: b"sh\0-c\0echo  \xea\xb0\x80\0".to_vec(),
            name: b"sh".to_vec(),
            is_zombie: false,
        }
    }

    #[test]
    fn a_row_is_that_of_ps() {
        let users = users(b"root:x:0:0::/:/bin/sh\n+\n\nme:x:1000:5::/:\nalias:x:1000:5::/:\n");
        let now = Now {
            time: "2026-03-04T05:06:07Z".parse().unwrap(),
            uptime: Duration::from_secs(180_222),
        };
        let row = row(&sample(), &users, now);
        let start = &row[4];
        assert!(!start.is_empty());
        assert_eq!(
            row,
            [
                "me",
                "42",
                "1",
                "50",
                start,
                "?",
                "1-01:01:01",
                "sh -c echo  가"
            ]
        );
    }

    #[test]
    fn what_has_no_arguments_is_in_brackets() {
        let none = ProcessStatus {
            arguments: Vec::new(),
            ..sample()
        };
        assert_eq!(command(&none), "[sh]");
        let zombie = ProcessStatus {
            is_zombie: true,
            ..none
        };
        assert_eq!(command(&zombie), "[sh] <defunct>");
    }

    #[test]
    fn no_time_at_all_is_no_load() {
        assert_eq!(percent(Duration::from_secs(1), Duration::ZERO), 0);
        assert_eq!(clock(Duration::from_secs(3599)), "00:59:59");
    }
}
