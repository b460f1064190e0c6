//! Stores in odd places: on a shared mount, on a full file system.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::{Shed, mounts_below, tree};

/// A file system of its own at the store's place.
fn mount_store(shed: &Shed, options: &str) {
    let store = shed.store();
    std::fs::create_dir(&store).unwrap();
    mount(
        Some("none"),
        &store,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(options),
    )
    .unwrap();
}

fn unmount(path: &Path) {
    umount2(path, MntFlags::MNT_DETACH).unwrap();
}

fn import_base(shed: &Shed) {
    crate::support::write_file(&shed.path("base.tar"), crate::support::base());
    let path = shed.show("base.tar");
    shed.cowshed(&format!("import --sync=none {path} base"))
        .ok();
}

#[test]
#[ignore = "needs root"]
fn root_nothing_is_mounted_where_the_host_sees_it() {
    let shed = Shed::empty();
    mount_store(&shed, "size=64m");
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    mount(None::<&str>, "/", None::<&str>, shared, None::<&str>).unwrap();
    import_base(&shed);
    let dir = shed.dir("dir");
    let before = mounts_below(Path::new(""));
    let flags = format!("--name live --tmpfs /data/deep -v vol:/v -v {dir}:/b --tmpfs /b/in");
    let mut live = shed.start(&format!("run {flags} base sh -c 'echo ready; sleep 100'"));
    assert_eq!(mounts_below(Path::new("")), before);
    shed.cowshed("diff live").ok();
    shed.cowshed("rm -f live").ok();
    live.wait();
    assert_eq!(mounts_below(Path::new("")), before);
    shed.assert_no_containers();
    unmount(&shed.store());
}

#[test]
#[ignore = "needs root"]
fn root_a_full_store_is_said_and_nothing_half_made_stays() {
    let mut shed = Shed::empty();
    mount_store(&shed, "size=16m");
    import_base(&shed);
    let before = shed.listing();
    let done = shed.try_sh("", "dd if=/dev/zero of=/fill bs=64k 2>&1");
    assert!(
        done.code == 1 && done.out.contains("No space left"),
        "{done:?}"
    );
    assert_eq!(shed.listing(), before);

    let fill = std::process::Command::new("dd")
        .args(["if=/dev/zero", "bs=4k"])
        .arg(format!("of={}", shed.show("store/fill")))
        .output()
        .unwrap();
    assert!(!fill.status.success());
    let done = shed
        .cowshed("run --name box -v vol:/data base true")
        .fails(125, "ENOSPC");
    assert!(done.err.contains("no space left"), "{done:?}");
    std::fs::remove_file(shed.path("store/fill")).unwrap();
    assert_eq!(tree(&shed.store().join("tmp")), "");
    assert_eq!(shed.cowshed("ps -aq").ok(), "");
    assert_eq!(
        shed.sh("--name box -v vol:/data", "ls /data | wc -l"),
        "6\n"
    );
    shed.assert_no_containers();
    shed.strict = false;
    unmount(&shed.store());
}
