//! Contexts and images that want to be read or written where they should not.

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
};

use nix::sys::stat::Mode;

use crate::support::{Shed, Tar, finish, read, write_file, write_text};

#[test]
#[ignore = "needs root"]
fn root_nothing_outside_the_context_is_read() {
    let shed = Shed::new();
    shed.context("dir/a", "a");
    shed.file("secret", "secret");
    let link = |target: &str, name: &str| symlink(target, shed.path("context").join(name)).unwrap();
    link("../secret", "up");
    link(&shed.show("secret"), "absolute");
    link("../..", "dir/parent");
    link("/proc/self/root", "magic");
    for source in [
        "up",
        "absolute",
        "dir/parent/secret",
        "magic/etc/passwd",
        "magic",
    ] {
        let done = shed.try_build("", &format!("FROM base\nCOPY {source} /x\n"));
        assert_eq!(done.code, 1, "{source}: {done:?}");
        assert!(!done.out.contains("secret\n"), "{done:?}");
    }
    // As part of a directory they are links like any other.
    shed.build("-t x", "FROM base\nCOPY . /d/\n");
    assert_eq!(shed.in_image("x", "readlink /d/up"), "../secret\n");
    let mut command = shed.command("build --sync=none -f ../Dockerfile .");
    command.current_dir(shed.path("context"));
    finish(command).ok();
    // Its Dockerfile may not be a way out either.
    link("../secret", "Dockerfile");
    shed.cowshed("build context").fails(1, "Dockerfile");
    fs::remove_file(shed.path("context/Dockerfile")).unwrap();
    link("../secret", ".dockerignore");
    shed.build("", "FROM base\nCOPY dir /d\n");
}

#[test]
#[ignore = "needs root"]
fn root_odd_files_hold_nothing_up() {
    let shed = Shed::new();
    shed.context("dir/a", "a");
    let dir = shed.path("context/dir");
    nix::unistd::mkfifo(&dir.join("fifo"), Mode::S_IRWXU).unwrap();
    let _listener = UnixListener::bind(dir.join("socket")).unwrap();
    let device = nix::sys::stat::makedev(0, 0);
    let kind = nix::sys::stat::SFlag::S_IFCHR;
    nix::sys::stat::mknod(&dir.join("whiteout"), kind, Mode::S_IRWXU, device).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe odd\nname");
    write_text(&dir.join(odd), "odd");
    let holes = fs::File::create(dir.join("holes")).unwrap();
    holes.set_len(256 << 20).unwrap();
    let done = shed.try_build("-t x", "FROM base\nCOPY dir /d\nCOPY dir/fifo /fifo\n");
    for name in ["socket", "whiteout"] {
        let note = format!("dir/{name}: sockets and devices are left out");
        assert!(done.err.contains(&note), "{}", done.err);
    }
    done.ok();
    let look = "ls -A /d | wc -l; stat -c '%F %s' /d/holes /d/fifo /fifo; cat /d/*odd*";
    let wanted = "4\nregular file 268435456\nfifo 0\nfifo 0\nodd";
    assert_eq!(shed.in_image("x", look), wanted);
    // What is a hole costs no room.
    let used = fs::read_dir(shed.store().join("blobs/sha256")).unwrap();
    let used: u64 = used
        .map(|blob| blob.unwrap().metadata().unwrap().len())
        .sum();
    assert!(used < 16 << 20, "{used}");
    shed.cowshed("build -f context/dir/socket context")
        .fails(1, "open Dockerfile");
    let done = shed.try_build("", "FROM base\nCOPY dir/socket /x\n");
    done.fails(1, "only files, directories, links and fifos are copied");
}

#[test]
#[ignore = "needs root"]
fn root_nothing_outside_the_image_is_written() {
    let shed = Shed::new();
    let host = shed.dir("host");
    shed.context("f", "hostile");
    shed.context("tree/etc/passwd", "hostile");
    let layer = Tar::new()
        .link("out", &host)
        .link("up", &format!("../../../../../../..{host}"))
        .link("etc2", "/etc");
    shed.image("evil", layer, &[]);
    let before = read("/etc/passwd");
    shed.build(
        "-t x",
        "FROM evil\nCOPY f /out/f\nCOPY f /up/g\nCOPY tree /out/\nWORKDIR /up/made\nCOPY tree/etc /etc2/\n\
         ADD f /out/sub/\n",
    );
    assert_eq!(fs::read_dir(&host).unwrap().count(), 0);
    assert_eq!(read("/etc/passwd"), before);
    let look = format!("cat {host}/f {host}/g /etc/passwd | head -c 21; ls -d {host}/made");
    assert_eq!(
        shed.in_image("x", &look),
        format!("hostilehostilehostile{host}/made\n")
    );
}

#[test]
#[ignore = "needs root"]
fn root_books_of_the_image_that_are_traps_name_nobody() {
    let shed = Shed::new();
    shed.context("f", "f");
    let layer = Tar::new().named("etc/.wh.passwd").fifo("etc/group", 0o644);
    shed.image("fifo", layer, &[]);
    let done = shed.try_build("", "FROM fifo\nCOPY --chown=app f /f\n");
    done.fails(1, "unable to find user app");
    let layer = Tar::new()
        .named("etc/.wh.passwd")
        .link("etc/passwd", "/proc/1/root/etc/passwd");
    shed.image("link", layer, &[]);
    let done = shed.try_build("", "FROM link\nCOPY --chown=daemon f /f\n");
    assert_eq!(done.code, 1, "{done:?}");
}

#[test]
#[ignore = "needs root"]
fn root_a_tar_context_that_climbs_is_refused() {
    use std::{fs::File, process::Stdio};
    let shed = Shed::new();
    let mut tar = Tar::new()
        .file("Dockerfile", 0o644, b"FROM base\nCOPY . /d\n")
        .finish();
    let evil = Tar::new().named("../../evil").finish();
    tar.truncate(tar.len() - 1024);
    tar.extend_from_slice(&evil);
    write_file(&shed.path("evil.tar"), &tar);
    let mut command = shed.command("build --sync=none -");
    command.stdin(Stdio::from(File::open(shed.path("evil.tar")).unwrap()));
    finish(command).fails(1, "leaves");
    assert!(!shed.path("evil").exists());
    shed.assert_no_containers();
}
