//! Making, finding and removing groups.

use std::fs;

use cowshed::{
    cgroup::{self, Error, Group, Hierarchies, Limits},
    error::{ErrorKind, Failure as _},
};

use crate::scene::{Scene, directories, ended, machines, new_id, skip};

#[test]
#[ignore = "needs root"]
fn root_a_group_without_limits_is_in_one_hierarchy() {
    for hierarchies in machines() {
        let scene = Scene::on(hierarchies, &Limits::default());
        assert_eq!(scene.directories().len(), 1);
        let unified = scene.hierarchies.unified().is_some();
        assert_eq!(scene.group.unified_fd().is_some(), unified);
        let mut child = scene.shell("exit 7");
        assert_eq!(ended(&mut child).code(), Some(7));
        assert!(!scene.group.is_populated().unwrap());
        assert_eq!(scene.group.oom_kills().unwrap(), 0);
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_short_look_finds_the_same_primary_hierarchy() {
    let all = Hierarchies::detect().unwrap();
    let few = Hierarchies::detect_for(&Limits::default()).unwrap();
    let place = |one: &Hierarchies| one.unified().map(|mounted| mounted.mount_point.clone());
    assert_eq!(place(&few), place(&all));
    let limits = Limits {
        pids: Some(5),
        ..Limits::default()
    };
    assert_eq!(Hierarchies::detect_for(&limits).unwrap(), all);
    // Who made a group after a short look finds it after a long one.
    let scene = Scene::on(few, &Limits::default());
    let found = Group::open(&all, scene.group.id()).unwrap();
    assert_eq!(found.unified_fd().is_some(), all.unified().is_some());
}

#[test]
#[ignore = "needs root"]
fn root_freezing_a_group_that_has_gone_makes_none() {
    for hierarchies in machines() {
        // In another hierarchy than the freezer's, where there is a choice.
        let limits = Limits {
            pids: Some(50),
            ..Limits::default()
        };
        let scene = Scene::on(hierarchies, &limits);
        let id = scene.group.id().to_owned();
        let mut late = Group::open(&scene.hierarchies, &id).unwrap();
        scene.group.remove().unwrap();
        late.freeze().unwrap_err();
        assert!(!cgroup::children(&scene.hierarchies).unwrap().contains(&id));
    }
}

#[test]
#[ignore = "needs root"]
fn root_join_leaves_version_2_to_clone() {
    for hierarchies in machines() {
        let scene = Scene::on(hierarchies, &Limits::default());
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        scene.group.join(pid).unwrap();
        let in_it = scene.group.processes().unwrap() == [pid];
        assert_eq!(in_it, scene.hierarchies.unified().is_none());
        scene.group.join_all(pid).unwrap();
        assert_eq!(scene.group.processes().unwrap(), [pid]);
        assert!(scene.group.is_populated().unwrap());
        scene.group.kill_all().unwrap();
        child.wait().unwrap();
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_group_is_found_again_and_cannot_be_made_twice() {
    let has_memory = Hierarchies::detect().unwrap().of_controller("memory");
    let limits = Limits {
        memory: has_memory.map(|_| 64 << 20),
        ..Limits::default()
    };
    let scene = Scene::new(&limits);
    let id = scene.group.id();
    assert!(
        cgroup::children(&scene.hierarchies)
            .unwrap()
            .iter()
            .any(|one| one == id)
    );
    // One process all the time.
    let mut child = scene.shell("exec sleep 60");
    let found = Group::open(&scene.hierarchies, id).unwrap();
    assert_eq!(found.processes().unwrap(), scene.group.processes().unwrap());
    let again = Group::create(&scene.hierarchies, id, &limits).unwrap_err();
    assert!(matches!(again, Error::Exists { .. }), "{again}");
    // The refused one has taken nothing away.
    assert_eq!(
        found.processes().unwrap().len(),
        scene.group.processes().unwrap().len()
    );
    found.kill_all().unwrap();
    ended(&mut child);
    found.remove().unwrap();
    found.remove().unwrap();
    assert_eq!(scene.directories().len(), 0);
    let gone = Group::open(&scene.hierarchies, id).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(
        !cgroup::children(&scene.hierarchies)
            .unwrap()
            .iter()
            .any(|one| one == id)
    );
}

#[test]
#[ignore = "needs root"]
fn root_what_failed_halfway_leaves_nothing() {
    let hierarchies = Hierarchies::detect().unwrap();
    let id = new_id();
    let limits = Limits {
        pids: Some(10),
        // No driver has this number.
        device_write_bps: vec!["4095:1048575:1mb".parse().unwrap()],
        ..Limits::default()
    };
    let error = Group::create(&hierarchies, &id, &limits).unwrap_err();
    let refused = matches!(
        error,
        Error::Refused {
            flag: "--device-write-bps",
            ..
        }
    );
    assert!(
        refused || matches!(error, Error::Unsupported { .. }),
        "{error}"
    );
    assert!(directories(&hierarchies, &id).is_empty());
    cgroup::remove_empty_parents(&hierarchies).ok();
}

#[test]
#[ignore = "needs root"]
fn root_groups_made_inside_go_with_the_group() {
    for hierarchies in machines() {
        let scene = Scene::on(hierarchies, &Limits::default());
        let inner = scene.directories()[0].join("a/b/c");
        fs::create_dir_all(&inner).unwrap();
        fs::create_dir_all(scene.directories()[0].join("a/한글")).unwrap();
        let mut child = scene.shell(&format!(
            "echo $$ >{}/cgroup.procs; sleep 60",
            inner.display()
        ));
        crate::scene::wait_until("the process is inside", || {
            let text = fs::read_to_string(inner.join("cgroup.procs")).unwrap();
            text.lines().count() == 2
        });
        assert_eq!(scene.group.processes().unwrap().len(), 2);
        assert!(scene.group.is_populated().unwrap());
        let error = scene.group.remove().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse);
        assert!(inner.exists());
        scene.group.kill_all().unwrap();
        ended(&mut child);
        scene.group.remove().unwrap();
        assert!(scene.directories().is_empty());
    }
}

#[test]
#[ignore = "needs root"]
fn root_32_groups_at_once_do_not_disturb_each_other() {
    let limits = Limits {
        memory: Some(32 << 20),
        pids: Some(20),
        cpuset_cpus: Some("0".to_owned()),
        ..Limits::default()
    };
    let few = Hierarchies::detect().unwrap();
    let limits = if few.of_controller("memory").is_some() && few.of_controller("cpuset").is_some() {
        limits
    } else {
        skip("memory and cpuset are not here: 32 groups without limits");
        Limits::default()
    };
    std::thread::scope(|scope| {
        for number in 0..32 {
            let limits = &limits;
            scope.spawn(move || {
                for _ in 0..3 {
                    // The end of each tries to remove the parent that others are about to use.
                    let scene = Scene::new(limits);
                    let mut child = scene.shell(&format!("exit {number}"));
                    assert_eq!(ended(&mut child).code(), Some(number));
                }
            });
        }
    });
}
