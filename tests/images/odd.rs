//! Odd but legal images: taken in, and harmless when they run.

use serde_json::{Value, json};

use crate::{
    archive::Archive,
    support::{Codec, Done, Home, Layer, Layout, SAMPLE_TREE, config_of, named, sample, shell},
};

/// The sample with a changed config, loaded.
fn loaded(change: impl FnOnce(&mut Value)) -> Home {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let mut config = config_of(&layers);
    change(&mut config);
    let mut layout = Layout::default();
    let entry = layout.image(&layers, &config);
    layout.entries.push(named(entry, "sample:1"));
    let out = home.load(&home.write("x.tar", &layout.tar()));
    assert_eq!(out, "Loaded image: sample:1\n");
    home
}

#[track_caller]
fn run_refused(home: &Home, code: i32, expected: &[&str]) {
    let done: Done = home.cowshed(&["run", "--rm", "sample:1", "/bin/busybox", "true"]);
    assert_eq!(done.code, Some(code), "{done:?}");
    for text in expected {
        assert!(done.err.contains(text), "{}", done.err);
    }
    assert_eq!(home.names_in("containers"), ["by-name"]);
    home.canary_is_well();
}

#[test]
#[ignore = "needs root"]
fn root_e24_a_working_directory_in_proc_is_taken_and_not_entered() {
    for number in [3, 7, 10] {
        let home = loaded(|config| {
            config["config"]["WorkingDir"] = json!(format!("/proc/self/fd/{number}"));
        });
        run_refused(&home, 125, &["workdir"]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_e25_a_volume_above_the_root_stays_in_the_root() {
    let home = loaded(|config| config["config"]["Volumes"] = json!({ "/../../canary": {} }));
    let before = home.names_in("volumes");
    let done = home.cowshed(&["run", "--rm", "sample:1", "/bin/busybox", "ls", "/canary"]);
    // Inside, where `..` of the root is the root; or not at all.
    assert!(matches!(done.code, Some(0 | 125)), "{done:?}");
    assert_eq!(done.out, "");
    home.canary_is_well();
    assert_eq!(home.names_in("volumes"), before);
}

#[test]
#[ignore = "needs root"]
fn root_e26_a_user_beyond_all_numbers_is_taken_and_not_run() {
    let home = loaded(|config| config["config"]["User"] = json!("4294967296"));
    run_refused(&home, 125, &["4294967296"]);
}

#[test]
#[ignore = "needs root"]
fn root_e27_an_image_of_an_unknown_architecture_is_taken() {
    let home = loaded(|config| config["architecture"] = json!("vax"));
    assert_eq!(home.inspect("sample:1")["Architecture"], "vax");
}

#[test]
#[ignore = "needs root"]
fn root_e28_a_history_longer_than_the_layers_is_taken() {
    let home = loaded(|config| {
        config["history"] = json!([{}, {}, {}, {}, { "created_by": "fifth" }]);
    });
    assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
}

#[test]
#[ignore = "needs root"]
fn root_e29_embedded_data_is_never_trusted() {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let mut layout = Layout::of(&layers);
    // "evil", in base64
    layout.entries[0]["data"] = json!("ZXZpbA==");
    home.load(&home.write("x.tar", &layout.tar()));
    assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
}

#[test]
#[ignore = "needs root"]
fn root_e30_an_image_without_layers_is_taken() {
    let home = Home::new();
    home.load(&home.write("x.tar", &Layout::of(&[]).tar()));
    let image = home.inspect("sample:1");
    assert_eq!(image["Size"], 0);
    assert_eq!(image["RootFS"]["Layers"], json!([]));
    let done = home.cowshed(&["run", "--rm", "sample:1", "/bin/sh"]);
    assert_eq!(done.code, Some(127), "{done:?}");
    assert!(done.err.contains("/bin/sh"), "{done:?}");
    // What is brought along can run in it.
    let busybox = "/bin/busybox:/busybox:ro";
    let args = [
        "run", "--rm", "-v", busybox, "sample:1", "/busybox", "ls", "/",
    ];
    assert_eq!(home.ok(&args), "busybox\ndev\netc\nproc\nsys\n");
    home.ok(&["rmi", "sample:1"]);
    assert_eq!(home.ok(&["images", "-q"]), "");
}

#[test]
#[ignore = "needs root"]
fn root_e31_odd_variables_are_taken_and_those_with_nul_not_run() {
    let home = loaded(|config| config["config"]["Env"] = json!(["ALONE", "GOOD=1", "=x"]));
    let env = home.run("sample:1", &["/bin/busybox", "env"]);
    assert!(env.lines().any(|line| line == "GOOD=1"), "{env}");
    let home = loaded(|config| config["config"]["Env"] = json!(["BAD=a\u{0}b"]));
    run_refused(&home, 125, &["BAD"]);
}

#[test]
#[ignore = "needs root"]
fn root_e33_an_image_has_130_layers() {
    let home = Home::new();
    let mut layers = vec![Layer::plain(shell())];
    for number in 1..130 {
        let last = format!("file-{}", number - 1);
        let mut tar = Archive::new().file(&format!("file-{number}"), "x");
        if number > 100 {
            tar = tar.file(&format!(".wh.{last}"), "");
        }
        layers.push(Layer::plain(tar));
    }
    home.load(&home.write("x.tar", &Layout::of(&layers).tar()));
    assert_eq!(home.layers().len(), 130);
    let names = home.run("sample:1", &["/bin/sh", "-c", "echo /file-*"]);
    // 1 to 99, and the last.
    assert_eq!(names.split_whitespace().count(), 100, "{names}");
    assert!(names.contains("file-129") && !names.contains("file-128"));
    home.ok(&["rmi", "sample:1"]);
    assert_eq!(home.layers(), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_e35_an_image_has_the_same_layer_three_times() {
    for codec in [Codec::Plain, Codec::Gzip] {
        let home = Home::new();
        let same = Layer::new(Archive::new().file("same", "x"), codec);
        let layers = [Layer::new(shell(), codec), same.clone(), same.clone(), same];
        home.load(&home.write("x.tar", &Layout::of(&layers).tar()));
        // A place in the stack is a layer of its own, the blob is one.
        assert_eq!(home.layers().len(), 4);
        assert_eq!(home.names_in("blobs/sha256").len(), 4);
        assert!(
            home.tree("sample:1")
                .contains(&"f 644 0:0 1 same".to_owned())
        );
        home.ok(&["rmi", "sample:1"]);
        assert_eq!(home.layers(), [""; 0]);
        assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_docker_archive_may_name_one_layer_twice() {
    let home = Home::new();
    let same = Layer::plain(Archive::new().file("same", "x"));
    let layers = [Layer::plain(shell()), same.clone(), same];
    let files = crate::support::docker_archive(&[(&layers, &["sample:1"])]);
    home.load(&home.write("x.tar", &crate::support::tar_of(&files)));
    assert_eq!(home.layers().len(), 3);
    home.tree("sample:1");
}

#[test]
#[ignore = "needs root"]
fn root_a_media_type_that_says_another_compression_is_decided_by_content() {
    let home = Home::new();
    let mut layers = sample(Codec::Gzip);
    layers[0].media_type = Codec::Plain.media_type();
    layers[1] = sample(Codec::Plain).remove(1);
    layers[1].media_type = Codec::Gzip.media_type();
    home.load(&home.write("x.tar", &Layout::of(&layers).tar()));
    assert_eq!(home.tree("sample:1"), SAMPLE_TREE);
}

#[test]
#[ignore = "needs root"]
fn root_control_characters_of_an_image_do_not_reach_the_terminal() {
    let home = loaded(|config| {
        config["config"]["User"] = json!("\u{1b}[2Jroot");
    });
    let done = home.cowshed(&["run", "--rm", "sample:1", "/bin/busybox", "true"]);
    assert_eq!(done.code, Some(125), "{done:?}");
    assert!(!done.err.contains('\u{1b}'), "{:?}", done.err);
}
