//! `system destroy`: nothing of the store stays, and nothing else goes.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::{
    strace::has_strace,
    support::{Shed, mounts_below, processes_of, read, wait_until, write_file},
};

/// Everything that a store can hold, some of it running and mounted.
fn furnish(shed: &Shed) {
    shed.cowshed("run -d --name live --restart always base sleep 100")
        .ok();
    shed.cowshed("run --name done -v data:/d base sh -c 'echo x >/d/f; echo y >/f'")
        .ok();
    shed.cowshed("volume create --opt type=tmpfs --opt device=tmpfs memory")
        .ok();
    shed.cowshed("run -d --name user -v memory:/m base sleep 100")
        .ok();
    shed.cowshed("image mount base").ok();
    shed.cowshed("volume create pruned").ok();
    shed.cowshed("volume prune -af").ok();
}

fn loops() -> String {
    let out = Command::new("losetup").arg("-l").output();
    out.map_or(String::new(), |out| {
        String::from_utf8_lossy(&out.stdout).into_owned()
    })
}

/// Groups of these containers.
fn groups(ids: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let table = read("/proc/self/mountinfo");
    let points = table.lines().filter(|line| line.contains("cgroup"));
    for point in points.filter_map(|line| line.split(' ').nth(4)) {
        for id in ids {
            let group = Path::new(point).join("cowshed").join(id);
            found.extend(group.exists().then(|| group.display().to_string()));
        }
    }
    found
}

#[track_caller]
fn assert_gone(shed: &Shed, ids: &[String]) {
    assert!(!shed.store().exists());
    assert_eq!(mounts_below(&shed.store()), [""; 0]);
    assert_eq!(groups(ids), [""; 0]);
    assert!(!loops().contains(&shed.show("store")), "{}", loops());
    for id in ids {
        wait_until("its processes have gone", || {
            processes_of(&shed.store(), id).is_empty()
        });
    }
}

fn ids(shed: &Shed) -> Vec<String> {
    let ids = shed.cowshed("ps -aq --no-trunc").ok();
    ids.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root"]
fn root_nothing_of_a_furnished_store_stays() {
    let shed = Shed::new();
    furnish(&shed);
    // The host's own: bound into the data of a volume.
    let photos = shed.dir("photos");
    write_file(&shed.path("photos/사진"), b"mine");
    let inside = shed.data("data").join("photos");
    fs::create_dir(&inside).unwrap();
    mount(
        Some(photos.as_str()),
        &inside,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap();
    std::os::unix::fs::symlink(&photos, shed.data("data").join("link")).unwrap();
    let ids = ids(&shed);
    assert_eq!(ids.len(), 3);
    let said = shed.cowshed("system destroy -f").ok();
    assert_eq!(said, format!("Destroyed {}\n", shed.show("store")));
    assert_gone(&shed, &ids);
    assert_eq!(read(shed.path("photos/사진")), "mine");
    shed.cowshed("system destroy -f").fails(1, "ENOENT");
    // It can begin anew.
    shed.cowshed("images").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_no_changes_nothing_and_protected_volumes_stay() {
    let shed = Shed::new();
    shed.cowshed("volume create kept").ok();
    shed.cowshed("volume protect kept").ok();
    let before = shed.listing();
    let refused = shed.cowshed("system destroy -f");
    refused.fails(1, "volumes are protected: kept");
    assert_eq!(shed.listing(), before);
    let answer = |text: &str| {
        let mut command = shed.command("system destroy --protected");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        String::from_utf8(done.stdout).unwrap()
    };
    let asked = answer("n\n");
    assert!(
        asked.contains("1 volumes") && asked.contains("[y/N]"),
        "{asked}"
    );
    assert_eq!(shed.listing(), before);
    answer("");
    assert_eq!(shed.listing(), before);
    answer("y\n");
    assert_gone(&shed, &[]);
}

#[test]
#[ignore = "needs root"]
fn root_what_is_no_store_is_left_alone() {
    let shed = Shed::empty();
    let store = shed.store();
    fs::create_dir(&store).unwrap();
    write_file(&store.join("letter"), b"dear");
    shed.cowshed("system destroy -f")
        .fails(1, "has no store.json");
    fs::rename(&store, shed.path("letters")).unwrap();
    shed.cowshed("images").ok();
    write_file(&store.join("letter"), b"dear");
    let refused = shed.cowshed("system destroy -f");
    refused.fails(1, "it also holds letter");
    fs::remove_file(store.join("letter")).unwrap();
    let real = shed.path("real");
    fs::rename(&store, &real).unwrap();
    std::os::unix::fs::symlink(&real, &store).unwrap();
    shed.cowshed("system destroy -f").fails(1, "ELOOP");
    assert!(real.join("store.json").exists());
    fs::remove_file(&store).unwrap();
    fs::rename(&real, &store).unwrap();
    assert_eq!(read(shed.path("letters/letter")), "dear");
    // A root that something is mounted on is emptied.
    shed.cowshed("system destroy -f").ok();
    fs::create_dir(&store).unwrap();
    mount(
        Some("none"),
        &store,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    shed.cowshed("volume create one").ok();
    let done = shed.cowshed("system destroy -f");
    assert!(done.err.contains("it is a mount point"), "{done:?}");
    assert_eq!(crate::support::tree(&store), "");
    umount2(&store, MntFlags::MNT_DETACH).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_killed_at_any_call_the_same_command_finishes_it() {
    if !has_strace() {
        return;
    }
    let mut points = 0;
    for call in [
        "renameat2",
        "unlinkat",
        "umount2",
        "flock",
        "fsync",
        "mkdirat",
    ] {
        // Not each of hundreds: the first ones, and then with growing gaps.
        let mut number = 1;
        loop {
            let shed = Shed::new();
            shed.cowshed("run -d --name live -v data:/d base sleep 100")
                .ok();
            shed.cowshed("image mount base").ok();
            let ids = ids(&shed);
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o"]).arg(shed.path("calls"));
            command.arg("-e").arg(format!("trace={call}"));
            command.arg("-e");
            command.arg(format!("inject={call}:signal=SIGKILL:when={number}"));
            command.arg(env!("CARGO_BIN_EXE_cowshed"));
            command.args(["system", "destroy", "-f"]);
            command.env("COWSHED_ROOT", shed.store());
            let killed = !command.output().unwrap().status.success();
            if killed {
                points += 1;
                // The last call may have been done when it was killed.
                if shed.store().exists() {
                    shed.cowshed("system destroy -f").ok();
                }
            }
            assert_gone(&shed, &ids);
            if !killed {
                break;
            }
            number += 1 + number / 4;
        }
    }
    assert!(points > 20, "{points}");
}

#[test]
#[ignore = "needs root"]
fn root_a_second_process_gets_a_clear_error_and_a_half_destroyed_store_is_refused() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(shed.path("calls"));
    // Stays where it begins to remove.
    command.args(["-e", "trace=unlinkat"]);
    command.args(["-e", "inject=unlinkat:delay_enter=3000000:when=1"]);
    command.arg(env!("CARGO_BIN_EXE_cowshed"));
    command.args(["system", "destroy", "-f"]);
    command.env("COWSHED_ROOT", shed.store());
    let mut first = command.stdout(Stdio::null()).spawn().unwrap();
    wait_until("it is marked", || {
        fs::read_to_string(shed.store().join("store.json"))
            .is_ok_and(|text| text.contains("destroying"))
    });
    shed.cowshed("images").fails(1, "it is being destroyed");
    shed.cowshed("run --rm base true")
        .fails(125, "it is being destroyed");
    shed.cowshed("system destroy -f")
        .fails(1, "another process is at it");
    assert!(first.wait().unwrap().success());
    assert_gone(&shed, &[]);
}
