//! A detached container holds nothing of the command that ran it.

use std::{
    io::{Read as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    support::{Shed, finish, read, wait_until},
    traces::{assert_removable, holds_signal, parent_of, sockets_of},
};

/// A shell with a `cowshed` of this store.
fn shell(shed: &Shed, script: &str) -> Command {
    let plain = shed.command("");
    let mut command = Command::new("timeout");
    command
        .args(["20", "bash", "-c", script])
        .stdin(Stdio::null());
    command
        .env("C", plain.get_program())
        .env("COWSHED_ROOT", shed.store());
    command
}

#[test]
#[ignore = "needs root"]
fn root_run_in_the_background_returns_at_once_and_holds_no_descriptor() {
    let shed = Shed::new();
    let began = Instant::now();
    for verb in [
        "run -d --name box base sleep 1000",
        "restart -t 0 box",
        "exec -d box sleep 1000",
    ] {
        let (read, write) = nix::unistd::pipe().unwrap();
        let number = write.as_raw_fd();
        let script = format!("exec 7>&{number} {number}>&-; x=$($C {verb} 2>&1); echo \"got $x\"");
        let done = finish(shell(&shed, &script));
        drop::<OwnedFd>(write);
        assert!(done.out.starts_with("got "), "{verb}: {done:?}");
        // Nobody has its other end any more.
        let mut rest = Vec::new();
        std::fs::File::from(read).read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_removable(&shed, "run -d");
}

#[test]
#[ignore = "needs root"]
fn root_the_end_of_a_session_is_not_the_end_of_a_detached_container() {
    let shed = Shed::new();
    let mut script = Command::new("timeout");
    let plain = shed.command("");
    let line = format!(
        "COWSHED_ROOT={} {} run -d --name box base sleep 1000",
        shed.store().display(),
        plain.get_program().display()
    );
    // script(1) gives a terminal and hangs up at the end.
    script
        .args(["20", "script", "-qec", &line, "/dev/null"])
        .stdin(Stdio::null());
    finish(script).ok();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        shed.cowshed("inspect -f '{{.State.Running}}' box").ok(),
        "true\n"
    );
    assert_removable(&shed, "script");
}

#[test]
#[ignore = "needs root"]
fn root_the_file_with_the_id() {
    let shed = Shed::new();
    let file = shed.show("cid");
    let id = shed
        .cowshed(&format!(
            "run -d --name box --cidfile {file} base sleep 1000"
        ))
        .ok();
    assert_eq!(read(&file), id.trim());
    shed.cowshed(&format!("run --cidfile {file} base true"))
        .fails(
            125,
            "container ID file found, make sure the other container isn't running or delete",
        );
    shed.cowshed(&format!("create --cidfile {file} base true"))
        .fails(1, "container ID file found");
    assert_eq!(shed.cowshed("ps -aq").ok().lines().count(), 1);
    std::fs::remove_file(&file).unwrap();
    // No container, no file.
    shed.cowshed(&format!(
        "run --pull never --cidfile {file} nosuchimage true"
    ))
    .fails(125, "");
    assert!(!shed.path("cid").exists());
    // It was created, though it did not start.
    shed.cowshed(&format!("run --cidfile {file} base nosuchprogram"))
        .fails(127, "");
    assert_eq!(read(&file).len(), 64);
    assert_removable(&shed, "--cidfile");
}

#[test]
#[ignore = "needs root"]
fn root_without_sig_proxy_a_signal_ends_the_command_only() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box base sh -c 'echo ready; sleep 1000'")
        .ok();
    shed.cowshed("logs box").ok();
    let supervisor = parent_of(shed.pid_of("box"));
    let before = sockets_of(supervisor);
    let mut attach = shed
        .command("attach --no-stdin --sig-proxy=false box")
        .spawn()
        .unwrap();
    wait_until("it is attached", || {
        sockets_of(supervisor) > before
            && holds_signal(attach.id(), nix::sys::signal::Signal::SIGINT)
    });
    let pid = nix::unistd::Pid::from_raw(i32::try_from(attach.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(attach.wait().unwrap().code(), Some(130));
    assert_eq!(
        shed.cowshed("inspect -f '{{.State.Running}}' box").ok(),
        "true\n"
    );
    assert_removable(&shed, "--sig-proxy=false");
    let mut run = shed
        .command("run --sig-proxy=false --name box base sleep 1000")
        .spawn()
        .unwrap();
    wait_until("it runs", || shed.cowshed("exec box true").code == 0);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(run.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(143));
    assert_eq!(
        shed.cowshed("inspect -f '{{.State.Running}}' box").ok(),
        "true\n"
    );
    assert_removable(&shed, "run --sig-proxy=false");
}

#[test]
#[ignore = "needs root"]
fn root_what_is_typed_into_attach_comes_in_from_everybody_and_ends_with_none_of_them() {
    let shed = Shed::new();
    let script = "while read -r line; do echo got $line; test $line != two || exit 5; done";
    shed.cowshed(&format!("run -d -i --name box base sh -c '{script}'"))
        .ok();
    let attach = || {
        let mut command = shed.command("attach box");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let supervisor = parent_of(shed.pid_of("box"));
    let before = sockets_of(supervisor);
    let (mut one, mut two) = (attach(), attach());
    // Both are there before anything is said.
    wait_until("both are attached", || sockets_of(supervisor) == before + 2);
    for (child, text) in [(&mut one, "하나"), (&mut two, "two")] {
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
        drop(stdin);
        wait_until(text, || shed.cowshed("logs box").ok().contains(text));
    }
    for child in [one, two] {
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(5));
        assert_eq!(String::from_utf8_lossy(&done.stdout), "got 하나\ngot two\n");
    }
    assert_removable(&shed, "attach");
}
