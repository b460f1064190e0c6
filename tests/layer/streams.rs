//! Table D: streams.

use std::io::{Read, Seek as _, Write as _};

use cowshed::{
    ident::Digest,
    layer::{Compression, Limits, digest, unpack},
};
use flate2::write::GzEncoder;

use crate::{
    Ground,
    archive::{Archive, header, tree},
    blob_refused, chain,
};

fn one() -> Vec<u8> {
    Archive::new().file("f", "hello").end()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// By the program: our decoder's own encoder is not compiled in.
fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(bytes).unwrap();
    input.rewind().unwrap();
    let mut command = std::process::Command::new("xz");
    command
        .args(["-6", "-c"])
        .stdin(input)
        .output()
        .unwrap()
        .stdout
}

#[track_caller]
fn blob_accepted(blob: &[u8], tar: &[u8]) {
    let ground = Ground::new();
    let unpacked = ground.unpack(blob).unwrap();
    assert_eq!(
        (unpacked.blob, unpacked.blob_size),
        (Digest::of(blob), blob.len() as u64)
    );
    assert_eq!(
        (unpacked.diff_id.0, unpacked.tar_size),
        (Digest::of(tar), tar.len() as u64)
    );
    assert_eq!(tree(&ground.layer()), "f 0644 f = hello");
    let digested = digest(blob, Compression::detect(blob), &Limits::default(), None).unwrap();
    assert_eq!(
        (digested.blob, digested.diff_id),
        (unpacked.blob, unpacked.diff_id)
    );
}

#[test]
fn d01_d02_d03_damaged_tars_are_refused() {
    let tar = one();
    blob_refused(&tar[..100], "ends in the middle of \"header at byte 0\"");
    blob_refused(&tar[..514], "ends in the middle of \"f\"");
    let mut wrong = tar;
    wrong[0] ^= 1;
    blob_refused(&wrong, "wrong header checksum");
}

#[test]
fn d04_d05_d06_ends() {
    let tar = one();
    let body = tar.len() - 1024;
    blob_accepted(&tar[..body], &tar[..body]);
    blob_accepted(&tar[..body + 512], &tar[..body + 512]);
    let garbage = [&tar[..], &vec![7; 1_000_000]].concat();
    blob_accepted(&garbage, &garbage);
    blob_accepted(&gzip(&garbage), &garbage);
}

#[test]
fn d08_a_zero_block_between_entries_is_refused() {
    let tar = Archive::new().file("a", "").block(&[0; 512]).file("b", "");
    blob_refused(&tar.end(), "zero block between entries");
}

#[test]
fn d09_two_gzip_members_are_one_stream() {
    let tar = one();
    let blob = [gzip(&tar[..700]), gzip(&tar[700..])].concat();
    blob_accepted(&blob, &tar);
}

#[test]
fn d10_d11_garbage_after_a_stream_is_refused() {
    for tail in [&b"garbage and more of it"[..], &[0; 512]] {
        for blob in [gzip(&one()), bzip2(&one()), zstd(&one())] {
            blob_refused(&[&blob[..], tail].concat(), "decompress");
        }
    }
    blob_refused(
        &[&xz(&one())[..], b"garbage and more"].concat(),
        "decompress xz layer",
    );
}

#[test]
fn d12_d13_truncated_and_damaged_streams_are_refused() {
    let mut noise = Archive::new();
    let mut state = 1_u32;
    let data: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(600_000)
    .collect();
    noise = noise.sized(header(b'0', "f"), &data);
    let tar = noise.end();
    for blob in [gzip(&tar), bzip2(&tar), xz(&tar), zstd(&tar)] {
        for cut in [blob.len() / 2, blob.len() - 9, blob.len() - 2] {
            blob_refused(&blob[..cut], "decompress");
        }
    }
    let mut wrong = gzip(&tar);
    let crc = wrong.len() - 6;
    wrong[crc] ^= 1;
    blob_refused(&wrong, "decompress gzip layer");
}

#[test]
fn d14_a_gzip_bomb_is_stopped_by_the_limit() {
    let mut big = header(b'0', "zeros");
    big.set_size(1 << 30);
    let tar = Archive::new().put(big, b"").0;
    let blob = gzip(&[tar, vec![0; 64 << 20]].concat());
    let limits = Limits {
        bytes: 1 << 29,
        ..Limits::default()
    };
    let ground = Ground::new();
    let done = unpack(&blob[..], Compression::Gzip, &ground.dir(), &limits, None);
    assert!(chain(&done.unwrap_err()).contains("bytes of files"));
    assert_eq!(tree(&ground.layer()), "");
}

#[test]
fn d15_d16_d17_d25_empty_random_and_many() {
    for empty in [&b""[..], &[0; 1024]] {
        let ground = Ground::new();
        assert_eq!(ground.unpack(empty).unwrap().diff_id.0, Digest::of(empty));
    }
    blob_refused(&[0x55; 4096], "not a tar");
    blob_refused(&gzip(b"")[..5], "decompress gzip layer");
    let many = (0..20_000).fold(Archive::new(), |tar, n| tar.file(&format!("d/{n}"), ""));
    let ground = Ground::new();
    assert_eq!(ground.unpack(&many.end()).unwrap().notes.entries, 20_000);
}

#[test]
fn d18_d19_d24_zstd_xz_and_bzip2() {
    let tar = one();
    blob_accepted(&zstd(&tar), &tar);
    let skippable = b"\x50\x2a\x4d\x18\x05\0\0\0hello";
    let frames = [
        skippable,
        &zstd(&tar[..700])[..],
        skippable,
        &zstd(&tar[700..]),
        skippable,
    ];
    blob_accepted(&frames.concat(), &tar);
    blob_accepted(&xz(&tar), &tar);
    blob_accepted(&bzip2(&tar), &tar);
}

#[test]
fn the_window_of_a_blob_is_limited() {
    let limits = Limits {
        window_bytes: 1 << 20,
        ..Limits::default()
    };
    let blob = xz(&one());
    let done = unpack(
        &blob[..],
        Compression::Xz,
        &Ground::new().dir(),
        &limits,
        None,
    );
    assert!(chain(&done.unwrap_err()).contains("memory"));
}

#[test]
fn the_blob_is_copied_as_it_comes() {
    let blob = gzip(&one());
    let mut copy = tempfile::tempfile().unwrap();
    let limits = Limits::default();
    unpack(
        &blob[..],
        Compression::Gzip,
        &Ground::new().dir(),
        &limits,
        Some(&copy),
    )
    .unwrap();
    let mut copied = Vec::new();
    copy.rewind().unwrap();
    copy.read_to_end(&mut copied).unwrap();
    assert_eq!(copied, blob);
}

/// Gives one byte, then fails.
struct Broken(bool);

impl Read for Broken {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            return Err(std::io::Error::other("the wire is cut"));
        }
        out[0] = 0x1f;
        Ok(1)
    }
}

#[test]
fn a_failing_reader_is_told_from_a_damaged_blob() {
    for compression in [Compression::None, Compression::Gzip] {
        let ground = Ground::new();
        let done = unpack(
            Broken(false),
            compression,
            &ground.dir(),
            &Limits::default(),
            None,
        );
        assert_eq!(
            chain(&done.unwrap_err()),
            "read layer blob: read(layer blob): the wire is cut"
        );
    }
}

#[test]
fn an_entry_that_fails_stops_a_long_stream_at_once() {
    let bad = Archive::new().file("../x", "").0;
    let endless = std::io::Cursor::new(bad).chain(std::io::repeat(0));
    let done = unpack(
        endless,
        Compression::None,
        &Ground::new().dir(),
        &Limits::default(),
        None,
    );
    assert!(chain(&done.unwrap_err()).contains("leaves the layer"));
}

#[test]
fn gzip_is_decoded_by_zlib_rs() {
    let lock = include_str!("../../Cargo.lock");
    assert!(lock.contains("name = \"zlib-rs\""));
    assert!(
        !lock.contains("name = \"miniz_oxide\""),
        "flate2's default backend costs 1.5x"
    );
    let manifest = include_str!("../../Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("flate2 ="));
    assert!(
        line.is_some_and(|line| line.contains("\"runtime_detection\"")),
        "without it no vector instruction is used: 1.3x"
    );
}

/// Everything that frames can be made of.
fn rich() -> Archive {
    let records: [(&str, &[u8]); 4] = [
        ("path", b"pax name"),
        ("mtime", b"-1.5"),
        ("SCHILY.xattr.user.a", b"1"),
        ("size", b"3"),
    ];
    let sparse: [(&str, &[u8]); 2] = [
        ("GNU.sparse.size", b"900"),
        ("GNU.sparse.map", b"4,2,800,1"),
    ];
    Archive::new()
        .dir("d/")
        .pax(&records)
        .file("d/file", "abc")
        .sized(header(b'L', "././@LongLink"), &[b'n'; 150])
        .file("x", "data")
        .pax(&sparse)
        .file("sparse", "abc")
        .symlink("l", "../canary")
        .hard("h", "pax name")
        .file("d/.wh.y", "")
        .file("d/.wh..wh..opq", "")
}

fn random(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

/// Changes some bytes, then makes every header's checksum right again.
fn mutate(tar: &mut [u8], state: &mut u64) {
    for _ in 0..=random(state) % 4 {
        let at = random(state) % tar.len();
        let digits = *b"0175xLKSg/.\0\xff";
        tar[at] = digits[random(state) % digits.len()];
    }
    for block in tar
        .chunks_exact_mut(512)
        .filter(|block| block[257..].starts_with(b"ustar"))
    {
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
}

#[test]
fn mutated_tars_never_panic_nor_leave_the_target() {
    let tar = rich().end();
    let mut accepted = 0;
    for seed in 0..500 {
        let mut state = seed;
        let mut changed = tar.clone();
        mutate(&mut changed, &mut state);
        accepted += u32::from(Ground::new().unpack(&changed).is_ok());
    }
    assert!(accepted > 50, "the mutations are too hard: {accepted}");
}

#[test]
fn mutated_blobs_never_panic() {
    let tar = rich().end();
    for blob in [gzip(&tar), bzip2(&tar), xz(&tar), zstd(&tar)] {
        for seed in 0..400 {
            let mut state = seed;
            let mut changed = blob.clone();
            for _ in 0..=random(&mut state) % 3 {
                let at = random(&mut state) % changed.len();
                changed[at] = random(&mut state).to_le_bytes()[0];
            }
            let done = digest(
                &changed[..],
                Compression::detect(&blob),
                &Limits::default(),
                None,
            );
            drop(done);
        }
    }
}
