//! Programs without a leash: what the kernel no longer ends with its supervisor, the next command
//! does.

use std::process::Command;

use crate::{
    support::{Shed, Tar, finish, wait_until, write_text},
    traces::{assert_removable, assert_truthful, groups_of, kill, parent_of},
};

const SLIPPED: &str = "#include <sys/prctl.h>\n#include <unistd.h>\n\
    int main(void) { prctl(PR_SET_PDEATHSIG, 0); if (fork() == 0) { prctl(PR_SET_PDEATHSIG, 0); }\n\
    for (;;) pause(); }\n";

/// An image with a program that takes off its leash, also as a setuid program of root's.
fn slippery(shed: &Shed) {
    let source = shed.path("slip.c");
    write_text(&source, SLIPPED);
    let program = shed.path("slip");
    let mut compiler = Command::new("gcc");
    compiler.args(["-static", "-o"]).arg(&program).arg(&source);
    finish(compiler).ok();
    let bytes = std::fs::read(&program).unwrap();
    let layer = Tar::new()
        .file("slip", 0o755, &bytes)
        .file("setuid", 0o4755, &bytes);
    shed.image("slippery", layer, &[]);
}

fn alive(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|text| !text.contains("State:\tZ"))
}

#[test]
#[ignore = "needs root"]
fn root_a_program_without_a_leash_is_ended_by_the_next_command() {
    let shed = Shed::new();
    slippery(&shed);
    for (flags, program, next) in [
        ("", "/slip", "ps -a"),
        ("-u app", "/setuid", "ps -a"),
        ("", "/slip", "inspect box"),
        ("", "/slip", "start box"),
        ("--rm", "/slip", "ps -a"),
        ("--init", "/slip", "ps -a"),
    ] {
        let what = format!("{flags} {program}, {next}");
        shed.cowshed(&format!("run -d --name box {flags} slippery {program}"))
            .ok();
        let (pid, id) = (shed.pid_of("box"), shed.id_of("box"));
        // Until it has taken it off.
        wait_until("it has forked", || {
            let path = format!("/proc/{pid}/task/{pid}/children");
            !std::fs::read_to_string(path).unwrap_or_default().is_empty()
        });
        let supervisor = parent_of(pid);
        kill(supervisor);
        // Its lock goes with it, and no sooner.
        wait_until("the supervisor has gone", || !alive(supervisor));
        shed.cowshed(next).ok();
        wait_until(&format!("it has gone: {what}"), || !alive(pid));
        if next != "start box" {
            assert_truthful(&shed, &what);
            shed.cowshed("ps -a").ok();
            assert_eq!(groups_of(&id), Vec::<String>::new(), "{what}");
        }
        assert_removable(&shed, &what);
    }
}
