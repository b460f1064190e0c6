//! Where mounts land: syntax errors that name the rule, order, links (rules 1-14).

use crate::support::Shed;

#[test]
#[ignore = "needs root"]
fn root_rule_1_one_two_or_three_fields() {
    let shed = Shed::new();
    assert_eq!(shed.sh("-v /anon", "ls -A /anon"), "");
    shed.sh("-v named:/named", "touch /named/x");
    assert_eq!(shed.sh("-v named:/named:ro", "ls /named"), "x\n");
    shed.try_sh("-v a:b:c:d", "true")
        .fails(125, "invalid volume specification: 'a:b:c:d'");
    assert_eq!(shed.volumes(), ["named"]);
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_2_a_dot_slash_source_is_a_bind_from_here() {
    let shed = Shed::new();
    shed.dir("here");
    shed.file("here/x", "from here\n");
    assert_eq!(shed.sh("-v ./here:/there", "cat /there/x"), "from here\n");
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_rule_3_a_relative_path_is_no_volume_name() {
    let shed = Shed::new();
    shed.try_sh("-v relative/path:/x", "true").fails(
        125,
        "\"relative/path\" includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use \
         absolute path",
    );
}

#[test]
#[ignore = "needs root"]
fn root_rule_4_volume_names_have_two_characters_at_least() {
    let shed = Shed::new();
    let message = "volume name is too short, names should be at least two alphanumeric characters";
    shed.try_sh("-v x:/x", "true").fails(125, message);
    shed.cowshed("volume create x").fails(1, message);
}

#[test]
#[ignore = "needs root"]
fn root_rules_5_6_7_modes() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.try_sh(&format!("-v {dir}:/x:ro,rw"), "true")
        .fails(125, "invalid mode: ro,rw");
    shed.try_sh("-v vol:/x:rshared", "true")
        .fails(125, "field BindOptions must not be specified");
    shed.try_sh(&format!("-v {dir}:/x:nocopy"), "true")
        .fails(125, "field VolumeOptions must not be specified");
    for mode in ["z", "Z", "cached", "rw,delegated", "ro,rprivate", "private"] {
        shed.sh(&format!("-v {dir}:/x:{mode}"), "ls /x");
    }
}

#[test]
#[ignore = "needs root"]
fn root_rule_8_a_target_is_absolute_and_not_the_root() {
    let shed = Shed::new();
    let message = "invalid specification: destination can't be '/'";
    shed.try_sh("-v vol:/", "true").fails(125, message);
    shed.try_sh("-v vol:/x/..", "true").fails(125, message);
    shed.try_sh("-v vol:x", "true")
        .fails(125, "invalid mount path: 'x' mount path must be absolute");
}

#[test]
#[ignore = "needs root"]
fn root_rule_9_two_mounts_on_one_place_are_refused() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    for flags in [
        format!("-v {dir}:/x -v vol:/x/"),
        format!("-v {dir}:/x --mount type=tmpfs,dst=//x"),
        format!("--mount type=bind,src={dir},dst=/x/. --tmpfs /x"),
    ] {
        shed.try_sh(&flags, "true")
            .fails(125, "Duplicate mount point: /x");
    }
    shed.sh("--mount type=tmpfs,dst=/x --tmpfs /x", "true");
}

#[test]
#[ignore = "needs root"]
fn root_rules_10_11_12_mount_is_one_record() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.sh("--mount src=vol,dst=/x", "touch /x/y");
    assert_eq!(
        shed.sh("--mount source=vol,target=/x,readonly", "ls /x"),
        "y\n"
    );
    for (record, message) in [
        ("type=volume".to_owned(), "target is required"),
        (
            format!("type=bind,src={dir},dst=/x,volume-nocopy"),
            "cannot mix 'volume-*' options with mount type 'bind'",
        ),
        (
            "src=vol,dst=/x,ro=maybe".to_owned(),
            "invalid value for 'ro'",
        ),
        ("src=vol,dst=/x,what=1".to_owned(), "unexpected key 'what'"),
        (
            format!("type=bind,src={dir},dst=/x,bind-recursive=writable"),
            "requires 'readonly'",
        ),
        (
            format!("type=bind,src={dir},dst=/x,ro,bind-recursive=readonly"),
            "bind-propagation=rprivate",
        ),
        (
            format!("type=bind,src={dir},dst=/x,bind-nonrecursive"),
            "bind-nonrecursive",
        ),
        ("type=floppy,dst=/x".to_owned(), "mount type unknown"),
    ] {
        shed.try_sh(&format!("--mount {record}"), "true")
            .fails(125, message);
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_14_a_link_in_the_target_is_followed_inside() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.file("dir/x", "hello\n");
    let script = "cat /run/x/x; grep -c ' /run/x ' /proc/mounts";
    assert_eq!(
        shed.sh(&format!("-v {dir}:/var/run/x"), script),
        "hello\n1\n"
    );
    assert_eq!(
        shed.sh(
            "--tmpfs /var/run/deep/er",
            "grep -o ' /run/[^ ]*' /proc/mounts"
        ),
        " /run/deep/er\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_rule_14_parents_come_first_whatever_the_order_of_flags() {
    let shed = Shed::new();
    let (outer, inner) = (shed.dir("outer"), shed.dir("inner"));
    shed.file("outer/o", "");
    shed.file("inner/i", "");
    let flags = format!("-v {inner}:/m/a/b --tmpfs /m/a/b/c -v {outer}:/m");
    assert_eq!(
        shed.sh(&flags, "ls /m /m/a /m/a/b"),
        "/m:\na\no\n\n/m/a:\nb\n\n/m/a/b:\nc\ni\n"
    );
    assert!(shed.path("outer/a/b").is_dir());
}

#[test]
#[ignore = "needs root"]
fn root_a_mount_takes_the_place_of_a_system_mount() {
    let shed = Shed::new();
    let hosts = shed.file("hosts", "mine\n");
    let script = "cat /etc/hosts; echo more >>/etc/hosts";
    assert_eq!(
        shed.sh(&format!("--read-only -v {hosts}:/etc/hosts"), script),
        "mine\n"
    );
    assert_eq!(crate::support::read(&hosts), "mine\nmore\n");
    assert_eq!(
        shed.sh(
            "-v /dev:/dev",
            "echo x >/dev/null; test -e /dev/kmsg && echo host"
        ),
        "host\n"
    );
    assert_eq!(shed.sh("-v vol:/dev/shm", "touch /dev/shm/kept"), "");
    assert!(shed.data("vol").join("kept").exists());
    let script = "ls /host/etc/passwd; touch /host/tmp/x /host/dev/shm/x; ls /host/proc";
    let done = shed.try_sh("-v /:/host:ro", script);
    assert_eq!(
        done.err.matches("Read-only file system").count(),
        2,
        "{done:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_paths_with_odd_letters() {
    let shed = Shed::new();
    let name = "a b,ü\"$x`";
    let dir = shed.dir(name);
    shed.file(&format!("{name}/f"), "hi\n");
    let run = |explain: &str| {
        let mut command = shed.command(&format!("run --rm {explain} -v"));
        command.arg(format!("{dir}:/in {name}"));
        command.args(["base", "cat"]).arg(format!("/in {name}/f"));
        crate::support::finish(command).ok()
    };
    assert_eq!(run("--dry-run --explain=json").lines().count(), 24);
    assert_eq!(run("--network none"), "hi\n");
    let script = shed.file("script.sh", &run("--explain=sh"));
    let mut shell = std::process::Command::new("sh");
    shell.arg(script);
    assert_eq!(crate::support::finish(shell).ok(), "hi\n");
}

#[test]
#[ignore = "needs root"]
fn root_nothing_is_mounted_in_proc() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.try_sh("-v vol:/proc", "true")
        .fails(125, "/proc is in /proc, where nothing may be mounted");
    shed.try_sh(&format!("-v {dir}:/proc/sys"), "true")
        .fails(125, "/proc/sys");
    shed.try_sh("--tmpfs /sys/../proc/bus", "true")
        .fails(125, "/proc/bus");
    shed.assert_no_containers();
}
