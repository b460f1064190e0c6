//! Options of the local driver: what is refused when a volume is made, and what shows of them.

use std::time::{Duration, Instant};

use crate::support::{Shed, finish, read};

#[test]
#[ignore = "needs root"]
fn root_rule_38_the_local_driver_takes_four_options() {
    let shed = Shed::empty();
    for (options, message) in [
        ("-o foo=1", "create vol: invalid option: \"foo\""),
        ("-o o=size=1m", "missing required option: \"device\""),
        ("-o type=tmpfs", "missing required option: \"device\""),
        ("-o device=tmpfs", "missing required option: \"type\""),
        (
            "-o device=tmpfs -o o=ro",
            "missing required option: \"type\"",
        ),
        ("-o size=much", "invalid size: 'much'"),
        ("-o size=1g", "quota size requested but no quota support"),
    ] {
        let line = format!("volume create {options} vol");
        shed.cowshed(&line).fails(1, message);
        // The parse is never skipped.
        let line = format!("volume create --no-check {options} vol");
        shed.cowshed(&line).fails(1, message);
    }
    assert_eq!(shed.volumes(), Vec::<String>::new());
    let line = "volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m,uid=1000 vol";
    assert_eq!(shed.cowshed(line).ok(), "vol\n");
    let options = serde_json::json!({"device": "tmpfs", "o": "size=1m,uid=1000", "type": "tmpfs"});
    assert_eq!(shed.inspect("vol")["Options"], options);
}

#[test]
#[ignore = "needs root"]
fn root_hostile_options_mount_nothing() {
    let shed = Shed::empty();
    let mut refused = 0;
    for option in [
        ["type=tmpfs", "device=tmpfs", "o=size=1m\nremount"],
        ["type=tmpfs", "device=tmp\nfs", "o=size=1m"],
        ["type=tmpfs", "device=-oremount", "o=size=1m"],
        ["type=tmpfs", "device=tmpfs", "o=remount"],
        ["type=tmpfs", "device=tmpfs", "o=source=/dev/vda"],
        ["type=tmpfs,bind", "device=/etc", "o=ro"],
        ["type=../../../bin/sh", "device=x", "o=ro"],
        ["type=fuse./bin/sh", "device=x", "o=ro"],
        ["type=none", "device=/etc", "o=ro"],
        ["type=none", "device=../etc", "o=bind"],
        ["type=none", "device=/etc", "o=bind,rshared"],
        ["type=none", "device=/etc", "o=rbind,lowerdir=/"],
    ] {
        for check in ["volume create", "volume create --no-check"] {
            let mut command = shed.command(check);
            for one in option {
                command.args(["-o", one]);
            }
            command.arg("vol");
            finish(command).fails(1, "create vol: invalid value for option");
            refused += 1;
        }
    }
    assert_eq!(refused, 24);
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_what_this_machine_cannot_mount_is_told_at_once_with_the_remedy() {
    let shed = Shed::empty();
    shed.file("text", "no file system");
    let here = shed.show("");
    for (options, message, remedy) in [
        (
            "-o type=nosuchfs -o device=x",
            "this kernel has no file system \"nosuchfs\": no such device",
            "modprobe nosuchfs",
        ),
        (
            "-o type=fuse.glusterfs -o device=host:/vol",
            "there is no program mount.fuse.glusterfs",
            "apt-get install glusterfs-client",
        ),
        (
            "-o type=none -o o=bind -o device=/no/such/dir",
            "bind source path does not exist: /no/such/dir",
            "mkdir -p /no/such/dir",
        ),
        (
            "-o type=ext4 -o device=/dev/nosuch",
            "device /dev/nosuch: No such file or directory",
            "lsblk",
        ),
        (
            "-o type=ext4 -o device=/dev/null",
            "device /dev/null is neither a block device nor a file",
            "lsblk",
        ),
        (
            "-o type=tmpfs -o device=tmpfs -o o=colour=red",
            "Unknown parameter 'colour'",
            "",
        ),
    ] {
        let line = format!("volume create {options} vol");
        let done = shed.cowshed(&line).fails(1, message);
        assert!(done.err.contains(remedy), "{}", done.err);
        assert_eq!(shed.volumes(), Vec::<String>::new());
        let line = format!("volume create --no-check {options} vol");
        assert_eq!(shed.cowshed(&line).ok(), "vol\n");
        assert_eq!(shed.cowshed("volume rm vol").ok(), "vol\n");
    }
    let line = format!("volume create -o type=none -o o=bind -o device={here}/text vol");
    shed.cowshed(&line).fails(1, "is no directory");
}

#[test]
#[ignore = "needs root"]
fn root_rule_51_options_of_a_mount_make_a_volume_and_are_ignored_on_an_existing_one() {
    let shed = Shed::new();
    let tmpfs = |size: &str| {
        format!(
            "--mount '\"volume-opt=o=size={size},mode=0700\",src=vol,dst=/x,volume-driver=local,\
             volume-opt=type=tmpfs,volume-opt=device=tmpfs'"
        )
    };
    let shown = shed.sh(&tmpfs("1m"), "mount | grep ' /x '");
    assert!(shown.contains("size=1024k,mode=700"), "{shown}");
    assert_eq!(shed.inspect("vol")["Options"]["o"], "size=1m,mode=0700");
    let shown = shed.sh(&tmpfs("2m"), "mount | grep ' /x '");
    assert!(shown.contains("size=1024k"), "{shown}");
    // A bad one makes neither a container nor a volume.
    let flag = "--mount src=new,dst=/x,volume-opt=type=tmpfs";
    shed.try_sh(flag, "true")
        .fails(125, "create new: missing required option: \"device\"");
    assert_eq!(shed.volumes(), ["vol"]);
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_50_a_volume_with_options_is_a_volume_among_the_mounts() {
    let shed = Shed::new();
    shed.cowshed("volume create -o type=tmpfs -o device=tmpfs vol")
        .ok();
    shed.cowshed("create --name box -v vol:/x:ro base true")
        .ok();
    let expected = serde_json::json!([{
        "Type": "volume",
        "Name": "vol",
        "Source": shed.data("vol"),
        "Destination": "/x",
        "Driver": "local",
        "Mode": "ro",
        "RW": false,
        "Propagation": "",
    }]);
    assert_eq!(shed.inspect("box")["Mounts"], expected);
    shed.cowshed("rm box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_password_shows_nowhere() {
    let shed = Shed::new();
    let line = "volume create --no-check -o type=cifs -o device=//127.0.0.1/share -o \
                o=username=kim,password=s3cret,vers=3.1.1 vol";
    shed.cowshed(line).ok();
    let run = "run --rm -v vol:/x base true";
    let told = [
        shed.cowshed("volume inspect vol"),
        shed.cowshed("inspect vol"),
        shed.cowshed("volume inspect -f '{{json .Options}}' vol"),
        shed.cowshed("volume ls --format json"),
        shed.cowshed("events --since 1h --until 0s"),
        shed.cowshed(run),
        shed.cowshed(&run.replace("run", "run --explain")),
        shed.cowshed(&run.replace("run", "run --dry-run")),
        shed.cowshed(&run.replace("run", "run --explain=sh")),
        shed.cowshed(
            "volume create --no-check -o type=x -o device=y -o o=password=s3cret,remount v2",
        ),
    ];
    let mut hidden = 0;
    for done in &told {
        let text = format!("{}{}", done.out, done.err);
        assert!(!text.contains("s3cret"), "{text}");
        hidden += text.matches("********").count();
    }
    assert!(hidden >= 5, "{hidden} {told:?}");
    // In the store it is, for root alone.
    assert!(read(shed.store().join("volumes/vol/volume.json")).contains("s3cret"));
}

#[test]
#[ignore = "needs root"]
fn root_a_server_that_is_not_there_yet_is_noted_and_refused_when_strict() {
    let shed = Shed::empty();
    let line = "volume create --driver local --opt type=nfs --opt o=addr=127.0.0.1,port=1,rw \
                --opt device=:/path/to/dir nfs-volume";
    let done = shed.cowshed(line);
    assert_eq!((done.code, done.out.as_str()), (0, "nfs-volume\n"));
    assert!(
        done.err.contains("note: it cannot be mounted now: "),
        "{}",
        done.err
    );
    shed.cowshed("volume rm nfs-volume").ok();
    let mut strict = shed.command(line);
    strict.env("COWSHED_STRICT_MOUNTS", "1");
    finish(strict).fails(1, "it cannot be mounted now");
    assert_eq!(shed.volumes(), Vec::<String>::new());
    let quiet = shed.cowshed(&line.replace("create", "create --no-check"));
    assert_eq!(quiet.err, "");
    shed.cowshed("volume rm nfs-volume").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_password_file_is_read_at_the_mount_and_never_stored() {
    let shed = Shed::new();
    let secret = shed.file("secret", "hunter2\n");
    let line = format!(
        "volume create --no-check -o type=cifs -o device=//127.0.0.1/share -o \
         o=username=kim,password-file={secret} vol"
    );
    shed.cowshed(&line).ok();
    let record = read(shed.store().join("volumes/vol/volume.json"));
    assert!(record.contains("password-file") && !record.contains("hunter2"));
    let done = shed.cowshed("run --rm -v vol:/x base true");
    assert_eq!(done.code, 125, "{done:?}");
    assert!(!done.err.contains("hunter2"));
}

#[test]
#[ignore = "needs root"]
fn root_many_volumes_without_options_cost_no_look_at_any() {
    let shed = Shed::new();
    for number in 0..30 {
        shed.cowshed(&format!(
            "volume create -o type=tmpfs -o device=tmpfs t{number}"
        ))
        .ok();
    }
    let began = Instant::now();
    assert_eq!(shed.volumes().len(), 30);
    shed.cowshed("ps").ok();
    assert!(began.elapsed() < Duration::from_secs(2));
}
