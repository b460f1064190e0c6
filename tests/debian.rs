//! A real system: Debian from its mirror, and Python really installed on top of it.
//!
//! `COWSHED_SKIP_DEBOOTSTRAP=1` is for machines without a mirror.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "images/facts.rs"]
mod facts;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use cowshed::{layer, sys::Dir};
use facts::{assert_same, facts};
use serde_json::Value;

const SUITE: &str = "bookworm";

/// Where the machine's own packages come from.
struct Mirror {
    url: String,
    keyring: String,
}

impl Mirror {
    fn of_this_machine() -> Self {
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

#[track_caller]
fn succeed(command: &mut Command) -> Output {
    let program = command.get_program().display().to_string();
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    output
}

/// A tar of a minimal Debian; made once, kept in target/.
fn debian(mirror: &Mirror, scratch: &Path) -> PathBuf {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/debootstrap-cache");
    let tar = cache.join(format!("{SUITE}-minbase.tar"));
    if tar.exists() {
        return tar;
    }
    fs::create_dir_all(&cache).unwrap();
    let tree = scratch.join("debootstrap");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap
        .arg("--variant=minbase")
        .arg(format!("--keyring={}", mirror.keyring));
    debootstrap.arg(SUITE).arg(&tree).arg(&mirror.url);
    let output = debootstrap.output().expect("package debootstrap");
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

fn cowshed(scratch: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cowshed"));
    command
        .env_remove("COWSHED_ROOT")
        .arg("--root")
        .arg(scratch.join("store"));
    command.args(args).stdin(std::process::Stdio::null());
    command
}

fn inspect(scratch: &Path, name: &str) -> Value {
    let output = succeed(&mut cowshed(scratch, &["inspect", name]));
    serde_json::from_slice::<Vec<Value>>(&output.stdout)
        .unwrap()
        .remove(0)
}

/// Installs Python in a container; its changes, as a layer's tar.
fn python(mirror: &Mirror, scratch: &Path) -> PathBuf {
    let script = "set -e; export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; \
                  apt-get -qq install -y --no-install-recommends python3 >/dev/null";
    let args = [
        "run",
        "--network",
        "host",
        "--name",
        "installer",
        "debian:base",
        "sh",
        "-c",
        script,
    ];
    let output = cowshed(scratch, &args).output().unwrap();
    assert!(
        output.status.success(),
        "apt-get failed:\n{}",
        mirror.hidden(&output)
    );
    let container = inspect(scratch, "installer");
    let upper = container["GraphDriver"]["Data"]["UpperDir"]
        .as_str()
        .unwrap();
    let tar = scratch.join("python.tar");
    let out = File::create(&tar).unwrap();
    layer::pack_changes(&Dir::open(Path::new(upper)).unwrap(), out).unwrap();
    tar
}

/// What GNU tar makes of the lowest layer is what we made of it.
fn same_as_gnu_tar(scratch: &Path, tar: &Path) {
    let theirs = scratch.join("gnu-tar");
    fs::create_dir(&theirs).unwrap();
    let mut unpack = Command::new("tar");
    unpack.args([
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
        "-x",
        "-p",
        "-f",
    ]);
    succeed(unpack.arg(tar).arg("-C").arg(&theirs));
    let image = inspect(scratch, "debian:base");
    let ours = image["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap();
    let (our, their) = (facts(Path::new(ours)), facts(&theirs));
    assert!(our.len() > 5_000, "{} paths", our.len());
    let setuid = |(_, fact): &(&String, &String)| fact.starts_with("f 4");
    assert!(
        our.iter().any(|fact| setuid(&fact)),
        "Debian has setuid programs"
    );
    assert_same(&our, &their);
    let capabilities = |root: &Path| {
        let output = succeed(Command::new("getcap").args(["-r", "."]).current_dir(root));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(capabilities(Path::new(ours)), capabilities(&theirs));
}

#[test]
#[ignore = "needs root"]
fn root_a_real_debian_with_python3_as_second_layer() {
    assert!(nix::unistd::geteuid().is_root(), "run it as root");
    if std::env::var_os("COWSHED_SKIP_DEBOOTSTRAP").is_some_and(|value| value == "1") {
        // Not print!, which is captured: nobody shall think that it ran.
        writeln!(std::io::stderr(), "SKIPPED: COWSHED_SKIP_DEBOOTSTRAP=1").unwrap();
        return;
    }
    let mirror = Mirror::of_this_machine();
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path();
    let base = debian(&mirror, scratch);
    let base = base.to_str().unwrap();
    succeed(&mut cowshed(scratch, &["import", base, "debian:base"]));
    same_as_gnu_tar(scratch, Path::new(base));

    let python = python(&mirror, scratch);
    let python = python.to_str().unwrap();
    let path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let args = [
        "import",
        "-c",
        path,
        "--layer",
        base,
        "--layer",
        python,
        "debian:python",
    ];
    succeed(&mut cowshed(scratch, &args));
    let layers = inspect(scratch, "debian:python")["RootFS"]["Layers"].clone();
    assert_eq!(layers.as_array().unwrap().len(), 2);

    let run = |script: &str| {
        let args = ["run", "--rm", "debian:python", "sh", "-c", script];
        String::from_utf8(succeed(&mut cowshed(scratch, &args)).stdout).unwrap()
    };
    let packages = run("dpkg -l | grep python3");
    assert!(
        packages
            .lines()
            .any(|line| line.starts_with("ii  python3 ")),
        "{packages}"
    );
    assert_eq!(run("python3 -c 'print(6*7)'"), "42\n");
    assert!(run("apt-get --version").starts_with("apt 2."));
    assert_eq!(run("dpkg --verify python3-minimal apt dpkg"), "");
    // The lower layer alone has none of it.
    let mut without = cowshed(scratch, &["run", "--rm", "debian:base", "python3"]);
    assert_eq!(without.output().unwrap().status.code(), Some(127));
}
