//! Nothing is made, ignored or left out without a word: one line on standard error each
//! (needs 12, 15, 18, 42), an error with `COWSHED_STRICT_MOUNTS=1`, silence with `--no-notes`.

use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::support::{Done, Shed, Tar, finish, tree};

/// `run --rm FLAGS base true` as it is, silenced, and strict; before and after everything is as
/// `reset` makes it.
#[track_caller]
fn noted(shed: &Shed, flags: &str, note: &str, reset: &dyn Fn()) {
    noted_of(shed, &format!("--rm {flags} base true"), note, reset);
}

#[track_caller]
fn noted_of(shed: &Shed, line: &str, note: &str, reset: &dyn Fn()) {
    reset();
    let before = shed.listing();
    let strict = strictly(shed, &format!("run {line}"));
    strict.fails(125, "mount strictly: ");
    assert_eq!(
        shed.listing(),
        before,
        "made although it was refused: {line}"
    );
    let created = strictly(shed, &format!("create {line}"));
    assert_eq!(created.code, 1, "{created:?}");
    assert_eq!(
        shed.listing(),
        before,
        "made although it was refused: {line}"
    );
    let plain = shed.cowshed(&format!("run {line}"));
    let wanted = format!("cowshed: note: {note}");
    let times = plain.err.lines().filter(|told| *told == wanted).count();
    assert_eq!(
        (plain.code, times),
        (0, 1),
        "wanted {wanted:?} once: {plain:?}"
    );
    reset();
    let silent = shed.cowshed(&format!("--no-notes run {line}"));
    assert_eq!((silent.code, silent.err.as_str()), (0, ""), "{line}");
    reset();
    let silent = shed.cowshed(&format!("run --no-notes {line}"));
    assert_eq!((silent.code, silent.err.as_str()), (0, ""), "{line}");
}

fn strictly(shed: &Shed, line: &str) -> Done {
    let mut command: Command = shed.command(line);
    command.env("COWSHED_STRICT_MOUNTS", "1");
    finish(command)
}

#[test]
#[ignore = "needs root"]
fn root_need_12_what_is_made_is_told() {
    let shed = Shed::new();
    let missing = shed.show("missing");
    let gone = || drop(std::fs::remove_dir(shed.path("missing")));
    let note = format!("created host directory {missing}");
    noted(&shed, &format!("-v {missing}:/x"), &note, &gone);
    noted(
        &shed,
        &format!("--mount type=bind,src={missing},dst=/x,bind-create-src"),
        &note,
        &gone,
    );
    noted(&shed, &format!("-v {missing}:/x:O"), &note, &gone);
    let no_volume = || drop(shed.cowshed("volume rm -f fresh"));
    noted(&shed, "-v fresh:/x", "created new volume fresh", &no_volume);
    noted(
        &shed,
        "--mount src=fresh,dst=/x",
        "created new volume fresh",
        &no_volume,
    );
    noted(
        &shed,
        "-v fresh:/x:O",
        "created new volume fresh",
        &no_volume,
    );
    let src = shed.dir("src");
    noted(
        &shed,
        &format!("--mount type=overlay,src={src},dst=/x,upper=fresh"),
        "created new volume fresh",
        &no_volume,
    );
    // What is there, and what was named for it, is not worth a word.
    shed.cowshed("volume create there").ok();
    for flags in [
        format!("-v there:/x -v {src}:/y"),
        "-v /anonymous".to_owned(),
        format!("-v {src}:/y:O"),
    ] {
        let done = strictly(&shed, &format!("run --rm {flags} base true"));
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{flags}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_need_12_what_is_ignored_is_told() {
    let shed = Shed::new();
    let nothing = || ();
    let src = shed.dir("src");
    for word in ["z", "Z"] {
        let note = format!("/x: '{word}' has no effect: no SELinux label is set");
        noted(&shed, &format!("-v {src}:/x:{word}"), &note, &nothing);
    }
    let same = "has no effect: container and host see the same files at once";
    for word in ["cached", "delegated", "consistent"] {
        noted(
            &shed,
            &format!("-v {src}:/x:ro,{word}"),
            &format!("/x: '{word}' {same}"),
            &nothing,
        );
    }
    let flags = format!("--mount type=bind,src={src},dst=/x,consistency=cached");
    noted(
        &shed,
        &flags,
        &format!("/x: 'consistency=cached' {same}"),
        &nothing,
    );
    noted(
        &shed,
        "--mount type=image,src=base,dst=/x,readonly=false",
        "/x: 'readonly=false' has no effect: an image is mounted read-only",
        &nothing,
    );
    noted(
        &shed,
        "--mount type=tmpfs,dst=/x --tmpfs /x",
        "/x has two tmpfs: --tmpfs hides the one of --mount",
        &nothing,
    );
}

#[test]
#[ignore = "needs root"]
fn root_rule_51_labels_and_options_of_an_existing_volume_are_ignored_aloud() {
    let shed = Shed::new();
    let nothing = || ();
    shed.cowshed("volume create --label a=b vol").ok();
    let note = "volume vol exists: the labels of this mount are ignored";
    noted(
        &shed,
        "--mount src=vol,dst=/x,volume-label=a=c",
        note,
        &nothing,
    );
    noted(
        &shed,
        "--mount src=vol,dst=/x,volume-label=new",
        note,
        &nothing,
    );
    let note = "volume vol exists: the options of this mount are ignored";
    noted(
        &shed,
        "--mount src=vol,dst=/x,volume-opt=type=tmpfs",
        note,
        &nothing,
    );
    // The same labels and driver are nothing to speak of.
    let done = strictly(
        &shed,
        "run --rm --mount src=vol,dst=/x,volume-label=a=b,volume-driver=local base true",
    );
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert_eq!(
        shed.inspect("vol")["Labels"],
        serde_json::json!({ "a": "b" })
    );
}

#[test]
#[ignore = "needs root"]
fn root_need_42_a_single_file_is_told() {
    let shed = Shed::new();
    let file = shed.file("conf", "");
    let note = format!(
        "{file} is a single file: the container keeps this one when an editor puts a new one in its \
         place; mount the directory to see changes"
    );
    noted(&shed, &format!("-v {file}:/conf"), &note, &|| ());
    // A device or socket is never saved by an editor.
    let done = shed.try_sh("-v /dev/null:/null", "true");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
}

#[test]
#[ignore = "needs root"]
fn root_need_29_the_image_s_volumes_are_told() {
    let shed = Shed::new();
    shed.image(
        "vols",
        Tar::new().dir("seed/deep", 0o755),
        &["VOLUME /seed/deep"],
    );
    let note =
        "VOLUME /seed/deep of the image gets an anonymous volume: name one with -v NAME:/seed/deep";
    noted_of(&shed, "--rm vols true", note, &|| ());
    let note = "VOLUME /seed/deep of the image is ignored";
    noted_of(&shed, "--rm --image-volume=ignore vols true", note, &|| ());
    let note = "VOLUME /seed/deep of the image is in memory: it goes with the container";
    noted_of(&shed, "--rm --image-volume=tmpfs vols true", note, &|| ());
    // It hides a part of what the user mounted around it.
    let dir = shed.dir("dir");
    let note = "VOLUME /seed/deep of the image gets an anonymous volume, inside the mount on /seed: \
        name one with -v NAME:/seed/deep";
    noted_of(
        &shed,
        &format!("--rm -v {dir}:/seed vols true"),
        note,
        &|| (),
    );
    // Covered: the user has said where its data goes.
    let done = strictly(&shed, &format!("run --rm -v {dir}:/seed/deep vols true"));
    assert_eq!((done.code, done.err.as_str()), (0, ""));
}

#[test]
#[ignore = "needs root"]
fn root_rule_29_what_volumes_from_leaves_out_is_told() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.cowshed(&format!(
        "create --name other --tmpfs /t -v {dir}:/o:O -v {dir}:/b base true"
    ))
    .ok();
    let flags = "--volumes-from other";
    for what in ["tmpfs /t", "overlay /o"] {
        let note =
            format!("{what} of container other is not taken over: it is that container's own");
        noted(&shed, flags, &note, &|| ());
    }
}

#[test]
#[ignore = "needs root"]
fn root_need_26_what_is_mounted_below_an_overlay_s_lower_is_told() {
    let shed = Shed::new();
    let src = shed.dir("src/sub");
    mount(
        Some("none"),
        &*src,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap();
    shed.file("src/sub/hidden", "");
    let note = format!("what is mounted on {src} is left out of the overlay");
    noted(&shed, "-v ./src:/x:O", &note, &|| ());
    assert_eq!(shed.sh("-v ./src:/x:O", "ls -A /x/sub"), "");
    umount2(&*src, MntFlags::MNT_DETACH).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_rule_28_a_volume_that_is_not_filled_because_of_a_file_is_told() {
    let shed = Shed::new();
    let done = shed.try_sh("-v vol:/file", "true");
    let done = done.fails(125, "vice-versa");
    let note = "cowshed: note: volume vol stays empty: /file of the image is a file\n";
    assert!(done.err.contains(note), "{done:?}");
    let mut strict = shed.command("run --rm -v vol:/file base true");
    strict.env("COWSHED_STRICT_MOUNTS", "true");
    finish(strict).fails(125, "mount strictly: volume vol stays empty");
    assert_eq!(tree(&shed.data("vol")), "");
}

#[test]
#[ignore = "needs root"]
fn root_strict_holds_at_start_and_is_off_when_it_says_so() {
    let shed = Shed::new();
    let missing = shed.show("missing");
    shed.cowshed(&format!("create --name box -v {missing}:/x base true"))
        .ok();
    strictly(&shed, "start box").fails(1, &format!("created host directory {missing}"));
    assert!(!shed.path("missing").exists());
    for off in ["", "0", "false"] {
        let mut command = shed.command("start -a box");
        command.env("COWSHED_STRICT_MOUNTS", off);
        finish(command).ok();
        std::fs::remove_dir(shed.path("missing")).unwrap();
    }
    // All at once, and in a plan as well.
    let line = format!("run --dry-run -v {missing}:/x:z -v new:/y base true");
    let done = strictly(&shed, &line);
    let all = format!(
        "mount strictly: /x: 'z' has no effect: no SELinux label is set; would create host directory \
         {missing}; would create new volume new"
    );
    done.fails(125, &all);
}

#[test]
#[ignore = "needs root"]
fn root_notes_do_not_mix_with_lines_of_json() {
    let shed = Shed::new();
    let file = shed.file("conf", "");
    let done = shed.cowshed(&format!(
        "run --rm --explain=json -v {file}:/conf -v new:/x base true"
    ));
    assert_eq!(done.code, 0, "{done:?}");
    let mut notes = Vec::new();
    for line in done.err.lines() {
        let step: serde_json::Value = serde_json::from_str(line).unwrap();
        notes.extend(step["notes"].as_array().cloned().unwrap_or_default());
    }
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].as_str().unwrap().contains("is a single file"),
        "{notes:?}"
    );
    assert_eq!(notes[1], "created new volume new");
}

#[test]
#[ignore = "needs root"]
fn root_need_12_a_container_in_the_background_tells_its_notes_before_the_command_leaves() {
    let shed = Shed::new();
    let missing = shed.show("missing");
    let done = shed.cowshed(&format!(
        "run -d --name box -v {missing}:/x:z -v new:/y base true"
    ));
    assert_eq!(done.code, 0, "{done:?}");
    let told: Vec<_> = done.err.lines().collect();
    assert_eq!(
        told,
        [
            "cowshed: note: /x: 'z' has no effect: no SELinux label is set",
            "cowshed: note: created new volume new",
            &format!("cowshed: note: created host directory {missing}"),
        ]
    );
    shed.cowshed("wait box").ok();
    // Each once: the next start has nothing to tell.
    assert_eq!(shed.cowshed("start box").err, "");
    shed.cowshed("wait box").ok();
}
