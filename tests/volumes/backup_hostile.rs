//! Archives and volumes that want out. A canary must stay as it is, and of what is refused nothing
//! may be left.

use std::{fs, path::Path};

use crate::{
    backup_scene::{host, meanwhile, rich},
    support::{Shed, Tar, read, tree, write_file, write_text},
};

/// A directory of the host that nothing may touch or read.
fn canary(shed: &Shed) -> String {
    shed.dir("canary/sub");
    write_text(&shed.path("canary/secret"), "secret\n");
    shed.show("canary")
}

#[track_caller]
fn untouched(shed: &Shed) {
    let dir = shed.path("canary");
    assert_eq!(tree(&dir), "f secret\nd sub\n");
    assert_eq!(read(dir.join("secret")), "secret\n");
    let links = std::os::unix::fs::MetadataExt::nlink(&fs::metadata(dir.join("secret")).unwrap());
    assert_eq!(links, 1);
}

const HEAD: &str = r#"{"format":1,"name":"data","driver":"local","created":"2026-01-02T03:04:05Z","taken":"2026-01-02T03:04:05Z"}"#;

/// An archive that begins as one of ours.
fn begun() -> Tar {
    Tar::new()
        .file(".cowshed-backup/volume.json", 0o644, HEAD.as_bytes())
        .dir("./", 0o755)
}

/// Ours at its beginning, then that.
fn with_name(name: &str) -> Vec<u8> {
    begun().named(name).finish()
}

#[track_caller]
fn refused(shed: &Shed, archive: &[u8], message: &str) {
    write_file(&shed.path("hostile.tar"), archive);
    let before = shed.listing();
    for line in [
        "volume restore hostile.tar evil",
        "volume restore --into-empty hostile.tar empty",
        "volume restore --replace hostile.tar full",
    ] {
        shed.cowshed(line).fails(1, message);
        assert_eq!(shed.listing(), before, "{line}");
    }
    untouched(shed);
}

fn scene() -> (Shed, String) {
    let shed = rich();
    shed.cowshed("volume create empty").ok();
    shed.cowshed("volume create full").ok();
    write_text(&shed.data("full").join("kept"), "kept");
    let canary = canary(&shed);
    (shed, canary)
}

#[test]
#[ignore = "needs root"]
fn root_archives_that_leave_their_place_are_refused() {
    let (shed, canary) = scene();
    let up = format!("../../../../../../../../../..{canary}");
    refused(&shed, &with_name("../up"), "\"../up\" is outside of");
    refused(&shed, &with_name("a/../../up"), "is outside of");
    // Below the top, where nobody has made its directory.
    refused(
        &shed,
        &with_name("/etc/cowshed"),
        "its directory does not come before it",
    );
    for target in [&canary, &up] {
        let link = begun().link("out", target);
        let through = link.file("out/planted", 0o644, b"p").finish();
        refused(
            &shed,
            &through,
            "its directory does not come before it, or is none",
        );
        let link = begun().link("out", target).dir("out/dir", 0o755).finish();
        refused(&shed, &link, "its directory");
        let linked = begun().link("out", target);
        refused(
            &shed,
            &linked.hard_link("h", "out/secret").finish(),
            "no file",
        );
        // A link that is replaced by what is written next, in the place of what it leads to.
        let twice = begun().link("secret", &format!("{target}/secret"));
        let twice = twice.file("secret", 0o644, b"planted").finish();
        refused(&shed, &twice, "it is in the archive twice");
    }
    let absolute = begun().hard_link("h", &format!("{canary}/secret")).finish();
    refused(&shed, &absolute, "no file");
    let outside = begun().hard_link("h", &format!("{up}/secret")).finish();
    refused(&shed, &outside, "is outside of");
}

#[test]
#[ignore = "needs root"]
fn root_names_that_come_twice_and_foreign_members_are_refused() {
    let (shed, _) = scene();
    let twice = begun().file("a", 0o644, b"1").file("a", 0o644, b"2");
    refused(&shed, &twice.finish(), "it is in the archive twice");
    let twice = begun().dir("a", 0o755).dir("a", 0o777);
    refused(&shed, &twice.finish(), "it is in the archive twice");
    let top = begun().link("./", "/etc").finish();
    refused(&shed, &top, "");
    refused(
        &shed,
        &Tar::new().file("a", 0o644, b"").finish(),
        "no backup of a volume",
    );
    refused(&shed, b"", "no backup of a volume");
    refused(&shed, b"no tar at all, whatever the name says", "middle");
    refused(&shed, &begun().finish(), "no list of files");
    refused(
        &shed,
        &begun()
            .link(".cowshed-backup/files.jsonl", "/etc/passwd")
            .finish(),
        "not a plain file",
    );
    let foreign = begun().file(".cowshed-backup/more", 0o644, b"x").finish();
    refused(&shed, &foreign, "is not where it belongs");
    let newer = HEAD.replace("\"format\":1", "\"format\":2");
    let newer = Tar::new().file(".cowshed-backup/volume.json", 0o644, newer.as_bytes());
    refused(
        &shed,
        &newer.finish(),
        "the format 2, and this version knows 1",
    );
    let bad = Tar::new().file(".cowshed-backup/volume.json", 0o644, b"[]");
    refused(&shed, &bad.finish(), "description is damaged");
}

fn listed(lines: &str) -> Vec<u8> {
    let tar = begun().file("a", 0o644, b"content");
    tar.file(".cowshed-backup/files.jsonl", 0o644, lines.as_bytes())
        .finish()
}

#[test]
#[ignore = "needs root"]
fn root_a_list_that_is_not_true_is_refused() {
    let (shed, _) = scene();
    let sum = host(&shed.path(""), "printf content | sha256sum");
    let sum = &sum[..64];
    let top =
        r#"{"path":"","type":"directory","mode":"0755","owner":[0,0],"mtime":[1600000000,0]}"#;
    let file = format!(
        r#"{{"path":"a","type":"file","size":7,"sha256":"{sum}","mode":"0644","owner":[0,0],"mtime":[1600000000,0]}}"#
    );
    let tail = r#"{"entries":2,"bytes":7,"changed":0}"#;
    let good = format!("{top}\n{file}\n{tail}\n");
    write_file(&shed.path("good.tar"), &listed(&good));
    shed.cowshed("volume restore good.tar good").ok();
    assert_eq!(read(shed.data("good").join("a")), "content");
    for (from, to, message) in [
        (
            &sum[..8],
            "00000000",
            "\"a\" is not what the archive's list of files says: content",
        ),
        ("\"size\":7", "\"size\":8", "size"),
        ("0644", "4755", "mode"),
        (
            "\"path\":\"a\"",
            "\"path\":\"b\"",
            "it has \"b\" where \"a\" comes",
        ),
        ("\"entries\":2", "\"entries\":3", "does not count"),
        (tail, "", "damaged"),
        ("{\"entries", "{entries", "damaged"),
        ("file\"", "socket\"", "damaged"),
    ] {
        assert!(good.contains(from));
        refused(&shed, &listed(&good.replacen(from, to, 1)), message);
    }
    refused(
        &shed,
        &listed("{\"entries\":0,\"bytes\":0,\"changed\":0}\n"),
        "damaged",
    );
    let long = "x".repeat(300_000);
    refused(&shed, &listed(&long), "damaged");
}

#[test]
#[ignore = "needs root"]
fn root_damage_anywhere_is_found_and_leaves_nothing() {
    let (shed, _) = scene();
    for (compress, step) in [("none", 16_381), ("gzip", 9_973), ("zstd", 9_973)] {
        let archive = shed.path("a");
        shed.cowshed(&format!("volume backup --compress {compress} -o a data"))
            .ok();
        let good = fs::read(&archive).unwrap();
        let before = shed.listing();
        for at in (0..good.len()).step_by(step) {
            let mut cut = good.clone();
            cut.truncate(at);
            write_file(&shed.path("cut"), &cut);
            let done = shed.cowshed("volume restore cut evil");
            assert_eq!(done.code, 1, "{compress} cut at {at}: {done:?}");
            let mut flipped = good.clone();
            flipped[at] ^= 0x10;
            write_file(&shed.path("flipped"), &flipped);
            let done = shed.cowshed("volume verify flipped data");
            let harmless = done.out.contains("volume data: the same");
            assert!(done.code == 1 || harmless, "{compress} at {at}: {done:?}");
            assert!(!done.err.contains("panicked"), "{}", done.err);
        }
        assert_eq!(shed.listing(), before);
    }
}

#[test]
#[ignore = "needs root"]
fn root_bombs_meet_a_limit() {
    let (shed, _) = scene();
    // 300 GiB of nothing in a few bytes.
    host(&shed.data("data"), "truncate -s 300G bomb");
    shed.cowshed("volume backup -o bomb.tar.zst data").ok();
    shed.cowshed("volume restore bomb.tar.zst evil")
        .fails(1, "exceeds the limit of 274877906944 bytes of files");
    assert!(!shed.volumes().contains(&"evil".to_owned()));
    shed.cowshed("volume restore --no-limits bomb.tar.zst trusted")
        .ok();
    let size = fs::metadata(shed.data("trusted").join("bomb"))
        .unwrap()
        .len();
    assert_eq!(size, 300 << 30);
}

#[test]
#[ignore = "needs root"]
fn root_imports_stay_inside() {
    let (shed, canary) = scene();
    let up = format!("../../../../../../../../../..{canary}");
    let import = |bytes: &[u8]| {
        write_file(&shed.path("hostile.tar"), bytes);
        for volume in ["fresh", "full"] {
            shed.cowshed(&format!("volume import {volume} hostile.tar"));
            untouched(&shed);
        }
    };
    import(&Tar::new().named("../../up").finish());
    assert!(!shed.volumes().contains(&"fresh".to_owned()));
    for target in [&canary, &up] {
        import(
            &Tar::new()
                .link("out", target)
                .file("out/planted", 0o644, b"p")
                .finish(),
        );
        import(
            &Tar::new()
                .link("deep", target)
                .hard_link("h2", "deep/secret")
                .finish(),
        );
        import(
            &Tar::new()
                .hard_link("h3", &format!("{target}/secret"))
                .finish(),
        );
    }
    // Links that were there before: planted by a container.
    std::os::unix::fs::symlink(&canary, shed.data("full").join("planted")).unwrap();
    import(
        &Tar::new()
            .file("planted/x", 0o644, b"x")
            .dir("planted/sub2", 0o755)
            .finish(),
    );
    assert!(Path::new(&canary).is_dir());
}

#[test]
#[ignore = "needs root"]
fn root_links_in_a_volume_are_archived_as_links_while_somebody_flips_them() {
    let (shed, canary) = scene();
    let data = shed.data("full");
    host(
        &data,
        &format!("mkdir d; echo inside >d/secret; ln -s {canary} l"),
    );
    let (one, two) = (data.join("d"), data.join("l"));
    let (here, flags) = (
        nix::fcntl::AT_FDCWD,
        nix::fcntl::RenameFlags::RENAME_EXCHANGE,
    );
    let flip = || nix::fcntl::renameat2(here, &one, here, &two, flags).unwrap();
    meanwhile(flip, || {
        for _ in 0..40 {
            let done = shed.cowshed("volume backup -q --compress none -o flip.tar full");
            assert_eq!(done.code, 0, "{}", done.err);
            let bytes = fs::read(shed.path("flip.tar")).unwrap();
            let secret = b"secret\n";
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
            let found = shed.cowshed("volume cat full d/secret");
            assert!(found.code == 1 || found.out == "inside\n", "{found:?}");
        }
    });
    untouched(&shed);
}
