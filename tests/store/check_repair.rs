//! `system check --repair`: each damage is made, found, mended, and found no more.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, PermissionsExt},
    path::Path,
};

use serde_json::Value;

use crate::{
    check_scene::{blob, faults, findings, layer, shed},
    support::{Shed, read, write_text},
};

pub(crate) fn flip(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[!byte[0]], middle).unwrap();
}

/// A check without repair tells of it, a repair has this effect on it, and nothing is left.
#[track_caller]
pub(crate) fn mends(shed: &Shed, wanted: &str, effect: &str) -> Value {
    let told = faults(shed, "");
    assert!(
        told.iter().any(|one| one.contains(wanted)),
        "no {wanted:?} in {told:#?}"
    );
    let deed = repair(shed, wanted, effect);
    let left = faults(shed, "");
    assert_eq!(left, [""; 0], "after repair");
    deed
}

/// The deed about one thing.
#[track_caller]
pub(crate) fn repair(shed: &Shed, wanted: &str, effect: &str) -> Value {
    let deeds = findings(shed, "--repair");
    let is_it = |one: &&Value| {
        let text = format!(
            "{}: {}",
            one["Object"].as_str().unwrap(),
            one["What"].as_str().unwrap()
        );
        text.contains(wanted) && one["Outcome"].is_string()
    };
    let deed = deeds
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no deed in {deeds:#?}"));
    assert_eq!(deed["Outcome"], effect, "{deed:#}");
    deed.clone()
}

/// Both images run, and what the volume and the container have is there.
#[track_caller]
fn works(shed: &Shed) {
    assert_eq!(shed.cowshed("run --rm two").ok(), "more content\n");
    assert_eq!(shed.sh("-v data:/data", "cat /data/own"), "kept\n");
    shed.cowshed("start -a one").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_tree_is_unpacked_again() {
    let shed = shed();
    let tree = layer(&shed, "two", 1).join("diff");
    flip(&tree.join("top"));
    mends(&shed, "of its tree are not as its blob says", "repaired");
    works(&shed);
    fs::remove_file(tree.join("한글/파일")).unwrap();
    mends(&shed, "of its tree are not as its blob says", "repaired");
    fs::remove_dir_all(&tree).unwrap();
    mends(&shed, "has no tree", "repaired");
    write_text(&tree.with_file_name("layer.json"), "{\"chain\":");
    mends(&shed, "parse record layer.json", "repaired");
    fs::remove_dir_all(tree.parent().unwrap()).unwrap();
    mends(&shed, "layer 2 is not unpacked", "repaired");
    // The lower one, which the other lies on, too.
    let lower = layer(&shed, "two", 0).join("diff");
    fs::remove_dir_all(lower.join("bin")).unwrap();
    flip(&tree.join("top"));
    mends(&shed, "of its tree are not as its blob says", "repaired");
    works(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_layer_is_not_swapped_under_a_running_container() {
    let shed = shed();
    let tree = layer(&shed, "two", 1).join("diff");
    let mut live = shed.start("run --name live two sh -c 'echo ready; sleep 100'");
    flip(&tree.join("top"));
    let before = fs::metadata(&tree).unwrap();
    let deed = repair(&shed, "of its tree", "refused");
    let why = deed["Why"].as_str().unwrap();
    assert!(
        why.contains("container live runs on it: cowshed stop live"),
        "{why}"
    );
    let ino = std::os::unix::fs::MetadataExt::ino;
    assert_eq!(ino(&before), ino(&fs::metadata(&tree).unwrap()));
    shed.cowshed("rm -f live").ok();
    live.wait();
    shed.cowshed("image mount two").ok();
    let deed = repair(&shed, "of its tree", "refused");
    assert!(
        deed["Why"]
            .as_str()
            .unwrap()
            .contains("an image is mounted at"),
        "{deed}"
    );
    shed.cowshed("image unmount two").ok();
    mends(&shed, "of its tree", "repaired");
    works(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_a_damaged_blob_goes_into_quarantine_and_a_load_brings_it() {
    let shed = shed();
    shed.cowshed("save -o two.tar two").ok();
    let path = blob(&shed, &shed.inspect("two")["Layers"][1]["Blob"]);
    let whole = fs::read(&path).unwrap();
    flip(&path);
    let damaged = fs::read(&path).unwrap();
    let deed = repair(&shed, "its content has digest", "quarantined");
    let aside = shed.store().join(deed["Path"].as_str().unwrap());
    assert_eq!(fs::read(&aside).unwrap(), damaged);
    let place: Value = serde_json::from_str(&read(aside.with_file_name("where.json"))).unwrap();
    let was = place["was"].as_str().unwrap();
    assert!(
        shed.store().join(was) == path && place["why"].is_string(),
        "{place}"
    );
    // The tree is still there, and runs.
    works(&shed);
    let told = faults(&shed, "");
    assert!(
        told.len() == 1 && told[0].contains("image two: a layer's blob is missing"),
        "{told:?}"
    );
    let told = findings(&shed, "--repair");
    assert!(
        told.iter().any(|one| one["Outcome"] == "refused"),
        "{told:?}"
    );
    shed.cowshed("load -i two.tar").ok();
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert_eq!(faults(&shed, ""), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_a_blob_that_was_made_here_is_made_again_of_its_tree() {
    let shed = shed();
    shed.cowshed("run --name three two sh -c 'rm -r /top /한글; mkdir /한글; echo new > /new; ln /new /more'")
        .ok();
    shed.cowshed("commit three made").ok();
    let image = shed.inspect("made");
    let path = blob(&shed, &image["Layers"][2]["Blob"]);
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    mends(&shed, "a layer's blob is missing", "repaired");
    assert_eq!(fs::read(&path).unwrap(), whole);
    flip(&path);
    mends(&shed, "its content has digest", "quarantined");
    assert_eq!(fs::read(&path).unwrap(), whole);
    // Its manifest was made up here, too.
    let manifest = blob(&shed, &image["Manifest"]);
    fs::remove_file(&manifest).unwrap();
    mends(&shed, "its manifest is missing", "repaired");
    assert!(manifest.exists());
    assert_eq!(shed.cowshed("run --rm made cat /more").ok(), "new\n");
}

#[test]
#[ignore = "needs root"]
fn root_records_of_images_are_made_again_of_their_documents() {
    let shed = shed();
    let manifest = shed.inspect("two")["Manifest"].as_str().unwrap()[7..].to_owned();
    let path = shed.store().join(format!("images/{manifest}.json"));
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(40).unwrap();
    mends(&shed, "parse record", "repaired");
    works(&shed);
    let names = shed.store().join("images/names.json");
    write_text(&names, "{\"ghost:1\": \"sha256:");
    mends(&shed, "the names of images: parse record", "quarantined");
    let ids = shed.cowshed("images -q").ok();
    assert_eq!(ids.lines().count(), 2, "{ids}");
    let id = ids.lines().next().unwrap();
    shed.cowshed(&format!("tag {id} again")).ok();
    // A crash between the two steps of a removal leaves a name of nothing.
    let text = read(&names);
    let digest = "0".repeat(64);
    write_text(
        &names,
        &text.replacen(
            '{',
            &format!("{{\"docker.io/library/ghost:1\": \"sha256:{digest}\","),
            1,
        ),
    );
    mends(
        &shed,
        "name ghost:1: names an image that is not here",
        "repaired",
    );
    shed.cowshed("run --rm again true").ok();
}

#[test]
#[ignore = "needs root"]
fn root_containers_are_mended_and_what_is_not_theirs_is_kept() {
    let shed = shed();
    let containers = shed.store().join("containers");
    let (one, other) = (shed.id_of("one"), shed.id_of("other"));
    fs::remove_dir_all(containers.join(&one).join("work")).unwrap();
    mends(
        &shed,
        "the work directory of its union is missing",
        "repaired",
    );
    fs::remove_file(containers.join("by-name/one")).unwrap();
    mends(&shed, "its name is not reserved", "repaired");
    write_text(&containers.join(&one).join("state.json"), "{\"pid\":");
    mends(&shed, "its state cannot be read", "repaired");
    works(&shed);
    let id = "0123456789abcdef".repeat(4);
    std::os::unix::fs::symlink(format!("../{id}"), containers.join("by-name/ghost")).unwrap();
    mends(
        &shed,
        "container name ghost: its container is gone",
        "repaired",
    );
    std::os::unix::net::UnixListener::bind(containers.join(&one).join("control")).unwrap();
    mends(
        &shed,
        "the socket of its supervisor is left behind",
        "repaired",
    );
    write_text(&containers.join(&other).join("upper/changed"), "mine");
    write_text(&containers.join(&other).join("config.json"), "");
    let deed = mends(&shed, "parse record config.json", "quarantined");
    let aside = shed.store().join(deed["Path"].as_str().unwrap());
    assert_eq!(read(aside.join("upper/changed")), "mine");
    shed.cowshed("run --rm --name other base true").ok();
    works(&shed);
}

#[test]
#[ignore = "needs root"]
fn root_volumes_are_mended_and_their_data_is_kept() {
    let shed = shed();
    let volume = shed.store().join("volumes/data");
    write_text(&volume.join("volume.json"), "not json");
    mends(&shed, "volume data: parse record", "repaired");
    works(&shed);
    fs::create_dir(volume.join("filling")).unwrap();
    mends(&shed, "somebody was killed while it was filled", "repaired");
    write_text(
        &shed.store().join("volumes/.renaming"),
        "{\"from\": \"data\", \"to\": \"moved\"}",
    );
    fs::rename(&volume, shed.store().join("volumes/moved")).unwrap();
    mends(&shed, "the renaming of a volume", "repaired");
    assert_eq!(shed.volumes(), ["moved"]);
    assert_eq!(shed.inspect("other")["Mounts"][0]["Name"], "moved");
    fs::remove_dir_all(shed.data("moved")).unwrap();
    mends(&shed, "its data is missing", "repaired");
    shed.sh("-v moved:/data", "echo again > /data/own");
}

#[test]
#[ignore = "needs root"]
fn root_what_the_store_stands_on_is_made_again() {
    let shed = shed();
    let store = shed.store();
    write_text(&store.join("store.json"), "");
    shed.cowshed("ps").fails(1, "parse record store.json");
    mends(&shed, "store.json", "repaired");
    for place in ["tmp", "trash", "merged"] {
        fs::remove_dir(store.join(place)).unwrap();
        mends(&shed, &format!("{place}: is missing"), "repaired");
    }
    fs::set_permissions(store.join("overlay2"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(&store, PermissionsExt::from_mode(0o777)).unwrap();
    mends(
        &shed,
        "the root of the store: others may write into it",
        "repaired",
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (mode(&store), mode(&store.join("overlay2"))),
        (0o755, 0o700)
    );
    write_text(&store.join("낯선 것"), "mine");
    let deed = mends(&shed, "낯선 것: is not the store's", "quarantined");
    assert_eq!(read(store.join(deed["Path"].as_str().unwrap())), "mine");
    fs::remove_file(store.join("overlay2/init/diff/etc/hosts")).unwrap();
    mends(&shed, "the init layer: is not as it is made", "repaired");
    works(&shed);
    write_text(
        &store.join("store.json"),
        "{\"format\": 99, \"driver\": \"overlay2\"}",
    );
    shed.cowshed("system check").fails(1, "it has format 99");
}

#[test]
#[ignore = "needs root"]
fn root_the_journal_is_mended() {
    let shed = shed();
    let path = shed.store().join("events");
    let text = read(&path);
    let (first, rest) = text.split_once('\n').unwrap();
    write_text(&path, &format!("{first}\n{}\n{rest}", &first[..20]));
    mends(
        &shed,
        "the journal events: 1 line cannot be read",
        "repaired",
    );
    assert_eq!(read(&path), text);
}
