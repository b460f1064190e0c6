//! `overlay diff|apply|discard` (need 26).

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use cowshed::sys::{Dir, xattr};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::{Shed, read, tree};

pub(crate) fn source(shed: &Shed) -> String {
    let src = shed.dir("src");
    for dir in ["src/keep", "src/replaced", "src/gone", "src/to-file"] {
        shed.dir(dir);
        shed.file(&format!("{dir}/old"), "old\n");
    }
    for file in ["src/changed", "src/deleted", "src/to-dir", "src/one"] {
        shed.file(file, "old\n");
    }
    fs::hard_link(shed.path("src/one"), shed.path("src/twin")).unwrap();
    src
}

pub(crate) const CHANGE: &str = "cd /s; echo new >changed; rm deleted; rm -r gone; rm -r replaced; \
    mkdir replaced replaced/old; echo r >replaced/old/r; rm to-dir; mkdir to-dir; echo d >to-dir/d; \
    rm -r to-file; echo f >to-file; mkdir -p added/deep; echo x >added/deep/x; ln added/deep/x added/y; \
    ln -s /etc/passwd link; mkfifo fifo; chmod 4750 changed; chown 1000:1001 added; chmod 700 keep; \
    touch -d @1600000000 added/y keep; echo split >>one; printf hangul >한글";

const DIFF: &str = "A /added\nA /added/deep\nA /added/deep/x\nA /added/y\nC /changed\nD /deleted\n\
    A /fifo\nD /gone\nC /keep\nA /link\nC /one\nC /replaced\nC /replaced/old\nA /replaced/old/r\n\
    C /to-dir\nA /to-dir/d\nC /to-file\nA /한글\n";

pub(crate) fn check(src: &Path) {
    let text = |name: &str| read(src.join(name));
    assert_eq!(
        tree(src),
        "d added\nd added/deep\nf added/deep/x\nf added/y\nf changed\np fifo\nd keep\nf keep/old\n\
         l link\nf one\nd replaced\nd replaced/old\nf replaced/old/r\nd to-dir\nf to-dir/d\n\
         f to-file\nf twin\nf 한글\n"
    );
    assert_eq!(
        (text("changed"), text("one"), text("twin")),
        ("new\n".into(), "old\nsplit\n".into(), "old\n".into())
    );
    let stat = |name: &str| fs::symlink_metadata(src.join(name)).unwrap();
    assert_eq!(stat("changed").mode(), 0o104_750);
    assert_eq!((stat("added").uid(), stat("added").gid()), (1000, 1001));
    assert_eq!(
        (stat("keep").mode(), stat("keep").mtime()),
        (0o40700, 1_600_000_000)
    );
    assert_eq!(stat("added/y").mtime(), 1_600_000_000);
    assert_eq!(stat("added/y").ino(), stat("added/deep/x").ino());
    assert_eq!(
        fs::read_link(src.join("link")).unwrap(),
        Path::new("/etc/passwd")
    );
}

#[test]
#[ignore = "needs root"]
fn root_need_26_diff_lists_apply_writes_and_nothing_is_left_above() {
    let shed = Shed::new();
    let src = source(&shed);
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c '{CHANGE}'"
    ))
    .ok();
    assert_eq!(shed.cowshed("overlay diff box").ok(), DIFF);
    assert_eq!(shed.cowshed("overlay diff box:/s").ok(), DIFF);
    let out = shed.cowshed("overlay apply box").ok();
    assert!(
        out.starts_with("Applied ") && out.ends_with(&format!(" changes to {src}\n")),
        "{out}"
    );
    check(&shed.path("src"));
    assert_eq!(shed.cowshed("overlay diff box").ok(), "");
    assert_eq!(
        shed.cowshed("overlay apply box").ok(),
        format!("Applied 0 changes to {src}\n")
    );
    check(&shed.path("src"));
    // The container goes on with what is there now.
    shed.cowshed("start -a box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_the_same_for_a_volume_over_a_volume() {
    let shed = Shed::new();
    let src = source(&shed);
    shed.sh(
        &format!("-v {src}:/from:ro -v code:/c"),
        "cp -a /from/. /c/",
    );
    let flags = "--mount type=overlay,src=code,dst=/s,upper=up";
    shed.sh(flags, CHANGE);
    assert_eq!(shed.cowshed("overlay diff up").ok(), DIFF);
    shed.cowshed("overlay apply up").ok();
    check(&shed.data("code"));
    assert_eq!(shed.cowshed("overlay diff up").ok(), "");
    shed.sh(flags, "rm /s/changed");
    assert_eq!(shed.cowshed("overlay diff up").ok(), "D /changed\n");
    assert_eq!(shed.cowshed("overlay discard up").ok(), "up\n");
    assert_eq!(shed.sh(flags, "cat /s/changed"), "new\n");
}

#[test]
#[ignore = "needs root"]
fn root_need_26_discard_leaves_the_directory_below_alone() {
    let shed = Shed::new();
    let src = source(&shed);
    let before = tree(&shed.path("src"));
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c '{CHANGE}'"
    ))
    .ok();
    assert_eq!(shed.cowshed("overlay discard box:/s").ok(), "box:/s\n");
    assert_eq!(shed.cowshed("overlay diff box").ok(), "");
    assert_eq!(tree(&shed.path("src")), before);
    assert_eq!(read(shed.path("src/changed")), "old\n");
    shed.cowshed("start -a box").ok();
    assert_eq!(shed.cowshed("overlay diff box").ok(), DIFF);
}

#[test]
#[ignore = "needs root"]
fn root_need_26_attributes_come_along_and_go() {
    let shed = Shed::new();
    let src = source(&shed);
    let at = Dir::open(&shed.path("src")).unwrap();
    xattr::set(&at, "keep", "user.old", b"1").unwrap();
    xattr::set(&at, "changed", "user.old", b"1").unwrap();
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c 'chmod 700 /s/keep; echo x >>/s/changed'"
    ))
    .ok();
    let id = shed.id_of("box");
    let upper = shed
        .store()
        .join("containers")
        .join(id)
        .join("overlays/0/upper");
    let upper = Dir::open(&upper).unwrap();
    for name in ["keep", "changed"] {
        xattr::remove(&upper, name, "user.old").unwrap();
        xattr::set(&upper, name, "user.new", b"2").unwrap();
    }
    shed.cowshed("overlay apply box").ok();
    for name in ["keep", "changed"] {
        assert_eq!(
            xattr::list(&at, name).unwrap(),
            [b"user.new".to_vec()],
            "{name}"
        );
    }
    assert_eq!(xattr::list(&at, ".").unwrap(), Vec::<Vec<u8>>::new());
}

#[test]
#[ignore = "needs root"]
fn root_need_26_what_a_hostile_container_planted_changes_nothing_outside() {
    let shed = Shed::new();
    let src = source(&shed);
    let outside = shed.dir("outside");
    shed.file("outside/secret", "secret\n");
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c 'cd /s; ln -s {outside} out; ln -s {outside}/secret changed2; \
         rm -r keep; ln -s {outside} keep; mkdir -p sub; echo x >sub/secret; mknod disk b 8 0; mknod zero c 1 5'"
    ))
    .ok();
    // Meanwhile somebody on the host made links of names that the upper has as directories.
    fs::remove_dir_all(shed.path("src/keep")).unwrap();
    symlink(&outside, shed.path("src/sub")).unwrap();
    let done = shed.cowshed("overlay apply box");
    assert_eq!(done.code, 0, "{done:?}");
    for name in ["/disk", "/zero"] {
        let note = format!("cowshed: note: left out {name}: it is a device node");
        assert!(done.err.contains(&note), "{done:?}");
    }
    assert_eq!(tree(&shed.path("outside")), "f secret\n");
    assert_eq!(read(shed.path("outside/secret")), "secret\n");
    assert!(fs::symlink_metadata(shed.path("src/sub")).unwrap().is_dir());
    assert_eq!(read(shed.path("src/sub/secret")), "x\n");
    assert!(!shed.path("src/disk").exists());
    assert!(
        fs::symlink_metadata(shed.path("src/keep"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
#[ignore = "needs root"]
fn root_need_26_apply_goes_on_after_a_crash_and_refuses_a_start_in_between() {
    let shed = Shed::new();
    let src = source(&shed);
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c '{CHANGE}'"
    ))
    .ok();
    // Half-way something stands still: a directory that nobody can change.
    let blocked = shed.path("src/to-dir");
    mount(
        Some("none"),
        &shed.path("src/replaced"),
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    let flag = |on: &str| {
        let done = std::process::Command::new("chattr")
            .arg(on)
            .arg(&blocked)
            .status()
            .unwrap();
        assert!(done.success());
    };
    flag("+i");
    let done = shed.cowshed("overlay apply box");
    assert_ne!(done.code, 0, "{done:?}");
    assert_eq!(read(shed.path("src/changed")), "new\n");
    assert_eq!(read(&blocked), "old\n");
    shed.cowshed("start -a box").fails(1, "are being applied");
    flag("-i");
    shed.cowshed("overlay apply box").ok();
    umount2(&shed.path("src/replaced"), MntFlags::MNT_DETACH).unwrap();
    // Below what was mounted there, as the container saw it.
    check(&shed.path("src"));
    shed.cowshed("start -a box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_apply_survives_kill_at_any_moment() {
    let mut shed = Shed::new();
    // A record that was being written is cleared by the next import.
    shed.strict = false;
    let src = shed.dir("src");
    shed.dir("src/opaque");
    for number in 0..40 {
        shed.file(&format!("src/opaque/old{number}"), "old\n");
    }
    let script = "cd /s; rm -r opaque; mkdir opaque; i=0; while [ $i -lt 200 ]; do echo $i >opaque/n$i; \
        ln opaque/n$i l$i; i=$((i+1)); done";
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c '{script}'"
    ))
    .ok();
    for pause in 0..25_u64 {
        let mut apply = shed.command("overlay apply box").spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(pause * 1500));
        apply.kill().ok();
        apply.wait().unwrap();
    }
    shed.cowshed("overlay apply box").ok();
    let names = fs::read_dir(shed.path("src")).unwrap().count();
    assert_eq!(names, 201);
    for number in 0..200 {
        let (file, link) = (format!("src/opaque/n{number}"), format!("src/l{number}"));
        assert_eq!(read(shed.path(&file)), format!("{number}\n"));
        let ino = |name: &str| fs::metadata(shed.path(name)).unwrap().ino();
        assert_eq!(ino(&file), ino(&link));
    }
    assert_eq!(fs::read_dir(shed.path("src/opaque")).unwrap().count(), 200);
    assert_eq!(shed.cowshed("overlay diff box").ok(), "");
    shed.cowshed("start box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_discard_gives_an_unfinished_apply_up() {
    let shed = Shed::new();
    let src = source(&shed);
    shed.cowshed(&format!("run --name box -v {src}:/s:O base sh -c 'echo new >/s/changed; mkdir /s/keep/more; echo z >/s/zz'")).ok();
    let book = shed
        .store()
        .join("containers")
        .join(shed.id_of("box"))
        .join("overlays/0/overlay.json");
    let text = read(&book).replace("}}", "},\"applying\":\"0123456789abcdef\"}");
    let text = if text.contains("applying") {
        text
    } else {
        let mut value: serde_json::Value = serde_json::from_str(&read(&book)).unwrap();
        value["applying"] = "0123456789abcdef".into();
        value.to_string()
    };
    crate::support::write_text(&book, &text);
    shed.file("src/keep/.cowshed-apply-0123456789abcdef", "half");
    shed.cowshed("overlay discard box").ok();
    assert!(
        !shed
            .path("src/keep/.cowshed-apply-0123456789abcdef")
            .exists()
    );
    assert_eq!(read(shed.path("src/changed")), "old\n");
    shed.cowshed("start -a box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_what_is_meant_must_be_clear() {
    let shed = Shed::new();
    let (one, two) = (shed.dir("one"), shed.dir("two"));
    let flags = format!(
        "-v {one}:/one:O -v {two}:/two:O --mount type=overlay,src={one},dst=/mem,upper=tmpfs"
    );
    shed.cowshed(&format!(
        "run --name box {flags} base sh -c 'touch /one/1 /two/2 /mem/3'"
    ))
    .ok();
    shed.cowshed("overlay diff box")
        .fails(1, "container box has several: /one, /two, /mem");
    assert_eq!(shed.cowshed("overlay diff box:/two").ok(), "A /2\n");
    assert_eq!(shed.cowshed("overlay diff box:/one/").ok(), "A /1\n");
    for verb in ["diff", "apply", "discard"] {
        shed.cowshed(&format!("overlay {verb} box:/mem"))
            .fails(1, "its changes are in memory");
        shed.cowshed(&format!("overlay {verb} box:/none"))
            .fails(1, "has no overlay on /none");
        shed.cowshed(&format!("overlay {verb} nobody"))
            .fails(1, "nobody");
    }
    shed.cowshed("create --name plain base true").ok();
    shed.cowshed("overlay apply plain")
        .fails(1, "container plain has no overlay");
    shed.cowshed("volume create vol").ok();
    shed.cowshed("overlay diff vol")
        .fails(1, "no overlay has had its changes there");
    // Never started: nothing was changed.
    shed.cowshed(&format!("create --name new -v {one}:/one:O base true"))
        .ok();
    assert_eq!(shed.cowshed("overlay diff new").ok(), "");
    // A read-only lower: a clear error, and nothing is lost above.
    mount(
        Some(&*one),
        &*one,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap();
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, &*one, None::<&str>, read_only, None::<&str>).unwrap();
    shed.cowshed("overlay apply box:/one")
        .fails(1, "read-only file system");
    umount2(&*one, MntFlags::MNT_DETACH).unwrap();
    assert_eq!(shed.cowshed("overlay diff box:/one").ok(), "A /1\n");
    shed.cowshed("overlay apply box:/one").ok();
    assert_eq!(tree(&shed.path("one")), "f 1\n");
    fs::set_permissions(&one, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_directories_without_an_end_end_in_an_error() {
    let shed = Shed::new();
    let src = source(&shed);
    let before = tree(&shed.path("src"));
    // Longer than any path may be: one has to walk.
    let script = "cd /s; i=0; while [ $i -lt 1500 ]; do mkdir d; cd -P d; i=$((i+1)); done";
    shed.cowshed(&format!(
        "run --name box -v {src}:/s:O base sh -c '{script}'"
    ))
    .ok();
    shed.cowshed("overlay diff box")
        .fails(1, "directories deep");
    shed.cowshed("overlay apply box")
        .fails(1, "directories deep");
    shed.cowshed("overlay discard box").ok();
    assert_eq!(shed.cowshed("overlay diff box").ok(), "");
    // Found out before anything was written.
    assert_eq!(tree(&shed.path("src")), before);
    shed.cowshed("rm box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_the_top_directory_changes_only_when_the_container_changed_it() {
    let shed = Shed::new();
    let src = source(&shed);
    let mode = |mode: u32| {
        fs::set_permissions(&src, fs::Permissions::from_mode(mode)).unwrap();
    };
    let found = || fs::metadata(&src).unwrap().mode() & 0o7777;
    mode(0o755);
    shed.cowshed(&format!("run --name box -v {src}:/s:O base touch /s/new"))
        .ok();
    let at = Dir::open(&shed.path("src")).unwrap();
    xattr::set(&at, ".", "user.host", b"1").unwrap();
    mode(0o700);
    shed.cowshed("overlay apply box").ok();
    assert!(shed.path("src/new").exists());
    assert_eq!(
        (found(), xattr::list(&at, ".").unwrap()),
        (0o700, vec![b"user.host".to_vec()])
    );
    shed.cowshed("rm box").ok();
    shed.cowshed(&format!("run --name box -v {src}:/s:O base chmod 1777 /s"))
        .ok();
    shed.cowshed("overlay apply box").ok();
    assert_eq!(found(), 0o1777);
}
