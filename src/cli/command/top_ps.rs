//! `cowshed top CONTAINER OPTIONS`: the host's ps(1), and of what it prints only the container's
//! processes.

use std::{
    io::ErrorKind,
    process::{Command, Output, Stdio},
};

use super::top::Table;
use crate::cli::report::Exit;

/// A column of another meaning must not be called PID: rows are chosen by it. Docker's text.
pub(crate) fn check(options: &[String]) -> Result<(), Exit> {
    for word in options.iter().flat_map(|option| option.split([' ', ','])) {
        if let Some((column, header)) = word.split_once('=')
            && column.bytes().all(|byte| byte.is_ascii_alphabetic())
            && header.trim_start().starts_with("PID")
        {
            let what = format!("specifying \"{column}={header}\" is not allowed");
            return Err(Exit::usage(what).or_code(1));
        }
    }
    Ok(())
}

/// What ps(1) prints with these options about these processes.
pub(crate) fn table(options: &[String], pids: &[i32]) -> Result<Table, Exit> {
    let numbers: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let chosen = format!("q{}", numbers.join(","));
    let mut output = ps(options, Some(&chosen))?;
    if !output.status.success() {
        // Some options, such as f, do not go with a choice of numbers.
        output = ps(options, None)?;
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next().unwrap_or_default();
        return Err(failed(&format!("ps: {}: {said}", output.status)));
    }
    rows(&String::from_utf8_lossy(&output.stdout), pids)
}

fn ps(options: &[String], chosen: Option<&str>) -> Result<Output, Exit> {
    // As Docker takes them: `"-o pid,cmd"` is two words.
    let words = options.iter().flat_map(|option| option.split_whitespace());
    let mut ps = Command::new("ps");
    ps.args(words).args(chosen).stdin(Stdio::null());
    ps.output().map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            let what = "run ps: it is not installed on the host";
            let hint = "apt install procps, or leave the options out";
            return Exit::usage(what).or_code(1).with_hint(hint);
        }
        failed(&format!("run ps: {error}"))
    })
}

fn failed(message: &str) -> Exit {
    Exit::usage(message)
        .or_code(1)
        .with_hint("man ps lists its options; without any, ps is not needed")
}

/// The header, and the rows whose PID is among `pids`. What is wider than the header is in the last
/// column; a thread's line (`-`) belongs to the process before it.
fn rows(text: &str, pids: &[i32]) -> Result<Table, Exit> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let header: Vec<_> = header.split_ascii_whitespace().map(str::to_owned).collect();
    let Some(place) = header.iter().position(|title| title == "PID") else {
        return Err(failed("Couldn't find PID field in ps output"));
    };
    let (mut rows, mut belongs) = (Vec::new(), false);
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        match fields.get(place).copied().unwrap_or_default() {
            "-" => {}
            pid => {
                let bad = |_| failed(&format!("Unexpected pid '{pid}'"));
                belongs = pids.contains(&pid.parse().map_err(bad)?);
            }
        }
        if belongs {
            rows.push(cells(&fields, header.len()));
        }
    }
    Ok((header, rows))
}

fn cells(fields: &[&str], columns: usize) -> Vec<String> {
    let (own, rest) = fields.split_at(fields.len().min(columns - 1));
    let mut cells: Vec<_> = own.iter().map(ToString::to_string).collect();
    if !rest.is_empty() {
        cells.push(rest.join(" "));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_their_number() {
        let text = "  PID TTY      CMD\n    7 pts/0    sleep 1 2\n   77 ?        x\n    8 ?\n\n";
        let (header, found) = rows(text, &[7, 8]).unwrap();
        assert_eq!(header, ["PID", "TTY", "CMD"]);
        assert_eq!(found, [vec!["7", "pts/0", "sleep 1 2"], vec!["8", "?"]]);
        assert_eq!(rows("PID\n7\n", &[7]).unwrap().1, [["7"]]);
    }

    #[test]
    fn threads_go_with_their_process() {
        let text = "PID LWP CMD\n7 - a\n- 7 -\n- 9 -\n8 - b\n- 8 -\n";
        assert_eq!(rows(text, &[7]).unwrap().1.len(), 3);
    }

    #[test]
    fn without_the_column_nothing_can_be_chosen() {
        for text in ["", "\n", "TTY CMD\n? x\n", "PID CMD\nx y\n"] {
            assert!(rows(text, &[7]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn another_column_is_not_called_pid() {
        let check = |line: &str| {
            let words: Vec<_> = line.split('|').map(str::to_owned).collect();
            check(&words).is_ok()
        };
        for fine in ["-ef", "-o|pid,cmd", "-o|pid,user=NAME", "-o|pid="] {
            assert!(check(fine), "{fine}");
        }
        for bad in [
            "-o|ppid=PID",
            "-o ppid=PID",
            "-o|cmd,ppid=PID",
            "-o|ppid=PIDX",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }
}
