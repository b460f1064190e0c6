//! `system check` of stores that are not whole: each damage is told by its name.

use std::fs;

use crate::{
    check_repair::flip,
    check_scene::{blob, faults, layer, shed},
    support::write_text,
};

#[test]
#[ignore = "needs root"]
fn root_bytes_are_compared() {
    let shed = shed();
    let blob = blob(&shed, &shed.inspect("two")["Layers"][1]["Blob"]);
    flip(&layer(&shed, "two", 1).join("diff/top"));
    let told = faults(&shed, "");
    assert!(
        told.len() == 1 && told[0].contains("of its tree are not as its blob says"),
        "{told:?}"
    );
    assert_eq!(faults(&shed, "--quick"), [""; 0]);
    flip(&blob);
    let told = faults(&shed, "--quick");
    assert!(
        told.len() == 1 && told[0].contains("its content has digest"),
        "{told:?}"
    );
    let said = shed.cowshed("system check").fails(1, "").out;
    assert!(said.contains("needed by two"), "{said}");
}

#[test]
#[ignore = "needs root"]
fn root_records_and_directories_are_compared() {
    let shed = shed();
    let id = shed.id_of("one");
    fs::remove_dir_all(shed.store().join("containers").join(&id).join("work")).unwrap();
    std::os::unix::fs::symlink("../0123", shed.store().join("containers/by-name/ghost")).unwrap();
    write_text(&shed.store().join("volumes/data/volume.json"), "{");
    write_text(&shed.store().join("낯선 파일"), "");
    let told = faults(&shed, "--quick").join("\n");
    for wanted in [
        "damage: container one: the work directory of its union is missing",
        "leftover: container name ghost: is not the store's",
        "damage: volume data: parse record",
        "leftover: 낯선 파일: is not the store's",
    ] {
        assert!(told.contains(wanted), "{wanted} in\n{told}");
    }
}
