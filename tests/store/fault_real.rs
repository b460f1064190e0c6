//! Real failures: a disk that is full, has gone bad or is read-only, and too few open files.

use std::{fs, process::Command};

use nix::sys::statvfs::statvfs;

use crate::{
    fault_sweep::assert_clear,
    kill_operations::{CONTAINERS, IMAGES, Operation, VOLUMES},
    kill_points::{holds, record, sample, seed},
    kill_scene::{Scene, host},
    kill_sweep::{chosen, say},
    strace::has_strace,
    support::{Done, Tar, finish, processes_of, wait_until, write_file, write_text},
};

fn operations() -> impl Iterator<Item = &'static Operation> {
    [IMAGES, CONTAINERS, VOLUMES].into_iter().flat_map(chosen)
}

/// Does each operation in each of these conditions, of which the short run has a few. `condition`
/// brings it about, runs the command, and ends it.
fn each<C: Copy + std::fmt::Debug>(
    (scene, name, count): (&Scene, &str, usize),
    conditions: &[C],
    condition: impl Fn(&Operation, C, &str),
) {
    let all = operations().flat_map(|one| conditions.iter().map(move |how| (one, *how)));
    let all = sample(all.collect(), count, name);
    let mut failures = 0;
    for (operation, how) in &all {
        let what = format!("{}, {name}: {how:?}", operation.line);
        let held = holds(|| {
            scene.put_back();
            condition(operation, *how, &what);
            scene.assert_survived(operation, &what);
        });
        failures += usize::from(!held);
    }
    let (count, seed) = (all.len(), seed());
    say(&format!(
        "{count} times {name}: {failures} failures, seed {seed}"
    ));
    assert_eq!(failures, 0);
}

/// A whole result, or an error that says why.
#[track_caller]
fn assert_whole_or_told(
    (scene, operation): (&Scene, &Operation),
    done: &Done,
    error: (&str, &str),
    what: &str,
) {
    let is_programs_own =
        operation.line.starts_with("run ") && !done.err.contains("cowshed: error");
    if done.code == 0 {
        scene.assert_done(operation, &format!("{what}, which said {:?}", done.err));
    } else if !is_programs_own {
        assert_clear(done, error, what);
    }
}

/// Leaves so many KiB of the store's disk.
fn fill(scene: &Scene, free: u64) {
    let place = scene.shed.dir("store/lost+found");
    let ballast = format!("{place}/ballast");
    let room =
        || statvfs(&scene.shed.store()).map(|found| found.blocks_available() * found.block_size());
    let too_much = room().unwrap().saturating_sub(free << 10);
    // Its own index takes some of it: what it could not have, or left, is written.
    let allocate = ["-l", &too_much.to_string(), &ballast];
    Command::new("fallocate").args(allocate).output().unwrap();
    let rest = (room().unwrap().saturating_sub(free << 10)) >> 12;
    let of = format!("of={place}/more");
    let dd = ["if=/dev/zero", &of, "bs=4k", &format!("count={rest}")];
    Command::new("dd").args(dd).output().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_a_full_disk_harms_nothing_and_removals_work_on_it() {
    let scene = Scene::new();
    let levels = [0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];
    each(
        (&scene, "KiB free", 12),
        &levels,
        |operation, free, what| {
            fill(&scene, free);
            let done = scene.shed.cowshed(operation.line);
            let removes = ["rmi", "image prune", "system prune", "volume rm"];
            if removes.iter().any(|verb| operation.line.starts_with(verb)) {
                assert_eq!(done.code, 0, "{what}: nothing can be removed: {done:?}");
            }
            fs::remove_dir_all(scene.shed.path("store/lost+found")).unwrap();
            let error = ("ENOSPC", "no space left");
            assert_whole_or_told((&scene, operation), &done, error, what);
        },
    );
}

#[test]
#[ignore = "needs root"]
fn root_too_few_open_files_harm_nothing() {
    let scene = Scene::new();
    let limits: Vec<_> = (4..48).collect();
    each(
        (&scene, "open files", 12),
        &limits,
        |operation, limit, what| {
            let plain = scene.shed.command(operation.line);
            let mut command = Command::new("prlimit");
            command.arg(format!("--nofile={limit}:{limit}"));
            command.arg(plain.get_program()).args(plain.get_args());
            command.env("COWSHED_ROOT", scene.shed.store());
            command.current_dir(scene.shed.path(""));
            let done = finish(command);
            let error = ("EMFILE", "too many open files");
            assert_whole_or_told((&scene, operation), &done, error, what);
        },
    );
}

#[test]
#[ignore = "needs root"]
fn root_a_read_only_disk_is_told() {
    let scene = Scene::new();
    let store = scene.shed.show("store");
    each((&scene, "read-only", 8), &[()], |operation, (), what| {
        host("mount", &["-o", "remount,ro", &store]);
        let done = scene.shed.cowshed(operation.line);
        host("mount", &["-o", "remount,rw", &store]);
        let error = ("EROFS", "read-only");
        assert_whole_or_told((&scene, operation), &done, error, what);
    });
}

/// A loop device tells of a request that its file took a part of as of one that it took: so each is
/// of one page, which fits or not.
fn small_requests(store: &str) {
    let found = Command::new("findmnt")
        .args(["-no", "SOURCE", store])
        .output()
        .unwrap();
    let device = String::from_utf8(found.stdout).unwrap();
    let name = device.trim().rsplit('/').next().unwrap();
    let limit = format!("/sys/block/{name}/queue/max_sectors_kb");
    write_text(limit.as_ref(), "4");
}

/// What is reported as done is on the disk, also where writing to it fails long after write(2).
#[test]
#[ignore = "needs root"]
fn root_nothing_is_done_that_the_disk_did_not_take() {
    let scene = Scene::new();
    let shed = &scene.shed;
    let (ram, store, image) = (shed.show("ram"), shed.show("store"), shed.show("ram/disk"));
    let room = [0, 16, 64, 256, 1024, 4096];
    each(
        (&scene, "KiB for the disk to grow", 8),
        &room,
        |operation, room, what| {
            host("sync", &["-f", &store]);
            small_requests(&store);
            let found = statvfs(ram.as_str()).unwrap();
            let used = (found.blocks() - found.blocks_free()) * found.fragment_size() / 1024;
            let size = format!("remount,size={}k", used + room);
            host("mount", &["-o", &size, &ram]);
            let done = shed.cowshed(operation.line);
            // What was started has ended by then, however it did.
            wait_until("nobody has the disk", || {
                processes_of(&shed.store(), "any").is_empty()
            });
            // As after a power cut: what is only in memory is lost.
            host("umount", &[&store]);
            host("mount", &["-o", "remount,size=600m", &ram]);
            Command::new("e2fsck")
                .args(["-fy", &image])
                .output()
                .unwrap();
            host("mount", &["-o", "loop", &image, &store]);
            fs::remove_dir(shed.path("store/lost+found")).ok();
            let error = ("EIO", "i/o error");
            let says = |text| done.err.contains(text);
            if !says("(ENOSPC)") && !says("(EROFS)") {
                assert_whole_or_told((&scene, operation), &done, error, what);
            }
        },
    );
}

/// The kernel tells of a failed write once for each open file: one that only gives a head start must
/// not have the error of the one that counts.
#[test]
#[ignore = "needs root"]
fn root_the_last_sync_has_an_open_file_of_its_own() {
    if !has_strace() {
        return;
    }
    let scene = Scene::new();
    let many = (0..8000).fold(Tar::new().dir("d", 0o755), |tar, number| {
        tar.file(&format!("d/{number}"), 0o644, b"x")
    });
    write_file(&scene.shed.path("in/many.tar"), &many.finish());
    let points = record(&scene, "import in/many.tar many", "syncfs");
    let mut first = points[0].arguments.clone();
    let count = first.len();
    assert!(count > 1, "too quick for a head start: {points:?}");
    first.sort();
    first.dedup();
    assert_eq!(first.len(), count, "{points:?}");
}
