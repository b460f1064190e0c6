//! `image mount` and `unmount`; removals beside imports, runs and mounts.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use cowshed::{
    container::Engine,
    ident::{DiffId, Digest},
    rootfs::{self, LayerSource, Sync},
};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::support::{Codec, Done, Home, Layout, names_in, sample};

/// Gives the test's thread a mount namespace of its own: a copy of one that has the image mounted,
/// made by another test, would have it mounted, too.
pub(crate) fn alone() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
}

fn home() -> Home {
    alone();
    let home = Home::new();
    load(&home);
    home
}

fn load(home: &Home) {
    home.load(&home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar()));
}

fn records(home: &Home) -> Vec<String> {
    let place = home.store().join("images/mounted");
    // Made by the first mount.
    if !place.exists() {
        return Vec::new();
    }
    let mut names = names_in(&place);
    names.retain(|name| !name.starts_with("empty-"));
    names
}

#[test]
#[ignore = "needs root"]
fn root_a_mounted_image_is_read_only_and_cannot_be_removed() {
    let home = home();
    let place = home.ok(&["image", "mount", "sample:1"]);
    let place = Path::new(place.trim());
    assert!(
        place.starts_with(home.store().join("images/mounted")),
        "{}",
        place.display()
    );
    assert_eq!(names_in(&place.join("hidden")), ["above"]);
    assert_eq!(fs::read(place.join("home/읽기.txt")).unwrap(), b"hangul");
    let error = fs::File::create(place.join("new")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(
        home.ok(&["image", "mount", "sample:1"]).trim(),
        place.to_str().unwrap()
    );
    let list = home.ok(&["image", "mount"]);
    assert!(
        list.lines()
            .nth(1)
            .unwrap()
            .ends_with(place.to_str().unwrap()),
        "{list}"
    );
    let id = home.inspect("sample:1")["Id"].as_str().unwrap().to_owned();
    for args in [
        &["rmi", "sample:1"][..],
        &["rmi", "-f", "sample:1"],
        &["rmi", "-f", &id],
    ] {
        home.refused(
            args,
            &[
                "(cannot be forced) - image is mounted at ",
                place.to_str().unwrap(),
            ],
        );
    }
    // Another name may go.
    home.ok(&["tag", "sample:1", "b:1"]);
    home.ok(&["rmi", "sample:1"]);
    let open = fs::File::open(place.join("etc")).unwrap();
    home.refused(
        &["image", "unmount", "b:1"],
        &["unmount image sample:1", "EBUSY"],
    );
    drop(open);
    // The name that it was mounted by is known, though it is gone.
    assert_eq!(
        home.ok(&["image", "unmount", "sample:1"]).trim(),
        place.to_str().unwrap()
    );
    assert!(!place.exists());
    assert_eq!(records(&home), [""; 0]);
    home.refused(&["image", "unmount", "b:1"], &["it is not mounted"]);
    home.ok(&["rmi", "b:1"]);
    assert_eq!(home.layers(), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_an_image_is_mounted_where_one_likes_and_forgotten_after_umount() {
    let home = home();
    let place = home.input("곳");
    fs::create_dir(&place).unwrap();
    assert_eq!(
        home.ok(&["image", "mount", "sample:1", &place]).trim(),
        place
    );
    assert!(Path::new(&place).join("bin/sh").symlink_metadata().is_ok());
    // Twice is twice; one lies over the other.
    home.ok(&["image", "mount", "sample:1", &place]);
    home.ok(&["image", "unmount", &place]);
    assert!(Path::new(&place).join("bin").exists());
    home.refused(&["rmi", "sample:1"], &["image is mounted at"]);
    nix::mount::umount(Path::new(&place)).unwrap();
    assert_eq!(records(&home).len(), 1, "umount(8) tells nobody");
    home.ok(&["rmi", "sample:1"]);
    assert_eq!(records(&home), [""; 0]);
    load(&home);
    let file = home.write("file", b"x");
    home.refused(
        &["image", "mount", "sample:1", &file],
        &["mount image sample:1", "ENOTDIR"],
    );
    home.refused(
        &["image", "mount", "sample:1", &home.input("absent")],
        &["ENOENT"],
    );
    home.refused(&["image", "mount", "absent"], &["No such image: absent"]);
    assert_eq!(records(&home), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_a_mount_in_another_namespace_counts() {
    let home = home();
    let mut child = home.command(&[]);
    let program = child.get_program().to_owned();
    let script = "\"$0\" --root \"$1\" image mount sample:1; read end";
    child = std::process::Command::new("unshare");
    child
        .args(["--mount", "sh", "-c", script])
        .arg(program)
        .arg(home.store());
    child
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut place = String::new();
    std::io::BufRead::read_line(&mut out, &mut place).unwrap();
    assert_eq!(names_in(Path::new(place.trim())), [""; 0]);
    home.refused(&["rmi", "sample:1"], &["in another mount namespace"]);
    home.refused(
        &["image", "unmount", "sample:1"],
        &["it is not mounted in this mount namespace"],
    );
    drop(child.stdin.take());
    child.wait().unwrap();
    home.ok(&["rmi", "sample:1"]);
    assert_eq!(records(&home), [""; 0]);
}

/// A stream that goes on when somebody says so.
struct Waiting {
    go: Receiver<()>,
    bytes: std::io::Cursor<Vec<u8>>,
    waited: bool,
}

impl Read for Waiting {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if !self.waited {
            self.go.recv().ok();
            self.waited = true;
        }
        self.bytes.read(out)
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_removal_does_not_wait_for_an_import_and_takes_nothing_from_it() {
    let home = home();
    let engine = Engine::open(&home.store()).unwrap();
    let layers = sample(Codec::Plain);
    let own = crate::archive::Archive::new().file("own", "x").end();
    let (say, go) = channel();
    let stream = std::sync::Mutex::new(Some(Waiting {
        go,
        bytes: std::io::Cursor::new(own.clone()),
        waited: false,
    }));
    let shared = DiffId(layers[0].diff_id().parse().unwrap());
    let source = |diff_id, open: Box<dyn Fn() -> _ + Send + std::marker::Sync>| LayerSource {
        diff_id,
        blob: None,
        size: 1,
        open,
    };
    std::thread::scope(|scope| {
        let import = scope.spawn(|| {
            let engine = Engine::open(&home.store()).unwrap();
            let sources = [
                source(shared, Box::new(|| Err("it is there already".into()))),
                source(
                    DiffId(Digest::of(&own)),
                    Box::new(|| {
                        Ok(Box::new(stream.lock().unwrap().take().unwrap()) as rootfs::Reader)
                    }),
                ),
            ];
            let imported = rootfs::import(engine.store(), &sources, Sync::None).unwrap();
            imported.layers.len()
        });
        // Until it has begun to read.
        let end = Instant::now() + Duration::from_secs(20);
        while stream.lock().unwrap().is_some() {
            assert!(Instant::now() < end, "the import does not begin");
            std::thread::yield_now();
        }
        let begun = Instant::now();
        let untagged = engine.remove_image("sample:1", false).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!((untagged.busy, untagged.deleted.len()), (1, 2));
        say.send(()).unwrap();
        assert_eq!(import.join().unwrap(), 2);
    });
    // Nobody made an image of it: the next removal takes it.
    assert_eq!(home.layers().len(), 2);
    load(&home);
    home.run("sample:1", &["/bin/sh", "-c", "exit 0"]);
    home.ok(&["rmi", "sample:1"]);
    assert_eq!(home.layers(), [""; 0]);
    assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
}

/// It went well, or says one of these.
#[track_caller]
fn went(done: &Done, or: &[&str]) -> bool {
    let said = or.iter().any(|text| done.err.contains(text));
    assert!(done.code == Some(0) || said, "{done:?}");
    done.code == Some(0)
}

const GONE: [&str; 2] = ["No such image", "Unable to find image"];

fn loads(home: &Home, _: usize) {
    load(home);
    home.ok(&["images"]);
}

fn removals(home: &Home, round: usize) {
    let force: &[&str] = if round.is_multiple_of(2) {
        &["-f"]
    } else {
        &[]
    };
    let done = home.cowshed(&[&["rmi"], force, &["sample:1"]].concat());
    went(&done, &["No such image", "conflict: "]);
}

fn runs(home: &Home, _: usize) {
    let args = [
        "run",
        "--rm",
        "sample:1",
        "/bin/busybox",
        "cat",
        "/etc/motd",
    ];
    let done = home.cowshed(&args);
    assert!(!went(&done, &GONE) || done.out == "above all", "{done:?}");
}

fn mounts(home: &Home, _: usize) {
    let done = home.cowshed(&["image", "mount", "sample:1"]);
    if went(&done, &GONE) {
        let place = PathBuf::from(done.out.trim());
        assert_eq!(fs::read(place.join("etc/motd")).unwrap(), b"above all");
        assert_eq!(names_in(&place.join("hidden")), ["above"]);
        home.ok(&["image", "unmount", place.to_str().unwrap()]);
    }
}

fn verifications(home: &Home, _: usize) {
    went(&home.cowshed(&["image", "verify", "sample:1"]), &GONE);
}

#[test]
#[ignore = "needs root"]
fn root_removals_runs_mounts_and_loads_at_the_same_time() {
    let home = home();
    std::thread::scope(|scope| {
        for work in [loads, removals, runs, mounts, verifications] {
            let home = &home;
            scope.spawn(move || (0..12).for_each(|round| work(home, round)));
        }
    });
    load(&home);
    home.ok(&["image", "verify"]);
    home.ok(&["rmi", "-f", "sample:1"]);
    home.ok(&["image", "prune", "-af"]);
    assert_eq!(home.layers(), [""; 0]);
    for place in ["blobs/sha256", "tmp", "trash"] {
        assert_eq!(home.names_in(place), [""; 0], "{place}");
    }
    assert_eq!(records(&home), [""; 0]);
}
