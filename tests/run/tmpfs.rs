//! tmpfs, /dev/shm and a read-only root (rules 50, 52-56).

use crate::support::{Shed, tree};

fn options(shed: &Shed, flags: &str, place: &str) -> String {
    let line = shed.sh(flags, &format!("grep ' {place} ' /proc/mounts"));
    line.split(' ').nth(3).unwrap().to_owned()
}

#[test]
#[ignore = "needs root"]
fn root_rule_50_the_keys_of_mounts() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    let flags = format!("-v vol:/v:ro -v {dir}:/b --mount type=tmpfs,dst=/t --tmpfs /flag:size=1m");
    shed.cowshed(&format!("run --name box {flags} base true"))
        .ok();
    let found = shed.inspect("box");
    let mounts = found["Mounts"].as_array().unwrap();
    let keys = |at: usize| {
        mounts[at]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(mounts.len(), 3);
    assert_eq!(
        keys(0),
        "Type Name Source Destination Driver Mode RW Propagation"
    );
    assert_eq!(keys(1), "Type Source Destination Mode RW Propagation");
    assert_eq!(keys(2), "Type Source Destination Mode RW Propagation");
    assert_eq!(
        (&mounts[0]["Mode"], &mounts[0]["RW"]),
        (&"ro".into(), &false.into())
    );
    assert_eq!(mounts[2]["Type"], "tmpfs");
    let flag = found["HostConfig"]["Tmpfs"]["/flag"].as_str().unwrap();
    assert!(flag.ends_with("size=1m"), "{flag}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_52_tmpfs_defaults() {
    let shed = Shed::new();
    for flags in ["--tmpfs /t", "--mount type=tmpfs,dst=/t"] {
        let found = options(&shed, flags, "/t");
        assert_eq!(found, "rw,nosuid,nodev,noexec,relatime", "{flags}");
        assert_eq!(shed.sh(flags, "stat -c '%a %u:%g' /t"), "1777 0:0\n");
    }
}

#[test]
#[ignore = "needs root"]
fn root_rule_53_options_override_and_unknown_ones_are_named() {
    let shed = Shed::new();
    let flags = "--tmpfs /t:exec,size=1m,mode=0700,uid=1000,gid=1000";
    let found = options(&shed, flags, "/t");
    assert_eq!(
        found,
        "rw,nosuid,nodev,relatime,size=1024k,mode=700,uid=1000,gid=1000"
    );
    assert_eq!(
        options(&shed, "--tmpfs /t:ro,dev,suid", "/t"),
        "ro,noexec,relatime"
    );
    shed.sh(
        flags,
        "cp /bin/busybox /t/sh && /t/sh -c true || test -e /t/sh",
    );
    shed.try_sh("--tmpfs /t:foo,size=1m,bar", "true")
        .fails(125, "invalid tmpfs option [\"foo\" \"bar\"]");
    let found = options(
        &shed,
        "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0750",
        "/t",
    );
    assert_eq!(found, "rw,nosuid,nodev,noexec,relatime,size=1024k,mode=750");
    let full = shed.try_sh(
        "--tmpfs /t:size=64k",
        "dd if=/dev/zero of=/t/x bs=1k count=100",
    );
    assert!(full.err.contains("No space left"), "{full:?}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_54_tmpfs_is_empty_over_image_content_and_leaves_nothing() {
    let shed = Shed::new();
    assert_eq!(shed.sh("--tmpfs /data", "ls -A /data; touch /data/x"), "");
    shed.cowshed("run --name box --tmpfs /data --tmpfs /new base touch /data/x /new/y")
        .ok();
    let upper = shed
        .store()
        .join("containers")
        .join(shed.id_of("box"))
        .join("upper");
    assert_eq!(tree(&upper), "d new\n");
}

#[test]
#[ignore = "needs root"]
fn root_rule_55_shm_has_64_mib_unless_told_otherwise() {
    let shed = Shed::new();
    let base = "rw,nosuid,nodev,noexec,relatime";
    assert_eq!(
        options(&shed, "", "/dev/shm"),
        format!("{base},size=65536k")
    );
    assert_eq!(
        options(&shed, "--shm-size 1m", "/dev/shm"),
        format!("{base},size=1024k")
    );
    assert_eq!(
        options(&shed, "--shm-size 4096", "/dev/shm"),
        format!("{base},size=4k")
    );
    assert_eq!(shed.sh("", "stat -c %a /dev/shm"), "1777\n");
    shed.try_sh("--shm-size lots", "true").fails(125, "lots");
}

#[test]
#[ignore = "needs root"]
fn root_rule_56_read_only_leaves_shm_volumes_and_tmpfs_writable() {
    let shed = Shed::new();
    let flags = "--read-only -v vol:/data --tmpfs /t -w /made/here";
    let script = "for f in /x /etc/hosts /etc/resolv.conf /etc/hostname /made/here/x; do \
        (echo x >$f) 2>&1; done; echo w >/dev/shm/x && echo w >/data/x && echo w >/t/x && echo ok; pwd";
    let out = shed.sh(flags, script);
    assert_eq!(out.matches("Read-only file system").count(), 5, "{out}");
    assert!(out.ends_with("ok\n/made/here\n"), "{out}");
    assert!(options(&shed, "--read-only", "/").starts_with("ro,"));
    let out = shed.try_sh("--read-only -v ro-vol:/data:ro", "touch /data/x");
    assert!(out.err.contains("Read-only"), "{out:?}");
}
