//! What tests of the whole program share: a store of one's own, images made on the spot, and
//! command lines as one would type them.

mod host;
mod tar_file;

pub(crate) use host::{mounts_below, processes_of, tree, wait_until, write_file, write_text};
pub(crate) use tar_file::{Tar, base};

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// A store with the image `base`, in a scratch directory and a mount namespace of its own.
///
/// When it goes it looks for what was left behind: nothing may be in `tmp/` and `trash/`, and
/// nothing may be mounted.
pub(crate) struct Shed {
    scratch: tempfile::TempDir,
    /// Whether the last look at what is left is wanted.
    pub(crate) strict: bool,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Standard output of a command that must succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "exit code; {self:?}");
        self.out
    }

    /// Fails with this code, and says this.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, message: &str) -> Self {
        assert_eq!(self.code, code, "exit code; {self:?}");
        assert!(
            self.err.contains(message),
            "wanted {message:?} in:\n{}",
            self.err
        );
        self
    }
}

/// Words of a command line; single quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    assert!(!quoted, "a quote is open in: {line}");
    if begun {
        words.push(word);
    }
    words
}

impl Shed {
    /// A store with the image `base`.
    pub(crate) fn new() -> Self {
        let shed = Self::empty();
        write_file(&shed.path("base.tar"), base());
        shed.cowshed(&format!(
            "import --sync=none {} base",
            shed.show("base.tar")
        ))
        .ok();
        shed
    }

    /// A store without images.
    pub(crate) fn empty() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test needs root");
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        // Other users look into what is bound from here.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let scratch = tempfile::Builder::new()
            .prefix("cowshed-run.")
            .permissions(mode)
            .tempdir()
            .unwrap();
        let strict = true;
        Self { scratch, strict }
    }

    /// A path in the scratch directory, beside the store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The same as text, for command lines.
    pub(crate) fn show(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Where a volume has its data.
    pub(crate) fn data(&self, volume: &str) -> PathBuf {
        self.store().join("volumes").join(volume).join("_data")
    }

    /// A directory in the scratch directory.
    pub(crate) fn dir(&self, name: &str) -> String {
        fs::create_dir_all(self.path(name)).unwrap();
        self.show(name)
    }

    /// A file in the scratch directory.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        write_text(&self.path(name), content);
        self.show(name)
    }

    /// An image of `base`, another layer, and Dockerfile instructions.
    pub(crate) fn image(&self, name: &str, layer: Tar, changes: &[&str]) {
        let path = self.path("extra.tar");
        write_file(&path, &layer.finish());
        let mut command = self.command("import --sync=none");
        for change in changes {
            command.args(["-c", change]);
        }
        command.arg("--layer").arg(self.path("base.tar"));
        command.arg("--layer").arg(path).arg(name);
        finish(command).ok();
    }

    /// A command that is not run yet.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cowshed"));
        command.env("COWSHED_ROOT", self.store());
        command.args(words(line)).stdin(Stdio::null());
        command.current_dir(self.scratch.path());
        command
    }

    /// Runs a command line to its end.
    pub(crate) fn cowshed(&self, line: &str) -> Done {
        finish(self.command(line))
    }

    /// `run --rm FLAGS base sh -c SCRIPT`, which must succeed.
    #[track_caller]
    pub(crate) fn sh(&self, flags: &str, script: &str) -> String {
        self.try_sh(flags, script).ok()
    }

    /// The same, however it ends.
    pub(crate) fn try_sh(&self, flags: &str, script: &str) -> Done {
        let mut command = self.command(&format!("run --rm {flags} base sh -c"));
        command.arg(script);
        finish(command)
    }

    /// Starts a command and waits for the line `ready` on its output.
    pub(crate) fn start(&self, line: &str) -> Started {
        let mut command = self.command(line);
        command.stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        assert_eq!(first, "ready\n");
        Started { child, out }
    }

    /// Everything in the store, as text.
    pub(crate) fn listing(&self) -> String {
        tree(&self.store())
    }

    /// Nothing of a container is left anywhere.
    #[track_caller]
    pub(crate) fn assert_no_containers(&self) {
        let containers = self.store().join("containers");
        assert_eq!(tree(&containers), "d by-name\n");
        self.assert_no_leak();
    }

    #[track_caller]
    fn assert_no_leak(&self) {
        for place in ["tmp", "trash"] {
            let place = self.store().join(place);
            if place.exists() {
                // What prune keeps for a week is not left behind.
                let kept =
                    |line: &&str| line.starts_with("d volumes") || line.contains(" volumes/");
                let left: Vec<_> = tree(&place)
                    .lines()
                    .filter(|line| !kept(line))
                    .map(str::to_owned)
                    .collect();
                assert_eq!(left, [""; 0], "left in {}", place.display());
            }
        }
        assert_eq!(mounts_below(&self.store()), Vec::<String>::new());
    }

    /// The host's number of a container's first process.
    pub(crate) fn pid_of(&self, name: &str) -> i32 {
        let pid = self.inspect(name)["State"]["Pid"].as_i64().unwrap();
        i32::try_from(pid).unwrap()
    }

    /// The whole id of a container.
    pub(crate) fn id_of(&self, name: &str) -> String {
        self.inspect(name)["Id"].as_str().unwrap().to_owned()
    }

    /// What `inspect` says about one object.
    #[track_caller]
    pub(crate) fn inspect(&self, name: &str) -> serde_json::Value {
        let text = self.cowshed(&format!("inspect {name}")).ok();
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        list[0].clone()
    }

    /// The names of all volumes.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let names = self.cowshed("volume ls -q").ok();
        names.lines().map(str::to_owned).collect()
    }
}

impl Drop for Shed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What a test that failed left running would outlive it.
            let ids = self.command("ps -aq").output();
            let ids = ids.map_or(Vec::new(), |output| output.stdout);
            let mut removal = self.command("rm -f");
            removal.args(String::from_utf8_lossy(&ids).lines());
            removal.output().ok();
        }
        // Removal goes through mounts, and what is mounted here may be the host's own. The last
        // words of what was killed may take a moment.
        let path = self.scratch.path().to_owned();
        let patiently = |done: &dyn Fn() -> bool| {
            (0..100).any(|_| {
                let done = done();
                if !done {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                done
            })
        };
        let free = patiently(&|| mounts_below(&path).is_empty());
        if !free {
            self.scratch.disable_cleanup(true);
        }
        if std::thread::panicking() {
            return;
        }
        assert!(free, "mounts are left: {:?}", mounts_below(&path));
        if self.strict {
            self.assert_no_leak();
        }
        // Somebody may still write his last file.
        let removed = patiently(&|| fs::remove_dir_all(&path).is_ok() || !path.exists());
        assert!(removed, "files are left:\n{}", tree(&path));
    }
}

/// A command in the background; killed when the test ends early.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) out: BufReader<ChildStdout>,
}

impl Started {
    /// Sends a signal to the command, not to its container.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits; the rest of its output, and its exit code.
    pub(crate) fn wait(&mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Reads a file of a test's own.
#[track_caller]
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let mut text = String::new();
    let mut file = File::open(path.as_ref()).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
