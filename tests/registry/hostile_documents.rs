//! Registries that send manifests and indexes which are none, or are a trap.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{
    hostile::{MANIFEST, blob_of, gzip_sample, refused, with_manifest},
    making::{Codec, Layer, Layout, OCI, config_of},
    peer::{Content, Peer, Seen, content, image, reply},
    scene::Scene,
};

#[test]
#[ignore = "needs root"]
fn root_pages_and_other_nonsense_are_no_manifests() {
    let layers = gzip_sample();
    let page = b"<!DOCTYPE html><html>Welcome</html>";
    let json = |value: Value| value.to_string().into_bytes();
    let manifest = format!("{OCI}manifest.v1+json");
    let cases: [(&str, Vec<u8>, &str); 9] = [
        (
            "text/html",
            page.to_vec(),
            "sends a web page as the manifest of",
        ),
        ("", page.to_vec(), "sends a web page as the manifest of"),
        (&manifest, page.to_vec(), "is no document of an image"),
        (
            "application/json",
            b"\x1f\x8b\x08\0\0\0".to_vec(),
            "is no document of an image",
        ),
        (&manifest, b"".to_vec(), "is no document of an image"),
        (
            "text/plain",
            json(json!({ "schemaVersion": 1 })),
            "schema 1",
        ),
        (
            &manifest,
            json(json!({ "schemaVersion": 2, "manifests": [], "layers": [], "config": {} })),
            "neither a manifest nor an index",
        ),
        (
            &format!("{OCI}index.v1+json"),
            json(json!({ "schemaVersion": 2, "mediaType": manifest, "manifests": [] })),
            "it says it is",
        ),
        (
            &manifest,
            "[".repeat(100_000).into_bytes(),
            "is no document of an image",
        ),
    ];
    for (kind, bytes, text) in cases {
        let content = with_manifest(image(&layers), kind, &bytes);
        refused(content, |_, _| false, &[text]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_manifest_is_taken_for_what_it_is_whatever_its_header_says() {
    let content = image(&gzip_sample());
    let bytes = content[MANIFEST].1.clone();
    for kind in [
        "",
        "text/html",
        "application/octet-stream",
        "application/json; charset=utf-8",
    ] {
        let content = with_manifest(content.clone(), kind, &bytes);
        let (peer, scene) = (Peer::start(content, |_, _| false), Scene::new());
        scene.pull(&peer.name("x"));
    }
    // One that says it is compressed and is not is taken as it comes.
    let layers = gzip_sample();
    let (path, blob) = blob_of(&layers);
    let peer = Peer::start(image(&layers), move |seen, out| {
        let is_it = seen.path == path;
        if is_it {
            reply(out, "200 OK", &[("Content-Encoding", "gzip")], &blob);
        }
        is_it
    });
    let scene = Scene::new();
    scene.pull(&peer.name("x"));
    for one in peer.seen("/v2/x/") {
        assert_eq!(one.header("accept-encoding"), Some("identity"));
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_manifest_of_two_gibibytes_is_not_read() {
    let promised = |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == MANIFEST;
        if is_it {
            reply(out, "200 OK", &[("Content-Length", "2147483648")], b"{");
        }
        is_it
    };
    refused(
        Content::new(),
        promised,
        &["more than 4194304 bytes", "the manifest of"],
    );
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let streamed = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == MANIFEST;
        if is_it {
            out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                .unwrap();
            let spaces = vec![b' '; 1 << 20];
            while count.load(Ordering::SeqCst) < 2048 && out.write_all(&spaces).is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
        is_it
    };
    refused(
        Content::new(),
        streamed,
        &["more than 4194304 bytes", "the manifest of"],
    );
    assert!(sent.load(Ordering::SeqCst) < 64);
}

#[test]
#[ignore = "needs root"]
fn root_manifests_that_name_the_impossible_are_refused() {
    let layers = gzip_sample();
    let blob = |digest: &str, size: u64, kind: &str| json!({ "mediaType": format!("{OCI}{kind}"), "digest": digest, "size": size });
    let digest = cowshed::ident::Digest::of(&layers[0].blob).to_string();
    let config = config_of(&layers).to_string();
    let own = cowshed::ident::Digest::of(config.as_bytes()).to_string();
    let config_blob = blob(&own, config.len() as u64, "config.v1+json");
    let layer = blob(&digest, layers[0].blob.len() as u64, "layer.v1.tar+gzip");
    let manifest = |config: &Value, layers: Vec<Value>| json!({ "schemaVersion": 2, "config": config, "layers": layers });
    // As many as a manifest has room for.
    let many = vec![layer.clone(); 20_000];
    let huge = blob(&own, 1 << 40, "config.v1+json");
    let elsewhere = blob("sha512:00", 5, "layer.v1.tar+gzip");
    let wasm = json!({ "mediaType": "application/wasm", "digest": digest, "size": 1 });
    for (document, text) in [
        (manifest(&config_blob, many), "2 DiffIDs for 20000 layers"),
        (
            manifest(&huge, vec![layer.clone()]),
            "more than 16777216 bytes",
        ),
        (
            manifest(&config_blob, vec![elsewhere]),
            "is no document of an image",
        ),
        (
            manifest(&config_blob, vec![wasm]),
            "is no document of an image",
        ),
        (
            manifest(&config_blob, vec![layer]),
            "2 DiffIDs for 1 layers",
        ),
    ] {
        let kind = format!("{OCI}manifest.v1+json");
        let content = with_manifest(image(&layers), &kind, document.to_string().as_bytes());
        refused(content, |_, _| false, &[text]);
    }
}

#[test]
#[ignore = "needs root"]
fn root_more_layers_than_can_be_stacked_are_not_fetched() {
    let layer = Layer::new(crate::archive::Archive::new().file("a", "b"), Codec::Gzip);
    let layers = vec![layer; 501];
    let (peer, _) = refused(image(&layers), |_, _| false, &["501 layers", "500"]);
    // Manifest and config are all that was read.
    assert_eq!(peer.seen("/v2/x/blobs/").len(), 1);
}

#[test]
#[ignore = "needs root"]
fn root_indexes_in_indexes_are_followed_for_a_while() {
    let mut layout = Layout::default();
    let layers = gzip_sample();
    let mut entry = layout.image(&layers, &config_of(&layers));
    for depth in 1..=5 {
        let index = layout.index(std::slice::from_ref(&entry));
        entry = index;
        entry["mediaType"] = format!("{OCI}index.v1+json").into();
        let content = content(&layout, &entry);
        if depth <= 4 {
            let (peer, scene) = (Peer::start(content, |_, _| false), Scene::new());
            scene.pull(&peer.name("x"));
        } else {
            refused(content, |_, _| false, &["more than 4 indexes"]);
        }
    }
    // An entry that lies about the size of what it names.
    let mut layout = Layout::default();
    let mut entry = layout.image(&layers, &config_of(&layers));
    entry["size"] = 7.into();
    let index = layout.index(std::slice::from_ref(&entry));
    refused(
        content(&layout, &index),
        |_, _| false,
        &["its manifest says 7"],
    );
}

#[test]
#[ignore = "needs root"]
fn root_a_digest_that_is_not_the_manifests_is_refused() {
    let content = image(&gzip_sample());
    let bytes = content[MANIFEST].1.clone();
    let wrong = format!("sha256:{}", "1".repeat(64));
    let said = wrong.clone();
    let kind = content[MANIFEST].0.clone();
    let lie = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path.contains("/manifests/");
        if is_it {
            let headers = [
                ("Content-Type", kind.as_str()),
                ("Docker-Content-Digest", &said),
            ];
            reply(out, "200 OK", &headers, &bytes);
        }
        is_it
    };
    let (peer, _) = refused(content, lie, &["with digest sha256:", &wrong]);
    let scene = Scene::new();
    let name = format!("{}@{wrong}", peer.name("x"));
    scene.refused(
        &["pull", &name],
        &["with digest sha256:", &wrong, &peer.host],
    );
}
