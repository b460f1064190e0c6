//! `run` and `create` of an image that is not here.

use crate::{
    making::{Codec, Layout, sample},
    scene::{Registry, Scene},
};

const ECHO: [&str; 3] = ["/bin/busybox", "echo", "hi"];

/// A registry with `sample:1`, and a store without.
fn scene() -> (Registry, Scene, String) {
    let (registry, scene) = (Registry::start(), Scene::new());
    let path = scene
        .home
        .write("sample.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    scene.home.load(&path);
    let name = registry.name("sample:1");
    scene.ok(&["tag", "sample:1", &name]);
    scene.ok(&["push", "-q", &name]);
    scene.forget(&scene.id(&name));
    (registry, scene, name)
}

#[test]
#[ignore = "needs root"]
fn root_a_missing_image_is_fetched_and_said_so_on_standard_error() {
    let (_registry, scene, name) = scene();
    let run = |flags: &[&str]| scene.cowshed(&[&["run", "--rm"], flags, &[&name], &ECHO].concat());
    let done = run(&[]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "hi\n"),
        "{done:?}"
    );
    let lines: Vec<_> = done.err.lines().collect();
    assert_eq!(lines[0], format!("Unable to find image '{name}' locally"));
    assert_eq!(lines[1], "1: Pulling from sample");
    let last = format!("Status: Downloaded newer image for {name}");
    assert_eq!(*lines.last().unwrap(), last);
    // It is there now.
    let done = run(&[]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));

    scene.forget(&scene.id(&name));
    let done = run(&["--quiet"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("hi\n", ""));
    let done = run(&["--pull", "always"]);
    assert_eq!(done.out, "hi\n");
    let status = format!("Status: Image is up to date for {name}\n");
    assert!(done.err.ends_with(&status), "{done:?}");

    scene.forget(&scene.id(&name));
    let done = run(&["--pull", "never"]);
    assert_eq!((done.code, done.out.as_str()), (Some(125), ""));
    assert!(
        done.err.contains(&format!("No such image: {name}")),
        "{done:?}"
    );
    let done = scene.cowshed(&["create", "--name", "made", &name, "/bin/busybox", "true"]);
    assert_eq!(
        (done.code, done.out.trim_end().len()),
        (Some(0), 64),
        "{done:?}"
    );
    assert!(done.err.starts_with("Unable to find image '"), "{done:?}");
    scene.ok(&["rm", "made"]);
}

#[test]
#[ignore = "needs root"]
fn root_what_cannot_be_fetched_ends_with_dockers_codes() {
    let (registry, scene, _) = scene();
    let nowhere = "127.0.0.1:1/x";
    let absent = registry.name("absent:1");
    for (verb, code) in [("run", 125), ("create", 1)] {
        for (name, text) in [(nowhere, "refused"), (absent.as_str(), "manifest unknown")] {
            let done = scene.cowshed(&[verb, name, "true"]);
            assert_eq!((done.code, done.out.as_str()), (Some(code), ""), "{done:?}");
            assert!(done.err.starts_with("Unable to find image '"), "{done:?}");
            assert!(done.err.contains(text), "{done:?}");
            assert_eq!(done.err.matches("error: ").count(), 1, "{done:?}");
        }
    }
    // Ids are nobody's names.
    let done = scene.cowshed(&["run", &"a".repeat(64), "true"]);
    assert!(done.err.contains("No such image: "), "{done:?}");
    assert_eq!(scene.ok(&["ps", "-aq"]), "");
    assert_eq!(scene.home.names_in("tmp"), [""; 0]);
}
