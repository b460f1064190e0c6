//! Which host is asked, by which way: mirrors, TLS, names, proxies.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread::Builder,
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::{
    making::{Codec, Layer, sample},
    peer::{Content, Peer, image},
    scene::{Registry, Scene, directory},
    support::{create, finish},
};

#[track_caller]
fn openssl(args: &[&str]) {
    let done = finish(Command::new("openssl").args(args));
    assert_eq!(done.code, Some(0), "{done:?}");
}

/// A CA in `dir`, and a certificate of its for 127.0.0.1 and `registry.test`.
fn certificates(dir: &str) {
    let path = |name: &str| format!("{dir}/{name}");
    let (key, crt) = (path("ca.key"), path("ca.crt"));
    let new_key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let ca = [
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=own CA",
        "-keyout",
        &key,
        "-out",
        &crt,
    ];
    openssl(&[&ca[..], &new_key[..]].concat());
    let (own, request) = (path("own.key"), path("own.csr"));
    let ask = [
        "req",
        "-subj",
        "/CN=registry.test",
        "-keyout",
        &own,
        "-out",
        &request,
    ];
    openssl(&[&ask[..], &new_key[..]].concat());
    let names = path("names");
    create(
        names.as_ref(),
        b"subjectAltName=IP:127.0.0.1,DNS:registry.test\nbasicConstraints=CA:FALSE\n",
    );
    let signed = path("own.crt");
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        &request,
        "-CA",
        &crt,
        "-CAkey",
        &key,
        "-CAcreateserial",
        "-extfile",
        &names,
        "-out",
        &signed,
    ]);
}

/// Our own view of the file system, with names of our own in it.
fn with_hosts(scene: &Scene, text: &str) {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let hosts = scene.path("hosts");
    create(&hosts, text.as_bytes());
    let bind = MsFlags::MS_BIND;
    mount(Some(&hosts), "/etc/hosts", None::<&str>, bind, None::<&str>).unwrap();
}

#[test]
#[ignore = "needs root"]
fn root_certificates_are_verified_where_there_are_some() {
    let scene = Scene::new();
    let dir = directory(&scene.path("tls"));
    certificates(&dir);
    let tls = format!("  tls: {{certificate: {dir}/own.crt, key: {dir}/own.key}}\n");
    let registry = Registry::with(&tls, "");
    let port = registry.host.rsplit(':').next().unwrap();
    let named = format!("registry.test:{port}");
    with_hosts(&scene, "127.0.0.1 localhost registry.test\n");
    let tar = scene.home.write(
        "a.tar",
        &crate::archive::Archive::new().file("a", "b").end(),
    );
    scene.ok(&["import", "--sync", "none", &tar, "one"]);
    let (loopback, name) = (registry.name("one:1"), format!("{named}/one:1"));
    scene.ok(&["tag", "one", &loopback]);
    scene.ok(&["tag", "one", &name]);

    // Loopback by its own name needs no certificate that we know; any other name does.
    scene.ok(&["push", "-q", &loopback]);
    scene.refused(&["push", &name], &[&named, "certificate"]);
    scene.refused(
        &["pull", &name],
        &[&named, "certificate", "certs.d/HOST/ca.crt"],
    );
    let certs = scene.path("certs");
    directory(&certs.join(&named));
    std::fs::copy(format!("{dir}/ca.crt"), certs.join(&named).join("ca.crt")).unwrap();
    scene.settings(&format!(r#"{{"certificates":["{}"]}}"#, certs.display()));
    scene.ok(&["push", "-q", &name]);
    scene.pull(&name);
    // Where somebody put one for loopback it counts, and this one is another's.
    let other = directory(&scene.path("other"));
    certificates(&other);
    directory(&certs.join(&registry.host));
    std::fs::copy(
        format!("{other}/ca.crt"),
        certs.join(&registry.host).join("ca.crt"),
    )
    .unwrap();
    scene.refused(&["pull", &loopback], &[&registry.host, "certificate"]);
    std::fs::copy(
        format!("{dir}/ca.crt"),
        certs.join(&registry.host).join("ca.crt"),
    )
    .unwrap();
    scene.pull(&loopback);
    // By one's word none is verified.
    scene.settings(&format!(r#"{{"insecure-registries":["{named}"]}}"#));
    scene.pull(&name);
}

#[test]
#[ignore = "needs root"]
fn root_names_are_found_in_etc_hosts_and_others_need_tls() {
    let peer = Peer::start(image(&sample(Codec::Gzip)), |_, _| false);
    let port = peer.host.rsplit(':').next().unwrap();
    let scene = Scene::new();
    with_hosts(&scene, "127.0.0.1 registry.test\n");
    let named = format!("registry.test:{port}");
    let name = format!("{named}/x");
    // Whoever answers without TLS under such a name is not listened to.
    scene.refused(&["pull", &name], &[&format!("https://{named}/")]);
    assert!(peer.seen("/v2/x/").is_empty());
    scene.settings(&format!(r#"{{"insecure-registries":["{named}"]}}"#));
    scene.pull(&name);
    scene.refused(
        &["pull", "no-such-host.invalid/x"],
        &["no-such-host.invalid", "no such name is known"],
    );
}

/// An image where a mirror of Docker Hub has it, too.
fn full_content(layers: &[Layer]) -> Content {
    let mut content = image(layers);
    for (path, value) in content.clone() {
        content.insert(path.replace("/v2/x/", "/v2/library/x/"), value);
    }
    content
}

#[test]
#[ignore = "needs root"]
fn root_mirrors_are_asked_first_and_stand_in_for_each_other() {
    let empty = Peer::start(Content::new(), |_, _| false);
    let layers = sample(Codec::Gzip);
    let full = Peer::start(full_content(&layers), |_, _| false);
    // Has the manifest, and not the layers.
    let poor = {
        let mut content = full_content(&layers);
        // Layers are gzip, the config is not.
        content.retain(|_, (_, bytes)| !bytes.starts_with(b"\x1f\x8b"));
        Peer::start(content, |_, _| false)
    };
    let scene = Scene::new();
    let settings = format!(
        r#"{{"registry-mirrors":["http://127.0.0.1:1","http://{}","http://{}","http://{}/"]}}"#,
        empty.host, poor.host, full.host
    );
    scene.settings(&settings);
    let out = scene.pull("x");
    assert!(out.contains("latest: Pulling from library/x\n"), "{out}");
    assert!(
        out.ends_with("Status: Downloaded newer image for x:latest\ndocker.io/library/x:latest\n"),
        "{out}"
    );
    assert_eq!(empty.seen("/v2/library/x/manifests/latest").len(), 1);
    assert_eq!(empty.seen("/blobs/").len(), 0);
    assert!(!poor.seen("/blobs/").is_empty());
    assert!(
        scene
            .ok(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
            .contains("x:latest")
    );
    scene.settings(r#"{"registry-mirrors":["mirror"]}"#);
    scene.refused(
        &["pull", "x"],
        &["invalid mirror \"mirror\"", "registries.json"],
    );
    scene.settings("{");
    scene.refused(&["pull", "x"], &["registries.json"]);
}

/// Passes connections on to where CONNECT says, and keeps what it said.
fn proxy(to: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let said = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&said);
    let serve = move || {
        for client in listener.incoming() {
            let (to, log) = (to.clone(), Arc::clone(&log));
            let work = move || {
                let mut client = BufReader::new(client.unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).unwrap_or(0) > 0 {}
                log.lock().unwrap().push(head);
                let mut client = client.into_inner();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let server = TcpStream::connect(&to).unwrap();
                let (mut from, mut back) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let up = move || std::io::copy(&mut from, &mut back).ok();
                Builder::new().spawn(up).unwrap();
                let mut server = server;
                std::io::copy(&mut server, &mut client).ok();
            };
            Builder::new().spawn(work).unwrap();
        }
    };
    Builder::new().spawn(serve).unwrap();
    (host, said)
}

#[test]
#[ignore = "needs root"]
fn root_proxies_are_gone_through_but_for_the_exceptions() {
    let peer = Peer::start(image(&sample(Codec::Gzip)), |_, _| false);
    let (proxy, said) = proxy(peer.host.clone());
    let scene = Scene::new();
    // Nobody but the proxy knows the way.
    scene.settings(r#"{"insecure-registries":["registry.invalid:5000"]}"#);
    let pull = |name: &str, except: &str| {
        let mut command = scene.command(&["pull", "--sync", "none", name]);
        let proxy = format!("http://user:p%40ss@{proxy}");
        command.env("HTTPS_PROXY", &proxy).env("http_proxy", &proxy);
        finish(command.env("NO_PROXY", except))
    };
    let done = pull("registry.invalid:5000/x", "");
    assert_eq!(done.code, Some(0), "{done:?}");
    let heads = said.lock().unwrap().clone();
    assert!(
        heads[0].starts_with("CONNECT registry.invalid:5000 "),
        "{heads:?}"
    );
    assert!(
        heads[0]
            .to_lowercase()
            .contains("proxy-authorization: basic"),
        "{heads:?}"
    );
    let count = heads.len();
    let done = pull("registry.invalid:5000/x", "invalid");
    assert!(done.err.contains("no such name is known"), "{done:?}");
    // This machine is never far.
    let done = pull(&peer.name("x"), "");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(said.lock().unwrap().len(), count);
}
