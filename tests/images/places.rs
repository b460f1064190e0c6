//! What is no image at all, who may not, and stores that cannot take it.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::support::{Codec, Home, Layout, create, finish, sample, walk};

#[test]
#[ignore = "needs root"]
fn root_what_is_no_image_is_told_from_damaged_ones() {
    let home = Home::new();
    let random: Vec<u8> = (0..100_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    let cases: [(&str, &[u8]); 4] = [
        ("random", &random),
        ("text", b"hello\n"),
        ("gzip", &Codec::Gzip.pack(&random)),
        ("zeros", &[0; 10_240]),
    ];
    for (name, bytes) in cases {
        let path = home.write(name, bytes);
        home.refused(&["load", "-i", &path], &[&path]);
    }
    let path = home.write("empty", b"");
    home.refused(&["load", "-i", &path], &[&path, "it is empty"]);
    let path = home.input("nothing-in-it");
    fs::create_dir(&path).unwrap();
    let neither = "is neither an OCI layout nor a docker-archive";
    home.refused(&["load", "-i", &path], &[&path, neither, "import"]);
    let path = home.input("absent");
    home.refused(&["load", "-i", &path], &[&path, "ENOENT"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_root_file_system_is_told_to_be_imported() {
    let home = Home::new();
    let layers = sample(Codec::Plain);
    let path = home.write("rootfs.tar", &layers[0].tar);
    home.refused(&["load", "-i", &path], &["cowshed import"]);
}

#[test]
#[ignore = "needs root"]
fn root_standard_input_without_an_image_is_told() {
    let home = Home::new();
    home.refused(&["load"], &["standard input: it is empty"]);
    // No bytes are no files, as elsewhere.
    home.ok(&["import", "-", "nothing"]);
    assert_eq!(home.inspect("nothing")["Size"], 0);
}

#[test]
#[ignore = "needs root"]
fn root_only_root_may() {
    let home = Home::new();
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(home.store().parent().unwrap(), everybody).unwrap();
    // Where others can run it.
    let program = home.store().with_file_name("input").join("cowshed");
    fs::copy(env!("CARGO_BIN_EXE_cowshed"), &program).unwrap();
    for args in [&["images"][..], &["load"], &["import", "x"], &["rmi", "x"]] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        let done = finish(
            command
                .arg(&program)
                .arg("--root")
                .arg(home.store())
                .args(args),
        );
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains("only root"), "{done:?}");
        assert!(done.err.contains("sudo"), "{done:?}");
    }
    assert!(!home.store().exists());
}

#[test]
#[ignore = "needs root"]
fn root_a_store_of_a_newer_version_is_left_alone() {
    let home = Home::new();
    let path = home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    home.load(&path);
    let newer = br#"{"format":2,"driver":"overlay2","incompatible":[],"new":"field"}"#;
    create(&home.store().join("store.json"), newer);
    let before = home.shape();
    for args in [
        &["load", "-i", &path][..],
        &["images"],
        &["rmi", "sample:1"],
    ] {
        let done = home.cowshed(args);
        home.left_alone(&before, &done, &["it has format 2, this version knows 1"]);
    }
    create(
        &home.store().join("store.json"),
        br#"{"format":1,"driver":"overlay2","incompatible":["compressed-upper"]}"#,
    );
    let before = home.shape();
    let done = home.cowshed(&["images"]);
    home.left_alone(&before, &done, &["compressed-upper"]);
    create(&home.store().join("store.json"), b"{");
    let before = home.shape();
    let done = home.cowshed(&["images"]);
    home.left_alone(&before, &done, &["store.json"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_directory_of_somebody_else_is_left_alone() {
    let home = Home::new();
    fs::create_dir_all(home.store().join("photos/2001")).unwrap();
    create(&home.store().join("photos/2001/sea.jpg"), b"sea");
    let path = home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    let before = home.shape();
    for args in [
        &["load", "-i", &path][..],
        &["images"],
        &["import", &path, "x"],
    ] {
        let done = home.cowshed(args);
        home.left_alone(
            &before,
            &done,
            &["it is not empty and has no store.json", "--root"],
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_file_is_no_store() {
    let home = Home::new();
    create(&home.store(), b"x");
    let done = home.cowshed(&["images"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("ENOTDIR"), "{}", done.err);
    assert_eq!(fs::read(home.store()).unwrap(), b"x");
}

/// Loads onto file systems of all sizes, from too small for anything to just too small.
#[test]
#[ignore = "needs root"]
fn root_a_full_disk_is_told_and_leaves_nothing() {
    let home = Home::new();
    let image = home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    let zipped = home.write(
        "x.tar.gz",
        &fs::read(&image).map(|tar| Codec::Gzip.pack(&tar)).unwrap(),
    );
    let tree = home.write("rootfs.tar", &sample(Codec::Gzip)[0].tar);
    fs::create_dir(home.store()).unwrap();
    let mut ends = [0; 2];
    for kib in [
        64, 300, 1200, 1800, 2600, 3100, 3140, 3160, 3180, 3200, 3260, 8000, 16000,
    ] {
        let verbs: [&[&str]; 3] = [
            &["load", "-i", &image],
            &["load", "-i", &zipped],
            &["import", &tree, "x"],
        ];
        for verb in verbs {
            let done = on_small_disk(&home, kib, verb);
            let (before, after) = done
                .out
                .split_once("=====\n")
                .unwrap_or_else(|| panic!("{done:?}"));
            if done.err.is_empty() {
                ends[0] += 1;
                continue;
            }
            ends[1] += 1;
            assert!(done.err.contains("ENOSPC"), "{kib}: {}", done.err);
            assert!(done.err.starts_with("cowshed: error: "), "{}", done.err);
            assert_eq!(before, after, "{kib} {verb:?}: {}", done.err);
        }
    }
    assert!(ends[0] > 3 && ends[1] > 10, "{ends:?}");
    assert_eq!(walk(&home.store()), [""; 0]);
}

/// A list of the store before, `=====`, and after.
fn on_small_disk(home: &Home, kib: u32, args: &[&str]) -> crate::support::Done {
    let script = r#"
        set -e
        mount -t tmpfs -o size="$1"k,mode=700 none "$2"
        list() { find "$2" -mindepth 1 ! -name store.json -printf '%y %m %s %P\n' | sed 's/^d \([0-7]*\) [0-9]*/d \1/' | sort; }
        program=$3 store=$2
        "$program" --root "$store" images >/dev/null
        list 0 "$store"
        echo =====
        shift 3
        "$program" --root "$store" "$@" >/dev/null || true
        list 0 "$store"
    "#;
    let mut command = Command::new("unshare");
    command.args([
        "-m",
        "--propagation",
        "private",
        "bash",
        "-c",
        script,
        "bash",
    ]);
    command.arg(kib.to_string()).arg(home.store());
    finish(command.arg(env!("CARGO_BIN_EXE_cowshed")).args(args))
}
