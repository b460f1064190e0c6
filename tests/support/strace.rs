//! `kill -9` at a call: strace(1) sends the signal when the call begins.

use std::{
    io::Write as _,
    process::{Command, ExitStatus, Stdio},
};

use crate::support::Shed;

/// Whether it is installed; says so aloud where it is not.
pub(crate) fn has_strace() -> bool {
    let found = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        writeln!(std::io::stderr(), "skipped: no strace").ok();
    }
    found
}

/// Runs a command line below strace with these arguments; nobody hears what it says.
pub(crate) fn traced<A: AsRef<std::ffi::OsStr>>(
    shed: &Shed,
    line: &str,
    arguments: impl IntoIterator<Item = A>,
) -> ExitStatus {
    let plain = shed.command(line);
    let mut command = Command::new("strace");
    command.args(arguments);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env("COWSHED_ROOT", shed.store());
    // A container in the background is traced for as long as it runs.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap()
}

/// What kills at the so manieth call of a name; of those traced, which strace counts by name and
/// process.
pub(crate) fn inject(traced: &str, call: &str, number: usize) -> [String; 6] {
    [
        "-qq".to_owned(),
        "-o/dev/null".to_owned(),
        "-e".to_owned(),
        format!("trace={traced}"),
        "-e".to_owned(),
        format!("inject={call}:signal=SIGKILL:when={number}"),
    ]
}
