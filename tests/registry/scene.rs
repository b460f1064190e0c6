//! A store, settings and passwords of one's own, and a registry that runs as long as the test.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Done, Home, create, finish};

/// What most registries of a test are.
pub(crate) struct Scene {
    pub(crate) home: Home,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { home: Home::new() };
        scene.settings("{}");
        scene
    }

    /// registries.json
    pub(crate) fn settings(&self, text: &str) {
        create(&self.path("registries.json"), text.as_bytes());
    }

    /// A place beside the store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.home.input(name))
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("COWSHED_REGISTRIES", self.path("registries.json"));
        command.env("DOCKER_CONFIG", self.path("docker"));
        command
    }

    pub(crate) fn cowshed(&self, args: &[&str]) -> Done {
        finish(&mut self.command(args))
    }

    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let done = self.cowshed(args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        done.out
    }

    #[track_caller]
    pub(crate) fn pull(&self, image: &str) -> String {
        self.ok(&["pull", "--sync", "none", image])
    }

    /// The command fails, says all of this and leaves nothing behind.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], expected: &[&str]) -> String {
        self.ok(&["images"]);
        let before = self.home.shape();
        let done = self.cowshed(args);
        self.home.left_alone(&before, &done, expected);
        done.err
    }

    /// Id of an image.
    #[track_caller]
    pub(crate) fn id(&self, image: &str) -> String {
        self.home.inspect(image)["Id"].as_str().unwrap().to_owned()
    }

    /// Digest of an image's manifest.
    #[track_caller]
    pub(crate) fn manifest(&self, image: &str) -> String {
        let found = self.home.inspect(image);
        found["Manifest"].as_str().unwrap().to_owned()
    }

    /// Removes every image.
    #[track_caller]
    pub(crate) fn forget(&self, image: &str) {
        let id = self.id(image);
        self.ok(&["rmi", "-f", &id]);
        assert_eq!(self.home.layers(), [""; 0]);
        assert_eq!(self.home.names_in("blobs/sha256"), [""; 0]);
    }
}

/// Debian's docker-registry.
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
    _dir: tempfile::TempDir,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::with("", "")
    }

    /// With more lines of its configuration: for `http`, and for the top.
    pub(crate) fn with(http: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let host = format!("127.0.0.1:{port}");
        let data = dir.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
             http:\n  addr: {host}\n  secret: x\n{http}{more}",
            data.display()
        );
        let config = dir.path().join("config.yml");
        create(&config, text.as_bytes());
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("docker-registry is installed");
        let registry = Self {
            child,
            host,
            _dir: dir,
        };
        let begun = Instant::now();
        while TcpStream::connect(&registry.host).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no registry");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs skopeo, which must succeed; its output.
#[track_caller]
pub(crate) fn skopeo(args: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy"]).args(args);
    let done = finish(command.stdin(Stdio::null()));
    assert_eq!(done.code, Some(0), "skopeo {args:?}: {done:?}");
    done.out
}

/// What the registry has under a name: digest, and the document itself.
#[track_caller]
pub(crate) fn raw(name: &str) -> (String, serde_json::Value) {
    let place = format!("docker://{name}");
    let text = skopeo(&["inspect", "--raw", "--tls-verify=false", &place]);
    let digest = cowshed::ident::Digest::of(text.as_bytes());
    (digest.to_string(), serde_json::from_str(&text).unwrap())
}

/// Makes a directory.
pub(crate) fn directory(path: &std::path::Path) -> String {
    fs::create_dir_all(path).unwrap();
    path.to_str().unwrap().to_owned()
}
