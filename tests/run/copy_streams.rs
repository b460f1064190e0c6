//! `cp` with `-`: tars in and out, round trips, big and sparse files, what goes wrong on the way.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    copy_scene::{Boxed, listing},
    support::{Done, Shed, Tar, finish, read, tree, wait_until},
};

/// `cp - TO` with these bytes on standard input.
fn cp_in(shed: &Shed, to: &str, bytes: &[u8]) -> Done {
    let path = shed.path("stream");
    crate::support::write_file(&path, bytes);
    let mut command = shed.command(&format!("cp - {to}"));
    command.stdin(File::open(path).unwrap());
    finish(command)
}

fn shell(shed: &Shed, line: &str) -> Done {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).current_dir(shed.path(""));
    command.env("C", env!("CARGO_BIN_EXE_cowshed"));
    command.env("COWSHED_ROOT", shed.store());
    finish(command)
}

#[test]
#[ignore = "needs root"]
fn root_names_of_streams_are_dockers() {
    let inside = Boxed::running("");
    for (from, first) in [
        ("/data", "data/"),
        ("/data/", "data/"),
        ("/data/.", "./"),
        ("/data/one", "one"),
        ("/data/link", "link"),
        ("/var/run/", "run/"),
        ("data/sub", "sub/"),
        ("/data/sub/.", "./"),
    ] {
        let listed = inside.list(from);
        assert!(listed.starts_with(&format!("{first} ")), "{from}: {listed}");
    }
    assert!(inside.list("/data/.").contains("\n./sub/two 600"));
    // A followed link has the name of what it leads to.
    let done = inside.cp("-L box:/data/link", "-").ok();
    assert_eq!(listing(done.as_bytes()), "one 640 1000:1001 = one\\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_stream_goes_into_a_directory_only() {
    for inside in [Boxed::running(""), Boxed::stopped("")] {
        let tar = Tar::new()
            .owner(11, 12)
            .dir("./", 0o700)
            .file("a/k", 0o600, b"k")
            .finish();
        for (to, place) in [("/file", "box:/file"), ("/none", "box:/none")] {
            let message = format!("destination \"{place}\" must be a directory");
            cp_in(&inside.shed, &format!("box:{to}"), &tar).fails(1, &message);
        }
        cp_in(&inside.shed, "box:/empty", &tar).ok();
        let wanted = "empty/ 750 1000:1001\nempty/a/ 755 0:0\nempty/a/k 600 11:12 = k";
        assert_eq!(inside.list("/empty"), wanted);
        // Through a link to a directory, too, and compressed.
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        cp_in(&inside.shed, "box:/var/run", &gzip.finish().unwrap()).ok();
        assert_eq!(inside.list("/run/a/k"), "k 600 11:12 = k");
        cp_in(&inside.shed, "box:/tmp", b"").ok();
        cp_in(&inside.shed, "box:/tmp", b"junk\n").fails(1, "unexpected EOF");
        cp_in(&inside.shed, "box:/tmp", &tar[..512 * 2 + 100]).fails(1, "unexpected EOF");
        cp_in(&inside.shed, "box:/tmp", &[7; 4096]).fails(1, "checksum");
    }
}

#[test]
#[ignore = "needs root"]
fn root_whiteouts_are_names_like_any_other() {
    for inside in [Boxed::running(""), Boxed::stopped("")] {
        let tar = Tar::new()
            .file(".wh.one", 0o644, b"w")
            .file(".wh..wh..opq", 0o644, b"")
            .file("sub/.wh.two", 0o644, b"")
            .finish();
        cp_in(&inside.shed, "box:/data", &tar).ok();
        inside.cp("box:/data", "out").ok();
        let out = inside.shed.path("out");
        for name in ["one", ".wh.one", ".wh..wh..opq", "sub/two", "sub/.wh.two"] {
            assert!(out.join(name).exists(), "{name}");
        }
        inside.shed.dir("again");
        inside.cp("out/.", "box:/home").ok();
        assert_eq!(inside.list("/home/.wh.one"), ".wh.one 644 0:0 = w");
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_round_trip_is_exact() {
    let inside = Boxed::running("-v vol:/y");
    let shed = &inside.shed;
    let make = "mkdir -p x/d && echo one >x/d/one && ln x/d/one x/d/two && ln -s one x/d/link && \
        mkfifo x/d/fifo && mknod x/d/node c 1 3 && touch -d '1969-12-31 23:59:58.5' x/d/old && \
        touch -d '2001-02-03 04:05:06.789012345' x/d/one && chmod 4711 x/d/one && \
        chown -R 3000000:4000000 x/d/old && setfattr -n user.note -v '한글' x/d/old 2>/dev/null; \
        chmod 1770 x/d; touch -d '2002-02-02 02:02:02.2' x/d x; echo made";
    assert_eq!(shell(shed, make).ok(), "made\n");
    let note = Path::new("x/d/old");
    let attribute = nix_xattr_set(&shed.path("").join(note));
    inside.cp("x", "box:/").ok();
    shell(
        shed,
        "$C cp box:/x - >first.tar && $C cp - box:/y <first.tar && $C cp box:/y/x - >second.tar",
    )
    .ok();
    let first = fs::read(shed.path("first.tar")).unwrap();
    let second = fs::read(shed.path("second.tar")).unwrap();
    assert_eq!(listing(&first), listing(&second));
    assert!(first == second, "the bytes differ");
    shell(
        shed,
        "$C cp box:/x - | $C cp - box:/tmp && $C cp box:/tmp/x - | cmp - first.tar",
    )
    .ok();
    inside.cp("-a box:/y/x", "back").ok();
    let facts = |path: &str| {
        let found = fs::symlink_metadata(shed.path(path)).unwrap();
        (
            found.mode(),
            found.uid(),
            found.gid(),
            found.mtime(),
            found.mtime_nsec(),
        )
    };
    for name in [
        "", "/d", "/d/one", "/d/link", "/d/fifo", "/d/node", "/d/old",
    ] {
        assert_eq!(
            facts(&format!("x{name}")),
            facts(&format!("back{name}")),
            "{name}"
        );
    }
    let inode = |path: &str| fs::metadata(shed.path(path)).unwrap().ino();
    assert_eq!(inode("back/d/one"), inode("back/d/two"));
    if attribute {
        let kept = nix_xattr_get(&shed.path("back/d/old"));
        assert_eq!(kept, "한글".as_bytes());
    }
}

fn nix_xattr_set(path: &Path) -> bool {
    let (dir, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let dir = cowshed::sys::Dir::open(dir).unwrap();
    let set = cowshed::sys::xattr::set(&dir, name, "user.note", "한글".as_bytes());
    let overlay = cowshed::sys::xattr::set(&dir, name, "user.overlay.opaque", b"y");
    let metadata = dir.metadata(name).unwrap().mtime();
    dir.set_times(name, metadata).unwrap();
    set.is_ok() && overlay.is_ok()
}

fn nix_xattr_get(path: &Path) -> Vec<u8> {
    let dir = cowshed::sys::Dir::open(path.parent().unwrap()).unwrap();
    let name = path.file_name().unwrap();
    let overlay = cowshed::sys::xattr::get(&dir, name, "user.overlay.opaque").unwrap();
    assert_eq!(overlay.unwrap(), b"y");
    cowshed::sys::xattr::get(&dir, name, "user.note")
        .unwrap()
        .unwrap()
}

#[test]
#[ignore = "needs root"]
fn root_capabilities_travel_with_their_file() {
    let inside = Boxed::running("");
    let shed = &inside.shed;
    shed.file("ping", "x");
    let dir = cowshed::sys::Dir::open(&shed.path("")).unwrap();
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    cowshed::sys::xattr::set(&dir, "ping", "security.capability", &capability).unwrap();
    inside.cp("ping", "box:/bin/ping").ok();
    inside.cp("box:/bin/ping", "out").ok();
    let kept = cowshed::sys::xattr::get(&dir, "out", "security.capability").unwrap();
    assert_eq!(kept.unwrap(), capability);
}

#[test]
#[ignore = "needs root"]
fn root_a_sparse_file_of_a_terabyte_takes_no_time_and_no_space() {
    let inside = Boxed::running("-v vol:/vol");
    let shed = &inside.shed;
    let size = 1 << 40;
    let file = File::create(shed.path("sparse")).unwrap();
    file.set_len(size).unwrap();
    file.write_all_at(b"middle", size / 2).unwrap();
    inside.cp("sparse", "box:/vol").ok();
    inside.cp("box:/vol/sparse", "back").ok();
    let back = File::open(shed.path("back")).unwrap();
    let found = back.metadata().unwrap();
    assert_eq!(found.len(), size);
    assert!(found.blocks() < 1000, "{} blocks", found.blocks());
    let mut middle = [0; 6];
    back.read_exact_at(&mut middle, size / 2).unwrap();
    assert_eq!(&middle, b"middle");
}

#[test]
#[ignore = "needs root"]
fn root_memory_does_not_depend_on_sizes() {
    let inside = Boxed::running("-v vol:/vol");
    let shed = &inside.shed;
    shell(shed, "head -c 400000000 /dev/zero | tr '\\0' x >big").ok();
    let peak = |line: &str| {
        let mut command = Command::new("sh");
        // 64 MiB of memory of its own for each process.
        command.arg("-c").arg(format!("ulimit -d 65536; $C {line}"));
        command.env("C", env!("CARGO_BIN_EXE_cowshed"));
        command.env("COWSHED_ROOT", shed.store());
        command.current_dir(shed.path(""));
        finish(command).ok();
    };
    peak("cp big box:/vol");
    peak("cp box:/vol/big back");
    peak("cp box:/vol/big - >big.tar");
    peak("cp - box:/vol <big.tar");
    shell(shed, "cmp big back").ok();
    assert_eq!(
        fs::metadata(shed.data("vol").join("big")).unwrap().len(),
        400_000_000
    );
}

#[test]
#[ignore = "needs root"]
fn root_a_full_disk_is_told_and_leaves_no_half_file() {
    let inside = Boxed::running("--tmpfs /t:size=1m");
    let shed = &inside.shed;
    shell(
        shed,
        "head -c 3000000 /dev/zero | tr '\\0' x >big; echo small >small",
    )
    .ok();
    inside.cp("small", "box:/t/big").ok();
    for (from, to) in [
        ("big", "box:/t"),
        ("big", "box:/t/other"),
        ("big", "box:/t/big"),
    ] {
        let done = inside.cp(from, to).fails(1, "no space left on device");
        assert!(done.err.contains("to /t"), "{}", done.err);
    }
    // What was there before is there now.
    assert_eq!(inside.list("/t"), "t/ 1777 0:0\nt/big 644 0:0 = small\\n");
    let small = shed.dir("disk");
    shell(shed, &format!("mount -t tmpfs -o size=1m tmpfs {small}")).ok();
    inside.cp("big", "box:/").ok();
    shed.file("disk/keep", "keep");
    inside
        .cp("box:/big", "disk")
        .fails(1, "no space left on device");
    inside
        .cp("box:/big", "disk/keep")
        .fails(1, "no space left on device");
    shed.cowshed("export -o disk/x.tar box")
        .fails(1, "no space left on device");
    assert_eq!(tree(&shed.path("disk")), "f keep\n");
    assert_eq!(read(shed.path("disk/keep")), "keep");
    shell(shed, &format!("umount {small}")).ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_signal_ends_a_copy_and_leaves_no_half_file() {
    let inside = Boxed::running("");
    let shed = &inside.shed;
    let mut child = shed
        .command("cp - box:/tmp")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let tar = Tar::new()
        .file("whole", 0o644, b"w")
        .file("half", 0o644, &[7; 9999]);
    let tar = &tar.finish()[..512 * 8];
    child.stdin.as_mut().unwrap().write_all(tar).unwrap();
    let pid = shed.pid_of("box");
    let half = format!("/proc/{pid}/root/tmp/half");
    wait_until("the file is begun", || Path::new(&half).exists());
    let number = i32::try_from(child.id()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), nix::sys::signal::SIGINT).unwrap();
    let mut text = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    std::io::Read::read_to_string(stderr, &mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 2));
    assert!(text.contains("stopped by signal 2"), "{text}");
    assert_eq!(inside.list("/tmp"), "tmp/ 1777 0:0\ntmp/whole 644 0:0 = w");
}

#[test]
#[ignore = "needs root"]
fn root_sockets_are_left_out_with_a_note_and_refused_alone() {
    let inside = Boxed::running("");
    let shed = &inside.shed;
    shed.dir("dir");
    shed.file("dir/file", "f");
    let socket = std::os::unix::net::UnixListener::bind(shed.path("dir/socket")).unwrap();
    inside
        .cp("dir/socket", "box:/tmp")
        .fails(1, "sockets cannot be copied");
    let done = inside.cp("dir", "box:/tmp");
    assert!(
        done.err.contains("note: socket: sockets are not copied"),
        "{}",
        done.err
    );
    done.ok();
    assert_eq!(
        inside.list("/tmp/dir"),
        "dir/ 755 0:0\ndir/file 644 0:0 = f"
    );
    drop(socket);
}

#[test]
#[ignore = "needs root"]
fn root_a_fifo_is_copied_and_never_opened() {
    let inside = Boxed::running("");
    shell(&inside.shed, "mkfifo pipe").ok();
    inside.cp("pipe", "box:/tmp").ok();
    assert_eq!(inside.list("/tmp/pipe"), "pipe 644 0:0");
    inside.cp("box:/data/fifo", "back").ok();
    assert_eq!(inside.list("/data/fifo"), "fifo 600 1000:1001");
}
