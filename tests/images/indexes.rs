//! What an index says: which image fits this machine, and what it is called.

use serde_json::{Value, json};

use crate::support::{
    Codec, Home, Layer, Layout, OCI, SAMPLE_TREE, annotated, config_of, directory_of, named, sample,
};

const FULL_NAME: &str = "io.containerd.image.name";

fn for_platform(mut entry: Value, os: &str, architecture: &str) -> Value {
    entry["platform"] = json!({ "os": os, "architecture": architecture });
    entry
}

fn host() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// An image that must not be taken.
fn other(layout: &mut Layout, layers: &[Layer]) -> Value {
    let mut config = config_of(&layers[..1]);
    config["config"]["Labels"] = json!({ "wrong": "image" });
    layout.image(&layers[..1], &config)
}

/// An index with attestations and other platforms around the image for this machine.
fn platforms(layout: &mut Layout, layers: &[Layer]) -> Value {
    let wrong = other(layout, layers);
    let right = layout.image(layers, &config_of(layers));
    layout.index(&[
        for_platform(wrong.clone(), "unknown", "unknown"),
        for_platform(wrong.clone(), "windows", host()),
        for_platform(wrong.clone(), "linux", "s390x"),
        for_platform(right, "linux", host()),
        for_platform(wrong, "linux", "ppc64le"),
    ])
}

#[track_caller]
fn is_the_sample(home: &Home, name: &str) {
    assert!(home.inspect(name)["Config"]["Labels"].is_null());
    assert_eq!(home.tree(name), SAMPLE_TREE);
}

#[test]
#[ignore = "needs root"]
fn root_an_index_offers_what_fits_this_machine() {
    let home = Home::new();
    let mut layout = Layout::default();
    let index = platforms(&mut layout, &sample(Codec::Gzip));
    layout.entries.push(named(index, "sample:1"));
    home.load(&home.write("x.tar", &layout.tar()));
    is_the_sample(&home, "sample:1");
    assert_eq!(home.ok(&["images", "-q"]).lines().count(), 1);
}

#[test]
#[ignore = "needs root"]
fn root_an_index_may_lead_to_an_index() {
    let home = Home::new();
    let mut layout = Layout::default();
    let inner = platforms(&mut layout, &sample(Codec::Gzip));
    let outer = layout.index(&[inner]);
    layout.entries.push(named(outer, "sample:1"));
    home.load(&home.write("x.tar", &layout.tar()));
    is_the_sample(&home, "sample:1");
}

#[test]
#[ignore = "needs root"]
fn root_indexes_that_lead_on_and_on_are_refused() {
    let home = Home::new();
    let mut layout = Layout::default();
    let mut index = platforms(&mut layout, &sample(Codec::Gzip));
    for _ in 0..6 {
        index = layout.index(&[index]);
    }
    layout.entries.push(index);
    let path = home.write("x.tar", &layout.tar());
    home.refused(&["load", "-i", &path], &["index entry", "media type"]);
}

#[test]
#[ignore = "needs root"]
fn root_an_index_without_an_image_for_this_machine_is_refused() {
    let home = Home::new();
    let mut layout = Layout::default();
    let wrong = other(&mut layout, &sample(Codec::Gzip));
    let entries = [
        for_platform(wrong.clone(), "linux", "s390x"),
        for_platform(wrong, "windows", host()),
    ];
    let index = layout.index(&entries);
    layout.entries.push(index);
    let path = home.write("x.tar", &layout.tar());
    let expected = format!("no image for linux/{}", host());
    home.refused(&["load", "-i", &path], &[&expected]);
}

#[test]
#[ignore = "needs root"]
fn root_images_of_one_index_have_the_names_of_their_annotations() {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let mut layout = Layout::default();
    let one = layout.image(&layers, &config_of(&layers));
    let two = other(&mut layout, &layers);
    layout.entries = vec![
        annotated(one.clone(), FULL_NAME, "docker.io/library/whole:2"),
        named(one.clone(), "registry.example:5000/a/b:3"),
        named(one, "4"),
        named(two, "other:5"),
    ];
    let out = home.load(&home.write("My Image.oci.tar", &layout.tar()));
    let expected = "Loaded image: whole:2\n\
                    Loaded image: registry.example:5000/a/b:3\n\
                    Loaded image: my-image-oci:4\n\
                    Loaded image: other:5\n";
    assert_eq!(out, expected);
    is_the_sample(&home, "whole:2");
    is_the_sample(&home, "my-image-oci:4");
    assert_eq!(
        home.inspect("other:5")["Config"]["Labels"]["wrong"],
        "image"
    );
    assert_eq!(home.ok(&["images", "-q"]).lines().count(), 4);
}

#[test]
#[ignore = "needs root"]
fn root_containerds_name_goes_before_the_bare_tag() {
    let home = Home::new();
    let mut layout = Layout::of(&sample(Codec::Gzip));
    layout.entries[0]["annotations"] = json!({
        FULL_NAME: "docker.io/library/sample:1",
        "org.opencontainers.image.ref.name": "1",
    });
    let path = home.input("layout");
    directory_of(&layout.files(), &path);
    assert_eq!(home.load(&path), "Loaded image: sample:1\n");
    // From inside as well, where the path has no name of its own.
    let mut load = home.command(&["load", "-i", "."]);
    let done = crate::support::finish(load.current_dir(&path));
    assert_eq!(done.out, "Loaded image: sample:1\n", "{done:?}");
}

#[test]
#[ignore = "needs root"]
fn root_an_image_without_a_name_is_known_by_its_id() {
    let home = Home::new();
    let mut layout = Layout::of(&sample(Codec::Gzip));
    layout.entries[0]["annotations"] = Value::Null;
    let out = home.load(&home.write("x.tar", &layout.tar()));
    let id = out.strip_prefix("Loaded image ID: ").unwrap().trim_end();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{out}");
    let table = home.ok(&["images"]);
    let line: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line[..3], ["<none>", "<none>", &id[7..19]]);
    is_the_sample(&home, &id[7..15]);
    home.ok(&["rmi", id]);
    assert_eq!(home.layers(), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_names_that_are_none_are_refused() {
    for name in [
        "../../x",
        "upper/CASE:1",
        "a:b:c",
        "x:tag with space",
        "a//b:1",
    ] {
        let home = Home::new();
        let mut layout = Layout::of(&sample(Codec::Gzip));
        layout.entries[0] = named(layout.entries[0].clone(), name);
        let path = home.write("x.tar", &layout.tar());
        home.refused(&["load", "-i", &path], &[name]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_dockers_media_types_are_taken() {
    let home = Home::new();
    let layers: Vec<_> = sample(Codec::Gzip).into_iter().map(as_docker).collect();
    let mut layout = Layout::default();
    let kind = "application/vnd.docker.distribution.manifest";
    let mut manifest = layout.manifest(&layers, &config_of(&layers));
    manifest["mediaType"] = json!(format!("{kind}.v2+json"));
    manifest["config"]["mediaType"] = json!("application/vnd.docker.container.image.v1+json");
    let manifest = layout.blob(manifest.to_string().as_bytes(), &format!("{kind}.v2+json"));
    let list = json!({
        "schemaVersion": 2,
        "mediaType": format!("{kind}.list.v2+json"),
        "manifests": [for_platform(manifest, "linux", host())],
    });
    let list = layout.blob(list.to_string().as_bytes(), &format!("{kind}.list.v2+json"));
    layout.entries.push(named(list, "sample:1"));
    home.load(&home.write("x.tar", &layout.tar()));
    is_the_sample(&home, "sample:1");
    let media = &home.inspect("sample:1")["Layers"][0]["MediaType"];
    assert_eq!(media, "application/vnd.docker.image.rootfs.diff.tar.gzip");
}

fn as_docker(mut layer: Layer) -> Layer {
    assert!(layer.media_type.starts_with(OCI));
    layer.media_type = String::from("application/vnd.docker.image.rootfs.diff.tar.gzip");
    layer
}
