//! Many processes at the same volumes, and many volumes.

use std::process::{Child, Stdio};

use crate::support::{Shed, mounts_below, processes_of, read};

fn spawn(shed: &Shed, line: &str) -> (String, Child) {
    let mut command = shed.command(line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    (line.to_owned(), command.spawn().unwrap())
}

/// What may be said when somebody else was faster; anything else is a fault.
const FASTER: [&str; 6] = [
    "no such volume",
    "volume is in use",
    "volume is mounted",
    "a volume of this name exists",
    "No such container",
    "same name as its current name",
];

fn await_all(started: Vec<(String, Child)>) {
    for (line, child) in started {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let known = FASTER.iter().any(|known| said.contains(known));
        assert!(output.status.success() || known, "{line}: {said}");
        assert!(!said.contains("panicked"), "{line}: {said}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_processes_create_rename_prune_and_remove_the_same_volumes_at_once() {
    let shed = Shed::new();
    for round in 0..12 {
        let mut started = Vec::new();
        for name in ["aa", "bb", "cc"] {
            for line in [
                format!("volume create {name}"),
                format!("volume rename {name} dd"),
                format!("volume rename dd {name}"),
                format!("volume rm {name}"),
                format!("run --rm -v {name}:/v -v /anon base sh -c 'echo {round} >>/v/n'"),
                format!("volume label {name} round={round}"),
                format!("volume protect {name}"),
                format!("volume unprotect {name}"),
            ] {
                started.push(spawn(&shed, &line));
            }
        }
        for line in [
            "volume prune -f",
            "volume prune -f --no-trash",
            "volume trash restore aa",
            "volume trash restore --as bb cc",
            "volume trash empty -f",
            "volume ls -s",
            "volume ls -q -f dangling=true",
        ] {
            started.push(spawn(&shed, line));
        }
        // `rm` of what is protected at that moment.
        let (protected, rest): (Vec<_>, Vec<_>) = started
            .into_iter()
            .partition(|(line, _)| line.starts_with("volume rm"));
        await_all(rest);
        for (line, child) in protected {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let known =
                said.contains("is protected") || FASTER.iter().any(|known| said.contains(known));
            assert!(output.status.success() || known, "{line}: {said}");
        }
    }
    // Every directory is a whole volume that says its own name.
    for name in shed.volumes() {
        let record = read(shed.store().join("volumes").join(&name).join("volume.json"));
        assert!(
            record.contains(&format!("\"name\": \"{name}\"")),
            "{record}"
        );
        assert!(shed.data(&name).is_dir());
    }
    assert!(!shed.store().join("volumes/.renaming").exists());
    assert_eq!(mounts_below(&shed.store()), Vec::<String>::new());
    assert_eq!(processes_of(&shed.store(), "any"), Vec::<i32>::new());
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_volume_with_data_is_not_pruned_under_a_container_that_comes() {
    let shed = Shed::new();
    for round in 0..40 {
        let name = format!("vol-{round}");
        shed.cowshed(&format!("volume create {name}")).ok();
        crate::support::write_text(&shed.data(&name).join("file"), "here");
        let prune = spawn(&shed, "volume prune -f --no-trash");
        let run = shed.cowshed(&format!("run --name box -v {name}:/v base sh -c 'ls /v'"));
        await_all(vec![prune]);
        // Either it was pruned before, and the container has a new one, or it is whole for good.
        let kept = run.out == "file\n";
        assert!(kept || run.out.is_empty(), "{run:?}");
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(shed.data(&name).join("file").exists(), kept, "{run:?}");
        shed.cowshed("rm box").ok();
        shed.cowshed(&format!("volume rm {name}")).ok();
    }
}

#[test]
#[ignore = "needs root"]
fn root_two_restore_one_volume_and_one_of_them_has_it() {
    let shed = Shed::empty();
    for _ in 0..10 {
        shed.cowshed("volume create data").ok();
        shed.cowshed("volume prune -f").ok();
        let both: Vec<_> = (0..4)
            .map(|number| {
                spawn(
                    &shed,
                    &format!("volume trash restore --as data-{number} data"),
                )
            })
            .collect();
        let good = both.into_iter().filter_map(|(_, child)| {
            let output = child.wait_with_output().unwrap();
            output.status.success().then_some(())
        });
        assert_eq!(good.count(), 1);
        assert_eq!(shed.volumes().len(), 1);
        let name = &shed.volumes()[0];
        shed.cowshed(&format!("volume rm {name}")).ok();
    }
}

#[test]
#[ignore = "needs root"]
fn root_thousands_of_volumes_are_listed_and_pruned() {
    let shed = Shed::empty();
    shed.cowshed("volume create first").ok();
    let volumes = shed.store().join("volumes");
    let record = read(volumes.join("first/volume.json"));
    for number in 0..2000 {
        let name = format!("vol-{number:04}");
        let dir = volumes.join(&name);
        std::fs::create_dir_all(dir.join("_data")).unwrap();
        let record = record.replace("\"first\"", &format!("\"{name}\""));
        crate::support::write_text(&dir.join("volume.json"), &record);
    }
    let table = shed.cowshed("volume ls").ok();
    assert_eq!(table.lines().count(), 2002);
    assert_eq!(table.lines().nth(2), Some("local     vol-0000"));
    let done = shed.cowshed("volume prune -f --filter name=vol-").ok();
    assert_eq!(done.lines().count(), 2003);
    assert_eq!(shed.volumes(), ["first"]);
    let kept = shed.cowshed("volume trash ls -q").ok();
    assert_eq!(kept.lines().count(), 2000);
    shed.cowshed("volume trash empty -f").ok();
}
