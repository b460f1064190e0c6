//! The same command lines through Docker, where it is installed.

use std::{io::Write as _, process::Command};

use crate::support::finish;

#[test]
#[ignore = "needs root"]
fn root_docker_says_the_same() {
    let mut script = Command::new("timeout");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/docker-diff.sh");
    script.args(["280", path, env!("CARGO_BIN_EXE_cowshed")]);
    let done = finish(script);
    if done.out.starts_with("skipped:") {
        write!(std::io::stderr(), "{}", done.out).ok();
    }
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
}
