//! Registries that lie about layers, stall, and lead astray: a clear error, and the store as it was.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    making::{Codec, Layer, config_of, sample},
    peer::{Content, Peer, Seen, image, reply},
    scene::Scene,
};

pub(crate) const MANIFEST: &str = "/v2/x/manifests/latest";

/// A pull that is refused, by a registry that answers so.
#[track_caller]
pub(crate) fn refused(
    content: Content,
    answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static,
    expected: &[&str],
) -> (Peer, String) {
    let peer = Peer::start(content, answer);
    let scene = Scene::new();
    let mut all = expected.to_vec();
    all.push(&peer.host);
    let said = scene.refused(&["pull", &peer.name("x")], &all);
    (peer, said)
}

pub(crate) fn gzip_sample() -> Vec<Layer> {
    sample(Codec::Gzip)
}

/// The large layer's place, and its bytes.
pub(crate) fn blob_of(layers: &[Layer]) -> (String, Vec<u8>) {
    let digest = cowshed::ident::Digest::of(&layers[0].blob);
    (format!("/v2/x/blobs/{digest}"), layers[0].blob.clone())
}

/// A manifest of another's making under the tag.
pub(crate) fn with_manifest(mut content: Content, kind: &str, bytes: &[u8]) -> Content {
    content.insert(MANIFEST.to_owned(), (kind.to_owned(), bytes.to_vec()));
    content
}

#[test]
#[ignore = "needs root"]
fn root_a_layer_of_another_length_is_refused() {
    let layers = gzip_sample();
    let (path, bytes) = blob_of(&layers);
    let what = path.rsplit('/').next().unwrap().to_owned();
    // Promised wrongly, both ways.
    for change in [-5_i64, 5] {
        let (path, bytes) = (path.clone(), bytes.clone());
        let length = (i64::try_from(bytes.len()).unwrap() + change).to_string();
        let lie = move |seen: &Seen, out: &mut TcpStream| {
            let is_it = seen.path == path;
            if is_it {
                reply(out, "200 OK", &[("Content-Length", &length)], &bytes);
            }
            is_it
        };
        refused(image(&layers), lie, &[&what, "its manifest says"]);
    }
    // Promised not at all, and sent without an end.
    let endless = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == path;
        if is_it {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            out.write_all(head).unwrap();
            while out
                .write_all(format!("{:x}\r\n", bytes.len()).as_bytes())
                .is_ok()
                && out.write_all(&bytes).is_ok()
                && out.write_all(b"\r\n").is_ok()
            {}
        }
        is_it
    };
    refused(image(&layers), endless, &[&what, "its manifest says"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_layer_with_other_bytes_is_refused() {
    let layers = gzip_sample();
    let (path, mut bytes) = blob_of(&layers);
    // In the gzip header's time: it can be unpacked all the same.
    bytes[4] ^= 1;
    let lie = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == path;
        if is_it {
            reply(out, "200 OK", &[], &bytes);
        }
        is_it
    };
    refused(
        image(&layers),
        lie,
        &["verify layer 1", "its blob has digest"],
    );

    let config = config_of(&layers).to_string();
    let config_path = format!(
        "/v2/x/blobs/{}",
        cowshed::ident::Digest::of(config.as_bytes())
    );
    let lie = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == config_path;
        if is_it {
            reply(
                out,
                "200 OK",
                &[],
                config.replace("linux", "l1nux").as_bytes(),
            );
        }
        is_it
    };
    refused(image(&layers), lie, &["config sha256:", "with digest"]);
}

#[test]
#[ignore = "needs root"]
fn root_a_stream_that_is_cut_is_tried_again_and_given_up() {
    let layers = gzip_sample();
    let (path, bytes) = blob_of(&layers);
    let cut = path.clone();
    let cutter = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == cut;
        if is_it {
            let length = bytes.len().to_string();
            reply(out, "200 OK", &[("Content-Length", &length)], &bytes[..100]);
        }
        is_it
    };
    let (peer, _) = refused(
        image(&layers),
        cutter,
        &["breaks off in the middle of blob sha256:"],
    );
    assert_eq!(peer.seen(&path).len(), 5);
    let missing = path.clone();
    let lacking = move |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path == missing;
        if is_it {
            reply(out, "404 Not Found", &[], b"");
        }
        is_it
    };
    let (peer, _) = refused(image(&layers), lacking, &["answers 404", &path]);
    assert_eq!(peer.seen(&path).len(), 1);
}

#[test]
#[ignore = "needs root"]
fn root_redirects_without_an_end_are_left() {
    let around = |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path.contains("/manifests/");
        if is_it {
            reply(
                out,
                "307 Temporary Redirect",
                &[("Location", MANIFEST)],
                b"",
            );
        }
        is_it
    };
    let (peer, _) = refused(
        Content::new(),
        around,
        &["redirects again and again", MANIFEST],
    );
    assert_eq!(peer.seen(MANIFEST).len(), 11);
    let nowhere = |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path.contains("/manifests/");
        if is_it {
            reply(out, "302 Found", &[("Location", "file:///etc/shadow")], b"");
        }
        is_it
    };
    refused(Content::new(), nowhere, &["answers 302"]);
}

#[test]
#[ignore = "needs root"]
fn root_busy_registries_are_asked_again() {
    static BEGUN: OnceLock<std::time::Instant> = OnceLock::new();
    let count = AtomicUsize::new(0);
    let busy = move |seen: &Seen, out: &mut TcpStream| {
        if !seen.path.starts_with("/v2/x/") {
            return false;
        }
        BEGUN.get_or_init(std::time::Instant::now);
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => reply(out, "503 Service Unavailable", &[], b""),
            1 => reply(out, "429 Too Many Requests", &[("Retry-After", "1")], b""),
            _ => return false,
        }
        true
    };
    let (peer, scene) = (Peer::start(image(&gzip_sample()), busy), Scene::new());
    scene.pull(&peer.name("x"));
    let took = BEGUN.get().unwrap().elapsed();
    assert!(took >= std::time::Duration::from_millis(1500), "{took:?}");
    let always = |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path.starts_with("/v2/x/");
        if is_it {
            let errors = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull less"}]}"#;
            reply(
                out,
                "429 Too Many Requests",
                &[("Retry-After", "0")],
                errors,
            );
        }
        is_it
    };
    let patient = |seen: &Seen, out: &mut TcpStream| {
        let is_it = seen.path.starts_with("/v2/x/");
        if is_it {
            reply(
                out,
                "429 Too Many Requests",
                &[("Retry-After", "100000")],
                b"",
            );
        }
        is_it
    };
    let text = "answers 429 and asks to wait for 100000 seconds";
    let (peer, _) = refused(Content::new(), patient, &[text]);
    assert_eq!(peer.seen(MANIFEST).len(), 1);
    let text = "answers 429: pull less (TOOMANYREQUESTS)";
    let (peer, _) = refused(Content::new(), always, &[text]);
    assert_eq!(peer.seen(MANIFEST).len(), 4);
}
