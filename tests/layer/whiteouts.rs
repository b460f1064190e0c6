//! Table B: whiteouts, and attributes that overlayfs would obey.

use cowshed::layer::settle;

use crate::{
    Ground, accepted,
    archive::{Archive, header, tree},
    refused,
};

fn tar() -> Archive {
    Archive::new()
}

#[test]
fn b01_b02_b03_b18_b20_whiteouts_are_noted_and_never_visible() {
    let mut odd = header(b'5', "d/.wh.dir");
    odd.set_mode(0o700);
    let tar = tar()
        .file("d/.wh.file", "data that is ignored")
        .put(odd, b"")
        .symlink("d/.wh.link", "/")
        .file("e/.wh..wh..opq", "")
        .file("f", "1");
    let unpacked = accepted(tar, &["f 0644 f = 1"]);
    assert_eq!(
        format!("{:?}", unpacked.notes.whiteouts),
        r#"["d/dir", "d/file", "d/link"]"#
    );
    assert_eq!(format!("{:?}", unpacked.notes.opaques), r#"["e"]"#);
}

#[test]
fn b04_an_opaque_root_is_noted() {
    let unpacked = accepted(
        tar().file("./.wh..wh..opq", "").file("f", ""),
        &["f 0644 f = "],
    );
    assert!(unpacked.notes.opaque_root);
}

#[test]
fn b08_b09_b10_b21_bad_whiteouts_are_refused() {
    for name in ["etc/.wh...", "etc/.wh..", "etc/.wh.", ".wh.d/x"] {
        refused(tar().file(name, ""), "invalid whiteout");
    }
    refused(tar().hard("h", ".wh.x"), "hard link to a whiteout");
}

#[test]
fn b11_b12_files_of_aufs_are_skipped() {
    let tar = tar()
        .dir(".wh..wh.plnk")
        .file(".wh..wh.plnk/1.2", "x")
        .file(".wh..wh.aufs", "x")
        .file(".wh..wh.other", "x");
    accepted(tar, &[]);
}

#[test]
fn b14_b16_marks_below_a_link_stay_inside() {
    let ground = Ground::new();
    let canary = ground.canary();
    let marks = tar()
        .symlink("d", &canary)
        .file("d/.wh.secret", "")
        .file("d/.wh..wh..opq", "");
    let unpacked = ground.unpack(&marks.end()).unwrap();
    settle(&ground.dir(), &unpacked.notes, &[Ground::new().dir()]).unwrap();
    assert_eq!(tree(&ground.layer()), format!("l d -> {canary}"));
}

#[test]
fn b17_useless_whiteouts_leave_nothing() {
    let ground = Ground::new();
    let marks = tar()
        .file(".wh.x", "")
        .file("a/.wh.b", "")
        .file("c/.wh..wh..opq", "")
        .dir("d");
    let unpacked = ground.unpack(&marks.end()).unwrap();
    settle(&ground.dir(), &unpacked.notes, &[]).unwrap();
    assert_eq!(tree(&ground.layer()), "d 0755 d");
    settle(&ground.dir(), &unpacked.notes, &[Ground::new().dir()]).unwrap();
    assert_eq!(tree(&ground.layer()), "d 0755 d");
}

#[test]
fn implied_directories_are_as_they_were_below() {
    let below = Ground::new();
    let mut dir = header(b'5', "a");
    dir.set_mode(0o2750);
    dir.set_mtime(77);
    below.unpack(&tar().put(dir, b"").dir("a/b").end()).unwrap();
    let ground = Ground::new();
    let unpacked = ground
        .unpack(&tar().file("a/b/c", "1").file("n/f", "").end())
        .unwrap();
    settle(&ground.dir(), &unpacked.notes, &[below.dir()]).unwrap();
    assert_eq!(
        tree(&ground.layer()),
        "d 2750 a\nd 0755 a/b\nf 0644 a/b/c = 1\nd 0755 n\nf 0644 n/f = "
    );
    let mtime = |path: &str| {
        let metadata = std::fs::metadata(ground.layer().join(path)).unwrap();
        std::os::unix::fs::MetadataExt::mtime(&metadata)
    };
    assert_eq!(
        (mtime("a"), mtime("a/b"), mtime("n")),
        (77, 1_000_000_000, 0)
    );
}

#[test]
fn b24_to_b27_attributes_of_overlayfs_are_dropped() {
    let attributes: [(&str, &[u8]); 6] = [
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.trusted.overlay.metacopy", b"\0"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.security.selinux", b"x"),
        ("SCHILY.xattr.user.kept", b"1"),
    ];
    let ground = Ground::new();
    ground
        .unpack(&tar().pax(&attributes).dir("d").end())
        .unwrap();
    let names = cowshed::sys::xattr::list(&ground.dir(), "d").unwrap();
    assert_eq!(names, [b"user.kept".to_vec()]);
}

#[test]
fn a_device_0_0_is_a_whiteout() {
    let mut node = header(b'3', "gone");
    node.set_device_major(0).unwrap();
    node.set_device_minor(0).unwrap();
    let unpacked = accepted(tar().put(node, b""), &[]);
    assert_eq!(format!("{:?}", unpacked.notes.whiteouts), r#"["gone"]"#);
}
