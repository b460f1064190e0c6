//! `image prune` and `system prune`: nothing goes that was not listed.

use std::{io::Write as _, process::Stdio};

use serde_json::json;

use crate::{
    archive::Archive,
    support::{Codec, Done, Home, Layer, Layout, config_of, named, sample},
};

/// `sample:1`, `labelled:1`, and one without a name.
fn home() -> Home {
    let home = Home::new();
    let layers = sample(Codec::Gzip);
    let more = |text: &str| {
        let own = Layer::plain(Archive::new().file("own", text));
        [&layers[..], &[own]].concat()
    };
    let (old, new) = (more("12345"), more("1234567"));
    for (name, layers) in [
        ("sample:1", &layers),
        ("labelled:1", &old),
        ("labelled:1", &new),
    ] {
        let mut config = config_of(layers);
        config["config"]["Labels"] = json!({"keep": "yes"});
        let mut layout = Layout::default();
        let entry = layout.image(layers, &config);
        layout.entries.push(named(entry, name));
        home.load(&home.write("x.tar", &layout.tar()));
    }
    home
}

fn answered(home: &Home, args: &[&str], answer: &str) -> Done {
    let mut command = home.command(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(answer.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
#[ignore = "needs root"]
fn root_only_images_without_a_name_go() {
    let home = home();
    let before = home.shape();
    let list = home.ok(&["image", "prune", "--dry-run"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(
        list.lines().nth(1).unwrap().starts_with("<none> "),
        "{list}"
    );
    let no = answered(&home, &["image", "prune"], "n\n");
    assert_eq!(no.code, Some(0));
    let (first, rest) = no.out.split_once('\n').unwrap();
    assert_eq!(first, "WARNING! This will remove all dangling images.");
    assert!(
        rest.starts_with(&list) && rest.ends_with("[y/N] "),
        "{no:?}"
    );
    for filter in ["label!=keep", "label=other", "until=2020-01-01T00:00:00Z"] {
        let out = home.ok(&["image", "prune", "-f", "--filter", filter]);
        assert_eq!(out, "Total reclaimed space: 0B\n");
    }
    assert_eq!(home.shape(), before);
    let yes = answered(&home, &["image", "prune"], "y\n");
    let out: Vec<_> = yes
        .out
        .lines()
        .skip_while(|line| !line.contains("Deleted Images:"))
        .collect();
    assert_eq!(out.len(), 5, "{yes:?}");
    assert!(out[1].starts_with("deleted: sha256:") && out[2].starts_with("deleted: sha256:"));
    assert_eq!(out[3..], ["", "Total reclaimed space: 5B"]);
    assert_eq!(home.ok(&["images", "-q"]).lines().count(), 2);
    assert_eq!(home.layers().len(), 3);
    home.refused(
        &["image", "prune", "-f", "--filter", "bogus=1"],
        &["Invalid filter 'bogus'"],
    );
}

#[test]
#[ignore = "needs root"]
fn root_all_takes_what_no_container_and_no_mount_needs() {
    crate::mounting::alone();
    let home = home();
    home.ok(&[
        "run", "--name", "user", "sample:1", "/bin/sh", "-c", "exit 0",
    ]);
    home.ok(&["tag", "labelled:1", "second:1"]);
    let mounted = home.ok(&["image", "mount", "labelled:1"]);
    let out = home.ok(&["image", "prune", "-a", "-f"]);
    assert!(out.ends_with("Total reclaimed space: 5B\n"), "{out}");
    assert_eq!(home.ok(&["images", "-q"]).lines().count(), 3);
    home.ok(&["image", "unmount", mounted.trim()]);
    let out = home.ok(&["image", "prune", "-a", "-f"]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "Deleted Images:",
            "untagged: labelled:1",
            "untagged: second:1"
        ]
    );
    assert!(out.ends_with("Total reclaimed space: 7B\n"), "{out}");
    assert_eq!(
        home.ok(&["images", "--format", "{{.Repository}}"]),
        "sample\n"
    );
    home.ok(&["rm", "user"]);
    home.ok(&["image", "prune", "-f", "--filter", "dangling=false"]);
    assert_eq!(home.layers(), [""; 0]);
    assert_eq!(home.names_in("blobs/sha256"), [""; 0]);
}

#[test]
#[ignore = "needs root"]
fn root_rule_47_system_prune_takes_images_as_docker() {
    let home = home();
    home.ok(&[
        "run", "--name", "user", "sample:1", "/bin/sh", "-c", "exit 0",
    ]);
    let no = answered(&home, &["system", "prune"], "n\n");
    assert!(
        no.out
            .contains("  - all stopped containers\n  - all dangling images\n\n"),
        "{no:?}"
    );
    let no = answered(&home, &["system", "prune", "-a"], "n\n");
    let all = "  - all images without at least one container associated to them\n\n";
    assert!(
        no.out.contains(all) && no.out.contains("sample:1 "),
        "{no:?}"
    );
    let out = home.ok(&["system", "prune", "-f"]);
    assert!(
        out.contains("Deleted Containers:\n") && out.contains("Deleted Images:\n"),
        "{out}"
    );
    assert_eq!(home.ok(&["images", "-q"]).lines().count(), 2);
    // The container that went kept the image until then.
    home.ok(&[
        "run", "--name", "user", "sample:1", "/bin/sh", "-c", "exit 0",
    ]);
    let out = home.ok(&["system", "prune", "-a", "-f"]);
    assert!(
        out.contains("untagged: sample:1\n") && out.contains("untagged: labelled:1\n"),
        "{out}"
    );
    assert_eq!(home.layers(), [""; 0]);
}
