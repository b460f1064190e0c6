//! `export` (rule 70).

use std::{fs, process::Stdio};

use crate::{
    copy_scene::{Boxed, listing},
    support::{Shed, Tar, finish, mounts_below, read},
};

#[test]
#[ignore = "needs root"]
fn root_rule_70_export_leaves_out_what_is_mounted_and_keeps_the_places() {
    let flags = "-v vol:/vol --tmpfs /t -v data:/data";
    for inside in [Boxed::running(flags), Boxed::stopped(flags)] {
        inside.shed.file("file", "f");
        inside.cp("file", "box:/vol").ok();
        inside.cp("file", "box:/tmp").ok();
        inside.shed.cowshed("export -o out.tar box").ok();
        let listed = listing(&fs::read(inside.shed.path("out.tar")).unwrap());
        let has = |line: &str| assert!(listed.lines().any(|one| one == line), "{line}\n{listed}");
        has("vol/ 755 0:0");
        has("t/ 755 0:0");
        has("tmp/file 644 0:0 = f");
        // The image's own files below a mount are there.
        has("data/sub/two 600 1000:1001 = two\\n");
        assert!(!listed.contains("vol/file"));
        assert!(!listed.contains("\n/") && !listed.starts_with('/'));
        assert!(!listed.contains("proc/1"), "{listed}");
    }
}

fn shell(script: &str) -> String {
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(script);
    finish(command).ok()
}

/// What tar(1) says about a tar, but for the order of its entries.
fn tar_list(path: &str) -> Vec<String> {
    let text = shell(&format!(
        "tar --numeric-owner --xattrs --full-time -tvvf {path} | sed 's/  */ /g'"
    ));
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs root"]
fn root_export_is_what_tar_makes_of_the_mounted_root() {
    let shed = Shed::new();
    let long = "d/".repeat(60) + &"n".repeat(200);
    let layer = Tar::new()
        .file("odd", 0o6711, b"odd")
        .file("한글", 0o600, "자료".as_bytes())
        .file(&long, 0o644, b"deep")
        .file(".wh.plain", 0o644, b"");
    shed.image("more", layer, &[]);
    let script = "rm -r /data/sub; mkdir /data/sub; echo new >/data/sub/n; ln /file /again; \
        mkfifo /fifo; mknod /device b 7 200; rm /odd; touch -d 1965-01-01 /old";
    let mut command = shed.command("run --name box more sh -c");
    command.arg(script);
    finish(command).ok();
    shed.cowshed("export -o ours.tar box").ok();
    let data = shed.inspect("box")["GraphDriver"]["Data"].clone();
    let part = |key: &str| data[key].as_str().unwrap().to_owned();
    let union = shed.dir("union");
    // In a mount namespace of its own: the mount is gone before anything here can fail.
    shell(&format!(
        "exec unshare -m --propagation private sh -ec 'mount -t overlay overlay \
         -o lowerdir={},upperdir={},workdir={} {union}; cd {union}; test -e data/one; \
         exec tar --numeric-owner --format=pax --xattrs --sort=name -cf ../theirs.tar -- $(ls -A)'",
        part("LowerDir"),
        part("UpperDir"),
        part("WorkDir"),
    ));
    assert_eq!(mounts_below(&shed.path("")), Vec::<String>::new());
    let (ours, theirs) = (
        tar_list(&shed.show("ours.tar")),
        tar_list(&shed.show("theirs.tar")),
    );
    assert!(ours.len() > 100);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    shed.cowshed("rm box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_export_and_import_make_the_same_root_again() {
    let inside = Boxed::stopped("");
    let shed = &inside.shed;
    shed.cowshed("export -o first.tar box").ok();
    shed.cowshed("import --sync=none first.tar again").ok();
    shed.cowshed("run --name two again true").ok();
    shed.cowshed("export -o second.tar two").ok();
    let both = ["first.tar", "second.tar"].map(|name| fs::read(shed.path(name)).unwrap());
    let without_time = |tar: &[u8]| listing(tar);
    assert_eq!(without_time(&both[0]), without_time(&both[1]));
    shed.cowshed("rm two").ok();
}

#[test]
#[ignore = "needs root"]
fn root_export_refuses_what_docker_refuses_and_leaves_nothing() {
    let inside = Boxed::stopped("");
    let shed = &inside.shed;
    shed.dir("dir");
    let refused = |line: &str, message| drop(shed.cowshed(line).fails(1, message));
    refused("export none", "No such container: none");
    refused("export -o dir box", "cannot write to a directory");
    refused("export -o no/x box", "invalid output path");
    refused("export -o /dev/null box", "got a device");
    shed.file("old", "old");
    refused("export -o old none", "No such container");
    assert_eq!(read(shed.path("old")), "old");
    let left: Vec<_> = fs::read_dir(shed.path("")).unwrap().collect();
    let hidden = left.iter().filter(|one| {
        one.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("cowshed")
    });
    assert_eq!(hidden.count(), 0);
    // To standard output, and with the long name of the command.
    let mut command = shed.command("container export box");
    let output = command.stdout(Stdio::piped()).output().unwrap();
    assert!(listing(&output.stdout).contains("data/one 640 1000:1001"));
}

#[test]
#[ignore = "needs root"]
fn root_a_scratch_directory_with_a_mount_in_it_is_not_removed() {
    let canary = tempfile::tempdir().unwrap();
    crate::support::write_text(&canary.path().join("keep"), "keep");
    let shed = Shed::empty();
    let scratch = shed.path("");
    let place = shed.dir("mounted");
    shell(&format!("mount --bind {} {place}", canary.path().display()));
    // And it is told whose it is.
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(shed)));
    assert!(told.is_err());
    assert_eq!(read(canary.path().join("keep")), "keep");
    shell(&format!("umount {place}"));
    assert_eq!(mounts_below(&scratch), Vec::<String>::new());
    fs::remove_dir(&place).unwrap();
    fs::remove_dir(&scratch).unwrap();
}
