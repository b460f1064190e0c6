//! What the command line says without touching a store: help, versions, wrong usage.

use std::process::{Command, Output};

fn cowshed(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cowshed"))
        .args(args)
        .env_remove("COWSHED_ROOT")
        .output()
        .expect("the binary was built with this test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn rule_64_a_management_command_alone_prints_its_help_and_succeeds() {
    for args in [&[][..], &["volume"], &["image"], &["container"]] {
        let output = cowshed(args);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(all.contains("Usage:"), "{args:?}: {all}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn rule_64_a_flag_that_does_not_exist_exits_with_125() {
    for args in [
        &["run", "--no-such-flag", "x"][..],
        &["--no-such-flag"],
        &["volume", "rm"],
    ] {
        let output = cowshed(args);
        assert_eq!(output.status.code(), Some(125), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(text(&output.stderr).contains("error: "), "{args:?}");
    }
}

#[test]
fn run_takes_everything_after_the_image_for_the_program() {
    // -h is the host name in `run`, and help only before the image.
    let output = cowshed(&["run", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for flag in [
        "-h, --hostname",
        "-v, --volume",
        "--explain",
        "--dry-run",
        "--tmpfs",
    ] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
}

#[test]
fn the_version_is_told_in_both_ways() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text(&cowshed(&["--version"]).stdout),
        format!("cowshed {version}\n")
    );
    let json = text(&cowshed(&["version", "--format", "json"]).stdout);
    let value: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(value["Version"], version);
}
