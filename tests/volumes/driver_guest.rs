//! NFS and CIFS in a throw-away virtual machine, whose kernel has both.

use std::{io::Write as _, path::Path, process::Command};

use crate::support::Shed;

/// Beside the repository: boots a guest that sees this machine's files, and runs a command in it.
const GUEST: &str = "../shared/tools/qemu-guest.sh";

/// What the guest does. `check NAME CODE` notes how something ended; texts go to the log.
const SCRIPT: &str = include_str!("driver_guest.sh");

fn is_there(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .output();
    found.is_ok_and(|found| found.status.success())
}

#[test]
#[ignore = "needs root"]
fn root_nfs_and_cifs_in_a_guest() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guest = top.join(GUEST);
    if !guest.is_file() || !is_there("qemu-system-x86_64") {
        // Not print!, which is captured: nobody shall think that it ran.
        let note = format!("SKIPPED: NFS and CIFS need {GUEST} and qemu-system-x86\n");
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return;
    }
    let shed = Shed::empty();
    let out = shed.dir("out");
    let script = SCRIPT.replace("@COWSHED@", env!("CARGO_BIN_EXE_cowshed"));
    let run = |arguments: &[&str]| {
        Command::new("bash")
            .arg(&guest)
            .args(arguments)
            .output()
            .unwrap()
    };
    let arguments = ["run", "--timeout", "150", "--out", &out, "--", &script];
    let mut done = run(&arguments);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if said.contains("run 'prepare' first") {
        let prepared = run(&["prepare"]);
        assert!(prepared.status.success(), "{prepared:?}");
        done = run(&arguments);
    }
    let read = |name| std::fs::read_to_string(shed.path("out").join(name)).unwrap_or_default();
    let (stdout, stderr) = (read("stdout"), read("stderr"));
    let told = format!("{done:?}\n{stdout}\n{stderr}");
    let checks = |word: &str| stdout.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(checks("FAILED"), 0, "{told}");
    assert_eq!(checks("ok "), 19, "{told}");
}
