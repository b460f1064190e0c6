//! `image verify`: whatever is damaged is told by its name.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

use serde_json::Value;

use crate::support::{Codec, Home, Layout, create, sample};

fn home(codec: Codec) -> Home {
    let home = Home::new();
    home.load(&home.write("x.tar", &Layout::of(&sample(codec)).tar()));
    assert!(
        home.ok(&["image", "verify"])
            .starts_with("sample:1: ok (2 layers, ")
    );
    assert_eq!(home.ok(&["image", "verify", "-q", "sample:1"]), "");
    home
}

/// The tree of a layer, from 0.
fn tree(home: &Home, number: usize) -> PathBuf {
    let chain = home.inspect("sample:1")["Layers"][number]["ChainID"]
        .as_str()
        .unwrap()
        .to_owned();
    home.store().join("overlay2").join(&chain[7..]).join("diff")
}

fn blob(home: &Home, digest: &Value) -> PathBuf {
    home.store()
        .join("blobs/sha256")
        .join(&digest.as_str().unwrap()[7..])
}

/// What is wrong, without what a directory's time says.
#[track_caller]
fn faults(home: &Home) -> Vec<String> {
    let before = home.shape();
    let done = home.cowshed(&["image", "verify", "--format", "json", "sample:1"]);
    assert_eq!(home.shape(), before);
    let texts = done.out.lines().map(|line| {
        let one: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", one["Layer"], text("Path"), text("What"))
    });
    let texts: Vec<_> = texts.filter(|text| !text.contains(" time is 2")).collect();
    assert_eq!(done.code, Some(1), "{done:?}");
    texts
}

#[test]
#[ignore = "needs root"]
fn root_each_damage_of_a_tree_is_told() {
    let home = home(Codec::Gzip);
    let (lower, upper) = (tree(&home, 0), tree(&home, 1));
    let mode = |path: PathBuf, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(upper.join("suid"), 0o755);
    create(&lower.join("old/kept"), b"KEPT");
    fs::remove_file(upper.join("old/gone")).unwrap();
    fs::remove_file(upper.join("home/second")).unwrap();
    fs::copy(upper.join("home/읽기.txt"), upper.join("home/second")).unwrap();
    nix::unistd::chown(&upper.join("etc"), Some(7.into()), None).unwrap();
    fs::create_dir(upper.join("새것")).unwrap();
    fs::remove_file(upper.join("link")).unwrap();
    std::os::unix::fs::symlink("elsewhere", upper.join("link")).unwrap();
    fs::remove_file(lower.join("bin/sh")).unwrap();
    create(&lower.join("bin/sh"), b"x");
    let told = faults(&home);
    for wanted in [
        "1 /bin/sh type is file, not symbolic link",
        "1 /old/kept content differs",
        "2 /etc owner is 7:0, not 0:0",
        "2 /home/second owner is 0:0, not 1000:50",
        "2 /home/읽기.txt is a file of its own, not another name of /home/second",
        "2 /link link leads to \"elsewhere\", not to \"home/second\"",
        "2 /old/gone missing: whiteout",
        "2 /suid mode is 0755, not 4755",
        "2 /새것 not in the layer: directory",
    ] {
        assert!(
            told.iter().any(|text| text == wanted),
            "no {wanted:?} in {told:#?}"
        );
    }
    let done = home.cowshed(&["image", "verify"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.out.contains("  layer 1: /old/kept: content differs\n"),
        "{done:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_opaque_marks_and_attributes_are_part_of_a_tree() {
    let home = home(Codec::Zstd);
    let upper = cowshed::sys::Dir::open(&tree(&home, 1)).unwrap();
    cowshed::sys::xattr::remove(
        &upper.open_dir("hidden").unwrap(),
        ".",
        "trusted.overlay.opaque",
    )
    .unwrap();
    cowshed::sys::xattr::set(&upper, "suid", "user.odd", b"1").unwrap();
    assert_eq!(
        faults(&home),
        [
            "2 /hidden directory is not opaque",
            "2 /suid attribute user.odd is not in the layer",
        ]
    );
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_blob_is_told_and_what_is_whole_is_verified() {
    for codec in [Codec::Gzip, Codec::Plain, Codec::Zstd] {
        let home = home(codec);
        let image = home.inspect("sample:1");
        let path = blob(&home, &image["Layers"][1]["Blob"]);
        let mut file = File::options().read(true).write(true).open(&path).unwrap();
        let middle = file.metadata().unwrap().len() / 2;
        file.seek(SeekFrom::Start(middle)).unwrap();
        file.write_all(b"\x55\xaa\x55").unwrap();
        let told = faults(&home);
        assert!(
            told[0].starts_with("2 - blob has digest sha256:"),
            "{told:?}"
        );
        assert!(
            told.iter().all(|text| text.starts_with("2 - blob ")),
            "{told:?}"
        );
        file.set_len(100).unwrap();
        let told = faults(&home);
        assert!(told[0].contains("blob has 100 bytes, not "), "{told:?}");
        fs::remove_file(&path).unwrap();
        let told = faults(&home);
        assert!(told[0].ends_with(" is missing"), "{told:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_documents_and_missing_trees_are_told() {
    let home = home(Codec::Gzip);
    let image = home.inspect("sample:1");
    fs::remove_dir_all(tree(&home, 1).parent().unwrap()).unwrap();
    create(&blob(&home, &image["Manifest"]), b"{}");
    create(&blob(&home, &image["Id"]), b"{}");
    let told = faults(&home);
    assert!(
        told[0].starts_with("null - manifest: verify blob sha256:"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("null - config: verify blob sha256:"),
        "{told:?}"
    );
    assert_eq!(told[2..], ["2 - directory is not unpacked"]);
    let done = home.cowshed(&["image", "verify", "absent"]);
    assert!(
        done.code == Some(1) && done.err.contains("No such image: absent"),
        "{done:?}"
    );
}
