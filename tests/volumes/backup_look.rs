//! `volume cp`, `ls-files`, `cat` and `du`, among links that containers have planted.

use std::{fs, fs::File};

use crate::{
    backup_scene::{facts, host, rich},
    support::{Shed, finish, read},
};

/// A volume whose links lead to a secret of the host, if anybody follows them.
fn planted() -> Shed {
    let shed = Shed::empty();
    shed.cowshed("volume create data").ok();
    shed.dir("canary");
    host(&shed.path("canary"), "echo secret >secret");
    let canary = shed.show("canary");
    host(
        &shed.data("data"),
        &format!(
            "ln -s {canary} abs; ln -s ../../../../canary rel; ln -s {canary}/secret file
             ln -s /inside in; mkdir inside; echo own >inside/own; mkfifo fifo; mknod tty c 5 0"
        ),
    );
    shed
}

#[track_caller]
fn untouched(shed: &Shed) {
    assert_eq!(
        host(&shed.path("canary"), "ls -A; cat secret"),
        "secret\nsecret\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_planted_links_lead_nowhere_outside() {
    let shed = planted();
    for path in [
        "abs/secret",
        "rel/secret",
        "file",
        "../../../../canary/secret",
    ] {
        shed.cowshed(&format!("volume cat data {path}"))
            .fails(1, "in volume data");
        shed.cowshed(&format!("volume cp -L data:{path} out"))
            .fails(1, "in volume data");
        assert!(!shed.path("out").exists());
    }
    for path in ["abs/", "rel/", "abs/.", "rel/sub"] {
        shed.cowshed(&format!("volume ls-files data:{path}"))
            .fails(1, "in volume data");
        shed.cowshed(&format!("volume du data {path}"))
            .fails(1, "in volume data");
    }
    let from = shed.file("mine", "mine\n");
    for path in ["abs/secret", "rel/new", "file", "abs"] {
        // Where it ends up is inside, or it is refused.
        shed.cowshed(&format!("volume cp {from} data:{path}"));
        untouched(&shed);
    }
    for path in ["fifo", "tty", "inside"] {
        shed.cowshed(&format!("volume cat data {path}"))
            .fails(1, "no regular file");
    }
    assert_eq!(shed.cowshed("volume cat data in/own").ok(), "own\n");
    assert_eq!(shed.cowshed("volume cat data:in/own").ok(), "own\n");
    assert_eq!(shed.cowshed("volume ls-files data in/").ok(), "own\n");
    // The whole volume, to another one and to the host: links stay links.
    shed.cowshed("volume cp data copy").ok();
    assert_eq!(facts(&shed.data("copy")), facts(&shed.data("data")));
    shed.cowshed("volume cp -a data:/. tree").ok();
    assert!(
        fs::symlink_metadata(shed.path("tree/abs"))
            .unwrap()
            .is_symlink()
    );
    shed.cowshed("volume rm data").ok();
    untouched(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_cp_goes_every_way_and_follows_the_rules_of_cp() {
    let shed = rich();
    shed.cowshed("volume create other").ok();
    let file = shed.file("file", "file\n");
    // Host to volume: a new name, into a directory, onto a file.
    shed.cowshed(&format!("volume cp {file} other:/new")).ok();
    assert_eq!(shed.cowshed("volume cat other new").ok(), "file\n");
    host(&shed.data("other"), "mkdir d");
    shed.cowshed(&format!("volume cp {file} other:d")).ok();
    assert_eq!(shed.cowshed("volume cat other d/file").ok(), "file\n");
    shed.cowshed(&format!("volume cp {file} other:no/where/"))
        .fails(1, "no such directory");
    // Volume to host.
    shed.cowshed("volume cp -a data:sub out").ok();
    let list = "find . -printf '%P|%y|%m|%U:%G|%l|%T@\n' | sort";
    assert_eq!(
        host(&shed.path("out"), list),
        host(&shed.data("data").join("sub"), list)
    );
    shed.cowshed("volume cp data:한국어 .").ok();
    assert_eq!(read(shed.path("한국어")), "content\n");
    shed.cowshed("volume cp data:nothing .")
        .fails(1, "no /nothing in volume data");
    shed.cowshed("volume cp nothing:/ .")
        .fails(1, "get nothing: no such volume");
    // Volume to volume.
    shed.cowshed("volume cp data:/. other:/all").ok();
    let listed = "find . ! -name hidden -printf '%P|%y|%m|%U:%G|%n|%l|%T@\n' | grep -v '^|' | sort";
    assert_eq!(
        host(&shed.data("other").join("all"), listed),
        host(&shed.data("data"), listed)
    );
    shed.cowshed("volume cp data other")
        .fails(1, "copy to other: a volume of this name exists");
    shed.cowshed("volume cp data clone").ok();
    assert_eq!(facts(&shed.data("clone")), facts(&shed.data("data")));
    assert_eq!(shed.inspect("clone")["Labels"]["team"], "a");
    // Streams.
    host(&shed.path(""), "tar cf in.tar file");
    let mut command = shed.command("volume cp - other:/d");
    command.stdin(File::open(shed.path("in.tar")).unwrap());
    finish(command).ok();
    let mut command = shed.command("volume cp other:d -");
    command.stdout(File::create(shed.path("out.tar")).unwrap());
    finish(command).ok();
    assert_eq!(host(&shed.path(""), "tar tf out.tar"), "d/\nd/file\n");
    for line in [
        "volume cp - clone",
        "volume cp ./file clone",
        "volume cp /etc /tmp/x",
    ] {
        shed.cowshed(line).fails(1, "one side must be VOLUME:PATH");
    }
}

#[test]
#[ignore = "needs root"]
fn root_files_are_listed_and_measured() {
    let shed = rich();
    let data = shed.data("data");
    assert_eq!(
        shed.cowshed("volume ls-files data").ok(),
        host(&data, "LC_ALL=C ls -A")
    );
    let long = shed.cowshed("volume ls-files -l data sub").ok();
    assert!(long.starts_with("MODE "), "{long}");
    assert!(long.contains("-rw-r--r--   3 "), "{long}");
    let json = shed.cowshed("volume ls-files --format json data link").ok();
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&line["Name"], &line["Target"]),
        (&"link".into(), &"한국어".into())
    );
    assert_eq!(
        (&line["Type"], &line["Uid"]),
        (&"symlink".into(), &5.into())
    );
    let format = shed
        .cowshed("volume ls-files --format '{{.Size}}' data random")
        .ok();
    assert_eq!(format, "300000\n");
    shed.cowshed("volume ls-files data nothing")
        .fails(1, "no /nothing in volume data");
    let du = |flags: &str, path: &str| {
        let text = shed.cowshed(&format!("volume du {flags} data {path}")).ok();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let host_du = |flags: &str, path: &str| {
        let text = host(&data, &format!("du {flags} {path}"));
        let mut lines: Vec<_> = text
            .lines()
            .map(|line| line.replace("\t./", "\t"))
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(du("-s", ""), host_du("-s", "."));
    assert_eq!(du("-s", "random"), host_du("-s", "random"));
    assert_eq!(du("-s", "sub"), host_du("-s", "sub"));
    assert_eq!(du("-h", "empty"), host_du("-h", "empty"));
    assert_eq!(du("-a", "").len(), host_du("-a", ".").len());
}
