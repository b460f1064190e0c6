//! Damaged and hostile images: one clear error that names the culprit, and nothing left anywhere.
//! The cases are those of the corpus "manifest, config, index".

use cowshed::ident::Digest;
use serde_json::{Value, json};

use crate::{
    archive::Archive,
    support::{
        Codec, Files, Home, Layer, Layout, OCI, blob_name, config_of, directory_of, docker_archive,
        named, sample, tar_of,
    },
};

/// Refused as a directory and as a tar.
#[track_caller]
fn refused(files: &Files, expected: &[&str]) {
    let home = Home::new();
    let path = home.write("x.tar", &tar_of(files));
    home.refused(&["load", "-i", &path], expected);
    let path = home.input("layout");
    directory_of(files, &path);
    home.refused(&["load", "-i", &path], expected);
}

/// The sample, with its manifest and config changed before they are hashed.
fn changed(change: impl FnOnce(&mut Layout, &mut Value, &mut Value)) -> Layout {
    let layers = sample(Codec::Gzip);
    let (mut layout, mut config) = (Layout::default(), config_of(&layers));
    let mut manifest = layout.manifest(&layers, &config);
    change(&mut layout, &mut manifest, &mut config);
    let size = layout.document(&config, "config");
    if manifest["config"]["digest"] == Layout::of(&layers).config_digest() {
        manifest["config"] = size;
    }
    let entry = layout.document(&manifest, "manifest");
    layout.entries.push(named(entry, "sample:1"));
    layout
}

impl Layout {
    /// Of the only image.
    fn manifest_value(&self) -> Value {
        serde_json::from_slice(&self.files[&blob_name(&self.entries[0])]).unwrap()
    }

    fn config_digest(&self) -> Value {
        self.manifest_value()["config"]["digest"].clone()
    }

    fn blob_of_layer(&mut self, number: usize) -> (String, &mut Vec<u8>) {
        let name = blob_name(&self.manifest_value()["layers"][number]);
        let bytes = self.files.get_mut(&name).unwrap();
        (name, bytes)
    }
}

fn healthy() -> Layout {
    Layout::of(&sample(Codec::Gzip))
}

#[test]
#[ignore = "needs root"]
fn root_the_undamaged_image_is_taken() {
    let home = Home::new();
    home.load(&home.write("x.tar", &changed(|_, _, _| {}).tar()));
    home.run("sample:1", &["/bin/sh", "-c", "exit 0"]);
}

#[test]
#[ignore = "needs root"]
fn root_e01_a_layer_that_does_not_match_its_digest_is_refused() {
    let mut layout = healthy();
    let (_, blob) = layout.blob_of_layer(1);
    // Of the same length and still gzip: the header's time.
    blob[5] ^= 1;
    refused(&layout.files(), &["layer 2", "digest"]);
}

#[test]
#[ignore = "needs root"]
fn root_e02_e03_sizes_that_do_not_match_are_refused() {
    for wrong in [-1_i64, 1, 1_000_000] {
        let layout = changed(|_, manifest, _| {
            let size = manifest["layers"][1]["size"].as_i64().unwrap();
            manifest["layers"][1]["size"] = json!(size + wrong);
        });
        refused(
            &layout.files(),
            &["blobs/sha256/", "bytes, its descriptor says"],
        );
        let mut layout = healthy();
        let entry = layout.entries.remove(0);
        let mut manifest: Value =
            serde_json::from_slice(&layout.files[&blob_name(&entry)]).unwrap();
        let size = manifest["config"]["size"].as_i64().unwrap();
        manifest["config"]["size"] = json!(size + wrong);
        let entry = layout.document(&manifest, "manifest");
        layout.entries.push(entry);
        refused(
            &layout.files(),
            &["blobs/sha256/", "bytes, its descriptor says"],
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_e04_a_wrong_diff_id_is_refused() {
    for number in [0, 1] {
        let wrong = Digest::of(b"other").to_string();
        let layout = changed(|_, _, config| {
            config["rootfs"]["diff_ids"][number] = json!(wrong);
        });
        let layer = format!("layer {}", number + 1);
        refused(&layout.files(), &[&layer, "DiffID", &wrong]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_e05_e06_diff_ids_must_be_as_many_as_layers() {
    let layout = changed(|_, _, config| {
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().pop();
    });
    refused(&layout.files(), &["config: 1 DiffIDs for 2 layers"]);
    let layout = changed(|_, _, config| {
        let diff_ids = config["rootfs"]["diff_ids"].as_array_mut().unwrap();
        diff_ids.push(diff_ids[0].clone());
    });
    refused(&layout.files(), &["config: 3 DiffIDs for 2 layers"]);
}

#[test]
#[ignore = "needs root"]
fn root_e07_e08_documents_that_do_not_match_their_digests_are_refused() {
    let layout = healthy();
    let names = [
        blob_name(&layout.entries[0]),
        blob_name(&layout.manifest_value()["config"]),
    ];
    for name in names {
        let mut layout = layout.clone();
        layout.files.get_mut(&name).unwrap().push(b'\n');
        refused(&layout.files(), &[&name, "digest"]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_e09_a_document_that_is_manifest_and_index_is_refused() {
    let layout = changed(|_, manifest, _| manifest["manifests"] = json!([]));
    refused(&layout.files(), &["manifest and an index at once"]);
}

#[test]
#[ignore = "needs root"]
fn root_e10_a_manifest_of_another_type_than_its_descriptor_is_refused() {
    let layout = changed(|_, manifest, _| {
        manifest["mediaType"] = json!("application/vnd.docker.distribution.manifest.v2+json");
    });
    refused(&layout.files(), &["its descriptor"]);
}

#[test]
#[ignore = "needs root"]
fn root_e11_a_layer_that_is_somewhere_else_is_refused() {
    let layout = changed(|layout, manifest, _| {
        layout.files.remove(&blob_name(&manifest["layers"][1]));
        let foreign = "layer.nondistributable.v1.tar+gzip";
        manifest["layers"][1]["mediaType"] = json!(format!("{OCI}{foreign}"));
        manifest["layers"][1]["urls"] = json!(["http://127.0.0.1:1/layer"]);
    });
    refused(
        &layout.files(),
        &["blobs/sha256/", "is missing in the image"],
    );
}

#[test]
#[ignore = "needs root"]
fn root_e12_e13_e14_digests_that_are_none_are_refused() {
    let hex = "d41d8cd98f00b204e9800998ecf8427e";
    let unreadable = ["parse blobs/sha256/", "at line 1 column"];
    for (digest, expected) in [
        (
            "sha256:../../../../canary/secret".to_owned(),
            &unreadable[..],
        ),
        ("../../../../canary/secret".to_owned(), &unreadable),
        (
            format!("sha256:{}", hex.repeat(2).to_uppercase()),
            &unreadable,
        ),
        (format!("sha256:{hex}"), &unreadable),
        (String::new(), &unreadable),
        (format!("md5:{hex}"), &["layer 2", "md5"]),
    ] {
        let layout = changed(|_, manifest, _| manifest["layers"][1]["digest"] = json!(digest));
        refused(&layout.files(), expected);
        let layout = changed(|_, _, config| config["rootfs"]["diff_ids"][1] = json!(digest));
        refused(&layout.files(), &["config: "]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_e15_a_negative_size_is_refused() {
    let layout = changed(|_, manifest, _| manifest["layers"][0]["size"] = json!(-1));
    refused(&layout.files(), &["parse blobs/sha256/"]);
}

#[test]
#[ignore = "needs root"]
fn root_e17_e18_a_layout_has_a_version_we_know() {
    let mut files = healthy().files();
    files.insert(
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"9"}"#.to_vec(),
    );
    refused(&files, &["oci-layout: version \"9\""]);
    files.remove("oci-layout");
    refused(&files, &["oci-layout is missing"]);
    let mut files = healthy().files();
    files.remove("index.json");
    refused(&files, &["index.json is missing"]);
}

#[test]
#[ignore = "needs root"]
fn root_e20_deep_json_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = healthy().manifest_value().to_string();
    let text = format!("{},\"annotations\":{deep}}}", &text[..text.len() - 1]);
    let mut layout = healthy();
    let entry = layout.blob(text.as_bytes(), &format!("{OCI}manifest.v1+json"));
    layout.entries = vec![entry];
    refused(&layout.files(), &["parse blobs/sha256/", "recursion limit"]);
}

#[test]
#[ignore = "needs root"]
fn root_e21_a_manifest_of_40_mib_is_refused() {
    let layout = changed(|_, manifest, _| {
        manifest["annotations"] = json!({ "x": "x".repeat(40 << 20) });
    });
    refused(
        &layout.files(),
        &["blobs/sha256/", "is larger than 4194304 bytes"],
    );
    let layout = changed(|_, _, config| config["x"] = json!("x".repeat(17 << 20)));
    refused(
        &layout.files(),
        &["blobs/sha256/", "is larger than 16777216 bytes"],
    );
}

#[test]
#[ignore = "needs root"]
fn root_e23_a_rootfs_of_another_type_is_refused() {
    let layout = changed(|_, _, config| config["rootfs"]["type"] = json!("evil"));
    refused(&layout.files(), &["config", "rootfs type \"evil\""]);
}

#[test]
#[ignore = "needs root"]
fn root_d23_unknown_media_types_are_refused() {
    let layout = changed(|_, manifest, _| {
        manifest["layers"][1]["mediaType"] = json!("application/x-shockwave-flash");
    });
    refused(
        &layout.files(),
        &["layer 2", "application/x-shockwave-flash"],
    );
    let mut layout = healthy();
    layout.entries[0]["mediaType"] = json!("text/plain");
    refused(&layout.files(), &["text/plain"]);
    let layout = changed(|_, manifest, _| manifest["schemaVersion"] = json!(1));
    refused(&layout.files(), &["schema version 1"]);
}

#[test]
#[ignore = "needs root"]
fn root_blobs_that_are_missing_are_named() {
    let layout = healthy();
    let manifest = layout.manifest_value();
    for descriptor in [
        &layout.entries[0],
        &manifest["config"],
        &manifest["layers"][0],
    ] {
        let mut layout = layout.clone();
        let name = blob_name(descriptor);
        layout.files.remove(&name);
        refused(&layout.files(), &[&name, "is missing in the image"]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_blobs_that_are_links_out_of_a_directory_are_refused() {
    let home = Home::new();
    let layout = healthy();
    let path = home.input("layout");
    directory_of(&layout.files(), &path);
    let config = format!("{path}/{}", blob_name(&layout.manifest_value()["config"]));
    std::fs::rename(&config, home.input("outside")).unwrap();
    std::os::unix::fs::symlink("../../../outside", &config).unwrap();
    home.refused(&["load", "-i", &path], &["blobs/sha256/"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_truncated_layer_is_refused() {
    for codec in Codec::ALL {
        let mut layers = sample(codec);
        let shorter = layers[0].blob.len() / 2;
        layers[0].blob.truncate(shorter);
        refused(&Layout::of(&layers).files(), &["layer 1"]);
        let archive = docker_archive(&[(&layers, &["sample:1"])]);
        refused(&archive, &["layer 1"]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_truncated_tar_is_refused() {
    let layers = sample(Codec::Gzip);
    let oci = Layout::of(&layers).tar();
    let docker = tar_of(&docker_archive(&[(&layers, &["sample:1"])]));
    for tar in [oci, docker] {
        for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
            let packed = codec.pack(&tar);
            for part in [1, 3, 6, 9] {
                let home = Home::new();
                let path = home.write("x.tar", &packed[..packed.len() * part / 10]);
                home.refused(&["load", "-i", &path], &["read the tar", "x.tar"]);
            }
        }
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_layer_that_leaves_its_root_is_refused() {
    let hostile: [(Archive, &str); 4] = [
        (Archive::new().file("../../../canary/secret", "x"), "canary"),
        (
            Archive::new().hard("x", "../../../../canary/secret"),
            "\"x\"",
        ),
        (
            Archive::new()
                .symlink("out", "/")
                .file("out/cowshed-canary", "x"),
            "out",
        ),
        (Archive::new().file("old/.wh...", ""), ".wh..."),
    ];
    for (tar, expected) in hostile {
        let mut layers = sample(Codec::Gzip);
        layers[1] = Layer::new(tar, Codec::Gzip);
        let home = Home::new();
        let path = home.write("x.tar", &Layout::of(&layers).tar());
        if expected == "out" {
            // Links lead from the layer's own root: allowed, and inside.
            home.load(&path);
        } else {
            home.refused(&["load", "-i", &path], &["layer 2", expected]);
        }
        home.canary_is_well();
        assert!(!std::path::Path::new("/cowshed-canary").exists());
    }
}

#[test]
#[ignore = "needs root"]
fn root_docker_archives_are_checked_too() {
    let layers = sample(Codec::Plain);
    let files = docker_archive(&[(&layers, &["sample:1"])]);
    let with_manifest = |change: &dyn Fn(&mut Value)| {
        let mut files = files.clone();
        let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        change(&mut manifest[0]);
        files.insert("manifest.json".to_owned(), manifest.to_string().into());
        files
    };
    let cases: [(Files, &str); 7] = [
        (
            with_manifest(&|item| item["Config"] = json!("none.json")),
            "none.json is missing",
        ),
        (
            with_manifest(&|item| item["Layers"][1] = json!("none/layer.tar")),
            "none/layer.tar is missing",
        ),
        (
            with_manifest(&|item| item["Layers"] = json!([])),
            "config: 2 DiffIDs for 0 layers",
        ),
        (
            with_manifest(&|item| item["RepoTags"] = json!(["a b"])),
            "a b",
        ),
        (
            with_manifest(&|item| item["Layers"].as_array_mut().unwrap().reverse()),
            "DiffID",
        ),
        (
            with_manifest(&|item| *item = json!(3)),
            "parse manifest.json",
        ),
        (
            with_manifest(&|item| item["Config"] = json!("../../canary/secret")),
            "canary/secret",
        ),
    ];
    for (files, expected) in cases {
        refused(&files, &[expected]);
    }
    let mut files = files.clone();
    let config = files.keys().find(|name| name.len() == 64 + ".json".len());
    let config = config.unwrap().clone();
    files.get_mut(&config).unwrap().push(b' ');
    refused(&files, &[&config, "digest"]);
}
