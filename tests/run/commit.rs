//! `commit` (rule 69).

use std::fs;

use crate::support::Shed;

/// The only word of a command's output: an id.
fn id_of(text: &str) -> String {
    let id = text.trim().to_owned();
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id:?}");
    id
}

#[test]
#[ignore = "needs root"]
fn root_rule_69_commit_leaves_mounts_out_and_keeps_their_places() {
    let shed = Shed::new();
    let bind = shed.dir("bind");
    let script = "echo v >/vol/v; echo a >/anon/a; echo t >/t/t; echo b >/b/b; echo own >/own";
    let flags = format!("-v vol:/vol -v /anon --tmpfs /t -v {bind}:/b");
    shed.cowshed(&format!("run --name box {flags} base sh -c '{script}'"))
        .ok();
    let done = shed.cowshed("commit box made:1");
    let id = id_of(&done.out);
    for note in [
        "left out /vol: volume vol",
        "left out /anon: anonymous volume ",
        "left out /t: tmpfs",
        &format!("left out /b: bind mount of {bind}"),
    ] {
        assert!(done.err.contains(note), "{note}: {}", done.err);
    }
    assert_eq!(shed.inspect("made:1")["Id"], id);
    let look = "ls -A /vol /t /b /own; cat /own";
    let listed = shed
        .cowshed(&format!("run --rm made:1 sh -c '{look}'"))
        .ok();
    assert_eq!(listed, "/own\n\n/b:\n\n/t:\n\n/vol:\nown\n");
    // An anonymous volume of the container is one of the image.
    let volumes = shed.inspect("made:1")["Config"]["Volumes"].clone();
    assert_eq!(volumes, serde_json::json!({"/anon": {}}));
    let config = shed.inspect("made:1");
    assert_eq!(config["RootFS"]["Layers"].as_array().unwrap().len(), 2);
}

#[test]
#[ignore = "needs root"]
fn root_the_image_runs_as_the_container_was_run() {
    let shed = Shed::new();
    shed.image(
        "shaped",
        crate::support::Tar::new().file("x", 0o644, b"x"),
        &[
            "ENV A=1 B=2",
            "LABEL l=image",
            "EXPOSE 80",
            "STOPSIGNAL SIGUSR1",
            "VOLUME /iv",
        ],
    );
    let flags = "-e B=3 -e C=4 -t -u 1000:1001 -w /tmp --label m=user --entrypoint echo";
    shed.cowshed(&format!("create --name box {flags} shaped one two"))
        .ok();
    let changes = "-c 'ENV D=5' -c 'LABEL n=change' -c 'WORKDIR sub' -c 'ONBUILD RUN x'";
    let line = format!("commit -a me -m why {changes} box made");
    id_of(&shed.cowshed(&line).ok());
    let image = shed.inspect("made");
    let config = &image["Config"];
    assert_eq!(
        config["Env"],
        serde_json::json!(["A=1", "B=3", "C=4", "D=5"])
    );
    assert_eq!(config["Entrypoint"], serde_json::json!(["echo"]));
    assert_eq!(config["Cmd"], serde_json::json!(["one", "two"]));
    assert_eq!(config["User"], "1000:1001");
    assert_eq!(config["WorkingDir"], "/tmp/sub");
    assert_eq!(config["StopSignal"], "SIGUSR1");
    assert_eq!(config["ExposedPorts"], serde_json::json!({"80/tcp": {}}));
    assert_eq!(config["Volumes"], serde_json::json!({"/iv": {}}));
    let labels = serde_json::json!({"l": "image", "m": "user", "n": "change"});
    assert_eq!(config["Labels"], labels);
    assert_eq!(image["Comment"], "why");
    // Nothing was changed: no layer.
    assert_eq!(image["RootFS"], shed.inspect("shaped")["RootFS"]);
    let document = shed.store().join("blobs/sha256");
    let document = document.join(&image["Id"].as_str().unwrap()[7..]);
    let document: serde_json::Value = serde_json::from_slice(&fs::read(document).unwrap()).unwrap();
    assert_eq!(document["author"], "me");
    assert_eq!(document["config"]["OnBuild"], serde_json::json!(["RUN x"]));
    let last = document["history"].as_array().unwrap().last().unwrap();
    assert_eq!(last["created_by"], "one two");
    assert_eq!(last["empty_layer"], true);
    shed.cowshed("commit -c 'RUN x' box").fails(1, "RUN x");
    shed.cowshed("commit -c 'ENTRYPOINT [\"cat\"]' box other")
        .ok();
    assert!(shed.inspect("other")["Config"]["Cmd"].is_null());
}

#[test]
#[ignore = "needs root"]
fn root_rule_69_a_container_that_runs_is_frozen_meanwhile_and_goes_on() {
    let shed = Shed::new();
    shed.cowshed("run -d --name box base sh -c 'echo x >/x; sleep 1000'")
        .ok();
    shed.cowshed("exec box sh -c 'until test -e /x; do sleep 0.01; done'")
        .ok();
    for line in [
        "commit box",
        "commit --pause=false box",
        "commit --no-pause box",
    ] {
        id_of(&shed.cowshed(line).ok());
        assert_eq!(shed.inspect("box")["State"]["Status"], "running", "{line}");
    }
    let text = shed
        .cowshed("events --since 1h --until 0s --filter container=box")
        .ok();
    let count = |action: &str| text.matches(&format!("container {action} ")).count();
    assert_eq!(
        (count("pause"), count("unpause"), count("commit")),
        (1, 1, 3),
        "{text}"
    );
    // Somebody else's pause stays.
    shed.cowshed("pause box").ok();
    shed.cowshed("commit box").ok();
    assert_eq!(shed.inspect("box")["State"]["Status"], "paused");
    shed.cowshed("unpause box").ok();
    shed.cowshed("rm -f box").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_volume_is_baked_into_the_image_at_its_place() {
    let shed = Shed::new();
    // The image has something there, and /var/run leads to /run.
    let script = "rm /data/one; echo new >/data/new; ln /data/new /data/twin; mkdir -p /var/run/v/d; \
        echo deep >/var/run/v/d/f; chmod 2711 /var/run/v; chown 5:6 /var/run/v";
    let flags = "-v data:/data -v run:/var/run/v -v left:/left";
    shed.cowshed(&format!("run --name box {flags} base sh -c '{script}'"))
        .ok();
    let done = shed.cowshed("commit --bake-volume data --bake-volume /var/run/v box made");
    let notes = done.err.clone();
    id_of(&done.ok());
    assert!(
        notes.contains("left out /left") && !notes.contains("left out /data"),
        "{notes}"
    );
    let look = "ls /data; stat -c %h /data/twin; ls -ld /run/v; cat /run/v/d/f; ls -ld /var/run";
    let text = shed.cowshed(&format!("run --rm made sh -c '{look}'")).ok();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..6],
        ["fifo", "link", "new", "same", "setuid", "sub"],
        "{text}"
    );
    assert_eq!(lines[6..8], ["twin", "2"], "{text}");
    assert!(
        lines[8].starts_with("drwx--s--x") && lines[8].contains("5        6"),
        "{text}"
    );
    assert_eq!(lines[9], "deep");
    assert!(lines[10].starts_with('l'), "{text}");
    shed.cowshed("commit --bake-volume none box")
        .fails(1, "container box has no volume none");
}

#[test]
#[ignore = "needs root"]
fn root_marks_of_the_kernel_are_translated_where_they_are_switched_on() {
    let shed = Shed::new();
    let on = "--storage-opt overlay.metacopy=on";
    let script =
        "mv /data /moved && chown 7:8 /moved/setuid && chown 9 /bin/busybox && rm /moved/one";
    shed.cowshed(&format!("run --name box {on} base sh -c '{script}'"))
        .ok();
    let upper = shed.inspect("box")["GraphDriver"]["Data"]["UpperDir"].clone();
    let upper = std::path::Path::new(upper.as_str().unwrap()).to_owned();
    let dir = cowshed::sys::Dir::open(&upper).unwrap();
    let mark = cowshed::sys::xattr::get(&dir, "moved", "trusted.overlay.redirect");
    assert_eq!(mark.unwrap().unwrap(), b"data");
    // Only its owner was written.
    let found = upper.join("bin/busybox").symlink_metadata().unwrap();
    assert!(std::os::unix::fs::MetadataExt::blocks(&found) < 100);
    assert_eq!(
        shed.inspect("box")["HostConfig"]["StorageOpt"]["overlay.metacopy"],
        "on"
    );
    shed.cowshed("commit box made").ok();
    let look =
        "ls -ld /data 2>&1; ls /moved; ls -ln /moved/setuid /bin/busybox; cat /moved/sub/two";
    let text = shed.cowshed(&format!("run --rm made sh -c '{look}'")).ok();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("/data: No such file"), "{flat}");
    assert!(flat.contains("fifo link same setuid sub"), "{flat}");
    assert!(
        flat.contains("-rwsr-xr-x 1 7 8") || flat.contains("-rwxr-xr-x 1 7 8"),
        "{flat}"
    );
    assert!(flat.contains("1 9 0") && flat.ends_with("two"), "{flat}");
    // The same mark, where no mount of ours makes any.
    shed.cowshed("run --name plain base mkdir /d").ok();
    let upper = shed.inspect("plain")["GraphDriver"]["Data"]["UpperDir"].clone();
    let dir = cowshed::sys::Dir::open(upper.as_str().unwrap().as_ref()).unwrap();
    cowshed::sys::xattr::set(&dir, "d", "trusted.overlay.redirect", b"/etc").unwrap();
    let before = shed.listing();
    shed.cowshed("commit plain")
        .fails(1, "trusted.overlay.redirect");
    assert_eq!(shed.listing(), before);
    shed.cowshed("run --rm --storage-opt size=1g base true")
        .fails(125, "size=1g");
}

#[test]
#[ignore = "needs root"]
fn root_what_a_layer_cannot_hold_is_told() {
    let shed = Shed::new();
    let script = "echo x >/.wh.file; mkdir /.wh.d; touch /.wh.d/y; echo z >/z";
    shed.cowshed(&format!("run --name box base sh -c '{script}'"))
        .ok();
    let upper = shed.inspect("box")["GraphDriver"]["Data"]["UpperDir"].clone();
    let dir = cowshed::sys::Dir::open(upper.as_str().unwrap().as_ref()).unwrap();
    let socket = cowshed::sys::FileKind::Socket;
    dir.make_node("socket", socket, 0o600, (0, 0)).unwrap();
    let done = shed.cowshed("commit box made");
    for note in [
        ".wh.file: left out",
        ".wh.d: left out",
        "socket: sockets are left out",
    ] {
        assert!(done.err.contains(note), "{note}: {}", done.err);
    }
    done.ok();
    assert_eq!(
        shed.cowshed("run --rm made cat /file /z").ok(),
        "a file\nz\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_names_are_checked_before_anything_is_done() {
    let shed = Shed::new();
    shed.cowshed("create --name box base true").ok();
    let before = shed.listing();
    shed.cowshed("commit nobody")
        .fails(1, "No such container: nobody");
    shed.cowshed("commit box Upper")
        .fails(1, "must be lowercase");
    shed.cowshed(&format!("commit box x@sha256:{}", "0".repeat(64)))
        .fails(1, "digest reference");
    assert_eq!(shed.listing(), before);
    shed.cowshed("container commit box a/b:c").ok();
    assert_eq!(shed.cowshed("images -q a/b:c").ok().lines().count(), 1);
    // A name moves, and the image that had it stays.
    let first = shed.inspect("a/b:c")["Id"].clone();
    shed.cowshed("commit -m other box a/b:c").ok();
    assert_ne!(shed.inspect("a/b:c")["Id"], first);
    shed.cowshed(&format!("image inspect {}", first.as_str().unwrap()))
        .ok();
}
