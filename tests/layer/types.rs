//! Table C: types, metadata and sizes.

use std::os::unix::fs::MetadataExt as _;

use cowshed::{
    layer::{Compression, Limits, unpack},
    sys::xattr,
};
use tar::Header;

use crate::{
    Ground, accepted,
    archive::{Archive, header, tree},
    refused,
};

fn tar() -> Archive {
    Archive::new()
}

fn with(kind: u8, name: &str, change: impl FnOnce(&mut Header)) -> Header {
    let mut header = header(kind, name);
    change(&mut header);
    header
}

fn mtime_of(tar: Archive) -> (i64, i64) {
    let ground = Ground::new();
    ground.unpack(&tar.end()).unwrap();
    let metadata = std::fs::symlink_metadata(ground.layer().join("f")).unwrap();
    (metadata.mtime(), metadata.mtime_nsec())
}

#[test]
#[ignore = "needs root"]
fn root_c01_c02_c03_devices_setuid_and_large_owners() {
    let null = with(b'3', "null", |header| {
        header.set_mode(0o666);
        header.set_mtime(5);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
    });
    let special = |name, mode, uid| {
        with(b'0', name, |header| {
            header.set_mode(mode);
            header.set_uid(uid);
        })
    };
    let sticky = with(b'5', "t", |header| header.set_mode(0o3777));
    let tar = tar()
        .put(null, b"")
        .put(header(b'6', "fifo"), b"")
        .put(special("su", 0o4755, 12), b"")
        .put(special("sg", 0o2755, 0), b"")
        .put(special("big", 0o600, 1 << 31), b"")
        .put(sticky, b"");
    let ground = Ground::new();
    ground.unpack(&tar.end()).unwrap();
    assert_eq!(
        tree(&ground.layer()),
        [
            "f 0600 big = ",
            "p 0644 fifo",
            "n 0666 null 103",
            "f 2755 sg = ",
            "f 4755 su = ",
            "d 3777 t",
        ]
        .join("\n")
    );
    let stat = |name: &str| std::fs::metadata(ground.layer().join(name)).unwrap();
    assert_eq!(
        (stat("su").uid(), stat("big").uid(), stat("null").mtime()),
        (12, 1 << 31, 5)
    );
}

#[test]
fn c04_c06_owners_out_of_range_are_refused() {
    let uid = |bytes: [u8; 8]| with(b'0', "f", |header| header.as_old_mut().uid = bytes);
    refused(
        tar().put(uid([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), b""),
        "id out of range",
    );
    refused(
        tar().put(uid([0x80, 0, 0, 1, 0, 0, 0, 0]), b""),
        "id out of range",
    );
    refused(tar().put(uid([0xff; 8]), b""), "id out of range");
    refused(
        tar().pax(&[("gid", b"4294967295")]).file("f", ""),
        "id out of range",
    );
    refused(
        tar().pax(&[("uid", b"-1")]).file("f", ""),
        "uid is not a number",
    );
}

#[test]
fn c07_c08_c10_times() {
    let header_time = |bytes: [u8; 12]| with(b'0', "f", |header| header.as_old_mut().mtime = bytes);
    assert_eq!(mtime_of(tar().put(header_time([0xff; 12]), b"")), (-1, 0));
    let pax = |time: &str| mtime_of(tar().pax(&[("mtime", time.as_bytes())]).file("f", ""));
    assert_eq!(pax("-1.5"), (-2, 500_000_000));
    assert_eq!(pax("7.123456789"), (7, 123_456_789));
    assert_eq!(pax("7.123456789999999999999999999999"), (7, 123_456_789));
    assert!(pax("4611686018427387904").0 > 1 << 33);
    let mut huge = [0xff; 12];
    huge[0] = 0x80;
    assert!(mtime_of(tar().put(header_time(huge), b"")).0 > 1 << 33);
}

#[test]
fn c09_times_that_are_no_numbers_are_refused() {
    for time in [&b"NaN"[..], b"1e9999", b"inf"] {
        refused(
            tar().pax(&[("mtime", time)]).file("f", ""),
            "mtime is not a number",
        );
    }
}

#[test]
fn c11_type_bits_of_a_mode_are_masked() {
    let mode = with(b'0', "f", |header| header.as_old_mut().mode = *b"17777644");
    accepted(tar().put(mode, b""), &["f 7644 f = "]);
}

#[test]
fn c12_c13_c14_c39_types() {
    refused(tar().put(header(b'Z', "z"), b""), "unsupported type 'Z'");
    refused(tar().put(header(b'M', "z"), b""), "unsupported type 'M'");
    let tar = tar()
        .sized(header(b'V', "label"), b"skipped")
        .sized(header(b'7', "seven"), b"7")
        .sized(header(0, "nul"), b"0")
        .sized(header(b'D', "dump"), b"Yfile\0");
    accepted(tar, &["d 0644 dump", "f 0644 nul = 0", "f 0644 seven = 7"]);
}

#[test]
fn c33_c35_attributes() {
    let kept: [(&str, &[u8]); 2] = [
        ("SCHILY.xattr.user.a", b"1"),
        ("LIBARCHIVE.xattr.user.b", b"2"),
    ];
    let ground = Ground::new();
    let tar = tar()
        .pax(&kept)
        .file("f", "")
        .pax(&kept)
        .dir("d")
        .pax(&kept)
        .symlink("l", "f");
    ground.unpack(&tar.end()).unwrap();
    for (name, expected) in [
        ("f", vec![b"user.a".to_vec()]),
        ("d", vec![b"user.a".to_vec()]),
        ("l", vec![]),
    ] {
        assert_eq!(xattr::list(&ground.dir(), name).unwrap(), expected);
    }
    let big = vec![b'x'; 70_000];
    let tar = Archive::new()
        .pax(&[("SCHILY.xattr.user.big", &big)])
        .file("f", "");
    refused(
        tar,
        "\"f\" exceeds the limit of 65536 bytes of an extended attribute",
    );
    let odd: [(&str, &[u8]); 2] = [("SCHILY.xattr.", b"1"), ("SCHILY.xattr.odd.x", b"1")];
    accepted(Archive::new().pax(&odd).file("f", ""), &["f 0644 f = "]);
}

#[test]
#[ignore = "needs root"]
fn root_c30_c32_capabilities_and_acls_are_kept_over_chown_and_write() {
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let acl = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";
    let both: [(&str, &[u8]); 3] = [
        ("SCHILY.xattr.security.capability", capability),
        ("SCHILY.xattr.system.posix_acl_access", acl),
        ("uid", b"5"),
    ];
    let ground = Ground::new();
    ground
        .unpack(&tar().pax(&both).file("f", "data").end())
        .unwrap();
    let found = xattr::get(&ground.dir(), "f", "security.capability").unwrap();
    assert_eq!(found.as_deref(), Some(&capability[..]));
    assert!(
        xattr::get(&ground.dir(), "f", "system.posix_acl_access")
            .unwrap()
            .is_some()
    );
}

#[test]
fn c40_c41_c42_c43_sizes() {
    let size = |bytes: [u8; 12]| with(b'0', "f", |header| header.as_old_mut().size = bytes);
    let mut three = [0; 12];
    (three[0], three[11]) = (0x80, 3);
    accepted(tar().put(size(three), b"abc"), &["f 0644 f = abc"]);
    refused(tar().put(size([0xff; 12]), b""), "size out of range");
    let mut huge = [0xff; 12];
    huge[..5].copy_from_slice(&[0x80, 0, 0, 0, 0x7f]);
    refused(tar().put(size(huge), b""), "limit");
    refused(
        tar().put(size(*b"zzz\0\0\0\0\0\0\0\0\0"), b""),
        "size is not a number",
    );
}

#[test]
fn c44_c45_c46_the_last_entry_of_a_name_wins() {
    accepted(tar().file("f", "1").file("f", "2"), &["f 0644 f = 2"]);
    accepted(tar().file("d/a/b", "1").file("d", "2"), &["f 0644 d = 2"]);
    accepted(
        tar().file("d", "1").dir("d").file("d/a", "2"),
        &["d 0755 d", "f 0644 d/a = 2"],
    );
    let again = with(b'5', "d", |header| header.set_mode(0o700));
    accepted(
        tar().dir("d").file("d/a", "").put(again, b""),
        &["d 0700 d", "f 0644 d/a = "],
    );
}

#[test]
fn c51_c53_case_and_many_links() {
    accepted(
        tar().file("a", "1").file("A", "2"),
        &["f 0644 A = 2", "f 0644 a = 1"],
    );
    let many = (0..100).fold(tar().file("f", "1"), |tar, n| {
        tar.hard(&format!("h{n}"), "f")
    });
    let ground = Ground::new();
    ground.unpack(&many.end()).unwrap();
    assert_eq!(
        std::fs::metadata(ground.layer().join("f")).unwrap().nlink(),
        101
    );
}

#[test]
fn c54_c55_directory_modes_and_times_come_last() {
    let closed = with(b'5', "d", |header| header.set_mode(0));
    let ground = Ground::new();
    ground
        .unpack(&tar().put(closed, b"").file("d/f", "1").end())
        .unwrap();
    let metadata = std::fs::metadata(ground.layer().join("d")).unwrap();
    assert_eq!(
        (metadata.mode() & 0o7777, metadata.mtime()),
        (0, 1_000_000_000)
    );
}

#[test]
fn limits_name_the_entry_and_are_counted_before_writing() {
    let strict = |limits: Limits, tar: Archive| {
        let ground = Ground::new();
        let blob = tar.end();
        let done = unpack(&blob[..], Compression::None, &ground.dir(), &limits, None);
        (done.unwrap_err().to_string(), tree(&ground.layer()))
    };
    let few = Limits {
        entries: 1,
        ..Limits::default()
    };
    let (error, left) = strict(few, tar().file("a", "").file("b", ""));
    assert_eq!(error, "layer entry \"b\" exceeds the limit of 1 entries");
    assert_eq!(left, "f 0644 a = ");
    let small = Limits {
        bytes: 3,
        ..Limits::default()
    };
    let (error, left) = strict(small, tar().file("a", "1234"));
    assert_eq!(
        (error.as_str(), left.as_str()),
        (
            "layer entry \"a\" exceeds the limit of 3 bytes of files",
            ""
        )
    );
    let kept = Limits {
        kept_bytes: 1000,
        ..Limits::default()
    };
    let whiteouts = (0..20).fold(tar(), |tar, n| tar.file(&format!(".wh.{n}"), ""));
    assert!(
        strict(kept, whiteouts)
            .0
            .contains("directories, links and whiteouts")
    );
}
