//! File systems on images: ext4, xfs, btrfs through loop devices, and what disks do when they are
//! full, read-only or gone.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use super::driver_users::mounted;
use crate::support::{Shed, wait_until, write_text};

/// An image with a file system, made by a tool of its package.
fn image(shed: &Shed, name: &str, (mebibytes, tool, package): (u64, &[&str], &str)) -> PathBuf {
    let path = shed.path(name);
    File::create(&path)
        .unwrap()
        .set_len(mebibytes << 20)
        .unwrap();
    let made = Command::new(tool[0]).args(&tool[1..]).arg(&path).output();
    let made = made.unwrap_or_else(|error| panic!("{}: {error}: install {package}", tool[0]));
    assert!(made.status.success(), "{made:?}");
    path
}

fn ext4(shed: &Shed, name: &str, mebibytes: u64) -> PathBuf {
    image(shed, name, (mebibytes, &["mkfs.ext4", "-q"], "e2fsprogs"))
}

/// A volume on an image with ext4; the image.
fn on_ext4(shed: &Shed, volume: &str, mebibytes: u64) -> PathBuf {
    let image = ext4(shed, &format!("{volume}.img"), mebibytes);
    let device = image.display();
    shed.cowshed(&format!(
        "volume create -o type=ext4 -o device={device} {volume}"
    ))
    .ok();
    image
}

/// Loop devices of images of this test.
fn loops(shed: &Shed) -> usize {
    let scratch = shed.show("");
    let devices = fs::read_dir("/sys/block").unwrap();
    let files = devices.filter_map(|device| {
        let file = device.unwrap().path().join("loop/backing_file");
        fs::read_to_string(file).ok()
    });
    files.filter(|file| file.starts_with(&scratch)).count()
}

#[track_caller]
fn assert_nothing_left(shed: &Shed) {
    assert_eq!(mounted(shed), Vec::<String>::new());
    wait_until("the loop device is free", || loops(shed) == 0);
}

#[test]
#[ignore = "needs root"]
fn root_real_file_systems_on_images_keep_their_data() {
    let shed = Shed::new();
    let kinds: [(&str, u64, &[&str], &str); 3] = [
        ("ext4", 16, &["mkfs.ext4", "-q"], "e2fsprogs"),
        ("xfs", 320, &["mkfs.xfs", "-q"], "xfsprogs"),
        ("btrfs", 128, &["mkfs.btrfs", "-q"], "btrfs-progs"),
    ];
    for (kind, size, tool, package) in kinds {
        let image = image(&shed, kind, (size, tool, package));
        let line = format!(
            "volume create -o type={kind} -o device={} -o o=noatime,nosuid {kind}",
            image.display()
        );
        shed.cowshed(&line).ok();
        assert_eq!(loops(&shed), 0, "{kind}: made, not mounted");
        let flag = format!("-v {kind}:/x");
        let shown = shed.sh(&flag, "mount | grep ' /x '; echo 데이터 >/x/자료");
        let wanted = format!(" on /x type {kind} (rw,nosuid,nodev,noatime");
        assert!(shown.contains(&wanted), "{shown}");
        assert_nothing_left(&shed);
        assert_eq!(shed.sh(&flag, "cat /x/자료"), "데이터\n", "{kind}");
        shed.cowshed(&format!("volume rm {kind}")).ok();
        // What is behind it is not the volume's.
        let line = format!(
            "volume create -o type={kind} -o device={} again-{kind}",
            image.display()
        );
        shed.cowshed(&line).ok();
        assert_eq!(
            shed.sh(&format!("-v again-{kind}:/x"), "cat /x/자료"),
            "데이터\n"
        );
        assert_nothing_left(&shed);
    }
}

#[test]
#[ignore = "needs root"]
fn root_two_volumes_of_one_image_share_its_device() {
    let shed = Shed::new();
    let image = ext4(&shed, "image", 16);
    for name in ["one", "two"] {
        let line = format!(
            "volume create -o type=ext4 -o device={} {name}",
            image.display()
        );
        shed.cowshed(&line).ok();
    }
    let script = "echo hi >/a/x; cat /b/x";
    assert_eq!(shed.sh("-v one:/a -v two:/b", script), "hi\n");
    let mut user = shed.start("run --rm --name box -v one:/a base sh -c 'echo ready; sleep 100'");
    assert_eq!(shed.sh("-v two:/b", "cat /b/x"), "hi\n");
    assert_eq!(loops(&shed), 1);
    shed.cowshed("rm -f box").ok();
    user.wait();
    assert_nothing_left(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_full_volume_is_full_for_its_container_only() {
    let shed = Shed::new();
    on_ext4(&shed, "vol", 4);
    let until_full = "dd if=/dev/zero of=/x/big bs=64k";
    let done = shed.try_sh("-v vol:/x", until_full);
    done.fails(1, "No space left on device");
    shed.cowshed("create --name box -v vol:/x base true").ok();
    let file = shed.file("in", &"x".repeat(1 << 20));
    shed.cowshed(&format!("cp {file} box:/x/in"))
        .fails(1, "no space left on device");
    shed.cowshed("ps -a").ok();
    shed.cowshed("volume ls").ok();
    assert_eq!(
        shed.sh("-v vol:/x", "rm /x/big; echo more >/x/more; cat /x/more"),
        "more\n"
    );
    shed.cowshed("rm box").ok();
    assert_nothing_left(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_read_only_volume_is_read_only() {
    let shed = Shed::new();
    let image = ext4(&shed, "image", 16);
    let device = image.display();
    shed.cowshed(&format!("volume create -o type=ext4 -o device={device} rw"))
        .ok();
    assert_eq!(shed.sh("-v rw:/x", "echo hi >/x/a; cat /x/a"), "hi\n");
    assert_nothing_left(&shed);
    let line = format!("volume create -o type=ext4 -o device={device} -o o=ro,noload ro");
    shed.cowshed(&line).ok();
    shed.try_sh("-v ro:/x", "cat /x/a; touch /x/b")
        .fails(1, "Read-only file system");
    // The image of a volume that nobody may write: `data` would be copied into an empty one.
    assert_eq!(shed.sh("-v ro:/data", "cat /data/a"), "hi\n");
    assert_nothing_left(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_device_that_has_gone_is_named() {
    let shed = Shed::new();
    let image = on_ext4(&shed, "vol", 16);
    let mut user = shed.start("run --rm --name box -v vol:/x base sh -c 'echo ready; sleep 100'");
    fs::remove_file(&image).unwrap();
    // Its user has it still, and so has a second one.
    assert_eq!(shed.sh("-v vol:/x", "ls /x"), "lost+found\n");
    for line in [
        "ps",
        "volume ls",
        "volume inspect vol",
        "inspect box",
        "volume prune -f",
    ] {
        shed.cowshed(line).ok();
    }
    shed.cowshed("rm -f box").ok();
    user.wait();
    assert_nothing_left(&shed);
    // As in Docker, where a missing device looks like a missing program (rule 61).
    let done = shed
        .try_sh("-v vol:/x", "true")
        .fails(127, "error while mounting volume");
    assert!(
        done.err.contains("failed to mount local volume: mount "),
        "{}",
        done.err
    );
    assert!(
        done.err.contains("hint: the device is not there"),
        "{}",
        done.err
    );
    shed.cowshed("volume rm vol").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_disk_that_shrinks_under_its_user_hangs_nobody() {
    let shed = Shed::new();
    let image = on_ext4(&shed, "vol", 16);
    let script = "echo ready; sleep 100";
    let mut user = shed.start(&format!(
        "run --rm --name box -v vol:/x base sh -c '{script}'"
    ));
    File::options()
        .write(true)
        .open(&image)
        .unwrap()
        .set_len(0)
        .unwrap();
    let read = "dd if=/dev/zero of=/x/f bs=1M count=8 conv=fsync";
    let done = shed.cowshed(&format!("exec box {read}"));
    assert_ne!(done.code, 0, "{done:?}");
    for line in [
        "ps",
        "volume ls",
        "volume prune -f",
        "volume create other",
        "volume rm other",
    ] {
        shed.cowshed(line).ok();
    }
    shed.cowshed("rm -f box").ok();
    user.wait();
    assert_nothing_left(&shed);
    shed.cowshed("volume rm vol").ok();
}

#[test]
#[ignore = "needs root"]
fn root_what_is_no_file_system_is_told() {
    let shed = Shed::new();
    write_text(&shed.path("image"), &"no file system\n".repeat(10_000));
    let line = format!(
        "volume create -o type=ext4 -o device={} vol",
        shed.show("image")
    );
    shed.cowshed(&line).ok();
    let done = shed
        .try_sh("-v vol:/x", "true")
        .fails(125, "error while mounting volume");
    assert!(
        done.err.contains("hint: is the type right?"),
        "{}",
        done.err
    );
    assert_nothing_left(&shed);
    shed.assert_no_containers();
}
