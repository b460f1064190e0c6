//! Many layers, many containers at once.

use std::{fmt::Write as _, process::Stdio};

use crate::support::{Shed, Tar, finish, mounts_below, processes_of, write_file};

fn layered(shed: &Shed, count: usize) {
    let mut command = shed.command("import --sync=none --layer base.tar");
    for number in 1..count {
        let layer = Tar::new()
            .dir("n", 0o755)
            .file(&format!("n/{number}"), 0o644, b"")
            .file("last", 0o644, format!("{number}\n").as_bytes());
        let path = shed.path(&format!("layer-{number}.tar"));
        write_file(&path, &layer.finish());
        command.arg("--layer").arg(path);
    }
    command.arg(format!("layers-{count}"));
    finish(command).ok();
}

#[test]
#[ignore = "needs root"]
fn root_images_of_128_and_200_layers_run() {
    let shed = Shed::new();
    for count in [128, 200] {
        layered(&shed, count);
        let line =
            format!("run --rm -v v{count}:/n layers-{count} sh -c 'cat /last; ls /n | wc -l'");
        assert_eq!(shed.cowshed(&line).ok(), format!("{0}\n{0}\n", count - 1));
        let script = shed
            .cowshed(&format!("run --explain=sh layers-{count} cat /last"))
            .ok();
        let path = shed.file("script.sh", &script);
        let mut shell = std::process::Command::new("sh");
        shell.arg(path);
        assert_eq!(finish(shell).ok(), format!("{}\n", count - 1));
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_64_containers_at_once_share_a_volume() {
    let shed = Shed::new();
    let mut running = Vec::new();
    for number in 0..64 {
        let line = format!(
            "run --rm -v shared:/data -v /anon base sh -c 'echo {number} >/data/n-{number}; ls /data/one'"
        );
        let mut command = shed.command(&line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        running.push(command.spawn().unwrap());
    }
    let mut errors = String::new();
    for child in running {
        let output = child.wait_with_output().unwrap();
        if !output.status.success() || output.stdout != b"/data/one\n" {
            writeln!(errors, "{output:?}").unwrap();
        }
    }
    assert_eq!(errors, "");
    assert_eq!(shed.volumes(), ["shared"]);
    assert_eq!(
        std::fs::read_dir(shed.data("shared")).unwrap().count(),
        64 + 6
    );
    assert_eq!(processes_of(&shed.store(), "any"), Vec::<i32>::new());
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_killed_at_any_moment_leaves_nothing_that_lasts() {
    let mut shed = Shed::new();
    for number in 0..60_u64 {
        let line = format!("run --rm -v vol-{}:/data -v /anon base true", number % 3);
        let mut child = shed.command(&line).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(number * 200));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    crate::support::wait_until("all is quiet", || {
        processes_of(&shed.store(), "any").is_empty()
    });
    for id in shed.cowshed("ps -aq").ok().lines() {
        shed.cowshed(&format!("rm -v {id}")).ok();
    }
    assert_eq!(shed.cowshed("ps -aq").ok(), "");
    shed.cowshed("volume prune -f").ok();
    assert_eq!(shed.volumes(), Vec::<String>::new());
    assert_eq!(mounts_below(&shed.store()), Vec::<String>::new());
    // What died in tmp/ and trash/ is swept by a later import, once it is old.
    shed.strict = false;
    assert_eq!(
        shed.sh("-v vol-0:/data -v vol-1:/data2", "ls /data | wc -l"),
        "6\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_one_name_is_given_once_however_many_want_it() {
    let shed = Shed::new();
    let mut running = Vec::new();
    for _ in 0..16 {
        let mut command = shed.command("run --name only base true");
        running.push(command.stderr(Stdio::null()).spawn().unwrap());
    }
    let codes: Vec<_> = running
        .into_iter()
        .map(|mut child| child.wait().unwrap().code())
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == Some(0)).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == Some(125)).count(),
        15,
        "{codes:?}"
    );
    assert_eq!(shed.cowshed("ps -aq").ok().lines().count(), 1);
}

#[test]
#[ignore = "needs root"]
fn root_volumes_made_and_removed_at_once() {
    let shed = Shed::new();
    let mut running = Vec::new();
    for number in 0..32 {
        let name = number % 4;
        for line in [
            format!("run --rm -v vol-{name}:/v base true"),
            "volume prune -f".to_owned(),
            "ps -a".to_owned(),
            "volume ls".to_owned(),
        ] {
            let mut command = shed.command(&line);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            running.push((line, command.spawn().unwrap()));
        }
    }
    let mut errors = String::new();
    for (line, child) in running {
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            writeln!(
                errors,
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr)
            )
            .unwrap();
        }
    }
    assert_eq!(errors, "");
    shed.assert_no_containers();
}
