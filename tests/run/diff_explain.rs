//! `diff --explain`: why each path is in the upper dir; and where plain `diff` is Docker's.

use serde_json::Value;

use crate::support::{Shed, Tar, finish};

/// Runs a script in the container `box`, and explains what it left.
fn explained(shed: &Shed, flags: &str, script: &str) -> Vec<Value> {
    let mut command = shed.command(&format!("run --name box {flags} base sh -c"));
    command.arg(script);
    finish(command).ok();
    let text = shed.cowshed("diff --explain --format json box").ok();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
fn of<'v>(all: &'v [Value], path: &str) -> &'v Value {
    all.iter()
        .find(|one| one["Path"] == path)
        .unwrap_or_else(|| panic!("{path} in {all:#?}"))
}

/// Kind, copied up, written, hidden.
#[track_caller]
fn cost(all: &[Value], path: &str) -> (String, u64, u64, u64) {
    let one = of(all, path);
    let number = |key: &str| one[key].as_u64().unwrap();
    let kind = one["Kind"].as_str().unwrap().to_owned();
    (
        kind,
        number("CopiedUp"),
        number("Written"),
        number("Hidden"),
    )
}

#[test]
#[ignore = "needs root"]
fn root_each_path_has_its_kind_and_its_bytes() {
    let shed = Shed::new();
    let size = shed
        .sh("", "stat -c %s /bin/busybox")
        .trim()
        .parse::<u64>()
        .unwrap();
    let large = size.min(size / 4096 * 4096);
    let script = "printf 12345 >/새것; chmod 700 /bin/busybox; : >>/file; printf X >/plain; \
        rm /data/one; mv /data/same /moved; ln /새것 /second; touch /data/sub/n; \
        rm /data/sub/n; rm -r /home; mkdir /home; truncate -s 10M /hole; mkdir /made";
    let all = explained(&shed, "-v vol:/v/deep --tmpfs /t", script);
    let is = |path: &str, kind: &str| assert_eq!(of(&all, path)["Kind"], kind, "{path}");
    let names: u64 = ["/second", "/새것"]
        .iter()
        .map(|path| cost(&all, path).2)
        .sum();
    assert_eq!(names, 5, "two names of one file");
    assert_eq!(
        cost(&all, "/bin/busybox"),
        ("metadata-only copy-up".into(), size, 0, 0)
    );
    assert!(large <= size);
    assert_eq!(of(&all, "/bin/busybox")["What"], "mode");
    assert_eq!(cost(&all, "/file"), ("unchanged copy-up".into(), 7, 0, 0));
    let (kind, copied, written, _) = cost(&all, "/plain");
    assert_eq!((kind.as_str(), copied, written), ("modified", 0, 1));
    is("/data/one", "whiteout");
    is("/data", "modified");
    is("/made", "created");
    is("/home", "opaque");
    for stub in ["/v", "/v/deep", "/t"] {
        is(stub, "mount stub");
    }
    assert_eq!(cost(&all, "/hole"), ("created".into(), 0, 0, 0));
    let text = shed.cowshed("diff --explain box").ok();
    assert!(text.starts_with("KIND "), "{text}");
    let sum = text.lines().last().unwrap();
    assert!(
        sum.contains(" paths (") && sum.contains(" copied up, "),
        "{sum}"
    );
    let gone = shed.cowshed("diff --explain absent");
    gone.fails(1, "No such container: absent");
    shed.cowshed("diff --format json box")
        .fails(125, "--explain");
}

#[test]
#[ignore = "needs root"]
fn root_a_renamed_file_is_told_with_the_name_that_it_had() {
    let shed = Shed::new();
    let layer = Tar::new()
        .file("이름", 0o644, b"12345678")
        .file("other", 0o644, b"87654321");
    shed.image("named", layer, &[]);
    shed.cowshed(
        "run --name box named sh -c 'mv /이름 /tmp/다른; mv /other /third; printf X >>/third'",
    )
    .ok();
    let text = shed.cowshed("diff --explain --format json box").ok();
    let all: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(cost(&all, "/tmp/다른"), ("renamed".into(), 8, 0, 0));
    assert_eq!(of(&all, "/tmp/다른")["From"], "/이름");
    assert_eq!(cost(&all, "/이름"), ("whiteout".into(), 0, 0, 8));
    assert_eq!(of(&all, "/third")["From"], "/other");
    // One block of it was written again.
    assert_eq!(cost(&all, "/third"), ("renamed".into(), 0, 9, 0));
    let text = shed.cowshed("diff --explain box").ok();
    assert!(text.contains("/tmp/다른 (from /이름)"), "{text}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_66_a_directory_s_time_is_no_change() {
    let shed = Shed::new();
    shed.cowshed("run --name box base sh -c 'touch /tmp; echo x >/data/n; rm /data/n'")
        .ok();
    assert_eq!(shed.cowshed("diff box").ok(), "");
    let all = shed.cowshed("diff --explain box").ok();
    assert!(all.contains("/data (changed: time)"), "{all}");
}

#[test]
#[ignore = "needs root"]
fn root_rule_67_what_was_put_back_is_explained_all_the_same() {
    let shed = Shed::new();
    let all = explained(
        &shed,
        "",
        "chmod 600 /file; chmod 644 /file; chown 5 /plain; chown 0 /plain",
    );
    assert_eq!(shed.cowshed("diff box").ok(), "");
    for path in ["/file", "/plain"] {
        assert_eq!(of(&all, path)["Kind"], "unchanged copy-up", "{path}");
        assert!(of(&all, path)["CopiedUp"].as_u64().unwrap() > 0);
    }
}

#[test]
#[ignore = "needs root"]
fn root_marks_of_the_kernel_are_understood_where_they_are_switched_on() {
    let shed = Shed::new();
    let script = "mv /data /moved && mv /moved/sub /deep && chown 7:8 /moved/setuid && chown 9 /bin/busybox && \
        rm /moved/one && echo x >/moved/new";
    let all = explained(&shed, "--storage-opt overlay.metacopy=on", script);
    let kind = |path: &str| of(&all, path)["Kind"].as_str().unwrap().to_owned();
    for (path, from) in [("/moved", "/data"), ("/deep", "/data/sub")] {
        assert_eq!(kind(path), "renamed", "{all:#?}");
        assert_eq!(of(&all, path)["From"], from);
    }
    // Nothing was copied, and nothing is out of sight.
    assert_eq!(cost(&all, "/data"), ("whiteout".to_owned(), 0, 0, 0));
    for path in ["/bin/busybox", "/moved/setuid"] {
        assert_eq!(
            cost(&all, path),
            ("metadata-only copy-up".to_owned(), 0, 0, 0)
        );
    }
    assert_eq!(kind("/moved/one"), "whiteout");
    assert_eq!(cost(&all, "/moved/new"), ("created".to_owned(), 0, 2, 0));
    assert!(all.iter().all(|one| one["Path"] != "/deep/two"), "{all:#?}");
}
