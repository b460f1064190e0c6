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
    let id = id_of(&home, "sample:1");
    let reference = format!(
        "conflict: unable to remove repository reference \"sample:1\" (must force) - container {} is \
         using its referenced image {}",
        container_of(&home),
        &id[7..19]
    );
    home.refused(&["rmi", "sample:1"], &[&reference, "-f"]);
    let stopped = format!(
        "conflict: unable to delete {} (must be forced) - image is being used by stopped container",
        &id[7..19]
    );
    home.refused(&["rmi", &id[7..19]], &[&stopped, "-f"]);
    home.ok(&["tag", "sample:1", "b:1"]);
    assert_eq!(home.ok(&["rmi", "b:1"]), "Untagged: b:1\n");
    let out = home.ok(&["rmi", "-f", "sample:1"]);
    assert_eq!(out, format!("Untagged: sample:1\nDeleted: {id}\n"));
    assert_eq!(home.ok(&["images", "-aq"]), "");
    // Its layers are the container's as long as there is one.
    assert_eq!(home.layers().len(), 2);
    assert!(home.ok(&["diff", "user"]).contains("A /kept"));
    home.ok(&["start", "-a", "user"]);
    home.ok(&["rm", "user"]);
    nothing_is_left(&home);
}

/// The short id of the container `user`.
fn container_of(home: &Home) -> String {
    let id = home.ok(&["inspect", "-f", "{{.Id}}", "user"]);
    id[..12].to_owned()
}

#[test]
#[ignore = "needs root"]
fn root_an_image_goes_after_its_container() {
    let home = home();
    home.ok(&[
        "run", "--name", "user", "sample:1", "/bin/sh", "-c", "exit 0",
    ]);
    let id = id_of(&home, "sample:1");
    home.ok(&["rm", "user"]);
    home.ok(&["rmi", &id]);
    nothing_is_left(&home);
}

#[test]
#[ignore = "needs root"]
fn root_what_is_not_there_is_what_force_wants() {
    let home = Home::new();
    let done = home.cowshed(&["rmi", "absent"]);
    assert_eq!(done.code, Some(1));
    let done = home.cowshed(&["rmi", "-f", "absent"]);
    assert_eq!(done.code, Some(0));
    assert!(done.err.contains("No such image: absent"), "{done:?}");
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
    let id = id_of(&home, "sample:1");
    let running = "(cannot be forced) - image is being used by running container";
    for (args, said) in [
        (
            &["rmi", "sample:1"][..],
            "unable to remove repository reference",
        ),
        (&["rmi", &id], running),
        (&["rmi", "-f", &id], running),
    ] {
        let done = home.cowshed(args);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains(said), "{done:?}");
    }
    // Docker takes the name and keeps the image.
    assert_eq!(home.ok(&["rmi", "-f", "sample:1"]), "Untagged: sample:1\n");
    assert_eq!(
        home.ok(&["images", "-q", "-f", "dangling=true"]),
        format!("{}\n", &id[7..19])
    );
    assert_eq!(
        home.ok(&["image", "prune", "-f"]),
        "Total reclaimed space: 0B\n"
    );
    assert_eq!(home.layers().len(), 2);
    drop(child.stdin.take());
    child.wait().unwrap();
    home.ok(&["rm", "user"]);
    home.ok(&["rmi", &id]);
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
