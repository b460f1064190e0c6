//! What dead commands leave outside of records: mounts, control groups, loop devices, half-made things.

use std::{
    fs::{self, File},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::Command,
};

use cowshed::{
    cgroup::{Group, Hierarchies, Limits},
    sys::Dir,
};
use nix::mount::{MsFlags, mount};

use crate::{
    check_repair::mends,
    check_scene::{assert_clean, faults, findings, shed},
    support::{mounts_below, write_file, write_text},
};

#[test]
#[ignore = "needs root"]
fn root_leaked_mounts_are_told_and_ours_are_taken_off() {
    let shed = shed();
    let store = shed.store();
    let line = "volume create -o type=tmpfs -o device=tmpfs -o o=size=1m quick";
    shed.cowshed(line).ok();
    let data = shed.data("quick");
    let none = MsFlags::empty();
    mount(Some("tmpfs"), &data, Some("tmpfs"), none, None::<&str>).unwrap();
    mends(&shed, "nobody uses volume quick any more", "repaired");
    let lowers = format!("lowerdir={0}/a:{0}/b", shed.show("."));
    shed.dir("a");
    shed.dir("b");
    mount(
        Some("overlay"),
        &store.join("merged"),
        Some("overlay"),
        none,
        Some(&*lowers),
    )
    .unwrap();
    mends(
        &shed,
        "something is mounted where each container has its own",
        "repaired",
    );
    shed.cowshed("image mount two").ok();
    assert_clean(&shed);
    let mounted = store.join("images/mounted");
    let record = fs::read_dir(&mounted)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let record = record
        .into_iter()
        .find(|path| path.extension() == Some("json".as_ref()));
    let record = record.unwrap();
    let text = crate::support::read(&record);
    fs::remove_file(&record).unwrap();
    mends(&shed, "nothing tells of this mount of an image", "repaired");
    // A record without its mount, as after a reboot.
    write_text(&record, &text);
    mends(&shed, "is no more: it was on", "repaired");
    assert!(!record.exists());
    assert_eq!(mounts_below(&store), Vec::<String>::new());
    // What somebody mounts in his volume is his.
    let own = shed.data("data").join("own-mount");
    fs::create_dir(&own).unwrap();
    mount(Some("tmpfs"), &own, Some("tmpfs"), none, None::<&str>).unwrap();
    assert_clean(&shed);
    nix::mount::umount(&own).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_a_group_is_ours_if_the_journal_tells_of_its_container() {
    let shed = shed();
    let id = shed.id_of("one");
    let hierarchies = Hierarchies::detect().unwrap();
    if hierarchies.is_empty() {
        return;
    }
    // Stopped, and its group is there.
    let group = Group::create(&hierarchies, &id, &Limits::default()).unwrap();
    mends(
        &shed,
        "container one: its control group is left behind",
        "repaired",
    );
    drop(group);
    shed.cowshed("rm one").ok();
    let mut sleeper = Command::new("sleep").arg("100").spawn().unwrap();
    let group = Group::create(&hierarchies, &id, &Limits::default()).unwrap();
    group
        .join_all(i32::try_from(sleeper.id()).unwrap())
        .unwrap();
    mends(
        &shed,
        &format!("control group cowshed/{id}: its container is gone"),
        "repaired",
    );
    // What was in it has ended.
    assert!(!sleeper.wait().unwrap().success());
    // Another store's.
    let stranger = "f0".repeat(32);
    let group = Group::create(&hierarchies, &stranger, &Limits::default()).unwrap();
    assert_clean(&shed);
    group.remove().unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_a_loop_device_is_told_and_left_alone() {
    let shed = shed();
    let file = shed.data("data").join("disk.img");
    File::create(&file).unwrap().set_len(1 << 20).unwrap();
    let losetup = |arguments: &[&str]| {
        let done = Command::new("losetup").args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let device = losetup(&["-f", "--show", file.to_str().unwrap()]);
    let told = findings(&shed, "");
    let is_it = |one: &&serde_json::Value| one["Object"] == *device;
    let one = told.iter().find(is_it).cloned();
    fs::remove_file(&file).unwrap();
    let deleted = faults(&shed, "");
    losetup(&["-d", &device]);
    let one = one.unwrap_or_else(|| panic!("{told:#?}"));
    assert_eq!(
        (&one["Severity"], &one["Repair"]),
        (&"note".into(), &format!("losetup -d {device}").into())
    );
    assert!(
        deleted.len() == 1 && deleted[0].contains("keeps a file that was removed"),
        "{deleted:?}"
    );
    assert_clean(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_half_made_things_of_the_dead_go_and_those_of_the_living_stay() {
    let shed = shed();
    let store = shed.store();
    fs::create_dir(store.join("tmp/half-unpacked")).unwrap();
    write_text(&store.join("tmp/blob-0123"), "half");
    mends(&shed, "was left by a command that is dead", "repaired");
    assert_eq!(shed.listing().matches(" tmp/").count(), 0);
    let tmp = Dir::open(&store.join("tmp")).unwrap();
    tmp.make_dir("being-filled", 0o700).unwrap();
    let own = tmp.open_dir("being-filled").unwrap().into_fd();
    let lock = cowshed::sys::lock::Lock::exclusive(own.into()).unwrap();
    assert_clean(&shed);
    shed.cowshed("system check --repair").ok();
    assert!(tmp.find("being-filled").unwrap().is_some());
    drop(lock);
    mends(
        &shed,
        "being-filled: was left by a command that is dead",
        "repaired",
    );
}

#[test]
#[ignore = "needs root"]
fn root_strangers_in_every_directory_are_put_aside() {
    let shed = shed();
    let store = shed.store();
    for place in [
        "images",
        "overlay2",
        "blobs/sha256",
        "containers",
        "containers/by-name",
    ] {
        write_text(&store.join(place).join("낯선 것"), "mine");
        mends(&shed, "낯선 것: is not the store's", "quarantined");
    }
    let odd = std::ffi::OsStr::from_bytes(b"not-utf8-\xff\x1b[2J");
    write_file(&store.join("volumes").join(odd), b"mine");
    let said = shed.cowshed("system check").fails(1, "").out;
    assert!(
        said.contains("not-utf8-") && !said.contains('\u{1b}'),
        "{said}"
    );
    mends(&shed, "not-utf8-", "quarantined");
    let kept = crate::support::tree(&store.join("quarantine"));
    assert!(kept.matches("where.json").count() == 6, "{kept}");
    let notes = findings(&shed, "");
    assert_eq!(notes[0]["What"], "6 are in it, each with a where.json");
    assert!(Path::new(&store).exists());
}
