//! Passwords and tokens: who gets them, and who does not.

use std::{fs, net::TcpStream, os::unix::fs::PermissionsExt as _};

use crate::{
    making::{Codec, Layout, sample},
    peer::{Content, Peer, Seen, image, reply},
    scene::{Registry, Scene, directory},
    support::{create, finish, through},
};

const USER: &str = "민수";
const PASSWORD: &str = "a:b c한";

/// A registry that wants [`USER`] and [`PASSWORD`].
fn guarded(scene: &Scene) -> Registry {
    let line = through(&["htpasswd", "-Bbn", USER, PASSWORD], b"");
    let file = scene.path("htpasswd");
    create(&file, &line);
    let more = format!(
        "auth:\n  htpasswd: {{realm: here, path: {}}}\n",
        file.display()
    );
    Registry::with("", &more)
}

/// Gives a command its standard input.
fn with_input(scene: &Scene, args: &[&str], input: &str) -> crate::support::Done {
    let mut command = scene.command(args);
    let path = scene.path("stdin");
    create(&path, input.as_bytes());
    finish(command.stdin(fs::File::open(path).unwrap()))
}

#[test]
#[ignore = "needs root"]
fn root_a_login_is_checked_kept_used_and_forgotten() {
    let scene = Scene::new();
    let registry = guarded(&scene);
    let path = scene
        .home
        .write("sample.tar", &Layout::of(&sample(Codec::Gzip)).tar());
    scene.home.load(&path);
    let name = registry.name("sample:1");
    scene.ok(&["tag", "sample:1", &name]);
    for args in [["push", &name], ["pull", &name]] {
        scene.refused(&args, &[&registry.host, "wants a name and a password"]);
    }
    let login = ["login", "-u", USER, "--password-stdin", &registry.host];
    let done = with_input(&scene, &login, "wrong\n");
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("incorrect username or password"),
        "{done:?}"
    );
    let config = scene.path("docker/config.json");
    assert!(!config.exists());

    directory(&scene.path("docker"));
    create(
        &config,
        br#"{"auths":{"a.example":{"auth":"eDp5"}},"detachKeys":"ctrl-x"}"#,
    );
    let done = with_input(&scene, &login, &format!("{PASSWORD}\n"));
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), "Login Succeeded\n"),
        "{done:?}"
    );
    assert!(done.err.contains("stored unencrypted in"), "{done:?}");
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    assert_eq!(kept["detachKeys"], "ctrl-x");
    assert_eq!(kept["auths"]["a.example"]["auth"], "eDp5");
    scene.ok(&["push", &name]);
    scene.forget(&scene.id(&name));
    scene.pull(&name);
    // Known already.
    let done = scene.cowshed(&["login", &registry.host]);
    assert_eq!(done.out, "Login Succeeded\n", "{done:?}");
    // Docker's other programs read the same file.
    let inspect = ["inspect", "--tls-verify=false", "--authfile"];
    let place = format!("docker://{name}");
    crate::scene::skopeo(&[&inspect[..], &[config.to_str().unwrap(), &place]].concat());

    let out = scene.ok(&["logout", &registry.host]);
    assert_eq!(
        out,
        format!("Removing login credentials for {}\n", registry.host)
    );
    let out = scene.ok(&["logout", &registry.host]);
    assert_eq!(out, format!("Not logged in to {}\n", registry.host));
    scene.refused(&["pull", &name], &["wants a name and a password"]);
    assert!(fs::read_to_string(&config).unwrap().contains("eDp5"));
}

#[test]
#[ignore = "needs root"]
fn root_a_new_file_of_passwords_is_for_its_owner_alone() {
    let scene = Scene::new();
    let registry = guarded(&scene);
    let done = scene.cowshed(&["login", "-u", USER, "-p", PASSWORD, &registry.host]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err
            .contains("Using --password via the CLI is insecure"),
        "{done:?}"
    );
    let config = scene.path("docker/config.json");
    assert_eq!(
        config.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    for (args, text) in [
        (
            &["login", "-p", "x", "--password-stdin", "h:1"][..],
            "mutually exclusive",
        ),
        (
            &["login", "--password-stdin", "h:1"],
            "Must provide --username",
        ),
        (&["login", "h:1"], "non TTY device"),
        (
            &["login", "-u", "x", "-p", "y", "h:1:2"],
            "is not the name of a registry",
        ),
    ] {
        let done = scene.cowshed(args);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.err.contains(text), "{done:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_programs_that_keep_passwords_are_asked() {
    let scene = Scene::new();
    let registry = guarded(&scene);
    let bin = directory(&scene.path("bin"));
    let kept = scene.path("kept");
    let script = format!(
        "#!/bin/sh\nexec 2>&1\ncase $1 in\nget) read -r url; [ -f {0} ] || {{ echo 'credentials not found in native keychain'; exit 1; }}; cat {0};;\n\
         store) cat >{0};;\nerase) rm {0};;\nesac\n",
        kept.display()
    );
    let program = scene.path("bin/docker-credential-here");
    create(&program, script.as_bytes());
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    directory(&scene.path("docker"));
    let config = scene.path("docker/config.json");
    create(&config, br#"{"credsStore":"here"}"#);
    let run = |args: &[&str]| {
        let mut command = scene.command(args);
        let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
        finish(command.env("PATH", path))
    };
    let done = run(&["login", "-u", USER, "-p", PASSWORD, &registry.host]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!done.err.contains("unencrypted"), "{done:?}");
    let text = fs::read_to_string(&config).unwrap();
    assert!(!text.contains("auth\""), "{text}");
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!(
        (&stored["ServerURL"], &stored["Secret"]),
        (&registry.host.as_str().into(), &PASSWORD.into())
    );
    let absent = registry.name("absent");
    let done = run(&["pull", &absent]);
    assert!(done.err.contains("manifest unknown"), "{done:?}");
    assert_eq!(run(&["logout", &registry.host]).code, Some(0));
    assert!(!kept.exists());
    let done = run(&["pull", &absent]);
    assert!(done.err.contains("wants a name and a password"), "{done:?}");
    create(
        &config,
        br#"{"credHelpers":{"a":"x"},"credsStore":"../bin/evil"}"#,
    );
    let done = run(&["pull", &absent]);
    assert!(done.err.contains("no name of a program"), "{done:?}");
}

/// A registry that wants a token of `realm`, which it gives out itself where that is its own.
fn wants_token(realm: Option<String>) -> Peer {
    Peer::start(image(&sample(Codec::Gzip)), move |seen, out| {
        let host = seen.header("host").unwrap();
        if seen.path.starts_with("/token") {
            reply(out, "200 OK", &[], br#"{"access_token":"secret-token"}"#);
            return true;
        }
        if seen.header("authorization") == Some("Bearer secret-token") {
            return false;
        }
        let realm = realm
            .clone()
            .unwrap_or_else(|| format!("http://{host}/token"));
        let challenge =
            format!("Bearer realm=\"{realm}\",service=\"here\",scope=\"repository:x:pull\"");
        reply(
            out,
            "401 Unauthorized",
            &[("WWW-Authenticate", &challenge)],
            b"",
        );
        true
    })
}

/// Keeps `me:pass` for a registry.
fn keep(scene: &Scene, host: &str) {
    directory(&scene.path("docker"));
    let text = format!(r#"{{"auths":{{"{host}":{{"auth":"bWU6cGFzcw=="}}}}}}"#);
    create(&scene.path("docker/config.json"), text.as_bytes());
}

#[test]
#[ignore = "needs root"]
fn root_tokens_are_fetched_with_and_without_a_password() {
    let peer = wants_token(None);
    let scene = Scene::new();
    scene.pull(&peer.name("x"));
    let asked = peer.seen("/token");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        asked[0].path,
        "/token?service=here&scope=repository%3Ax%3Apull"
    );
    assert_eq!(asked[0].header("authorization"), None);

    let peer = wants_token(None);
    let scene = Scene::new();
    keep(&scene, &peer.host);
    scene.pull(&peer.name("x"));
    let asked = peer.seen("/token");
    assert_eq!(asked[0].header("authorization"), Some("Basic bWU6cGFzcw=="));
    assert!(asked[0].path.ends_with("&account=me"), "{asked:?}");
    // The password goes for the token only, the token for the rest.
    for one in peer.seen("/v2/x/") {
        assert_ne!(one.header("authorization"), Some("Basic bWU6cGFzcw=="));
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_token_server_elsewhere_gets_no_password() {
    let refuses = |_: &Seen, out: &mut TcpStream| {
        reply(
            out,
            "401 Unauthorized",
            &[("WWW-Authenticate", "Basic realm=\"give\"")],
            b"",
        );
        true
    };
    let thief = Peer::start(Content::new(), refuses);
    let port = thief.host.rsplit(':').next().unwrap().to_owned();
    let elsewhere = format!("localhost:{port}");
    let peer = wants_token(Some(format!("http://{elsewhere}/token")));
    let scene = Scene::new();
    keep(&scene, &peer.host);
    let name = peer.name("x");
    let text = "it was given no password";
    let said = scene.refused(&["pull", &name], &[text, &elsewhere, &peer.host]);
    assert!(said.contains("token-realms"), "{said}");
    assert!(!thief.seen("/token").is_empty());
    for one in thief.seen("/token") {
        assert_eq!(one.header("authorization"), None);
        assert!(!one.path.contains("account"), "{one:?}");
    }
    // One that somebody named gets it.
    let settings = format!(r#"{{"token-realms":{{"{}":["{elsewhere}"]}}}}"#, peer.host);
    scene.settings(&settings);
    scene.refused(
        &["pull", &name],
        &["incorrect username or password", &elsewhere],
    );
    let last = thief.seen("/token").pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Basic bWU6cGFzcw=="));
}

#[test]
#[ignore = "needs root"]
fn root_a_redirect_to_another_host_takes_no_authorization_along() {
    let layers = sample(Codec::Gzip);
    let store = Peer::start(image(&layers), |_, _| false);
    let elsewhere = store.host.clone();
    let peer = Peer::start(image(&layers), move |seen, out| {
        if seen.header("authorization") != Some("Basic bWU6cGFzcw==") && seen.path != "/v2/" {
            let challenge = [("WWW-Authenticate", "Basic realm=\"here\"")];
            reply(out, "401 Unauthorized", &challenge, b"");
            return true;
        }
        if seen.path.contains("/blobs/") {
            let place = format!("http://{elsewhere}{}", seen.path);
            reply(out, "307 Temporary Redirect", &[("Location", &place)], b"");
            return true;
        }
        false
    });
    let scene = Scene::new();
    keep(&scene, &peer.host);
    scene.pull(&peer.name("x"));
    let fetched = store.seen("/blobs/");
    assert_eq!(fetched.len(), 3);
    assert!(
        fetched
            .iter()
            .all(|one| one.header("authorization").is_none())
    );
}

#[test]
#[ignore = "needs root"]
fn root_challenges_and_tokens_that_are_none_are_told() {
    for (challenge, text) in [
        ("Negotiate", "neither a password nor a token"),
        ("Bearer realm=\"ftp://x/\"", "no URL of HTTP"),
        ("Basic realm=\"x\"", "wants a name and a password"),
    ] {
        let peer = Peer::start(Content::new(), move |seen, out| {
            let is_it = seen.path != "/v2/";
            if is_it {
                reply(
                    out,
                    "401 Unauthorized",
                    &[("WWW-Authenticate", challenge)],
                    b"",
                );
            }
            is_it
        });
        Scene::new().refused(&["pull", &peer.name("x")], &[text, &peer.host]);
    }
    for (token, text) in [
        ("<html>", "not the JSON of one"),
        (r#"{"token":""}"#, "it is empty"),
        (
            r#"{"token":"a\r\nHost: b"}"#,
            "characters that no token has",
        ),
    ] {
        let peer = Peer::start(Content::new(), move |seen, out| {
            if seen.path.starts_with("/token") {
                reply(out, "200 OK", &[], token.as_bytes());
            } else {
                let challenge = format!(
                    "Bearer realm=\"http://{}/token\"",
                    seen.header("host").unwrap()
                );
                reply(
                    out,
                    "401 Unauthorized",
                    &[("WWW-Authenticate", &challenge)],
                    b"",
                );
            }
            true
        });
        Scene::new().refused(&["pull", &peer.name("x")], &[text, &peer.host]);
    }
}
