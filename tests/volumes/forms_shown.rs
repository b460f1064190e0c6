//! Every form in `--dry-run`, `--explain`, `--explain=sh` and `inspect`: what is shown is what is
//! done.

use std::process::Command;

use crate::support::{Done, Shed, finish, mounts_below, tree};

fn scripted(shed: &Shed, flags: &str, program: &str) -> Done {
    let mut command = shed.command(&format!("run --rm --explain=sh {flags} base sh -c"));
    command.arg(program);
    let text = finish(command).ok();
    let path = shed.file("explained.sh", &text);
    let scratch = shed.dir("for-script");
    let mut shell = Command::new("sh");
    shell.arg(path).env("TMPDIR", &scratch);
    let done = finish(shell);
    assert_eq!(
        tree(&shed.path("for-script")),
        "",
        "{flags}: left by the script"
    );
    assert_eq!(mounts_below(&shed.path("")), Vec::<String>::new());
    done
}

#[test]
#[ignore = "needs root"]
fn root_the_script_does_what_the_run_does_for_every_form() {
    let shed = Shed::new();
    let src = shed.dir("src");
    shed.dir("src/dir");
    shed.file("src/a", "a\n");
    shed.sh(
        "-v vol:/v",
        "mkdir -p /v/in/side; echo v >/v/in/side/v; echo top >/v/top",
    );
    let layer = crate::support::Tar::new()
        .file("data/.wh.one", 0o644, b"")
        .file("more", 0o600, b"more\n");
    shed.image("two", layer, &[]);
    shed.sh(
        &format!("--mount type=overlay,src={src},dst=/x,upper=up"),
        "echo kept >/x/kept; rm /x/a",
    );
    let look = "find /x -exec stat -c '%A %u:%g %N' {} + | sed 's/^\\(d[^ ]* [^ ]*\\) [0-9]*/\\1/' | sort; \
        touch /x/new /x/in/new 2>&1 | sort; rm -r /x/dir 2>/dev/null; ls /x; \
        awk '$2 == \"/x\" { split($4, o, \",\"); print $3, o[1] }' /proc/mounts";
    for flags in [
        "--mount type=image,src=base,dst=/x".to_owned(),
        "--mount type=image,src=two,dst=/x".to_owned(),
        "--mount type=image,src=two,dst=/x,image-subpath=data".to_owned(),
        "--mount type=image,src=two,dst=/x,image-subpath=more".to_owned(),
        format!("-v {src}:/x:O"),
        format!("-v {src}:/x:O,ro"),
        "-v vol:/x:O".to_owned(),
        format!("--mount type=overlay,src={src},dst=/x,upper=tmpfs"),
        format!("--mount type=overlay,src={src},dst=/x,upper=up"),
        format!("--mount type=overlay,src={src},dst=/x,upper=not-yet"),
        "--mount src=vol,dst=/x,volume-subpath=in/side,ro".to_owned(),
        "--tmpfs /x:tmpcopyup,noswap,size=1m".to_owned(),
    ] {
        let script = scripted(&shed, &flags, look);
        let before = (tree(&shed.path("src")), tree(&shed.data("vol")));
        let mut command = shed.command(&format!("--no-notes run --rm {flags} base sh -c"));
        command.arg(look);
        let own = finish(command);
        assert_eq!(
            (script.code, &script.out),
            (own.code, &own.out),
            "{flags}\n{script:?}\n{own:?}"
        );
        assert!(own.out.lines().count() > 1, "{flags}: {own:?}");
        assert_eq!(
            before,
            (tree(&shed.path("src")), tree(&shed.data("vol"))),
            "{flags}"
        );
    }
    // What the script changed was its own.
    let out = shed.sh(
        &format!("--mount type=overlay,src={src},dst=/x,upper=up"),
        "cat /x/kept; ls /x",
    );
    assert!(out.starts_with("kept\n"), "{out}");
}

#[test]
#[ignore = "needs root"]
fn root_the_script_fills_a_tmpfs_as_the_run_does() {
    let shed = Shed::new();
    let copied = "cat /data/one; stat -c '%a %u:%g' /data; touch /data/x 2>&1; ls /data";
    for flags in [
        "--tmpfs /data:tmpcopyup",
        "--tmpfs /data:tmpcopyup,ro,mode=0700,uid=5",
        "--mount type=tmpfs,dst=/data,tmpfs-copyup,tmpfs-gid=6",
    ] {
        let own = shed.try_sh(flags, copied);
        let script = scripted(&shed, flags, copied);
        assert_eq!((script.code, &script.out), (own.code, &own.out), "{flags}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_script_makes_a_subpath_and_refuses_what_commands_cannot_do() {
    let shed = Shed::new();
    let outside = shed.dir("outside");
    shed.sh(
        "-v vol:/v",
        &format!("ln -s {outside} /v/out; ln -s /etc /v/etc"),
    );
    let made = "--mount src=vol,dst=/x,volume-subpath=a/b,volume-subpath-create";
    let done = scripted(&shed, made, "touch /x/y; ls /x");
    assert_eq!((done.code, done.out.as_str()), (0, "y\n"), "{done:?}");
    assert!(shed.data("vol").join("a/b/y").exists());
    for subpath in ["out", "etc", "out/new"] {
        let flags =
            format!("--mount src=vol,dst=/x,volume-subpath={subpath},volume-subpath-create");
        let done = scripted(&shed, &flags, "ls /x");
        assert_ne!(done.code, 0, "{done:?}");
        assert!(done.err.contains("leads out of"), "{done:?}");
    }
    assert_eq!(tree(&shed.path("outside")), "");
    let missing = scripted(&shed, "--mount src=vol,dst=/x,volume-subpath=none", "true");
    assert!(
        missing.code != 0 && missing.err.contains("does not exist"),
        "{missing:?}"
    );
    let flags = format!("-u app --mount type=bind,src={outside},dst=/x,bind-idmap");
    let done = scripted(&shed, &flags, "echo ran");
    assert_ne!(done.code, 0);
    assert!(
        done.err.contains("MOUNT_ATTR_IDMAP") && done.out.is_empty(),
        "{done:?}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_dry_run_and_explain_name_every_form_and_a_plan_makes_nothing() {
    let shed = Shed::new();
    let src = shed.dir("src");
    let before = shed.listing();
    let flags = format!(
        "--rm -u app --mount type=image,src=base,dst=/i,image-subpath=data -v {src}:/o:O \
         --mount type=overlay,src=low,dst=/p,upper=up --mount type=overlay,src={src},dst=/q,upper=tmpfs \
         --mount type=bind,src={src},dst=/m,bind-idmap --tmpfs /t:tmpcopyup,noswap \
         --mount src=vol,dst=/s,volume-subpath=a/b,volume-subpath-create"
    );
    let plan = shed
        .cowshed(&format!("run --dry-run {flags} base true"))
        .ok();
    assert_eq!(shed.listing(), before);
    let told = shed.cowshed(&format!("run --explain {flags} base true"));
    assert_eq!(told.code, 0, "{told:?}");
    for call in [
        "fsconfig(FSCONFIG_SET_STRING, \"lowerdir+\", \"empty-dir\")",
        "openat2(\"data\", RESOLVE_IN_ROOT); open_tree(OPEN_TREE_CLONE)",
        "fsmount(RDONLY|NODEV)",
        "/overlays/0/upper\")",
        "/volumes/up/_data/upper\")",
        "mkdirat(\"upper\", \"work\")",
        "appears as app",
        "mount_setattr({attr_set=IDMAP, userns_fd})",
        "noswap",
        "copy everything in \"/t\" of the image",
        "mkdirat(…); openat2(\"a/b\", RESOLVE_IN_ROOT)",
    ] {
        assert!(plan.contains(call), "{call} in the plan:\n{plan}");
        assert!(told.err.contains(call), "{call} in:\n{}", told.err);
    }
}

#[test]
#[ignore = "needs root"]
fn root_inspect_tells_every_form_as_it_was_asked_for() {
    let shed = Shed::new();
    let src = shed.dir("src");
    let flags = format!(
        "-v {src}:/o:O -v vol:/v:ro \
         --mount type=image,src=base,dst=/i,image-subpath=data \
         --mount type=overlay,src=low,dst=/p,upper=up,ro \
         --mount type=bind,src={src},dst=/m,bind-idmap=match-user:app,bind-recursive=disabled \
         --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=0700,tmpfs-uid=5,tmpfs-noswap,tmpfs-copyup \
         --mount src=vol,dst=/s,volume-subpath=a,volume-subpath-create,volume-nocopy"
    );
    shed.cowshed(&format!("create --name box {flags} base true"))
        .ok();
    let found = shed.inspect("box");
    let host = &found["HostConfig"];
    assert_eq!(
        host["Binds"],
        serde_json::json!([format!("{src}:/o:O"), "vol:/v:ro"])
    );
    let expected = serde_json::json!([
        { "Type": "image", "Source": "base", "Target": "/i", "ReadOnly": true,
          "ImageOptions": { "Subpath": "data" } },
        { "Type": "overlay", "Source": "low", "Target": "/p", "ReadOnly": true,
          "OverlayOptions": { "Upper": "up" } },
        { "Type": "bind", "Source": src, "Target": "/m",
          "BindOptions": { "NonRecursive": true, "IDMap": "match-user:app" } },
        { "Type": "tmpfs", "Target": "/t",
          "TmpfsOptions": { "SizeBytes": 1_048_576, "Mode": 448,
            "Options": [["noswap"], ["tmpcopyup"], ["uid", "5"]] } },
        { "Type": "volume", "Source": "vol", "Target": "/s",
          "VolumeOptions": { "NoCopy": true, "Subpath": "a", "CreateSubpath": true } },
    ]);
    assert_eq!(host["Mounts"], expected);
    let types: Vec<_> = found["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["Type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        types.join(" "),
        "overlay volume image overlay bind tmpfs volume"
    );
    let image = &found["Mounts"][2];
    assert!(
        image["Source"].as_str().unwrap().starts_with("sha256:"),
        "{image}"
    );
    let shown = shed.cowshed("ps -a --no-trunc --format '{{.Mounts}}'").ok();
    assert!(shown.contains("base") && shown.contains("low"), "{shown}");
    assert_eq!(
        shed.cowshed("ps -aq --filter volume=up")
            .ok()
            .lines()
            .count(),
        1
    );
}
