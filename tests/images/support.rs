//! A store of its own for each test, and what a user sees of it.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

pub(crate) use crate::making::{
    Codec, Files, Layer, Layout, OCI, SAMPLE_TREE, annotated, blob_name, config_of, directory_of,
    docker_archive, named, sample, shell, tar_of, through,
};

/// A store, a directory for input, and beside them something that must stay as it is.
pub(crate) struct Home {
    scratch: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn create(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

impl Home {
    pub(crate) fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "run it as root");
        let scratch = tempfile::tempdir().unwrap();
        for dir in ["input", "canary"] {
            fs::create_dir(scratch.path().join(dir)).unwrap();
        }
        create(&scratch.path().join("canary/secret"), b"secret");
        Self { scratch }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.scratch.path().join("store")
    }

    pub(crate) fn input(&self, name: &str) -> String {
        let path = self.scratch.path().join("input").join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Writes an input file; returns its path.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.input(name);
        create(Path::new(&path), bytes);
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cowshed"));
        command.env_remove("COWSHED_ROOT").arg("--root");
        command.arg(self.store()).args(args).stdin(Stdio::null());
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

    /// Loads without waiting for the disk.
    #[track_caller]
    pub(crate) fn load(&self, path: &str) -> String {
        self.ok(&["load", "--sync", "none", "-i", path])
    }

    /// The command fails with code 1 and says all of this; and it leaves nothing behind.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], expected: &[&str]) -> String {
        self.ok(&["images"]);
        let before = self.shape();
        let done = self.cowshed(args);
        self.left_alone(&before, &done, expected);
        done.err
    }

    #[track_caller]
    pub(crate) fn left_alone(&self, before: &[String], done: &Done, expected: &[&str]) {
        assert_eq!(done.code, Some(1), "{done:?}");
        assert_eq!(done.err.matches("error: ").count(), 1, "{}", done.err);
        assert!(done.err.starts_with("cowshed: error: "), "{}", done.err);
        for text in expected {
            assert!(done.err.contains(text), "no {text:?} in: {}", done.err);
        }
        assert_eq!(self.shape(), before, "the store changed: {}", done.err);
        self.canary_is_well();
    }

    #[track_caller]
    pub(crate) fn canary_is_well(&self) {
        assert_eq!(
            walk(&self.scratch.path().join("canary")),
            ["f 644 6 nlink 1 secret"]
        );
        let top: Vec<_> = fs::read_dir(self.scratch.path()).unwrap().collect();
        assert!(top.len() <= 3, "{top:?}");
    }

    /// Every path of the store with type, mode and size.
    ///
    /// Without the journal, which tells of every command and is not part of what it did.
    pub(crate) fn shape(&self) -> Vec<String> {
        let mut lines = walk(&self.store());
        lines.retain(|line| !line.ends_with(" events"));
        lines
    }

    /// Names below a directory of the store.
    pub(crate) fn names_in(&self, place: &str) -> Vec<String> {
        names_in(&self.store().join(place))
    }

    /// The unpacked layers, without the init layer.
    pub(crate) fn layers(&self) -> Vec<String> {
        let mut names = self.names_in("overlay2");
        names.retain(|name| name != "init");
        names
    }

    /// `inspect` of one image.
    #[track_caller]
    pub(crate) fn inspect(&self, image: &str) -> Value {
        let text = self.ok(&["image", "inspect", image]);
        serde_json::from_str::<Vec<Value>>(&text).unwrap().remove(0)
    }

    /// What a container of the image sees, in the form of rootfs-fixtures/*/merged.txt.
    #[track_caller]
    pub(crate) fn tree(&self, image: &str) -> Vec<String> {
        let script =
            "/bin/busybox find / -xdev -exec /bin/busybox stat -c '%F|%a|%u:%g|%s|%N' {} +";
        let text = self.ok(&["run", "--rm", image, "/bin/busybox", "sh", "-c", script]);
        let mut lines: Vec<_> = text.lines().filter_map(line_of).collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Standard output of a command in a container that is removed after it.
    #[track_caller]
    pub(crate) fn run(&self, image: &str, command: &[&str]) -> String {
        self.ok(&[&["run", "--rm", image], command].concat())
    }
}

pub(crate) fn names_in(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn finish(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What every container has of its own is left out, and the programs.
pub(crate) fn is_ours(path: &str) -> bool {
    let mounted = ["dev", "proc", "sys"];
    let stubs = ["etc/hosts", "etc/hostname", "etc/resolv.conf", ""];
    !mounted.contains(&path.split('/').next().unwrap())
        && !stubs.contains(&path)
        && !path.starts_with("bin/")
}

fn line_of(line: &str) -> Option<(String, String)> {
    let [kind, mode, owner, size, name] = line.split('|').collect::<Vec<_>>()[..] else {
        panic!("{line}");
    };
    let (name, target) = match name.split_once(" -> ") {
        Some((name, target)) => (name.trim_matches('\''), Some(target.trim_matches('\''))),
        None => (name, None),
    };
    let path = name.trim_start_matches('/');
    let (letter, what) = match kind {
        "directory" => ('d', "-"),
        "symbolic link" => ('l', target.unwrap()),
        "fifo" => ('p', size),
        "character special file" => ('c', size),
        "block special file" => ('b', size),
        _ => ('f', size),
    };
    let line = format!("{letter} {mode} {owner} {what} {path}");
    is_ours(path).then(|| (path.to_owned(), line))
}

/// Every path below `root`, sorted.
pub(crate) fn walk(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    below(root, "", &mut lines);
    lines
}

fn below(dir: &Path, prefix: &str, lines: &mut Vec<String>) {
    for name in names_in(dir) {
        let path = dir.join(&name);
        let metadata = path.symlink_metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            lines.push(format!("d {mode:o} {prefix}{name}"));
            below(&path, &format!("{prefix}{name}/"), lines);
        } else {
            let (size, count) = (metadata.len(), metadata.nlink());
            lines.push(format!("f {mode:o} {size} nlink {count} {prefix}{name}"));
        }
    }
}

/// rootfs-fixtures, completed once for all tests of this machine's checkout.
pub(crate) fn fixtures() -> PathBuf {
    static MADE: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let make = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let out = root.join("target/fixtures-of-tests");
        let last = out.join("images/three-layers.docker-oci.tar");
        if !last.exists() {
            let mut script = Command::new(root.join("scripts/fixtures.sh"));
            let done = finish(script.arg(&out));
            assert_eq!(done.code, Some(0), "{done:?}");
        }
        out
    };
    MADE.get_or_init(make).clone()
}
