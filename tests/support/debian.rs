//! A minimal Debian from the machine's own mirror, and packages installed on it by our own `run`;
//! each made once and kept in target/.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::UNIX_EPOCH,
};

use cowshed::{ident::Digest, layer, sys::Dir};
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

const SUITE: &str = "bookworm";

/// Longer than any mirror that is alive takes, in seconds.
const PATIENCE: &str = "900";

/// Where the machine's own packages come from.
pub(crate) struct Mirror {
    url: String,
    keyring: String,
}

impl Mirror {
    pub(crate) fn of_this_machine() -> Self {
        let format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)";
        let args = ["indextargets", "--format", format, "Created-By: Packages"];
        let output = Command::new("apt-get").args(args).output();
        let output = output.expect("a machine with apt, or COWSHED_SKIP_DEBOOTSTRAP=1");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| line.split('|').collect::<Vec<_>>());
        let found = lines.clone().find(|line| line[1..3] == [SUITE, "main"]);
        let found = found.unwrap_or_else(|| panic!("apt has no mirror of Debian {SUITE}"));
        let own = Path::new(found[3]).is_file().then_some(found[3]);
        let everywhere = "/usr/share/keyrings/debian-archive-keyring.gpg";
        Self {
            url: found[0].to_owned(),
            keyring: own.unwrap_or(everywhere).to_owned(),
        }
    }

    /// What a tool said, without where the mirror is.
    fn hidden(&self, output: &Output) -> String {
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let host = self.url.split('/').nth(2).unwrap_or("");
        let last: Vec<_> = text.lines().rev().take(15).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        last.join("\n").replace(host, "MIRROR")
    }
}

/// Whether there is no mirror here; says so.
pub(crate) fn is_skipped() -> bool {
    let skipped = std::env::var_os("COWSHED_SKIP_DEBOOTSTRAP").is_some_and(|value| value == "1");
    if skipped {
        // Not print!, which is captured: nobody shall think that it ran.
        let note = b"SKIPPED: COWSHED_SKIP_DEBOOTSTRAP=1\n";
        std::io::stderr().write_all(note).unwrap();
    }
    skipped
}

#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Output {
    let program = command.get_program().display().to_string();
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    output
}

/// One test at a time makes what is kept; the others wait for it.
fn cache() -> (PathBuf, Flock<File>) {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/debootstrap-cache");
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join("lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusive);
    (cache, lock.map_err(|(_, error)| error).unwrap())
}

/// A tar of a minimal Debian.
pub(crate) fn base(mirror: &Mirror, scratch: &Path) -> PathBuf {
    let (cache, _lock) = cache();
    let tar = cache.join(format!("{SUITE}-minbase.tar"));
    if tar.exists() {
        return tar;
    }
    let tree = scratch.join("debootstrap");
    let mut debootstrap = Command::new("timeout");
    debootstrap
        .args([PATIENCE, "debootstrap", "--variant=minbase"])
        .arg(format!("--keyring={}", mirror.keyring));
    debootstrap.arg(SUITE).arg(&tree).arg(&mirror.url);
    let output = debootstrap.output().expect("package coreutils");
    assert!(
        output.status.success(),
        "debootstrap failed:\n{}",
        mirror.hidden(&output)
    );
    let partial = cache.join(format!("partial-{}", std::process::id()));
    let mut pack = Command::new("tar");
    pack.args([
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
        "-c",
        "-f",
    ]);
    succeed(pack.arg(&partial).arg("-C").arg(&tree).arg("."));
    fs::rename(&partial, &tar).unwrap();
    fs::remove_dir_all(&tree).unwrap();
    tar
}

/// A program in the store of a scratch directory.
pub(crate) fn cowshed(scratch: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cowshed"));
    command
        .env_remove("COWSHED_ROOT")
        .arg("--root")
        .arg(scratch.join("store"));
    command.args(args).stdin(Stdio::null());
    command
}

pub(crate) fn inspect(scratch: &Path, name: &str) -> Value {
    let output = succeed(&mut cowshed(scratch, &["inspect", name]));
    serde_json::from_slice::<Vec<Value>>(&output.stdout)
        .unwrap()
        .remove(0)
}

/// Runs a script in a container of `image`; its changes, as a layer's tar.
pub(crate) fn changes(mirror: &Mirror, scratch: &Path, (image, script): (&str, &str)) -> PathBuf {
    let name = "installer";
    let args = [
        "run",
        "--network",
        "host",
        "--name",
        name,
        image,
        "timeout",
        PATIENCE,
        "sh",
        "-c",
        script,
    ];
    let output = cowshed(scratch, &args).output().unwrap();
    assert!(
        output.status.success(),
        "the installation failed:\n{}",
        mirror.hidden(&output)
    );
    let container = inspect(scratch, name);
    let upper = container["GraphDriver"]["Data"]["UpperDir"]
        .as_str()
        .unwrap();
    let tar = scratch.join("changes.tar");
    let out = File::create(&tar).unwrap();
    let changes = layer::Changes {
        upper: &Dir::open(Path::new(upper)).unwrap(),
        lowers: &[],
        root: None,
        marks: layer::Marks::default(),
        latest: None,
        baked: &[],
    };
    layer::pack_changes(&changes, out).unwrap();
    succeed(&mut cowshed(scratch, &["rm", "-v", name]));
    tar
}

/// The same on the minimal Debian, kept below a name that tells what it is made of.
pub(crate) fn kept_changes(mirror: &Mirror, scratch: &Path, script: &str) -> (PathBuf, PathBuf) {
    let base = base(mirror, scratch);
    let (cache, _lock) = cache();
    let stat = fs::metadata(&base).unwrap();
    let made = stat.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let holds = format!("{} {} {script}", stat.len(), made.as_secs());
    let key = Digest::of(holds.as_bytes()).short();
    let tar = cache.join(format!("{SUITE}-changes-{key}.tar"));
    if !tar.exists() {
        let path = base.to_str().unwrap();
        let args = ["import", "--sync=none", path, "debian:base"];
        succeed(&mut cowshed(scratch, &args));
        let made = changes(mirror, scratch, ("debian:base", script));
        let partial = cache.join(format!("partial-{}", std::process::id()));
        fs::copy(&made, &partial).unwrap();
        fs::remove_file(&made).unwrap();
        fs::rename(&partial, &tar).unwrap();
        succeed(&mut cowshed(scratch, &["rmi", "debian:base"]));
    }
    (base, tar)
}
