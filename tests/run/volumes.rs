//! Volumes of a container: made on the fly, filled from the image, inherited, removed with it
//! (rules 25-34, 51).

use std::os::unix::fs::MetadataExt as _;

use crate::support::{Shed, Tar, tree};

#[test]
#[ignore = "needs root"]
fn root_rule_25_an_unknown_name_is_made() {
    let shed = Shed::new();
    shed.sh("-v first:/nothing/here --mount src=second,dst=/x", "true");
    assert_eq!(shed.volumes(), ["first", "second"]);
    let found = std::fs::metadata(shed.data("first")).unwrap();
    assert_eq!((found.mode(), found.uid(), found.gid()), (0o40755, 0, 0));
    assert_eq!(shed.inspect("first")["Driver"], "local");
}

#[test]
#[ignore = "needs root"]
fn root_rule_26_an_empty_volume_is_filled_also_for_ro_but_not_for_nocopy() {
    let shed = Shed::new();
    let all = "fifo\nlink\none\nsame\nsetuid\nsub\n";
    assert_eq!(shed.sh("-v plain:/data", "ls /data"), all);
    assert_eq!(shed.sh("-v read:/data:ro", "ls /data"), all);
    assert_eq!(shed.sh("-v not:/data:nocopy", "ls -A /data"), "");
    assert_eq!(
        shed.sh("--mount src=too,dst=/data,volume-nocopy", "ls -A /data"),
        ""
    );
    // Tried again by any later container while it is empty.
    assert_eq!(shed.sh("-v not:/data", "ls /data"), all);
    // And never where there is something.
    shed.sh("-v own:/empty-so-far", "touch /empty-so-far/mine");
    assert_eq!(shed.sh("-v own:/data", "ls /data"), "mine\n");
    assert_eq!(shed.sh("-v gone:/data", "rm -r /data/*; ls -A /data"), "");
}

#[test]
#[ignore = "needs root"]
fn root_rule_27_filling_keeps_everything() {
    let shed = Shed::new();
    let list = "cd /data && stat -c '%A %u:%g' . && \
        stat -c '%A %u:%g %Y %h %n' fifo link one same setuid sub sub/two";
    let (image, volume) = (shed.sh("", list), shed.sh("-v vol:/data", list));
    assert_eq!(volume, image);
    assert!(
        volume.contains("-rwsr-xr-x 1000:1001 1600000000 1 setuid"),
        "{volume}"
    );
    let (one, same) = (shed.data("vol").join("one"), shed.data("vol").join("same"));
    let (one, same) = (
        std::fs::metadata(one).unwrap(),
        std::fs::metadata(same).unwrap(),
    );
    assert_eq!(one.ino(), same.ino());
    // An empty directory gives its owner and mode.
    assert_eq!(
        shed.sh("-v two:/empty", "stat -c '%a %u:%g' /empty"),
        "750 1000:1001\n"
    );
    let root = std::fs::metadata(shed.data("two")).unwrap();
    assert_eq!((root.mode(), root.uid()), (0o40750, 1000));
}

#[test]
#[ignore = "needs root"]
fn root_rule_26_what_is_filled_in_is_what_the_stack_of_layers_shows() {
    let shed = Shed::new();
    let layer = Tar::new()
        .file("data/.wh.one", 0o644, b"")
        .file("data/added", 0o644, b"")
        .dir("data/sub", 0o755)
        .file("data/sub/.wh..wh..opq", 0o644, b"")
        .file("data/sub/other", 0o644, b"");
    shed.image("over", layer, &[]);
    let out = shed
        .cowshed("run --rm -v vol:/data over sh -c 'cd /data; find . | sort'")
        .ok();
    assert_eq!(
        out,
        ".\n./added\n./fifo\n./link\n./same\n./setuid\n./sub\n./sub/other\n"
    );
    let names = tree(&shed.data("vol"));
    assert_eq!(
        names,
        "f added\np fifo\nl link\nf same\nf setuid\nd sub\nf sub/other\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_rule_28_a_file_in_the_image_fills_nothing() {
    let shed = Shed::new();
    shed.try_sh("-v vol:/file", "true").fails(125, "vice-versa");
    assert_eq!(tree(&shed.data("vol")), "");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_29_volumes_from_reuses_and_never_fills() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.cowshed(&format!("run --name box -v vol:/v:nocopy -v /anon -v {dir}:/b --tmpfs /t base touch /v/x /anon/y /b/z"))
        .ok();
    let list = "ls /anon /b /v; ls -d /t";
    let done = shed.try_sh("--volumes-from box", list);
    assert_eq!(done.out, "/anon:\ny\n\n/b:\nz\n\n/v:\nx\n");
    let done = shed.try_sh("--volumes-from box:ro", "touch /v/w /anon/w /b/w");
    assert_eq!(
        done.err.matches("Read-only file system").count(),
        3,
        "{done:?}"
    );
    shed.sh("--volumes-from box:rw -v other:/v", "ls /v; touch /v/other");
    assert!(shed.data("other").join("other").exists());
    // Emptied, over image content: an inherited mount is not filled again.
    shed.cowshed("run --name at-data -v hollow:/data:nocopy base true")
        .ok();
    assert_eq!(shed.sh("--volumes-from at-data", "ls -A /data"), "");
    shed.try_sh("--volumes-from nobody", "true")
        .fails(125, "No such container: nobody");
    shed.try_sh("--volumes-from box:nocopy", "true")
        .fails(125, "nocopy");
    shed.try_sh("--volumes-from box:rshared", "true")
        .fails(125, "rshared");
    // The inheritor's --rm leaves what is the other's.
    assert_eq!(shed.volumes().len(), 4);
}

#[test]
#[ignore = "needs root"]
fn root_rule_30_a_subpath_stays_inside_its_volume() {
    let shed = Shed::new();
    shed.sh(
        "-v vol:/v",
        "mkdir -p /v/a/b; touch /v/a/b/x; ln -s / /v/out; ln -s ../.. /v/a/up",
    );
    assert_eq!(
        shed.sh("--mount src=vol,dst=/s,volume-subpath=a/b", "ls /s"),
        "x\n"
    );
    for bad in ["../..", "/a", "out/../../etc"] {
        let done = shed.try_sh(
            &format!("--mount src=vol,dst=/s,volume-subpath={bad}"),
            "ls /s",
        );
        assert!(
            done.code == 125 || !done.out.contains("passwd"),
            "{bad}: {done:?}"
        );
    }
    let done = shed.try_sh("--mount src=vol,dst=/s,volume-subpath=out", "ls /s");
    assert!(done.code == 125 || done.out == "a\nout\n", "{done:?}");
    shed.try_sh("--mount dst=/s,volume-subpath=a", "true")
        .fails(125, "anonymous");
    shed.try_sh("--mount src=vol,dst=/s,volume-subpath=none", "true")
        .fails(125, "none");
}

#[test]
#[ignore = "needs root"]
fn root_rule_31_the_image_s_volumes_are_anonymous_unless_covered() {
    let shed = Shed::new();
    shed.image(
        "vols",
        Tar::new().dir("seed", 0o755).file("seed/s", 0o644, b"s\n"),
        &["VOLUME /seed /second", "CMD [\"sh\", \"-c\", \"ls /seed\"]"],
    );
    assert_eq!(shed.cowshed("run --name box vols").ok(), "s\n");
    assert_eq!(shed.volumes().len(), 2);
    shed.cowshed("rm -v box").ok();
    let dir = shed.dir("dir");
    for flags in [
        "-v named:/seed".to_owned(),
        format!("-v {dir}:/seed/"),
        "--tmpfs /seed".to_owned(),
        "--mount type=tmpfs,dst=/seed".to_owned(),
    ] {
        shed.cowshed(&format!("run --name box {flags} --tmpfs /second vols"))
            .ok();
        let names = shed.volumes();
        assert!(
            names.iter().all(|name| name == "named"),
            "{flags}: {names:?}"
        );
        shed.cowshed("rm box").ok();
    }
    shed.cowshed("run --name one vols").ok();
    shed.cowshed("run --name two --volumes-from one vols").ok();
    assert_eq!(shed.volumes().len(), 3);
}

#[test]
#[ignore = "needs root"]
fn root_rule_33_anonymous_names_are_64_hex_digits_and_labelled() {
    let shed = Shed::new();
    shed.cowshed("run --name box -v /anon base true").ok();
    let names = shed.volumes();
    let [name] = names.as_slice() else {
        panic!("{names:?}")
    };
    assert!(
        name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()),
        "{name}"
    );
    let labels = &shed.inspect(name)["Labels"];
    assert_eq!(
        labels,
        &serde_json::json!({"com.docker.volume.anonymous": ""})
    );
}

#[test]
#[ignore = "needs root"]
fn root_rule_34_rm_takes_anonymous_volumes_only() {
    let shed = Shed::new();
    let flags = "-v /anon --mount type=volume,dst=/too -v named:/n";
    shed.cowshed(&format!("run --rm {flags} base true")).ok();
    assert_eq!(shed.volumes(), ["named"]);
    shed.cowshed(&format!("run --name keep {flags} base true"))
        .ok();
    shed.cowshed("rm keep").ok();
    assert_eq!(shed.volumes().len(), 3);
    shed.cowshed("volume prune -f --anonymous").ok();
    shed.cowshed(&format!("run --name box {flags} base true"))
        .ok();
    shed.cowshed("run --name user --volumes-from box base true")
        .ok();
    // Still used by another: left, quietly.
    assert_eq!(shed.cowshed("rm -v box").ok(), "box\n");
    assert_eq!(shed.volumes().len(), 3);
    // A failed start is a container, too.
    shed.cowshed("run --rm -v /gone base nosuchprogram")
        .fails(127, "");
    assert_eq!(shed.volumes().len(), 3);
}

#[test]
#[ignore = "needs root"]
fn root_rule_51_labels_and_driver_of_a_mount_are_for_a_new_volume() {
    let shed = Shed::new();
    shed.sh(
        "--mount src=vol,dst=/x,volume-label=a=1,volume-driver=local",
        "true",
    );
    assert_eq!(shed.inspect("vol")["Labels"], serde_json::json!({"a": "1"}));
    shed.sh("--mount src=vol,dst=/x,volume-label=a=2", "true");
    assert_eq!(shed.inspect("vol")["Labels"], serde_json::json!({"a": "1"}));
    shed.try_sh("--mount src=new,dst=/x,volume-driver=nope", "true")
        .fails(125, "nope");
    assert_eq!(shed.volumes(), ["vol"]);
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_one_volume_at_two_places_and_between_containers() {
    let shed = Shed::new();
    let script = "echo hi >/a/x; cat /b/x";
    assert_eq!(shed.sh("-v vol:/a -v vol:/b:ro", script), "hi\n");
    assert_eq!(shed.sh("-v vol:/c", "cat /c/x"), "hi\n");
}
