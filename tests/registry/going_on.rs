//! Downloads that break, are killed, or meet each other.

use std::{
    io::Write as _,
    net::TcpStream,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    archive::Archive,
    making::{Codec, Layer, shell},
    peer::{Content, Peer, Seen, image, reply},
    scene::Scene,
};

const MIB: usize = 1 << 20;

/// A small layer and one that gzip makes no smaller; the digest of what is in that.
pub(crate) fn large_layers() -> ([Layer; 2], String) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let bytes: Vec<u8> = (0..MIB).flat_map(|_| random()).collect();
    let header = crate::archive::header(b'0', "large");
    let large = Archive::new().sized(header, &bytes);
    let layers = [
        Layer::new(shell(), Codec::Gzip),
        Layer::new(large, Codec::Gzip),
    ];
    assert!(layers[1].blob.len() > 8 * MIB);
    let digest = cowshed::ident::Digest::of(&bytes).hex();
    (layers, digest)
}

/// Their image.
struct Large {
    content: Content,
    /// Where its large blob is.
    path: String,
    blob: Vec<u8>,
    /// What its container sees of that.
    digest: String,
}

impl Large {
    fn new() -> Self {
        let (layers, digest) = large_layers();
        let blob = layers[1].blob.clone();
        Self {
            path: format!("/v2/x/blobs/{}", cowshed::ident::Digest::of(&blob)),
            content: image(&layers),
            blob,
            digest,
        }
    }

    /// A registry that has it, and answers for the large blob as it likes.
    fn served(
        &self,
        answer: impl Fn(&Seen, &mut TcpStream, &[u8]) -> bool + Send + Sync + 'static,
    ) -> Peer {
        let (path, blob) = (self.path.clone(), self.blob.clone());
        Peer::start(self.content.clone(), move |seen, out| {
            seen.path == path && answer(seen, out, &blob)
        })
    }
}

/// Sends the large blob's bytes from where they are wanted, `count` of them at most.
fn send(out: &mut TcpStream, blob: &[u8], seen: &Seen, count: usize) {
    let start = seen.start();
    let range = format!("bytes {start}-{}/{}", blob.len() - 1, blob.len());
    let length = (blob.len() - start).to_string();
    let status = if start == 0 {
        "200 OK"
    } else {
        "206 Partial Content"
    };
    let headers = [
        ("Content-Range", range.as_str()),
        ("Content-Length", &length),
    ];
    let end = blob.len().min(start + count);
    reply(out, status, &headers, &blob[start..end]);
}

#[track_caller]
fn is_whole(scene: &Scene, name: &str, digest: &str) {
    let out = scene
        .home
        .run(name, &["/bin/busybox", "sha256sum", "/large"]);
    assert_eq!(out, format!("{digest}  /large\n"));
    assert_eq!(scene.home.names_in("tmp"), [""; 0]);
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}");
}

#[test]
#[ignore = "needs root"]
fn root_a_killed_pull_is_gone_on_with() {
    let large = Large::new();
    let hangs = Arc::new(AtomicBool::new(true));
    let hangs_still = Arc::clone(&hangs);
    let peer = large.served(move |seen, out, blob| {
        let hangs = hangs_still.load(Ordering::SeqCst);
        if hangs {
            send(out, blob, seen, 4 * MIB);
            out.flush().unwrap();
            std::thread::sleep(Duration::from_secs(30));
        }
        hangs
    });
    let scene = Scene::new();
    let name = peer.name("x");
    let mut pull = scene.command(&["pull", &name]);
    let mut pull = pull
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = scene
        .home
        .store()
        .join("tmp")
        .join(format!("part-{}", large.path.rsplit(':').next().unwrap()));
    let length = || part.metadata().map_or(0, |metadata| metadata.len());
    wait_until("the pull does not get on", || length() >= 4 * MIB as u64);
    // Half a layer is nobody's image.
    assert_eq!(scene.ok(&["images", "-q"]), "");
    pull.kill().unwrap();
    pull.wait().unwrap();
    assert!(length() >= 4 * MIB as u64);

    hangs.store(false, Ordering::SeqCst);
    scene.pull(&name);
    let starts: Vec<_> = peer.seen(&large.path).iter().map(Seen::start).collect();
    assert_eq!(starts, [0, 4 * MIB]);
    is_whole(&scene, &name, &large.digest);
}

#[test]
#[ignore = "needs root"]
fn root_a_part_that_has_suffered_is_fetched_anew() {
    let large = Large::new();
    let mut damaged = large.blob[..2 * MIB].to_vec();
    // In the gzip header's time: only the digest tells.
    damaged[4] ^= 1;
    let peer = large.served(|_, _, _| false);
    let scene = Scene::new();
    scene.ok(&["images"]);
    let part = scene
        .home
        .store()
        .join("tmp")
        .join(format!("part-{}", large.path.rsplit(':').next().unwrap()));
    let name = peer.name("x");
    for bytes in [damaged, vec![7; 20 * MIB]] {
        crate::support::create(&part, &bytes);
        scene.pull(&name);
        is_whole(&scene, &name, &large.digest);
        scene.forget(&scene.id(&name));
    }
    let starts: Vec<_> = peer.seen(&large.path).iter().map(Seen::start).collect();
    assert_eq!(starts, [2 * MIB, 0, 0]);
}

#[test]
#[ignore = "needs root"]
fn root_broken_connections_are_taken_up_where_they_broke() {
    let large = Large::new();
    let peer = large.served(|seen, out, blob| {
        send(out, blob, seen, 3 * MIB);
        true
    });
    let scene = Scene::new();
    let name = peer.name("x");
    scene.pull(&name);
    let starts: Vec<_> = peer.seen(&large.path).iter().map(Seen::start).collect();
    assert_eq!(starts, [0, 3 * MIB, 6 * MIB]);
    is_whole(&scene, &name, &large.digest);
}

#[test]
#[ignore = "needs root"]
fn root_who_knows_no_ranges_is_read_from_the_start() {
    let (large, count) = (Large::new(), AtomicUsize::new(0));
    let peer = large.served(move |_, out, blob| {
        let length = blob.len().to_string();
        let end = match count.fetch_add(1, Ordering::SeqCst) {
            0 => 3 * MIB,
            _ => blob.len(),
        };
        reply(out, "200 OK", &[("Content-Length", &length)], &blob[..end]);
        true
    });
    let scene = Scene::new();
    let name = peer.name("x");
    scene.pull(&name);
    assert_eq!(peer.seen(&large.path).len(), 2);
    is_whole(&scene, &name, &large.digest);
}

#[test]
#[ignore = "needs root"]
fn root_two_pulls_of_one_image_fetch_it_once() {
    let large = Large::new();
    let peer = large.served(|seen, out, blob| {
        std::thread::sleep(Duration::from_millis(700));
        send(out, blob, seen, usize::MAX - seen.start());
        true
    });
    let scene = Scene::new();
    scene.ok(&["images"]);
    let name = peer.name("x");
    let pulls: Vec<_> = (0..3)
        .map(|_| {
            let mut pull = scene.command(&["pull", "--sync", "none", &name]);
            pull.stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let outputs: Vec<_> = pulls
        .into_iter()
        .map(|pull| pull.wait_with_output().unwrap())
        .collect();
    for output in &outputs {
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(peer.seen(&large.path).len(), 1);
    is_whole(&scene, &name, &large.digest);
}

#[test]
#[ignore = "needs root"]
fn root_removing_another_image_does_not_wait_for_a_pull() {
    let large = Large::new();
    let peer = large.served(|_, _, _| {
        std::thread::sleep(Duration::from_secs(20));
        false
    });
    let scene = Scene::new();
    let tar = scene
        .home
        .write("other.tar", &Archive::new().file("a", "b").end());
    scene.ok(&["import", "--sync", "none", &tar, "other"]);
    let mut pull = scene.command(&["pull", &peer.name("x")]);
    let mut pull = pull
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("no request", || !peer.seen(&large.path).is_empty());
    let begun = std::time::Instant::now();
    scene.ok(&["rmi", "other"]);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert!(pull.try_wait().unwrap().is_none());
    pull.kill().unwrap();
    pull.wait().unwrap();
    // What the killed one has left is put away by the next.
    scene.ok(&["import", "--sync", "none", &tar, "other"]);
    assert_eq!(scene.home.layers().len(), 1);
    assert_eq!(
        scene
            .home
            .names_in("tmp")
            .iter()
            .filter(|name| !name.starts_with("part-"))
            .count(),
        0
    );
}
