//! Registries that take a push in their own way.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    going_on::large_layers,
    making::Layout,
    peer::{Content, Peer, Seen, reply},
    scene::{Scene, directory},
    support::create,
};

const PLACE: &str = "/v2/x/blobs/uploads/1?state=0";

/// A registry that has nothing and takes everything, after `answer` has had its way.
fn taker(answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static) -> Peer {
    Peer::start(Content::new(), move |seen, out| {
        if seen.path == "/v2/" {
            return false;
        }
        if answer(seen, out) {
            return true;
        }
        match seen.method.as_str() {
            "POST" => reply(out, "202 Accepted", &[("Location", PLACE)], b""),
            "PATCH" => reply(out, "202 Accepted", &[("Location", "1?state=1")], b""),
            "PUT" => reply(out, "201 Created", &[], b""),
            _ => reply(out, "404 Not Found", &[], b""),
        }
        true
    })
}

/// A store with an image of one large and one small layer under the peer's name.
fn scene(peer: &Peer) -> (Scene, String) {
    let scene = Scene::new();
    let (layers, _) = large_layers();
    let path = scene.home.write("large.tar", &Layout::of(&layers).tar());
    scene.home.load(&path);
    let name = peer.name("x:1");
    scene.ok(&["tag", "sample:1", &name]);
    (scene, name)
}

fn length(seen: &Seen) -> usize {
    seen.header("content-length")
        .map_or(0, |text| text.parse().unwrap())
}

#[test]
#[ignore = "needs root"]
fn root_a_blob_that_is_too_large_in_one_goes_in_pieces() {
    let peer = taker(|seen, out| {
        let is_large = seen.method == "PUT" && length(seen) > 4 << 20;
        if is_large {
            reply(out, "413 Content Too Large", &[], b"");
        }
        is_large
    });
    let (scene, name) = scene(&peer);
    scene.ok(&["push", &name]);
    let uploads = peer.seen("/uploads/");
    let pieces: Vec<_> = uploads.iter().filter(|one| one.method == "PATCH").collect();
    let sizes: Vec<_> = pieces.iter().map(|one| length(one)).collect();
    let ranges: Vec<_> = pieces
        .iter()
        .map(|one| one.header("content-range").unwrap())
        .collect();
    assert_eq!((sizes.len(), sizes[0]), (2, 8 << 20));
    let whole = sizes[0] + sizes[1];
    assert_eq!(
        ranges,
        ["0-8388607".to_owned(), format!("8388608-{}", whole - 1)]
    );
    // Where the one before has led to.
    assert_eq!(pieces[1].path, "/v2/x/blobs/uploads/1?state=1");
    let ends = |one: &&Seen| {
        one.method == "PUT"
            && one
                .path
                .starts_with("/v2/x/blobs/uploads/1?state=1&digest=sha256%3A")
    };
    assert_eq!(uploads.iter().filter(ends).count(), 1);
    assert_eq!(peer.seen("/manifests/1").len(), 1);
}

#[test]
#[ignore = "needs root"]
fn root_an_upload_that_fails_is_begun_again_and_given_up() {
    let count = Arc::new(AtomicUsize::new(0));
    let failures = Arc::clone(&count);
    let peer = taker(move |seen, out| {
        let is_large = seen.method == "PUT" && length(seen) > 4 << 20;
        let fails = is_large && failures.fetch_add(1, Ordering::SeqCst) < 2;
        if fails {
            reply(out, "503 Service Unavailable", &[], b"");
        }
        fails
    });
    let (scene, name) = scene(&peer);
    scene.ok(&["push", &name]);
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let peer = taker(|seen, out| {
        let is_large = seen.method == "PUT" && length(seen) > 4 << 20;
        if is_large {
            let errors = br#"{"errors":[{"code":"SIZE_INVALID","message":"no room"}]}"#;
            reply(out, "507 Insufficient Storage", &[], errors);
        }
        is_large
    });
    let other = peer.name("x:1");
    scene.ok(&["tag", "sample:1", &other]);
    scene.refused(
        &["push", &other],
        &["507", "no room (SIZE_INVALID)", &peer.host],
    );
    // What is not whole has no name.
    assert_eq!(peer.seen("/manifests/").len(), 0);
    // It keeps other bytes than were sent.
    let peer = taker(|seen, out| {
        let is_it = seen.path.contains("/manifests/");
        if is_it {
            let digest = format!("sha256:{}", "2".repeat(64));
            reply(
                out,
                "201 Created",
                &[("Docker-Content-Digest", &digest)],
                b"",
            );
        }
        is_it
    });
    let other = peer.name("x:1");
    scene.ok(&["tag", "sample:1", &other]);
    scene.refused(
        &["push", &other],
        &["what was sent to it", "with digest sha256:222", &peer.host],
    );
}

#[test]
#[ignore = "needs root"]
fn root_an_upload_to_another_host_takes_no_password_along() {
    let store = taker(|_, _| false);
    let place = format!("http://{}{PLACE}", store.host);
    let peer = taker(move |seen, out| {
        if seen.header("authorization").is_none() {
            reply(
                out,
                "401 Unauthorized",
                &[("WWW-Authenticate", "Basic realm=x")],
                b"",
            );
            return true;
        }
        let begins = seen.method == "POST";
        if begins {
            reply(out, "202 Accepted", &[("Location", &place)], b"");
        }
        begins
    });
    let (scene, name) = scene(&peer);
    directory(&scene.path("docker"));
    let text = format!(
        r#"{{"auths":{{"{}":{{"auth":"bWU6cGFzcw=="}}}}}}"#,
        peer.host
    );
    create(&scene.path("docker/config.json"), text.as_bytes());
    scene.ok(&["push", &name]);
    let sent = store.seen("/uploads/");
    assert_eq!(sent.len(), 3);
    assert!(
        sent.iter().all(|one| one.header("authorization").is_none()),
        "{sent:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_an_identity_token_is_exchanged_for_others() {
    let peer = taker(|seen, out| {
        if seen.path == "/token" {
            reply(out, "200 OK", &[], br#"{"token":"for-this"}"#);
            return true;
        }
        let is_in = seen.header("authorization") == Some("Bearer for-this");
        if !is_in {
            let realm = format!(
                "Bearer realm=\"http://{}/token\"",
                seen.header("host").unwrap()
            );
            reply(
                out,
                "401 Unauthorized",
                &[("WWW-Authenticate", &realm)],
                b"",
            );
        }
        !is_in
    });
    let (scene, name) = scene(&peer);
    directory(&scene.path("docker"));
    let text = format!(
        r#"{{"auths":{{"{}":{{"identitytoken":"mine"}}}}}}"#,
        peer.host
    );
    create(&scene.path("docker/config.json"), text.as_bytes());
    scene.ok(&["push", &name]);
    let asked = peer.seen("/token");
    assert!(!asked.is_empty());
    for one in asked {
        let kind = one.header("content-type");
        assert_eq!(
            (one.method.as_str(), kind),
            ("POST", Some("application/x-www-form-urlencoded"))
        );
    }
}
