//! Table C: extended headers (PAX and GNU) and the sparse files they describe.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use tar::Header;

use crate::{
    Ground, accepted,
    archive::{Archive, header, record},
    refused,
};

fn tar() -> Archive {
    Archive::new()
}

#[test]
fn c15_old_gnu_sparse_files_with_extension_blocks() {
    let mut header = Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.as_old_mut().name[0] = b's';
    header.set_mode(0o600);
    header.set_size(9);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(2 << 20);
    gnu.set_is_extended(true);
    for (slot, part) in gnu.sparse.iter_mut().zip(0..) {
        slot.set_offset(part << 12);
        slot.set_length(1);
    }
    let mut more = tar::GnuExtSparseHeader::new();
    more.sparse_mut()[0].set_offset(1 << 20);
    more.sparse_mut()[0].set_length(5);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let tar = tar()
        .block(header.as_bytes())
        .block(more.as_bytes())
        .block(b"0123hello")
        .file("f", "1");
    let ground = Ground::new();
    ground.unpack(&tar.end()).unwrap();
    let file = std::fs::File::open(ground.layer().join("s")).unwrap();
    let at = |offset| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        byte[0]
    };
    assert_eq!([at(0), at(4096), at(12288), at(1 << 20), at(5)], *b"013h\0");
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.size(), 2 << 20);
    assert!(metadata.blocks() * 512 < 1 << 20, "holes are holes");
}

#[test]
fn c16_pax_sparse_files_of_all_versions() {
    let one: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"v1.0"),
        ("GNU.sparse.realsize", b"10"),
    ];
    let mut data = b"1\n4\n2\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"ab");
    let map: [(&str, &[u8]); 3] = [
        ("GNU.sparse.name", b"v0.1"),
        ("GNU.sparse.size", b"10"),
        ("GNU.sparse.map", b"4,2"),
    ];
    let pairs: [(&str, &[u8]); 4] = [
        ("GNU.sparse.size", b"10"),
        ("GNU.sparse.numblocks", b"1"),
        ("GNU.sparse.offset", b"4"),
        ("GNU.sparse.numbytes", b"2"),
    ];
    let tar = tar()
        .pax(&one)
        .sized(header(b'0', "GNUSparseFile.1/x"), &data)
        .pax(&map)
        .file("x", "ab")
        .pax(&pairs)
        .file("v0.0", "ab");
    let line = |name: &str| format!("f 0644 {name} = \\x00\\x00\\x00\\x00ab\\x00\\x00\\x00\\x00");
    let unpacked = accepted(tar, &[&line("v0.0"), &line("v0.1"), &line("v1.0")]);
    assert_eq!(unpacked.notes.bytes, 30);
}

#[test]
fn c17_c18_sparse_bombs_are_refused_before_anything_is_written() {
    let bomb: [(&str, &[u8]); 2] = [
        ("GNU.sparse.size", b"4611686018427387904"),
        ("GNU.sparse.map", b"0,1"),
    ];
    refused(tar().pax(&bomb).file("f", "x"), "bytes of files");
    let map: [(&str, &[u8]); 3] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.realsize", b"1"),
    ];
    let endless = "1000000000000\n".to_owned() + &"0\n".repeat(800_000);
    refused(tar().pax(&map).file("f", &endless), "bytes of a sparse map");
    refused(
        tar().pax(&map).file("f", "1000000000000\n"),
        "sparse map that does not fit",
    );
}

#[test]
fn c19_c20_global_headers_change_nothing() {
    let global = [
        record("path", b"evil"),
        record("size", b"9"),
        record("uid", b"7"),
    ]
    .concat();
    accepted(
        tar()
            .sized(header(b'g', "pax_global_header"), &global)
            .file("f", "1"),
        &["f 0644 f = 1"],
    );
}

#[test]
fn c21_the_pax_size_wins() {
    // CVE-2025-62518: the data is a header of its own for readers that believe the other size.
    let mut hidden = header(b'0', "hidden");
    hidden.set_cksum();
    let tar = tar()
        .pax(&[("size", b"512")])
        .put(header(b'0', "outer"), hidden.as_bytes());
    accepted(
        tar.file("f", "1"),
        &["f 0644 f = 1", "f 0644 outer = 512 bytes"],
    );
}

#[test]
fn c22_c23_the_pax_size_belongs_to_the_next_file() {
    let long = tar()
        .pax(&[("size", b"3")])
        .sized(header(b'L', "././@LongLink"), b"long\0");
    accepted(long.put(header(b'0', "x"), b"abc"), &["f 0644 long = abc"]);
    refused(
        tar().pax(&[("size", b"512")]).symlink("l", "x"),
        "PAX size of an entry without data",
    );
    refused(
        tar().pax(&[("size", b"512")]).dir("d"),
        "PAX size of an entry without data",
    );
}

#[test]
fn two_names_for_one_entry_are_refused() {
    let tar = tar()
        .pax(&[("path", b"a")])
        .sized(header(b'L', "././@LongLink"), b"b\0");
    refused(tar.file("c", ""), "a GNU and a PAX name");
}

#[test]
fn c24_c25_extended_headers_are_bounded() {
    for kind in *b"LKx" {
        let mut big = header(kind, "big");
        big.set_size(10 << 20);
        refused(tar().put(big, b""), "bytes of an extended header");
    }
    refused(
        tar().pax(&[("path", b"x")]),
        "extended header without an entry",
    );
}

#[test]
fn c26_c27_bad_records_are_refused() {
    refused(
        tar().sized(header(b'x', "p"), b"99 path=x\n").file("f", ""),
        "wrong length",
    );
    refused(
        tar().sized(header(b'x', "p"), b"path=x\n").file("f", ""),
        "without a length",
    );
}
