//! `rmi`: what goes, what stays, and who is asked.

use std::{io::Read as _, process::Stdio};

use crate::{
    archive::Archive,
    support::{Codec, Home, Layer, Layout, config_of, named, sample, shell},
};

fn home() -> Home {
    let home = Home::new();
    home.load(&home.write("x.tar", &Layout::of(&sample(Codec::Gzip)).tar()));
    home
}

fn id_of(home: &Home, name: &str) -> String {
    home.inspect(name)["Id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn nothing_is_left(home: &Home) {
    for place in ["blobs/sha256", "tmp", "trash"] {
        assert_eq!(home.names_in(place), [""; 0], "{place}");
    }
    assert_eq!(home.layers(), [""; 0]);
    assert_eq!(home.ok(&["images", "-q"]), "");
}

#[test]
#[ignore = "needs root"]
fn root_the_last_name_takes_the_image_with_it() {
    let home = home();
    let id = id_of(&home, "sample:1");
    home.ok(&["tag", "sample:1", "other:1"]);
    assert_eq!(home.ok(&["rmi", "sample:1"]), "Untagged: sample:1\n");
    assert_eq!(home.layers().len(), 2);
    let out = home.ok(&["rmi", "other:1"]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[..2], ["Untagged: other:1", &format!("Deleted: {id}")]);
    assert_eq!(lines.len(), 4, "{out}");
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_an_id_of_several_names_needs_force() {
    let home = home();
    let id = id_of(&home, "sample:1");
    home.ok(&["tag", "sample:1", "other:1"]);
    let multiple = "image is referenced in multiple repositories";
    home.refused(&["rmi", &id], &[&id[7..19], multiple, "rmi -f"]);
    let out = home.ok(&["rmi", "-f", &id[7..19]]);
    assert!(
        out.starts_with("Untagged: other:1\nUntagged: sample:1\nDeleted: "),
        "{out}"
    );
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_an_id_of_one_name_is_enough() {
    let home = home();
    let id = id_of(&home, "sample:1");
    home.ok(&["rmi", &id[7..13]]);
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_several_images_go_one_after_the_other() {
    let home = home();
    home.ok(&["tag", "sample:1", "b:1"]);
    let done = home.cowshed(&["rmi", "b:1", "absent", "sample:1"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("No such image: absent"), "{done:?}");
    assert!(done.out.contains("Untagged: sample:1"), "{done:?}");
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_an_image_of_a_stopped_container_needs_force() {
    let home = home();
    home.ok(&[
        "run",
        "--name",
        "user",
        "sample:1",
        "/bin/sh",
        "-c",
        "echo kept >/kept",
    ]);
    let stopped = "image is being used by stopped container";
    home.refused(&["rmi", "sample:1"], &[stopped, "-f"]);
    home.ok(&["tag", "sample:1", "b:1"]);
    assert_eq!(home.ok(&["rmi", "b:1"]), "Untagged: b:1\n");
    home.ok(&["rmi", "-f", "sample:1"]);
    // Its layers are the container's as long as there is one.
    assert_eq!(home.layers().len(), 2);
    assert!(home.ok(&["diff", "user"]).contains("A /kept"));
    home.ok(&["rm", "user"]);
}

#[test]
#[ignore = "needs root"]
fn root_an_image_goes_after_its_container() {
    let home = home();
    home.ok(&[
        "run", "--name", "user", "sample:1", "/bin/sh", "-c", "exit 0",
    ]);
    let id = id_of(&home, "sample:1");
    home.ok(&["rmi", "-f", "sample:1"]);
    home.ok(&["rm", "user"]);
    home.ok(&["rmi", &id]);
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_an_image_of_a_running_container_stays() {
    let home = home();
    let mut run = home.command(&[
        "run",
        "-i",
        "--name",
        "user",
        "sample:1",
        "/bin/sh",
        "-c",
        "echo up; read x",
    ]);
    let mut child = run
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    for args in [&["rmi", "sample:1"][..], &["rmi", "-f", "sample:1"]] {
        let done = home.cowshed(args);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(
            done.err
                .contains("image is being used by running container"),
            "{done:?}"
        );
    }
    assert_eq!(home.layers().len(), 2);
    drop(child.stdin.take());
    child.wait().unwrap();
    home.ok(&["rm", "user"]);
    home.ok(&["rmi", "sample:1"]);
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_what_other_images_share_stays() {
    let home = Home::new();
    let base = Layer::new(shell(), Codec::Gzip);
    let mut layout = Layout::default();
    for number in [1, 2] {
        let own = Archive::new().file("own", &number.to_string());
        let layers = [base.clone(), Layer::plain(own)];
        let entry = layout.image(&layers, &config_of(&layers));
        layout
            .entries
            .push(named(entry, &format!("sample:{number}")));
    }
    home.load(&home.write("x.tar", &layout.tar()));
    assert_eq!(home.names_in("blobs/sha256").len(), 7);
    let out = home.ok(&["rmi", "sample:1"]);
    assert_eq!(out.matches("Deleted: ").count(), 2, "{out}");
    assert_eq!(home.layers().len(), 2);
    assert_eq!(home.names_in("blobs/sha256").len(), 4);
    assert_eq!(home.run("sample:2", &["/bin/busybox", "cat", "/own"]), "2");
    home.ok(&["rmi", "sample:2"]);
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_a_removed_image_can_come_back() {
    let home = home();
    home.ok(&["rmi", "sample:1"]);
    nothing_is_left(&home);
    home.load(&home.input("x.tar"));
    home.run("sample:1", &["/bin/sh", "-c", "exit 0"]);
}

#[test]
#[ignore = "needs root"]
fn root_blobs_are_there_again_when_a_kept_layer_comes_in_another_form() {
    let home = home();
    // The layers stay because of `second`, the zipped blobs go with `sample:1`.
    let mut layers = sample(Codec::Zstd);
    let mut layout = Layout::default();
    let entry = layout.image(&layers, &config_of(&layers));
    layout.entries.push(named(entry, "second:1"));
    home.load(&home.write("y.tar", &layout.tar()));
    home.ok(&["rmi", "sample:1"]);
    layers = sample(Codec::Plain);
    let archive = crate::support::docker_archive(&[(&layers, &["third:1"])]);
    home.load(&home.write("z.tar", &crate::support::tar_of(&archive)));
    let blobs = home.names_in("blobs/sha256");
    for layer in home.inspect("third:1")["Layers"].as_array().unwrap() {
        let digest = layer["Blob"].as_str().unwrap();
        assert!(
            blobs.contains(&digest[7..].to_owned()),
            "{digest} of {blobs:?}"
        );
    }
}
