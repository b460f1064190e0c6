//! GNU tar writes, we and GNU tar unpack: the same tree.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{FileExt as _, MetadataExt as _, symlink},
    path::Path,
    process::Command,
};

use crate::{Ground, archive::tree};

fn run(program: &str, args: &[&str], dir: &Path) {
    let status = Command::new(program)
        .args(args)
        .current_dir(dir)
        .status()
        .unwrap();
    assert!(status.success(), "{program} {args:?}");
}

fn sample(dir: &Path) {
    let write = |name: &str, data: &[u8]| {
        fs::File::create(dir.join(name))
            .unwrap()
            .write_all_at(data, 0)
            .unwrap();
    };
    let deep = format!("deep/{}/{}", "x".repeat(90), "y".repeat(90));
    fs::create_dir_all(dir.join(&deep)).unwrap();
    write(&format!("{deep}/{}", "z".repeat(200)), b"far away");
    write("plain", b"1");
    fs::hard_link(dir.join("plain"), dir.join("other name")).unwrap();
    symlink("t".repeat(150), dir.join("long link")).unwrap();
    symlink("plain", dir.join("link")).unwrap();
    let sparse = fs::File::create(dir.join("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    for part in 0..30 {
        sparse.write_all_at(b"data", part * 65_536 + 8192).unwrap();
    }
    write("b\u{fc}cher", &vec![7; 100_000]);
    run("mkfifo", &["fifo"], dir);
    run(
        "setfattr",
        &["-n", "user.note", "-v", "hello", "plain"],
        dir,
    );
    run("chmod", &["2751", "deep"], dir);
    run("touch", &["-d", "1969-12-31 23:00:00.25 UTC", "plain"], dir);
    run("touch", &["-d", "2001-02-03 04:05:06.789 UTC", "deep"], dir);
}

/// Everything that both keep; times only to the second in formats without fractions.
fn listing(root: &Path) -> String {
    let mut lines = tree(root);
    for name in ["plain", "deep", "sparse", "long link", "other name"] {
        let metadata = fs::symlink_metadata(root.join(name)).unwrap();
        let count = if metadata.is_dir() {
            0
        } else {
            metadata.nlink()
        };
        write!(
            lines,
            "\n{name} {}:{} {count} {}.{:09}",
            metadata.uid(),
            metadata.gid(),
            metadata.mtime(),
            metadata.mtime_nsec()
        )
        .unwrap();
    }
    lines
}

fn agree(options: &[&str]) {
    let scratch = tempfile::tempdir().unwrap();
    let (source, theirs) = (scratch.path().join("source"), scratch.path().join("theirs"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&theirs).unwrap();
    sample(&source);
    let archive = scratch.path().join("a.tar");
    let archive = archive.to_str().unwrap();
    run(
        "tar",
        &[&["-cf", archive], options, &["."]].concat(),
        &source,
    );
    run("tar", &["--xattrs", "-xpf", archive], &theirs);
    let ground = Ground::new();
    ground.unpack(&fs::read(archive).unwrap()).unwrap();
    assert_eq!(listing(&ground.layer()), listing(&theirs), "{options:?}");
    let content = |root: &Path| fs::read(root.join("sparse")).unwrap();
    assert!(
        content(&ground.layer()) == content(&theirs),
        "{options:?}: sparse content"
    );
}

#[test]
fn all_formats_of_gnu_tar_unpack_the_same() {
    agree(&["--format=gnu"]);
    agree(&["--format=gnu", "--sparse"]);
    agree(&["--format=posix", "--xattrs"]);
    agree(&["--format=posix", "--sparse"]);
    agree(&["--format=posix", "--sparse", "--sparse-version=0.0"]);
    agree(&["--format=posix", "--sparse", "--sparse-version=0.1"]);
    agree(&[]);
}

#[test]
fn ustar_of_gnu_tar_unpacks_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("source");
    let long = source.join("p".repeat(90)).join("q".repeat(60));
    fs::create_dir_all(&long).unwrap();
    fs::File::create(long.join("n".repeat(99))).unwrap();
    fs::File::create(source.join("file")).unwrap();
    fs::hard_link(source.join("file"), source.join("hard")).unwrap();
    let archive = scratch.path().join("a.tar");
    run(
        "tar",
        &["-cf", archive.to_str().unwrap(), "--format=ustar", "."],
        &source,
    );
    let ground = Ground::new();
    ground.unpack(&fs::read(archive).unwrap()).unwrap();
    assert_eq!(tree(&ground.layer()), tree(&source));
}
