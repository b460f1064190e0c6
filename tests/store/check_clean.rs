//! `system check` of stores that are whole: nothing is told.

use std::fs;

use crate::{
    check_scene::{assert_clean, shed},
    support::{Shed, write_file},
};

#[test]
#[ignore = "needs root"]
fn root_a_whole_store_has_no_finding_and_is_left_as_it_is() {
    let shed = shed();
    let before = shed.listing();
    assert_clean(&shed);
    let said = shed.cowshed("system check").ok();
    assert!(said.ends_with("the store is whole\n"), "{said}");
    assert!(
        said.contains("2 images, 2 containers, 1 volume, "),
        "{said}"
    );
    let quick = shed.cowshed("system check --quick").ok();
    assert!(!quick.contains("compared"), "{quick}");
    assert_eq!(shed.listing(), before);
}

#[test]
#[ignore = "needs root"]
fn root_an_empty_store_and_none_at_all_are_whole() {
    let shed = Shed::empty();
    let said = shed.cowshed("system check").ok();
    assert!(said.ends_with(": there is no store\n"), "{said}");
    assert!(!shed.store().exists());
    shed.cowshed("ps").ok();
    assert_clean(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_directory_of_somebody_else_is_called_no_store() {
    let shed = Shed::empty();
    fs::create_dir_all(shed.store().join("사진")).unwrap();
    for line in ["system check", "system check --repair"] {
        let said = shed.cowshed(line).ok();
        assert!(said.ends_with(": there is no store\n"), "{line}: {said}");
    }
    let names = fs::read_dir(shed.store()).unwrap();
    assert_eq!(names.count(), 1);
    // The beginning of one is.
    fs::create_dir(shed.store().join("blobs")).unwrap();
    let said = shed.cowshed("system check").ok();
    assert!(said.ends_with("the store is whole\n"), "{said}");
}

#[test]
#[ignore = "needs root"]
fn root_a_busy_store_has_no_finding() {
    let shed = shed();
    shed.cowshed("image mount two").ok();
    let mut live = shed.start("run --name live -v data:/data two sh -c 'echo ready; sleep 100'");
    shed.cowshed("run -d --name quiet --restart always base sleep 100")
        .ok();
    shed.cowshed("pause quiet").ok();
    let mut backup = shed.command("volume backup -q -o - data");
    let file = fs::File::create(shed.path("backup.tar")).unwrap();
    let mut backup = backup.stdout(file).spawn().unwrap();
    let tar = shed.path("more.tar");
    write_file(&tar, crate::support::base());
    let busy: Vec<_> = (0..4)
        .map(|number| {
            let script = format!(
                "for i in 1 2 3 4 5 6; do $C import --sync=none {0} n{number}; \
                 $C run --rm --name r{number} -v v{number}:/v base true; \
                 $C volume rename v{number} w{number}; $C volume rm w{number}; \
                 $C create --name c{number} base true; $C rename c{number} d{number}; \
                 $C rm d{number}; $C rmi n{number}; done",
                tar.display()
            );
            std::process::Command::new("sh")
                .args(["-ec", &script])
                .env("C", env!("CARGO_BIN_EXE_cowshed"))
                .env("COWSHED_ROOT", shed.store())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for _ in 0..5 {
        let faults = crate::check_scene::faults(&shed, "");
        assert_eq!(faults, [""; 0]);
    }
    for mut one in busy {
        assert!(one.wait().unwrap().success());
    }
    assert!(backup.wait().unwrap().success());
    assert_clean(&shed);
    shed.cowshed("image unmount two").ok();
    shed.cowshed("rm -f quiet live").ok();
    live.wait();
}
