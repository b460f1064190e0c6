//! `bind-idmap`: the host's owner and the container's user see each other's files as their own.

use std::{
    fs::Permissions,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::Shed;

/// A directory of 4242:4343 with a file of theirs, one of root and one of app's number.
fn owned(shed: &Shed) -> String {
    let dir = shed.dir("src");
    for (name, uid, gid) in [("mine", 4242, 4343), ("roots", 0, 0), ("apps", 1000, 1001)] {
        shed.file(&format!("src/{name}"), name);
        chown(shed.path("src").join(name), Some(uid), Some(gid)).unwrap();
    }
    chown(shed.path("src"), Some(4242), Some(4343)).unwrap();
    dir
}

fn owner(path: &Path) -> (u32, u32) {
    let found = std::fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

#[test]
#[ignore = "needs root"]
fn root_need_1_match_user_maps_the_owner_to_the_container_s_user_and_back() {
    let shed = Shed::new();
    let src = owned(&shed);
    let look = "cd /s; stat -c '%u:%g %n' . mine; echo new >new; mkdir made; stat -c '%u:%g' new";
    for (user, shown) in [
        ("-u app", "1000:1001"),
        ("-u 7:8", "7:8"),
        ("", "0:0"),
        ("-u app:wheel", "1000:10"),
    ] {
        for value in ["bind-idmap", "bind-idmap=match-user"] {
            let flags = format!("{user} --mount type=bind,src={src},dst=/s,{value}");
            let out = shed.sh(&flags, look);
            assert_eq!(
                out,
                format!("{shown} .\n{shown} mine\n{shown}\n"),
                "{flags}"
            );
            for name in ["src/new", "src/made"] {
                assert_eq!(owner(&shed.path(name)), (4242, 4343), "{flags}");
            }
            std::fs::remove_file(shed.path("src/new")).unwrap();
            std::fs::remove_dir(shed.path("src/made")).unwrap();
        }
    }
    // By -v, and with a user who is named.
    let out = shed.sh(
        &format!("-u app -v {src}:/s:idmap"),
        "stat -c %u:%g /s/mine",
    );
    assert_eq!(out, "1000:1001\n");
    let flags = format!("--mount type=bind,src={src},dst=/s,bind-idmap=match-user:app");
    let out = shed.sh(&flags, "stat -c %u:%g /s/mine; echo x >/s/by-root");
    assert_eq!(out, "1000:1001\n");
    // Root inside is root outside, as without a map.
    assert_eq!(owner(&shed.path("src/by-root")), (0, 0));
}

#[test]
#[ignore = "needs root"]
fn root_need_1_nobody_else_gains_by_a_map() {
    let shed = Shed::new();
    let src = owned(&shed);
    std::fs::set_permissions(shed.path("src"), Permissions::from_mode(0o1777)).unwrap();
    let flags = format!("--mount type=bind,src={src},dst=/s,idmap");
    // Root of the container is the owner. Root's own files are nobody's, and 4242 inside is none
    // of the host's root.
    let look = "stat -c '%u:%g %n' /s/roots /s/apps";
    assert_eq!(
        shed.sh(&flags, look),
        "65534:65534 /s/roots\n1000:1001 /s/apps\n"
    );
    let done = shed.try_sh(&format!("-u 4242:4343 {flags}"), "touch /s/x");
    // Mapped to itself: the owner's files are the user's.
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(owner(&shed.path("src/x")), (4242, 4343));
    let flags = format!("-u 4242:4343 --mount type=bind,src={src},dst=/s,bind-idmap=match-user:0");
    let done = shed.try_sh(&flags, "touch /s/y");
    assert_ne!(done.code, 0);
    assert!(done.err.contains("Value too large"), "{done:?}");
    assert!(!shed.path("src/y").exists());
}

#[test]
#[ignore = "needs root"]
fn root_need_1_what_cannot_be_mapped_is_refused_by_name() {
    let shed = Shed::new();
    let src = owned(&shed);
    let flags = |value: &str| format!("--mount type=bind,src={src},dst=/s,{value}");
    shed.try_sh(&flags("bind-idmap=match-user:nobody-here"), "true")
        .fails(125, "unable to find user nobody-here");
    shed.try_sh(&flags("bind-idmap=userns"), "true")
        .fails(125, "which there is none of yet: use bind-idmap=match-user");
    // procfs maps no ids (no FS_ALLOW_IDMAP).
    let place = shed.path("refusing");
    std::fs::create_dir(&place).unwrap();
    let none = None::<&str>;
    mount(
        Some("none"),
        &place,
        Some("overlay"),
        MsFlags::empty(),
        Some(&*format!("lowerdir={src}:{}", shed.dir("other"))),
    )
    .unwrap();
    let flags = format!(
        "-u app --mount type=bind,src={},dst=/s,idmap",
        place.display()
    );
    shed.try_sh(&flags, "true")
        .fails(125, "its file system (overlay)");
    umount2(&place, MntFlags::MNT_DETACH).unwrap();
    // One mounted below counts, too.
    let below = shed.path("src/below");
    std::fs::create_dir(&below).unwrap();
    mount(Some("none"), &below, Some("mqueue"), MsFlags::empty(), none).unwrap();
    let flags = format!("-u app --mount type=bind,src={src},dst=/s,idmap");
    shed.try_sh(&flags, "true")
        .fails(125, "or one mounted below does not map ids");
    let alone = format!("{flags},bind-recursive=disabled");
    assert_eq!(shed.sh(&alone, "stat -c %u /s/mine"), "1000\n");
    umount2(&below, MntFlags::MNT_DETACH).unwrap();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_need_1_a_mapped_bind_may_be_read_only_and_hold_a_passwd_that_lies() {
    let shed = Shed::new();
    let src = owned(&shed);
    let flags = format!("-u app --mount type=bind,src={src},dst=/s,ro,idmap");
    let done = shed.try_sh(&flags, "stat -c %u /s/mine; touch /s/x");
    assert!(done.err.contains("Read-only file system"), "{done:?}");
    assert_eq!(done.out, "1000\n");
    // The container's passwd leads out of it: it is looked up inside, where there is none.
    let layer = crate::support::Tar::new()
        .file("etc/.wh.passwd", 0o644, b"")
        .link("etc/passwd", "/proc/1/root/etc/passwd");
    shed.image("liar", layer, &[]);
    shed.cowshed(&format!(
        "run --rm --mount type=bind,src={src},dst=/s,bind-idmap=match-user:daemon liar true"
    ))
    .fails(125, "unable to find user daemon");
}
