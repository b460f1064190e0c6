//! tmpfs with everything that `--mount` can say, in both spellings (needs 24 and 25).

use crate::support::Shed;

fn options(shed: &Shed, flags: &str) -> String {
    let line = shed.sh(flags, "grep ' /t ' /proc/mounts");
    line.split(' ').nth(3).unwrap().to_owned()
}

#[test]
#[ignore = "needs root"]
fn root_need_24_mount_and_tmpfs_can_say_the_same() {
    let shed = Shed::new();
    let mount = "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0750,tmpfs-uid=1000,\
        tmpfs-gid=1001,tmpfs-exec,tmpfs-inodes=64,tmpfs-noswap";
    let flag = "--tmpfs /t:size=1m,mode=0750,uid=1000,gid=1001,exec,nr_inodes=64,noswap";
    let found = options(&shed, mount);
    assert_eq!(found, options(&shed, flag));
    for word in [
        "size=1024k",
        "nr_inodes=64",
        "mode=750",
        "uid=1000",
        "gid=1001",
        "noswap",
    ] {
        assert!(found.split(',').any(|one| one == word), "{word} in {found}");
    }
    assert!(!found.contains("noexec"), "{found}");
    for flags in [mount, flag] {
        let script = "stat -c '%a %u:%g' /t; cp /bin/busybox /tmp/b; ln -s /tmp/b /t/true; \
            printf '#!/bin/sh\\necho ran\\n' >/t/x; chmod +x /t/x; /t/x; \
            i=0; while touch /t/f$i 2>/dev/null; do i=$((i+1)); done; [ $i -lt 64 ] && echo full";
        assert_eq!(
            shed.sh(flags, script),
            "750 1000:1001\nran\nfull\n",
            "{flags}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_need_25_copyup_begins_with_the_image_s_content() {
    let shed = Shed::new();
    let list = "cd /data && stat -c '%A %u:%g' . && \
        stat -c '%A %u:%g %Y %h %n' fifo link one same setuid sub sub/two";
    let image = shed.sh("", list);
    for flags in [
        "--mount type=tmpfs,dst=/data,tmpfs-copyup",
        "--tmpfs /data:tmpcopyup",
    ] {
        assert_eq!(shed.sh(flags, list), image, "{flags}");
        // It is memory: the image's own stays, and the next container begins anew.
        assert_eq!(shed.sh(flags, "rm -r /data/*; ls -A /data"), "");
        assert_eq!(shed.sh(flags, list), image, "{flags}");
    }
    // What is said about the root holds; the rest is the directory's.
    let flags = "--mount type=tmpfs,dst=/data,tmpfs-copyup,tmpfs-mode=0700,tmpfs-uid=7";
    assert_eq!(shed.sh(flags, "stat -c '%a %u:%g' /data"), "700 7:1001\n");
    let done = shed.try_sh("--tmpfs /data:tmpcopyup,ro", "cat /data/one; touch /data/x");
    assert_eq!(done.out, "one\n");
    assert!(done.err.contains("Read-only file system"), "{done:?}");
    // For a root that is read-only, which is what it is made for.
    let out = shed.sh(
        "--read-only --tmpfs /data:tmpcopyup",
        "echo two >>/data/one; cat /data/one",
    );
    assert_eq!(out, "one\ntwo\n");
    // Where there is nothing, nothing is copied.
    assert_eq!(shed.sh("--tmpfs /new:tmpcopyup", "ls -A /new"), "");
    shed.try_sh("--tmpfs /data:tmpcopyup,size=4k", "true")
        .fails(125, "copying up /data");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_need_25_copyup_follows_no_link_out_of_the_image() {
    let shed = Shed::new();
    let layer = crate::support::Tar::new()
        .link("out", "/etc")
        .link("up", "../../../../../etc");
    shed.image("linked", layer, &[]);
    for place in ["/out", "/up"] {
        let flags = format!("run --rm --tmpfs {place}:tmpcopyup linked sh -c");
        // In the image /out is its own /etc.
        let out = shed
            .cowshed(&format!(
                "{flags} 'ls {place}; mount | grep -c \" on /etc type tmpfs\"'"
            ))
            .ok();
        assert_eq!(out, "group\nhostname\nhosts\npasswd\nresolv.conf\n1\n");
    }
}

#[test]
#[ignore = "needs root"]
fn root_need_29_the_image_s_volumes_may_be_ignored_or_in_memory() {
    let shed = Shed::new();
    shed.image(
        "vols",
        crate::support::Tar::new()
            .dir("seed", 0o755)
            .file("seed/s", 0o644, b"s\n"),
        &["VOLUME /seed /data"],
    );
    let run = |flags: &str, script: &str| {
        shed.cowshed(&format!("run --rm {flags} vols sh -c '{script}'"))
            .ok()
    };
    let look =
        "cat /seed/s; touch /seed/x /data/x; grep -c \" /seed \\| /data \" /proc/mounts; true";
    assert_eq!(run("--image-volume=anonymous", look), "s\n2\n");
    assert_eq!(run("--image-volume=ignore", look), "s\n0\n");
    assert_eq!(run("--image-volume=tmpfs", look), "s\n2\n");
    let kinds = "awk \"\\$2 == \\\"/seed\\\" || \\$2 == \\\"/data\\\" {print \\$3}\" /proc/mounts; stat -c %a:%u /data";
    assert_eq!(
        run("--image-volume=tmpfs", kinds),
        "tmpfs\ntmpfs\n751:1000\n"
    );
    // What covers one wins whatever is said.
    assert_eq!(
        run("--image-volume=ignore -v named:/seed", "ls /seed"),
        "s\n"
    );
    assert_eq!(shed.volumes(), ["named"]);
    shed.cowshed("create --name box --image-volume=ignore vols true")
        .ok();
    assert_eq!(shed.inspect("box")["Mounts"], serde_json::json!([]));
    assert_eq!(shed.volumes(), ["named"]);
    shed.cowshed("run --rm --image-volume=what vols true")
        .fails(125, "image-volume");
}

#[test]
#[ignore = "needs root"]
fn root_rule_53_propagation_and_sync_of_a_tmpfs_reach_the_kernel() {
    let shed = Shed::new();
    let look = "awk '$5 == \"/t\" { print $7 }' /proc/self/mountinfo | cut -d: -f1";
    assert_eq!(shed.sh("--tmpfs /t:shared", look), "shared\n");
    assert_eq!(shed.sh("--tmpfs /t:private", look), "-\n");
    let found = options(&shed, "--tmpfs /t:sync,dirsync");
    assert!(found.contains("sync,dirsync"), "{found}");
    let done = shed.try_sh("--tmpfs /t:mand", "true");
    assert!(done.err.contains("'mand' has no effect"), "{done:?}");
    shed.try_sh("--tmpfs /t:mpol=nonsense", "true")
        .fails(125, "tmpfs");
}
