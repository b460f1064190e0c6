//! Names, ids, `ps`, `inspect`, `rm`, `diff` (rules 58, 59, 66, 67).

use crate::support::{Shed, Tar};

#[test]
#[ignore = "needs root"]
fn root_a_name_belongs_to_one_container_until_it_is_removed() {
    let shed = Shed::new();
    shed.cowshed("run --name box base true").ok();
    let id = shed.id_of("box");
    shed.cowshed("run --name box -v new:/x base true").fails(
        125,
        &format!(
            "Conflict. The container name \"/box\" is already in use by container \"{id}\". You have \
             to remove (or rename) that container to be able to reuse that name."
        ),
    );
    assert_eq!(shed.volumes(), Vec::<String>::new());
    assert_eq!(shed.cowshed("rm box").ok(), "box\n");
    shed.cowshed("run --rm --name box base true").ok();
    shed.cowshed("run --rm --name box base false");
    shed.cowshed("run --rm --name box base nosuchprogram")
        .fails(127, "");
    shed.cowshed("run --name box base true").ok();
    shed.cowshed("run --rm --name .bad base true")
        .fails(125, "Invalid container name (.bad)");
    shed.cowshed("rm box").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_ids_are_found_by_prefix() {
    let shed = Shed::new();
    shed.cowshed("run --name one base true").ok();
    let id = shed.id_of("one");
    for prefix in [&id[..], &id[..12], &id[..2]] {
        assert_eq!(shed.id_of(prefix), id);
    }
    // A name comes before a prefix.
    shed.cowshed(&format!("run --name {} base true", &id[..4]))
        .ok();
    assert_ne!(shed.id_of(&id[..4]), id);
    for _ in 0..17 {
        shed.cowshed("run base true").ok();
    }
    let all = shed.cowshed("ps -aq --no-trunc").ok();
    let shared = (0..16).map(|digit| format!("{digit:x}"));
    let twice = shared
        .into_iter()
        .find(|digit| all.lines().filter(|id| id.starts_with(digit)).count() > 1);
    shed.cowshed(&format!("rm {}", twice.unwrap()))
        .fails(1, "ambiguous");
    let short = shed.cowshed("ps -aq").ok().replace('\n', " ");
    shed.cowshed(&format!("rm {short}")).ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_ps_and_inspect_tell_the_state() {
    let shed = Shed::new();
    let mut live = shed.start("run --name live base sh -c 'echo ready; sleep 100'");
    shed.cowshed("run --name done base sh -c 'exit 3'");
    let running = shed.cowshed("ps").ok();
    let header = "CONTAINER ID   IMAGE     COMMAND                  CREATED";
    assert!(running.starts_with(header), "{running}");
    assert!(running.contains("live") && running.contains("Up ") && !running.contains("done"));
    let all = shed.cowshed("ps -a").ok();
    assert!(all.contains("Exited (3)"), "{all}");
    let found = shed.inspect("live");
    assert_eq!(found["State"]["Running"], true);
    assert!(found["State"]["Pid"].as_i64().unwrap() > 1);
    assert_eq!(found["Path"], "sh");
    assert_eq!(
        found["Args"],
        serde_json::json!(["-c", "echo ready; sleep 100"])
    );
    assert_eq!(found["Name"], "/live");
    shed.cowshed("rm live")
        .fails(1, "cannot remove container \"/live\": container is running");
    assert_eq!(shed.cowshed("rm -f live").ok(), "live\n");
    assert_eq!(live.wait().1, Some(137));
    assert_eq!(shed.cowshed("rm -f nobody").code, 0);
    shed.cowshed("rm nobody done")
        .fails(1, "No such container: nobody");
    let done = shed
        .cowshed("inspect nobody")
        .fails(1, "No such object: nobody");
    assert_eq!(done.out, "[]\n");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_59_graph_driver_data() {
    let shed = Shed::new();
    shed.image("two", Tar::new().dir("x", 0o755), &[]);
    shed.cowshed("run --name box two touch /made").ok();
    let driver = &shed.inspect("box")["GraphDriver"];
    assert_eq!(driver["Name"], "overlay2");
    let data = driver["Data"].as_object().unwrap();
    let keys: Vec<_> = data.keys().map(String::as_str).collect();
    assert_eq!(keys, ["LowerDir", "MergedDir", "UpperDir", "WorkDir"]);
    let upper = data["UpperDir"].as_str().unwrap();
    assert!(std::path::Path::new(upper).join("made").exists());
    let lowers: Vec<_> = data["LowerDir"].as_str().unwrap().split(':').collect();
    assert_eq!(lowers.len(), 3);
    assert!(lowers[0].ends_with("init/diff"), "{lowers:?}");
    assert!(std::path::Path::new(lowers[1]).join("x").exists());
    assert!(std::path::Path::new(lowers[2]).join("bin/busybox").exists());
}

#[test]
#[ignore = "needs root"]
fn root_rule_58_removals_are_devices_and_replaced_directories_are_opaque() {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let shed = Shed::new();
    let tree = Tar::new().dir("old", 0o755).file("old/in", 0o644, b"x");
    shed.image("two", tree, &[]);
    let script = "rm /file; rm -r /old; mkdir /old; grep \" / overlay \" /proc/mounts";
    let mut command = shed.command("run --name box two sh -c");
    command.arg(script);
    let mounted = crate::support::finish(command).ok();
    // What is off by default is not shown.
    assert!(!mounted.contains("index=on"), "{mounted}");
    let data = &shed.inspect("box")["GraphDriver"]["Data"];
    let upper = std::path::Path::new(data["UpperDir"].as_str().unwrap());
    let gone = std::fs::symlink_metadata(upper.join("file")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let dir = cowshed::sys::Dir::open(upper).unwrap();
    let opaque = cowshed::sys::xattr::get(&dir, "old", "trusted.overlay.opaque");
    assert_eq!(opaque.unwrap().as_deref(), Some(&b"y"[..]));
    let topmost = data["LowerDir"].as_str().unwrap().split(':').next();
    assert!(topmost.unwrap().ends_with("init/diff"), "{data}");
    shed.cowshed("rm box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_rule_66_diff_lists_what_changed() {
    let shed = Shed::new();
    let script = "echo x >>/file; touch /tmp/new; rm /plain; mkdir /dir; touch /dir/a; \
        rm -r /data; mkdir /data; touch /data/fresh; chmod 700 /home; touch /v/in-volume /t/in-tmpfs; \
        echo >/dev/shm/x";
    let mut command = shed.command("run --name box -v vol:/v --tmpfs /t base sh -c");
    command.arg(script);
    crate::support::finish(command).ok();
    let diff = shed.cowshed("diff box").ok();
    let mut lines: Vec<_> = diff.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "A /data/fresh",
            "A /dir",
            "A /dir/a",
            "A /t",
            "A /tmp/new",
            "A /v",
            "C /data",
            "C /file",
            "C /home",
            "C /tmp",
            "D /data/fifo",
            "D /data/link",
            "D /data/one",
            "D /data/same",
            "D /data/setuid",
            "D /data/sub",
            "D /plain",
        ]
    );
    shed.cowshed("diff base")
        .fails(1, "No such container: base");
    shed.cowshed("run --name clean base cat /file").ok();
    assert_eq!(shed.cowshed("diff clean").ok(), "");
    // Also while it runs.
    let mut live = shed.start("run --rm --name live base sh -c 'touch /x; echo ready; sleep 100'");
    assert_eq!(shed.cowshed("diff live").ok(), "A /x\n");
    shed.cowshed("rm -f live").ok();
    live.wait();
}

#[test]
#[ignore = "needs root"]
fn root_rule_67_what_was_put_back_is_not_listed() {
    let shed = Shed::new();
    shed.cowshed("run --name box base sh -c 'chmod 600 /file; chmod 644 /file; chown 5 /plain; chown 0 /plain'").ok();
    assert_eq!(shed.cowshed("diff box").ok(), "");
}

#[test]
#[ignore = "needs root"]
fn root_changes_stay_in_their_container() {
    let shed = Shed::new();
    shed.sh("", "rm -r /data; echo changed >/file");
    assert_eq!(shed.sh("", "cat /file; ls /data | wc -l"), "a file\n6\n");
}
