//! Backups that go through: what GNU tar and `volume restore` make of them.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::{
    backup_scene::{facts, host, rich},
    support::{Shed, finish},
};

#[test]
#[ignore = "needs root"]
fn root_gnu_tar_reads_a_backup_and_gives_the_same_tree() {
    let shed = rich();
    let before = facts(&shed.data("data"));
    for compress in ["none", "gzip", "zstd"] {
        let archive = shed.show(&format!("a.{compress}"));
        shed.cowshed(&format!(
            "volume backup --compress {compress} -o {archive} data"
        ))
        .ok();
        let out = shed.dir(&format!("out-{compress}"));
        let way = match compress {
            "none" => String::new(),
            program => format!("--use-compress-program={program}"),
        };
        let untar = format!(
            "tar -x {way} --xattrs --xattrs-include='*' --same-owner -p -f {archive}
             rm -r .cowshed-backup; touch -d 2002-03-04 ."
        );
        host(out.as_ref(), &untar);
        assert_eq!(facts(out.as_ref()), before, "{compress}");
        let holes = fs::metadata(format!("{out}/holes")).unwrap();
        assert!(holes.blocks() * 512 < 1 << 20, "{}", holes.blocks());
        assert!(fs::metadata(&archive).unwrap().len() < 1_000_000);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_restored_volume_is_the_same_and_has_the_labels() {
    let shed = rich();
    let before = facts(&shed.data("data"));
    let archive = shed.show("a.tar.zst");
    shed.cowshed(&format!("volume backup -o {archive} data"))
        .ok();
    shed.cowshed(&format!("volume verify {archive} data")).ok();
    let done = shed.cowshed(&format!("volume restore {archive} copy"));
    assert_eq!(done.ok(), "copy\n");
    assert_eq!(facts(&shed.data("copy")), before);
    let holes = fs::metadata(shed.data("copy").join("holes")).unwrap();
    assert!(holes.blocks() * 512 < 1 << 20, "{}", holes.blocks());
    let (old, new) = (shed.inspect("data"), shed.inspect("copy"));
    assert_eq!(new["Labels"], old["Labels"]);
    assert_eq!(new["Labels"]["note"], "두 단어");
    // And again, from the copy: nothing drifts.
    let second = shed.show("b.tar");
    shed.cowshed(&format!("volume backup -o {second} copy"))
        .ok();
    let out = shed.cowshed(&format!("volume verify {second} data")).ok();
    assert!(out.contains("volume data: the same"), "{out}");
}

#[test]
#[ignore = "needs root"]
fn root_a_backup_travels_through_a_pipe() {
    let shed = rich();
    let before = facts(&shed.data("data"));
    let program = env!("CARGO_BIN_EXE_cowshed");
    let (one, two) = (shed.store(), shed.path("other"));
    let line = format!(
        "COWSHED_ROOT={} {program} volume backup -o - data |
         COWSHED_ROOT={} {program} volume restore - moved",
        one.display(),
        two.display()
    );
    host(&shed.path(""), &line);
    assert_eq!(facts(&two.join("volumes/moved/_data")), before);
}

#[test]
#[ignore = "needs root"]
fn root_the_list_has_every_file_and_sha256sum_agrees() {
    let shed = rich();
    let archive = shed.show("a.tar");
    shed.cowshed(&format!("volume backup -o {archive} data"))
        .ok();
    let list = host(&shed.path(""), "tar xOf a.tar .cowshed-backup/files.jsonl");
    let lines: Vec<serde_json::Value> = list
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = host(&shed.data("data"), "find . | wc -l");
    assert_eq!(lines.len(), count.trim().parse::<usize>().unwrap() + 1);
    assert_eq!(lines.last().unwrap()["entries"], lines.len() - 1);
    let sum = host(&shed.data("data"), "sha256sum random");
    let line = lines.iter().find(|line| line["path"] == "random").unwrap();
    assert_eq!(line["sha256"], sum[..64]);
    assert_eq!(line["size"], 300_000);
    let head = host(&shed.path(""), "tar xOf a.tar .cowshed-backup/volume.json");
    let head: serde_json::Value = serde_json::from_str(&head).unwrap();
    assert_eq!(head["labels"]["team"], "a");
    assert_eq!(
        (&head["name"], &head["driver"]),
        (&"data".into(), &"local".into())
    );
}

#[test]
#[ignore = "needs root"]
fn root_sockets_and_the_reserved_name_are_left_out_aloud() {
    let shed = Shed::empty();
    shed.cowshed("volume create data").ok();
    let data = shed.data("data");
    let _socket = std::os::unix::net::UnixListener::bind(data.join("sock")).unwrap();
    host(
        &data,
        "mkdir -p .cowshed-backup sub/.cowshed-backup; echo x >.cowshed-backup/x",
    );
    let archive = shed.show("a.tar");
    let done = shed.cowshed(&format!("volume backup -o {archive} data"));
    assert!(
        done.err.contains("note: sock: sockets are not copied"),
        "{}",
        done.err
    );
    assert!(
        done.err.contains("note: .cowshed-backup: left out"),
        "{}",
        done.err
    );
    done.ok();
    shed.cowshed(&format!("volume restore {archive} copy")).ok();
    assert_eq!(
        crate::support::tree(&shed.data("copy")),
        "d sub\nd sub/.cowshed-backup\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_ten_thousand_small_files_and_an_empty_volume_come_back() {
    let shed = Shed::empty();
    shed.cowshed("volume create data").ok();
    shed.cowshed("volume create empty").ok();
    host(
        &shed.data("data"),
        "for d in $(seq 100); do mkdir d$d; for f in $(seq 100); do echo $d $f >d$d/f$f; done; done",
    );
    for volume in ["data", "empty"] {
        let archive = shed.show("a.tar.gz");
        shed.cowshed(&format!("volume backup -o {archive} {volume}"))
            .ok();
        shed.cowshed(&format!("volume restore {archive} copy-of-{volume}"))
            .ok();
        let copy = format!("copy-of-{volume}");
        assert_eq!(facts(&shed.data(&copy)), facts(&shed.data(volume)));
    }
}

#[test]
#[ignore = "needs root"]
fn root_without_a_name_the_file_is_called_after_volume_and_moment() {
    let shed = rich();
    let name = shed.cowshed("volume backup -q data").ok();
    let name = name.trim_end();
    assert!(
        name.starts_with("data-2") && name.ends_with(".tar.zst"),
        "{name}"
    );
    assert_eq!(name.len(), "data-20260102-030405.tar.zst".len());
    assert!(shed.path(name).is_file());
    shed.cowshed(&format!("volume verify {name}")).ok();
    // Refused, all of them, and nothing is left.
    let dir = shed.dir("dir");
    let before = host(&shed.path(""), "ls -A");
    shed.cowshed(&format!("volume backup -o {dir} data"))
        .fails(1, "it is a directory");
    host(&shed.path(""), "mkfifo pipe");
    shed.cowshed("volume backup -o pipe data")
        .fails(1, "no regular file");
    host(&shed.path(""), "rm pipe");
    shed.cowshed("volume backup -o no/where data")
        .fails(1, "write backup no/where");
    shed.cowshed("volume backup nothing")
        .fails(1, "get nothing: no such volume");
    assert_eq!(host(&shed.path(""), "ls -A"), before);
}

#[test]
#[ignore = "needs root"]
fn root_where_a_backup_goes_in_must_be_free() {
    let shed = rich();
    let archive = shed.show("a.tar");
    shed.cowshed(&format!("volume backup -o {archive} data"))
        .ok();
    shed.cowshed(&format!("volume restore {archive} data"))
        .fails(1, "restore data: a volume of this name exists");
    shed.cowshed(&format!("volume restore --into-empty {archive} data"))
        .fails(1, "volume data is not empty");
    shed.cowshed(&format!("volume restore --into-empty {archive} new"))
        .fails(1, "no such volume");
    shed.cowshed("volume create --label own=1 empty").ok();
    shed.cowshed(&format!("volume restore --into-empty {archive} empty"))
        .ok();
    assert_eq!(facts(&shed.data("empty")), facts(&shed.data("data")));
    assert_eq!(shed.inspect("empty")["Labels"]["own"], "1");
    host(&shed.data("empty"), "echo more >more; rm random");
    let out = shed.cowshed(&format!("volume verify {archive} empty"));
    let out = out.fails(1, "volume empty differs from the backup").out;
    assert!(out.contains("random: only in the backup\n"), "{out}");
    assert!(out.contains("more: only in the volume\n"), "{out}");
    shed.cowshed(&format!("volume restore --replace {archive} empty"))
        .ok();
    shed.cowshed(&format!("volume verify {archive} empty")).ok();
    assert_eq!(shed.inspect("empty")["Labels"]["own"], "1");
}

#[test]
#[ignore = "needs root"]
fn root_any_tar_and_any_directory_can_be_imported() {
    let shed = rich();
    let data = shed.data("data");
    let plain = shed.path("plain.tar");
    host(
        &data,
        &format!("tar --exclude=./hidden --xattrs -cf {} .", plain.display()),
    );
    host(
        &shed.path(""),
        "gzip -k plain.tar; xz -k plain.tar; zstd -qk plain.tar; bzip2 -k plain.tar",
    );
    let list =
        "find . ! -path ./hidden -printf '%P|%y|%m|%U:%G|%n|%l|%T@\\n' | grep -v '^|' | sort";
    for ending in ["", ".gz", ".xz", ".zst", ".bz2"] {
        let volume = format!("from{}", ending.replace('.', "-"));
        shed.cowshed(&format!("volume import {volume} plain.tar{ending}"))
            .ok();
        assert_eq!(
            host(&shed.data(&volume), list),
            host(&data, list),
            "{ending}"
        );
        let top = fs::metadata(shed.data(&volume)).unwrap();
        assert_eq!((top.mode() & 0o7777, top.uid()), (0o1750, 7));
    }
    // Into what is there: as tar does it.
    host(&shed.data("from"), "echo old >random; echo mine >mine");
    let mut command = shed.command("volume import from -");
    command.stdin(fs::File::open(&plain).unwrap());
    finish(command).ok();
    let sums = host(&shed.data("from"), "sha256sum <random; cat mine");
    assert_eq!(sums, host(&data, "sha256sum <random; echo mine"));
    let dir = shed.dir("dir");
    host(dir.as_ref(), "mkdir a; echo b >a/b; chown 3:4 a/b");
    shed.cowshed("volume import dirs dir").ok();
    let listed = host(&shed.data("dirs"), "stat -c '%n %u:%g' a/b; ls -A");
    assert_eq!(listed, "a/b 3:4\na\n");
    // What is no backup is no backup.
    shed.cowshed("volume restore plain.tar no")
        .fails(1, "no backup of a volume");
    assert!(!shed.volumes().contains(&"no".to_owned()));
}

#[test]
#[ignore = "needs root"]
fn root_the_courses_own_way_goes_both_ways() {
    let shed = Shed::new();
    shed.cowshed("volume create my-volume").ok();
    host(
        &shed.data("my-volume"),
        "mkdir d; echo hello >d/f; chown 5:6 d/f",
    );
    let here = shed.show("");
    host(
        &shed.data("my-volume"),
        &format!(
            "tar czf {here}/backup.tar.gz -C {} .",
            shed.data("my-volume").display()
        ),
    );
    shed.cowshed("volume import copy backup.tar.gz").ok();
    // Seconds: no other tar keeps more by itself.
    let list = "find . -printf '%P %m %U:%G %T@\\n' | sed 's/[.][0-9]*$//' | sort";
    let (old, new) = (shed.data("my-volume"), shed.data("copy"));
    assert_eq!(host(&new, list), host(&old, list));
    // And what we write, a container's tar reads.
    shed.cowshed("volume backup -q -o b.tar my-volume").ok();
    shed.cowshed("volume create again").ok();
    host(
        &shed.data("again"),
        &format!("tar xf {here}/b.tar --exclude=.cowshed-backup"),
    );
    assert_eq!(host(&shed.data("again"), list), host(&old, list));
}
