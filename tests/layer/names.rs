//! Table A: names and links.

use crate::{
    Ground, accepted,
    archive::{Archive, header, tree},
    refused,
};

fn tar() -> Archive {
    Archive::new()
}

#[test]
fn a01_dotdot_is_refused_by_name() {
    refused(
        tar().file("../../canary/pwn", "x"),
        "\"../../canary/pwn\" leaves the layer",
    );
}

#[test]
fn a02_a03_absolute_and_inner_dotdot_stay_inside() {
    accepted(
        tar().file("/etc/x", "1").file("a/../b", "2"),
        &["f 0644 b = 2", "d 0755 etc", "f 0644 etc/x = 1"],
    );
}

#[test]
fn a04_a05_a07_a38_links_out_lead_nowhere() {
    let ground = Ground::new();
    for target in [
        &*ground.canary(),
        "../../canary",
        "../canary",
        "/proc/self/cwd",
        "/proc/self/fd",
    ] {
        let error = Ground::new().unpack(&tar().symlink("d", target).file("d/pwn", "x").end());
        assert!(error.unwrap_err().to_string().contains("\"d/pwn\""));
    }
    let canary = ground.canary();
    let links = tar()
        .symlink("a", "b")
        .symlink("b", "c")
        .symlink("c", &canary);
    ground.unpack(&links.file("a/pwn", "x").end()).unwrap_err();
    let dir_after = tar()
        .symlink("d", &Ground::new().canary())
        .file("d/sub/pwn", "x");
    refused(dir_after, "leads to nothing in this layer");
}

#[test]
fn a_link_to_a_directory_of_the_layer_is_followed_inside() {
    accepted(
        tar()
            .dir("usr")
            .dir("usr/bin")
            .symlink("bin", "/usr/bin")
            .file("bin/x", "1"),
        &[
            "l bin -> /usr/bin",
            "d 0755 usr",
            "d 0755 usr/bin",
            "f 0644 usr/bin/x = 1",
        ],
    );
}

#[test]
fn a08_a_directory_replaced_by_a_link_is_not_used_again() {
    // CVE-2025-47290: the parent was known to be good, then became a link out.
    let ground = Ground::new();
    let canary = ground.canary();
    let swap = tar()
        .dir("d")
        .file("d/a", "1")
        .symlink("d", &canary)
        .file("d/pwn", "x");
    ground.unpack(&swap.end()).unwrap_err();
    let inside = tar()
        .dir("t")
        .dir("d")
        .file("d/a", "1")
        .symlink("d", "t")
        .file("d/b", "2");
    accepted(inside, &["l d -> t", "d 0755 t", "f 0644 t/b = 2"]);
    let deep = tar().file("d/e/f", "1").file("d", "2").file("d/e/f", "3");
    refused(deep, "\"d/e/f\"");
}

#[test]
fn a09_a_loop_of_links_is_refused() {
    refused(
        tar().symlink("d", "d").file("d/x", "1"),
        "a loop of symbolic links",
    );
}

#[test]
fn a10_a11_a13_a14_a15_hard_links_to_what_the_layer_lacks_are_refused() {
    let ground = Ground::new();
    let secret = format!("{}/secret", ground.canary());
    refused(tar().hard("h", &secret), "this layer has no file");
    refused(tar().hard("h", "../canary/secret"), "leaves the layer");
    refused(
        tar().hard("h", "nothing"),
        "link layer entry \"h\": this layer has no file \"nothing\"",
    );
    refused(
        tar().symlink("d", "../canary").hard("h", "d/secret"),
        "this layer has no file",
    );
}

#[test]
fn a12_a_hard_link_to_a_symlink_links_the_symlink() {
    let ground = Ground::new();
    let canary = format!("{}/secret", ground.canary());
    let tar = tar().symlink("s", &canary).hard("h", "s").file("h", "mine");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(
        tree(&ground.layer()),
        format!("f 0644 h = mine\nl s -> {canary}")
    );
}

#[test]
fn a16_a17_a42_other_hard_links() {
    refused(tar().dir("d").hard("h", "d"), "hard link to a directory");
    accepted(tar().file("f", "1").hard("f", "f"), &["f 0644 f = 1"]);
    accepted(
        tar().file("f", "1").hard("g", "/f"),
        &["f 0644 f = 1", "f 0644 g = 1"],
    );
    refused(
        tar().dir("d").file("d/f", "1").hard("d", "d/f"),
        "this layer has no file",
    );
}

#[test]
fn a19_a21_a22_the_root_can_only_be_a_directory() {
    refused(
        tar().symlink("./", "../canary"),
        "root can only be a directory",
    );
    refused(tar().file(".", "x"), "root can only be a directory");
    refused(tar().file("", "x"), "empty name");
    refused(
        tar().dir("d").hard("h", "/"),
        "hard link to the layer's root",
    );
}

#[test]
fn a20_the_root_entry_describes_the_root() {
    let mut root = header(b'5', "./");
    root.set_mode(0o1700);
    let unpacked = accepted(tar().put(root, b""), &[]);
    assert_eq!(unpacked.notes.root.unwrap().mode, 0o1700);
}

#[test]
fn a23_a_file_with_a_slash_is_a_directory() {
    accepted(
        tar().file("d/", "").put(header(0, "e/"), b""),
        &["d 0644 d", "d 0644 e"],
    );
    refused(tar().file("d/", "data"), "ends with a slash");
}

#[test]
fn a24_to_a28_names_are_bytes() {
    refused(tar().pax(&[("path", b"a\0b")]).file("x", ""), "NUL");
    let tar = tar()
        .pax(&[("path", b"bad\xff")])
        .file("x", "")
        .pax(&[("path", b"n\nt\te\x1b")])
        .file("x", "")
        .file("back\\slash:comma,", "");
    accepted(
        tar,
        &[
            "f 0644 back\\\\slash:comma, = ",
            "f 0644 bad\\xff = ",
            "f 0644 n\\nt\\te\\x1b = ",
        ],
    );
    let long = |count| {
        Archive::new()
            .pax(&[("path", "x".repeat(count).as_bytes())])
            .file("x", "")
    };
    accepted(long(255), &[&format!("f 0644 {} = ", "x".repeat(255))]);
    refused(long(256), "ENAMETOOLONG");
    refused(long(300), "limit of 255 bytes of a name");
}

#[test]
fn a29_a30_long_and_deep_paths() {
    let long = format!("{}f", "x".repeat(99).add_slash().repeat(50));
    refused(
        tar().pax(&[("path", long.as_bytes())]).file("x", ""),
        "bytes of a path",
    );
    let ground = Ground::new();
    let deep = "d/".repeat(1500);
    ground
        .unpack(&tar().pax(&[("path", deep.as_bytes())]).dir("x").end())
        .unwrap();
    cowshed::sys::remove_tree(&ground.dir(), "d").unwrap();
}

trait AddSlash {
    fn add_slash(self) -> String;
}

impl AddSlash for String {
    fn add_slash(self) -> String {
        self + "/"
    }
}

#[test]
fn a33_a34_a35_a_directory_replaces_a_link_and_never_goes_through_it() {
    accepted(
        tar().dir("t").symlink("d", "t").dir("d").file("d/x", "1"),
        &["d 0755 d", "f 0644 d/x = 1", "d 0755 t"],
    );
    let ground = Ground::new();
    let mut wide = header(b'5', "d");
    wide.set_mode(0o777);
    let tar = tar().symlink("d", &ground.canary()).put(wide, b"");
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(tree(&ground.layer()), "d 0777 d");
    let new = format!("{}/new", ground.canary());
    Ground::new()
        .unpack(&Archive::new().symlink("d", &new).dir("d/sub/").end())
        .unwrap_err();
}

#[test]
fn a36_a_file_as_parent_is_refused_by_name() {
    refused(tar().file("f", "1").file("f/x", "2"), "\"f/x\": openat");
}

#[test]
fn a37_missing_parents_are_made_and_noted() {
    let unpacked = accepted(
        tar().file("a/b/c", "1").dir("a"),
        &["d 0755 a", "d 0755 a/b", "f 0644 a/b/c = 1"],
    );
    assert_eq!(format!("{:?}", unpacked.notes.implied), "[\"a/b\"]");
}

#[test]
fn a40_a41_odd_link_targets_are_refused() {
    let long = "t".repeat(5000);
    refused(
        tar().pax(&[("linkpath", long.as_bytes())]).symlink("l", ""),
        "ENAMETOOLONG",
    );
    refused(tar().symlink("l", ""), "symbolic link to nothing");
}
