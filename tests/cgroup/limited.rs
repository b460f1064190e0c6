//! Limits that the kernel really keeps, and what it says about use.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use cowshed::cgroup::{Error, Group, Hierarchies, Limits, Usage};

use crate::scene::{Scene, ended, new_id, skip, wait_until};

/// A group with these limits; says so where this machine has no such controller.
fn limited(limits: &Limits) -> Option<Scene> {
    let hierarchies = Hierarchies::detect().unwrap();
    match Group::create(&hierarchies, &new_id(), limits) {
        Ok(group) => Some(Scene { hierarchies, group }),
        Err(error @ Error::Unsupported { .. }) => {
            skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn output(child: &mut Child) -> String {
    ended(child);
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
#[ignore = "needs root"]
fn root_more_memory_than_the_limit_kills() {
    let Some(scene) = limited(&Limits {
        memory: Some(16 << 20),
        memory_swap: Some(16 << 20),
        ..Limits::default()
    }) else {
        return;
    };
    // tail keeps a line of any length.
    let mut child = scene.shell("head -c 8000000 /dev/zero | tail | wc -c; head -c 64000000 /dev/zero | tail >/dev/null; echo $?");
    let said = output(&mut child);
    assert!(said.starts_with("8000000\n"), "{said}");
    assert!(said.contains("137"), "{said}");
    assert!(scene.group.oom_kills().unwrap() > 0);
    let usage = scene.group.usage().unwrap();
    assert_eq!(usage.memory_limit, Some(16 << 20));
}

#[test]
#[ignore = "needs root"]
fn root_one_process_too_many_is_refused() {
    let Some(scene) = limited(&Limits {
        pids: Some(4),
        ..Limits::default()
    }) else {
        return;
    };
    let mut child = scene.shell("sleep 60 & sleep 60 & sleep 60 & sleep 60 & sleep 60 & wait");
    // The shell gives up at the fourth; it is a zombie then.
    let shell = i32::try_from(child.id()).unwrap();
    wait_until("a fork fails", || {
        !scene.group.processes().unwrap().contains(&shell)
    });
    let usage = scene.group.usage().unwrap();
    assert_eq!((usage.pids, usage.pids_limit), (Some(4), Some(4)));
    assert_eq!(scene.group.processes().unwrap().len(), 3);
    scene.group.kill_all().unwrap();
    let said = output(&mut child);
    assert!(said.contains("fork"), "{said}");
}

#[test]
#[ignore = "needs root"]
fn root_a_fifth_of_a_cpu_is_not_more() {
    let Some(scene) = limited(&Limits {
        cpus: Some(200_000_000),
        ..Limits::default()
    }) else {
        return;
    };
    let mut child = scene.shell("while :; do :; done");
    let used = || scene.group.usage().unwrap().cpu_nanoseconds.unwrap();
    wait_until("it runs", || used() > 0);
    let (before, begun) = (used(), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let (after, took) = (used(), begun.elapsed());
    scene.group.kill_all().unwrap();
    ended(&mut child);
    let part = Duration::from_nanos(after - before).as_secs_f64() / took.as_secs_f64();
    assert!(part > 0.02 && part < 0.3, "{part}");
}

#[test]
#[ignore = "needs root"]
fn root_a_cpuset_is_where_it_runs() {
    let Some(scene) = limited(&Limits {
        cpuset_cpus: Some("0".to_owned()),
        ..Limits::default()
    }) else {
        return;
    };
    let mut child = scene.shell("grep Cpus_allowed_list /proc/self/status");
    assert_eq!(output(&mut child), "Cpus_allowed_list:\t0\n");
}

#[test]
#[ignore = "needs root"]
fn root_usage_grows_without_any_controller() {
    for hierarchies in crate::scene::machines() {
        let scene = Scene::on(hierarchies, &Limits::default());
        let before = scene.group.usage().unwrap();
        assert_eq!(before.cpu_nanoseconds, Some(0));
        let mut child = scene
            .shell("x=$(head -c 3000000 /dev/zero | tr '\\0' x); sleep 60 & while :; do :; done");
        wait_until("it uses CPU, memory and processes", || {
            let usage = scene.group.usage().unwrap();
            usage.cpu_nanoseconds > Some(50_000_000)
                && usage.memory_bytes > Some(3_000_000)
                && usage.pids == Some(2)
        });
        let usage = scene.group.usage().unwrap();
        assert!(usage.read_bytes.is_some() && usage.write_bytes.is_some());
        assert!(usage.online_cpus > 0);
        assert_eq!((usage.memory_limit, usage.pids_limit), (None, None));
        scene.group.kill_all().unwrap();
        ended(&mut child);
    }
}

#[test]
#[ignore = "needs root"]
fn root_an_update_reaches_what_is_running() {
    let mut scene = Scene::new(&Limits::default());
    let mut child = scene.shell("sleep 60 & sleep 60");
    wait_until("both run", || scene.group.processes().unwrap().len() == 3);
    for (memory, swap) in [
        (32 << 20, 64 << 20),
        (128 << 20, 256 << 20),
        (16 << 20, 16 << 20),
    ] {
        let limits = Limits {
            memory: Some(memory),
            memory_swap: Some(swap),
            pids: Some(10),
            ..Limits::default()
        };
        match scene.group.update(&limits) {
            Err(error @ Error::Unsupported { .. }) => {
                skip(&error.to_string());
                break;
            }
            done => done.unwrap(),
        }
        let usage = scene.group.usage().unwrap();
        assert_eq!(usage.memory_limit, Some(memory));
        assert_eq!((usage.pids, usage.pids_limit), (Some(3), Some(10)));
    }
    // Found again it is in the same hierarchies.
    let found = Group::open(&scene.hierarchies, scene.group.id()).unwrap();
    let limits = |usage: Usage| (usage.memory_limit, usage.pids, usage.pids_limit);
    let (one, other) = (found.usage().unwrap(), scene.group.usage().unwrap());
    assert_eq!(limits(one), limits(other));
    scene.group.kill_all().unwrap();
    ended(&mut child);
}

#[test]
#[ignore = "needs root"]
fn root_weights_shares_and_soft_limits_are_taken() {
    let some = Limits::default;
    let all = [
        Limits {
            memory: Some(64 << 20),
            ..some()
        },
        Limits {
            memory: Some(64 << 20),
            memory_swap: Some(-1),
            ..some()
        },
        Limits {
            memory_reservation: Some(64 << 20),
            ..some()
        },
        Limits {
            memory_swappiness: Some(10),
            ..some()
        },
        Limits {
            memory: Some(64 << 20),
            oom_kill_disable: Some(true),
            ..some()
        },
        Limits {
            cpu_shares: Some(512),
            ..some()
        },
        Limits {
            cpu_period: Some(50_000),
            cpu_quota: Some(20_000),
            ..some()
        },
        Limits {
            cpu_quota: Some(-1),
            ..some()
        },
        Limits {
            cpuset_mems: Some("0".to_owned()),
            ..some()
        },
        Limits {
            pids: Some(-1),
            ..some()
        },
        Limits {
            blkio_weight: Some(500),
            ..some()
        },
    ];
    for limits in all {
        let Some(scene) = limited(&limits) else {
            continue;
        };
        let mut child = scene.shell("exit 3");
        assert_eq!(ended(&mut child).code(), Some(3), "{limits:?}");
    }
}

/// An ext4 on a loop device, mounted in this thread's own namespace.
struct Disk {
    scratch: tempfile::TempDir,
    device: String,
}

impl Disk {
    fn new() -> Option<Self> {
        use nix::mount::{MsFlags, mount};
        let scratch = tempfile::tempdir().unwrap();
        let image = scratch.path().join("image");
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let run = |program: &str, args: &[&str]| {
            Command::new(program)
                .args(args)
                .output()
                .ok()
                .filter(|done| done.status.success())
        };
        let path = image.to_str().unwrap();
        run("mkfs.ext4", &["-q", path])?;
        let device = run("losetup", &["--find", "--show", path])?;
        let device = String::from_utf8(device.stdout).unwrap().trim().to_owned();
        let disk = Self { scratch, device };
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        fs::create_dir(disk.directory()).unwrap();
        let device = disk.device.as_str();
        mount(
            Some(device),
            &disk.directory(),
            Some("ext4"),
            MsFlags::empty(),
            None::<&str>,
        )
        .unwrap();
        Some(disk)
    }

    fn directory(&self) -> std::path::PathBuf {
        self.scratch.path().join("disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        nix::mount::umount(&self.directory()).ok();
        let done = Command::new("losetup").args(["-d", &self.device]).status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "loop device stays"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_writes_to_a_device_are_slowed_down() {
    let Some(disk) = Disk::new() else {
        return skip("no loop device with ext4 can be made here");
    };
    let write = |scene: &Scene| {
        let file = disk.directory().join("file");
        let begun = Instant::now();
        let line = format!(
            "dd if=/dev/zero of={} bs=256k count=8 oflag=direct",
            file.display()
        );
        let said = output(&mut scene.shell(&line));
        assert!(
            Path::new(&file).metadata().unwrap().len() == 2 << 20,
            "{said}"
        );
        begun.elapsed()
    };
    let free = write(&Scene::new(&Limits::default()));
    let limits = Limits {
        device_write_bps: vec![format!("{}:1mb", disk.device).parse().unwrap()],
        ..Limits::default()
    };
    let Some(scene) = limited(&limits) else {
        return;
    };
    let slow = write(&scene);
    assert!(
        slow > Duration::from_millis(1400),
        "{slow:?} instead of {free:?}"
    );
    assert!(free < slow, "{slow:?} instead of {free:?}");
    let usage = scene.group.usage().unwrap();
    assert!(usage.write_bytes >= Some(2 << 20), "{usage:?}");
}
