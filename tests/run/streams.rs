//! Standard streams and terminals.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::Stdio,
    time::Duration,
};

use crate::support::Shed;

/// Ten million bytes that no two of repeat soon.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(10_000_000);
    while bytes.len() < 10_000_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes
}

#[test]
#[ignore = "needs root"]
fn root_ten_megabytes_go_in_and_come_back_as_they_were() {
    let shed = Shed::new();
    let noise = noise();
    for script in ["cat", "cat >/x; md5sum /x >&2; cat /x"] {
        let mut command = shed.command("run --rm -i base sh -c");
        command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut back = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                stdin.write_all(&noise).unwrap();
                drop(stdin);
            });
            child.stdout.take().unwrap().read_to_end(&mut back).unwrap();
        });
        assert!(child.wait().unwrap().success());
        assert!(
            back == noise,
            "{} bytes came back from {script}",
            back.len()
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_end_of_input_is_passed_on_and_output_still_comes() {
    let shed = Shed::new();
    let mut command =
        shed.command("run --rm -i base sh -c 'wc -c; echo after; echo err >&2; exit 3'");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"12345").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "5\nafter\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
#[ignore = "needs root"]
fn root_a_program_that_does_not_read_does_not_hold_us_up() {
    let shed = Shed::new();
    let mut command = shed.command("run --rm -i base sh -c 'exec <&-; echo done'");
    command.stdin(File::open("/dev/zero").unwrap());
    assert_eq!(
        String::from_utf8_lossy(&command.output().unwrap().stdout),
        "done\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_without_i_input_is_empty() {
    let shed = Shed::new();
    let mut command = shed.command("run --rm base sh -c 'readlink /proc/self/fd/0; wc -c'");
    command.stdin(File::open("/dev/zero").unwrap());
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/dev/null\n0\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_slow_reader_gets_everything() {
    let shed = Shed::new();
    let mut command = shed.command("run --rm base sh -c 'seq 1 200000; echo end >&2'");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut text = Vec::new();
    let mut piece = vec![0; 100_000];
    loop {
        let length = out.read(&mut piece).unwrap();
        if length == 0 {
            break;
        }
        text.extend_from_slice(&piece[..length]);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    let wanted = (1..=200_000).fold(String::new(), |text, number| text + &format!("{number}\n"));
    assert!(
        text == wanted.as_bytes(),
        "{} of {} bytes",
        text.len(),
        wanted.len()
    );
}

#[test]
#[ignore = "needs root"]
fn root_a_reader_that_goes_ends_the_writer() {
    let shed = Shed::new();
    let mut command = shed.command("run --rm base sh -c 'yes; exit 9'");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_closed_streams_are_no_trouble() {
    let shed = Shed::new();
    for redirection in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut command = std::process::Command::new("sh");
        let script = format!("exec \"$@\" {redirection}");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_cowshed"), "--root"]);
        command
            .arg(shed.store())
            .args(["run", "--rm", "-i", "base", "sh", "-c", "echo x; exit 4"]);
        assert_eq!(
            command.stdin(Stdio::null()).output().unwrap().status.code(),
            Some(4),
            "{redirection}"
        );
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_output_that_cannot_be_written_ends_the_container() {
    let shed = Shed::new();
    let mut command = shed.command("run --rm base sh -c 'yes; sleep 100'");
    let full = File::options().write(true).open("/dev/full").unwrap();
    command.stdout(full).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(125), "{error}");
    assert!(
        error.contains("our output") && error.contains("ENOSPC"),
        "{error}"
    );
    shed.assert_no_containers();
}

/// Runs a command on a new terminal; everything that appears on it.
fn on_terminal(shed: &Shed, line: &str, typed: &str) -> (String, Option<i32>) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = shed.command(line);
    command.stdin(terminal.slave.try_clone().unwrap());
    command.stdout(terminal.slave.try_clone().unwrap());
    command.stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut main = File::from(terminal.master);
    main.write_all(typed.as_bytes()).unwrap();
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    // The main side reads EIO when the last user has gone.
    while let Ok(length @ 1..) = main.read(&mut piece) {
        text.extend_from_slice(&piece[..length]);
    }
    (
        String::from_utf8_lossy(&text).into_owned(),
        child.wait().unwrap().code(),
    )
}

#[test]
#[ignore = "needs root"]
fn root_t_gives_a_terminal() {
    let shed = Shed::new();
    let script = "tty; test -t 0 -a -t 1 -a -t 2 && echo all; echo $TERM; exit 6";
    let (text, code) = on_terminal(&shed, &format!("run --rm -it base sh -c '{script}'"), "");
    assert_eq!(
        (text.as_str(), code),
        ("/dev/pts/0\r\nall\r\nxterm\r\n", Some(6))
    );
    // Typed input arrives once the shell reads it; ^D ends it.
    let (text, code) = on_terminal(&shed, "run --rm -it base sh", "echo $((40+2))\nexit 8\n");
    assert!(text.contains("42") && code == Some(8), "{text} {code:?}");
    // Without a terminal of ours.
    assert_eq!(shed.sh("-t", "tty; echo x"), "/dev/pts/0\r\nx\r\n");
    assert_eq!(shed.try_sh("", "tty").out, "not a tty\n");
    let long = shed.sh("-t", "seq 1 20000");
    assert_eq!(long.lines().count(), 20000);
    shed.assert_no_containers();
}
