//! `import`: root file systems from anywhere become images, with everything in them.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt as _, chown},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    archive::Archive,
    facts::{assert_same, facts},
    support::{
        Codec, Home, SAMPLE_TREE, create, finish, fixtures, is_ours, sample, shell, through,
    },
};

const CONTENT: &[&str] = &["/bin/busybox", "cat", "/etc/motd"];

fn lower() -> Vec<u8> {
    shell().dir("etc").file("etc/motd", "hello").end()
}

#[track_caller]
fn tool(name: &str, args: &[&str]) {
    let done = finish(Command::new(name).args(args));
    assert_eq!(done.code, Some(0), "{name} {args:?}: {done:?}");
}

/// The directory of the only layer.
fn only_layer(home: &Home) -> std::path::PathBuf {
    let [layer] = &home.layers()[..] else {
        panic!("{:?}", home.layers());
    };
    home.store().join("overlay2").join(layer).join("diff")
}

#[test]
#[ignore = "needs root"]
fn root_a_tar_of_any_compression_is_imported() {
    for codec in Codec::ALL {
        let home = Home::new();
        let path = home.write("rootfs", &codec.pack(&lower()));
        let id = home.ok(&["import", "--sync", "none", &path, "new:1"]);
        assert_eq!(id.trim_end(), home.inspect("new:1")["Id"], "{codec:?}");
        assert_eq!(home.run("new:1", CONTENT), "hello");
        let created = home.inspect("new:1");
        let comment = created["Comment"].as_str().unwrap();
        assert_eq!(comment, format!("imported from {path}"));
        assert_eq!(home.names_in("tmp"), [""; 0]);
        home.ok(&["rmi", "new:1"]);
        assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_standard_input_is_imported() {
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let home = Home::new();
        let path = home.write("rootfs", &codec.pack(&lower()));
        let mut import = home.command(&["import", "-", "new"]);
        let done = finish(import.stdin(File::open(&path).unwrap()));
        assert_eq!(done.code, Some(0), "{done:?}");
        // And through a pipe.
        let mut cat = Command::new("cat")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut import = home.command(&["import", "-m", "by pipe", "-", "piped"]);
        let done = finish(import.stdin(cat.stdout.take().unwrap()));
        assert_eq!(done.code, Some(0), "{done:?}");
        cat.wait().unwrap();
        assert_eq!(home.run("new", CONTENT), "hello");
        assert_eq!(home.run("piped", CONTENT), "hello");
        assert_eq!(home.inspect("piped")["Comment"], "by pipe");
        assert_eq!(home.layers().len(), 1);
    }
}

#[test]
#[ignore = "needs root"]
fn root_an_import_without_a_name_is_known_by_its_id() {
    let home = Home::new();
    let path = home.write("rootfs", &lower());
    let id = home.ok(&["import", &path]);
    assert_eq!(home.run(id.trim_end(), CONTENT), "hello");
    assert_eq!(home.inspect(&id[7..19])["RepoTags"], json!([]));
}

#[test]
#[ignore = "needs root"]
fn root_layers_are_imported_one_on_the_other() {
    for codec in [Codec::Plain, Codec::Xz] {
        let home = Home::new();
        let [lower, upper] = &sample(codec)[..] else {
            unreachable!()
        };
        let (lower, upper) = (home.write("1", &lower.blob), home.write("2", &upper.blob));
        home.ok(&["import", "--layer", &lower, "--layer", &upper, "new"]);
        assert_eq!(home.tree("new"), SAMPLE_TREE);
        assert_eq!(
            home.inspect("new")["RootFS"]["Layers"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        // The last one may stand where the source of one layer stands.
        home.ok(&["import", "--layer", &lower, &upper, "again"]);
        assert_eq!(home.tree("again"), SAMPLE_TREE);
        assert_eq!(home.layers().len(), 2);
    }
}

#[test]
#[ignore = "needs root"]
fn root_three_folders_stack_up_to_the_written_list() {
    let made = fixtures().join("three-layers");
    let home = Home::new();
    let layer = |name: &str| made.join(name).to_str().unwrap().to_owned();
    let [one, two, three] = ["1-busybox", "2-grow", "3-change"].map(layer);
    home.ok(&[
        "import", "--layer", &one, "--layer", &two, "--layer", &three, "three",
    ]);
    let list =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("rootfs-fixtures/three-layers/merged.txt");
    let text = fs::read_to_string(list).unwrap();
    let ours = |line: &&str| is_ours(line.splitn(5, ' ').nth(4).unwrap());
    let wanted: Vec<_> = text.lines().filter(ours).collect();
    assert_eq!(home.tree("three"), wanted);
    assert_eq!(home.layers().len(), 3);
}

#[test]
#[ignore = "needs root"]
fn root_changes_are_seen_in_inspect_and_in_effect() {
    let home = Home::new();
    let path = home.write(
        "rootfs",
        &shell()
            .dir("etc")
            .file("etc/passwd", "app:x:7:8::/home:/bin/sh\n")
            .dir("data")
            .file("data/seed", "s")
            .end(),
    );
    home.ok(&[
        "import",
        "-c",
        r#"CMD ["-c", "echo $A $B; pwd; busybox id -u; busybox id -g; ls /data"]"#,
        "-c",
        r#"ENTRYPOINT ["/bin/sh"]"#,
        "--change",
        "ENV PATH=/bin A=1 B=\"two words\"",
        "-c",
        "USER app",
        "-c",
        "WORKDIR /data/sub",
        "-c",
        "VOLUME /data",
        "-c",
        "EXPOSE 80 53/udp",
        "-c",
        "LABEL maker=me note='a b'",
        "-c",
        "STOPSIGNAL SIGINT",
        "-c",
        "ENV ls busybox ls",
        &path,
        "new",
    ]);
    is_configured(&home.inspect("new")["Config"]);
    let out = home.ok(&[
        "run",
        "--rm",
        "new",
        "-c",
        "echo $A $B; pwd; busybox id -u; busybox id -g; $ls /data",
    ]);
    assert_eq!(out, "1 two words\n/data/sub\n7\n8\nseed\nsub\n");
    // --rm takes the anonymous volume.
    assert_eq!(home.names_in("volumes"), [""; 0]);
}

#[track_caller]
fn is_configured(config: &serde_json::Value) {
    assert_eq!(config["Entrypoint"], json!(["/bin/sh"]));
    assert_eq!(
        config["Env"],
        json!(["PATH=/bin", "A=1", "B=two words", "ls=busybox ls"])
    );
    assert_eq!(config["User"], "app");
    assert_eq!(config["WorkingDir"], "/data/sub");
    assert_eq!(config["Volumes"], json!({ "/data": {} }));
    assert_eq!(
        config["ExposedPorts"],
        json!({ "53/udp": {}, "80/tcp": {} })
    );
    assert_eq!(config["Labels"], json!({ "maker": "me", "note": "a b" }));
    assert_eq!(config["StopSignal"], "SIGINT");
}

#[test]
#[ignore = "needs root"]
fn root_a_command_goes_through_the_shell_unless_it_is_a_list() {
    let home = Home::new();
    let path = home.write("rootfs", &lower());
    home.ok(&["import", "-c", "CMD echo $((6 * 7))", &path, "new"]);
    assert_eq!(home.ok(&["run", "--rm", "new"]), "42\n");
}

#[test]
#[ignore = "needs root"]
fn root_changes_that_are_none_are_refused() {
    let home = Home::new();
    let path = home.write("rootfs", &lower());
    for change in [
        "RUN make", "CMD", "", "ENV A", "ENV =x", "LABEL", "COPY . /",
    ] {
        let quoted = format!("invalid change {change:?}");
        home.refused(
            &["import", "-c", change, &path, "new"],
            &[&quoted, "hint: "],
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_imports_that_cannot_be_leave_nothing() {
    let home = Home::new();
    let good = home.write("good", &lower());
    let cut = home.write("cut", &lower()[..100_000]);
    let zipped = Codec::Gzip.pack(&lower());
    let cut_zip = home.write("cut.gz", &zipped[..zipped.len() / 2]);
    let hostile = home.write(
        "hostile",
        &Archive::new().file("../../canary/secret", "x").end(),
    );
    let text = home.write("text", &[b'x'; 4096]);
    let absent = home.input("absent");
    for (path, expected) in [
        (&cut, "bin/busybox"),
        (&cut_zip, "gzip"),
        (&hostile, "../../canary/secret"),
        (&text, "not a tar"),
        (&absent, "absent"),
    ] {
        home.refused(&["import", path, "new"], &[expected]);
        home.refused(
            &["import", "--layer", &good, "--layer", path, "new"],
            &[expected],
        );
    }
    home.refused(&["import", &good, "NEW"], &["invalid reference format"]);
}

/// A tree with everything that a tree may have.
fn rich(root: &Path) {
    let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
    for dir in ["bin", "한글 이름", "sticky", "deep/er"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::copy("/bin/busybox", path("bin/busybox")).unwrap();
    for name in [
        "한글 이름/읽어보기.txt",
        "suid",
        "capable",
        "attributes",
        "acl",
        "one",
        "deep/er/empty",
    ] {
        create(&root.join(name), name.as_bytes());
    }
    create(&root.join("deep/er/empty"), b"");
    chown(root.join("suid"), Some(1000), Some(50)).unwrap();
    chown(root.join("한글 이름"), Some(70_000), Some(4_000_000_000)).unwrap();
    for (name, mode) in [
        ("suid", "6755"),
        ("sticky", "1777"),
        ("one", "0000"),
        ("deep", "2750"),
    ] {
        tool("chmod", &[mode, &path(name)]);
    }
    special(root);
}

/// Links, devices, attributes and times.
fn special(root: &Path) {
    let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
    for (old, new) in [
        ("one", "two"),
        ("one", "deep/three"),
        ("suid", "deep/er/suid"),
    ] {
        fs::hard_link(root.join(old), root.join(new)).unwrap();
    }
    std::os::unix::fs::symlink("/etc/이상한 곳", root.join("link")).unwrap();
    tool("mkfifo", &["-m", "620", &path("fifo")]);
    tool("mknod", &["-m", "666", &path("null"), "c", "1", "3"]);
    tool("mknod", &[&path("disk"), "b", "259", "300"]);
    tool(
        "setcap",
        &["cap_net_raw,cap_net_admin+ep", &path("capable")],
    );
    tool(
        "setfattr",
        &["-n", "user.한글", "-v", "값", &path("attributes")],
    );
    tool(
        "setfattr",
        &["-n", "user.binary", "-v", "0x00ff3d0a", &path("attributes")],
    );
    tool(
        "setfattr",
        &["-n", "user.on-dir", "-v", "x", &path("sticky")],
    );
    tool("setfacl", &["-m", "u:1234:rw", &path("acl")]);
    for (name, time) in [
        ("link", "@1.5"),
        ("one", "2001-02-03 04:05:06.123456789 UTC"),
        ("fifo", "1960-01-01 UTC"),
        ("suid", "2100-01-01 00:00:00.000000001 UTC"),
        ("deep/er", "@1000000000.25"),
    ] {
        tool("touch", &["-h", "-d", time, &path(name)]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_everything_of_a_directory_is_imported() {
    let home = Home::new();
    let tree = home.input("rootfs");
    fs::create_dir(&tree).unwrap();
    rich(Path::new(&tree));
    home.ok(&["import", &tree, "new"]);
    assert_same(&facts(&only_layer(&home)), &facts(Path::new(&tree)));
    let script = "busybox cat '/한글 이름/읽어보기.txt'; busybox stat -c ' %a %h %u' /suid";
    let out = home.ok(&[
        "run",
        "--rm",
        "new",
        "/bin/busybox",
        "sh",
        "-c",
        &format!("PATH=/bin; {script}"),
    ]);
    assert_eq!(out, "한글 이름/읽어보기.txt 6755 2 1000\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_directory_and_its_tar_are_the_same() {
    let home = Home::new();
    let tree = home.input("rootfs");
    fs::create_dir(&tree).unwrap();
    rich(Path::new(&tree));
    let tar = through(
        &[
            "tar",
            "-c",
            "--numeric-owner",
            "--xattrs",
            "--xattrs-include=*",
            "--acls",
            "--format=posix",
            "-C",
            &tree,
            ".",
        ],
        b"",
    );
    home.ok(&["import", &home.write("rootfs.tar", &tar), "new"]);
    let mut ours = facts(&only_layer(&home));
    let mut theirs = facts(Path::new(&tree));
    // GNU tar writes access control lists as text of its own.
    for facts in [&mut ours, &mut theirs] {
        facts.remove("acl").unwrap();
    }
    assert_same(&ours, &theirs);
}

#[test]
#[ignore = "needs root"]
fn root_equal_directories_give_equal_layers() {
    let home = Home::new();
    let (one, two) = (home.input("one"), home.input("two"));
    fs::create_dir(&one).unwrap();
    rich(Path::new(&one));
    tool("cp", &["-a", &one, &two]);
    home.ok(&["import", &one, "one"]);
    home.ok(&["import", &two, "two"]);
    assert_eq!(home.layers().len(), 1);
    assert_eq!(home.inspect("one")["RootFS"], home.inspect("two")["RootFS"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_directory_is_not_changed_by_its_import() {
    let home = Home::new();
    let tree = home.input("rootfs");
    fs::create_dir(&tree).unwrap();
    rich(Path::new(&tree));
    let before = facts(Path::new(&tree));
    home.ok(&["import", &tree, "new"]);
    assert_same(&facts(Path::new(&tree)), &before);
    let busybox = |root: &Path| fs::metadata(root.join("bin/busybox")).unwrap().ino();
    assert_ne!(
        busybox(Path::new(&tree)),
        busybox(&only_layer(&home)),
        "a copy"
    );
}
