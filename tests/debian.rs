//! A real system: Debian from its mirror, and Python really installed on top of it.
//!
//! `COWSHED_SKIP_DEBOOTSTRAP=1` is for machines without a mirror.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "images/facts.rs"]
mod facts;
#[path = "support/debian.rs"]
#[expect(dead_code, reason = "the services keep what they install")]
mod support;

use std::{fs, path::Path, process::Command};

use facts::{assert_same, facts};
use support::{Mirror, base, changes, cowshed, inspect, is_skipped, succeed};

const INSTALL: &str = "set -e; export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; \
                       apt-get -qq install -y --no-install-recommends python3 >/dev/null";

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
    if is_skipped() {
        return;
    }
    let mirror = Mirror::of_this_machine();
    let scratch = tempfile::tempdir().unwrap();
    let scratch = scratch.path();
    let base = base(&mirror, scratch);
    let base = base.to_str().unwrap();
    succeed(&mut cowshed(scratch, &["import", base, "debian:base"]));
    same_as_gnu_tar(scratch, Path::new(base));

    let python = changes(&mirror, scratch, ("debian:base", INSTALL));
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
