//! Restoring into volumes with driver options, and what those are told who cannot restore.

use crate::{
    backup_scene::{facts, host, rich},
    support::Shed,
};

/// A volume called `disk` that is a directory of the host; that directory.
fn disk(shed: &Shed, more: &str) -> String {
    let disk = shed.dir("disk");
    shed.cowshed(&format!(
        "volume create -o type=none -o o=bind{more} -o device={disk} disk"
    ))
    .ok();
    disk
}

#[test]
#[ignore = "needs root"]
fn root_a_backup_goes_into_a_volume_with_driver_options() {
    let shed = rich();
    shed.cowshed("volume backup -q -o a.tar data").ok();
    let disk = disk(&shed, "");
    shed.cowshed("volume restore a.tar disk")
        .fails(1, "restore disk: a volume of this name exists");
    shed.cowshed("volume restore --into-empty a.tar disk").ok();
    assert_eq!(facts(disk.as_ref()), facts(&shed.data("data")));
    host(disk.as_ref(), "echo more >more; rm random");
    shed.cowshed("volume restore --into-empty a.tar disk")
        .fails(1, "volume disk is not empty");
    shed.cowshed("volume restore --replace a.tar disk").ok();
    assert_eq!(facts(disk.as_ref()), facts(&shed.data("data")));
    shed.cowshed("volume verify a.tar disk").ok();
    // Nothing is mounted any more, and the options stay.
    assert_eq!(host(&shed.data("disk"), "ls -A"), "");
    assert_eq!(shed.inspect("disk")["Options"]["device"], disk.as_str());
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_backup_leaves_a_disk_as_it_was() {
    let shed = rich();
    shed.cowshed("volume backup -q -o a.tar data").ok();
    let disk = disk(&shed, "");
    host(disk.as_ref(), "echo old >old; touch -d 2001-02-03 old .");
    let before = facts(disk.as_ref());
    host(&shed.path(""), "head -c -200000 a.tar >b.tar");
    shed.cowshed("volume restore --replace b.tar disk")
        .fails(1, "");
    // The directory's own time is that of the attempt.
    host(disk.as_ref(), "touch -d 2001-02-03 .");
    assert_eq!(facts(disk.as_ref()), before);
}

#[test]
#[ignore = "needs root"]
fn root_a_disk_that_is_used_or_read_only_is_not_restored_into() {
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    shed.cowshed("volume backup -q -o a.tar data").ok();
    let place = disk(&shed, "");
    host(place.as_ref(), "echo old >old");
    shed.cowshed("run -d --name box -v disk:/d:ro -v data:/data base sleep 1000")
        .ok();
    for name in ["disk", "data"] {
        let refused = shed.cowshed(&format!("volume restore --replace a.tar {name}"));
        let refused = refused.fails(1, &format!("volume {name} is in use - [box]"));
        assert!(
            refused.err.contains("hint: cowshed stop box"),
            "{refused:?}"
        );
    }
    shed.cowshed("rm -f box").ok();
    shed.cowshed("volume rm disk").ok();
    disk(&shed, ",ro");
    shed.cowshed("volume restore --replace a.tar disk")
        .fails(1, "read-only file system");
    assert_eq!(host(place.as_ref(), "ls -A"), "old\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_name_that_is_taken_has_a_hint_for_each_command() {
    let shed = Shed::empty();
    for name in ["data", "other"] {
        shed.cowshed(&format!("volume create {name}")).ok();
    }
    shed.cowshed("volume backup -q -o a.tar data").ok();
    let hint = |line: &str| {
        let done = shed.cowshed(line);
        let done = done.fails(1, "a volume of this name exists");
        let hint = done
            .err
            .lines()
            .find_map(|line| line.strip_prefix("hint: "));
        hint.unwrap().to_owned()
    };
    let rename = hint("volume rename data other");
    assert!(
        rename.ends_with("remove that one: cowshed volume rm other"),
        "{rename}"
    );
    let copy = hint("volume cp data other");
    assert!(
        copy.ends_with("cowshed volume cp VOLUME:/. other:/"),
        "{copy}"
    );
    let restore = hint("volume restore a.tar other");
    assert!(
        restore.ends_with("volume restore --replace FILE other"),
        "{restore}"
    );
    shed.cowshed("volume prune -f").ok();
    shed.cowshed("volume create other").ok();
    let back = hint("volume trash restore other");
    assert!(
        back.ends_with("volume trash restore --as NEW other"),
        "{back}"
    );
    // The hints hold what they promise.
    shed.cowshed("volume restore --replace a.tar other").ok();
    shed.cowshed("volume trash restore --as new other").ok();
    shed.cowshed("volume cp new:/. other:/").ok();
}
