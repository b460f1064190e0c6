//! `:O` and `type=overlay`: copy-on-write over a directory or a volume (need 26).

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

use nix::sys::signal::{Signal, kill};

use crate::support::{Shed, processes_of, read, tree, wait_until};

fn source(shed: &Shed) -> String {
    let src = shed.dir("src");
    shed.dir("src/dir");
    shed.file("src/a", "a\n");
    shed.file("src/dir/b", "b\n");
    src
}

#[test]
#[ignore = "needs root"]
fn root_need_26_the_directory_below_stays_as_it_is() {
    let shed = Shed::new();
    let src = source(&shed);
    std::fs::set_permissions(shed.path("src"), std::fs::Permissions::from_mode(0o751)).unwrap();
    chown(shed.path("src"), Some(7), Some(8)).unwrap();
    let before = tree(&shed.path("src"));
    let script =
        "stat -c '%a %u:%g' /s; echo more >>/s/a; rm -r /s/dir; touch /s/new; cat /s/a; ls /s";
    for flags in [
        format!("-v {src}:/s:O"),
        "-v ./src:/s:O".to_owned(),
        format!("--mount type=overlay,src={src},dst=/s"),
        format!("--mount type=overlay,src={src},dst=/s,upper=discard"),
        format!("--mount type=overlay,src={src},dst=/s,upper=tmpfs"),
        format!("--mount type=overlay,src={src},dst=/s,upper=kept"),
    ] {
        let out = shed.sh(&flags, script);
        assert_eq!(out, "751 7:8\na\nmore\na\nnew\n", "{flags}");
        assert_eq!(tree(&shed.path("src")), before, "{flags}");
        assert_eq!(read(shed.path("src/a")), "a\n");
    }
    let done = shed.try_sh(&format!("-v {src}:/s:O,ro"), "cat /s/a; touch /s/x");
    assert_eq!(done.out, "a\n");
    assert!(done.err.contains("Read-only file system"), "{done:?}");
}

#[test]
#[ignore = "needs root"]
fn root_need_26_changes_live_as_long_as_their_place() {
    let shed = Shed::new();
    let src = source(&shed);
    let add = "echo x >>/s/log; wc -l </s/log";
    // Discarded with the container, not before.
    shed.cowshed(&format!(
        "create --name box -v {src}:/s:O base sh -c '{add}'"
    ))
    .ok();
    for count in 1..=3 {
        assert_eq!(shed.cowshed("start -a box").ok(), format!("{count}\n"));
    }
    shed.cowshed("rm box").ok();
    // Memory goes with the program.
    shed.cowshed(&format!(
        "create --name box --mount type=overlay,src={src},dst=/s,upper=tmpfs base sh -c '{add}'"
    ))
    .ok();
    for _ in 0..2 {
        assert_eq!(shed.cowshed("start -a box").ok(), "1\n");
    }
    shed.cowshed("rm box").ok();
    // A volume stays.
    let flags = format!("--mount type=overlay,src={src},dst=/s,upper=changes");
    for count in 1..=3 {
        assert_eq!(shed.sh(&flags, add), format!("{count}\n"));
    }
    assert_eq!(tree(&shed.path("src")), "f a\nd dir\nf dir/b\n");
    assert_eq!(shed.volumes(), ["changes"]);
}

#[test]
#[ignore = "needs root"]
fn root_need_26_a_volume_may_be_below() {
    let shed = Shed::new();
    shed.sh("-v code:/c", "echo one >/c/one; ln -s / /c/out");
    let flags = "--mount type=overlay,src=code,dst=/s";
    let out = shed.sh(
        flags,
        "cat /s/one; rm /s/one; touch /s/two; ls /s; ls -d /s/out/data",
    );
    assert_eq!(out, "one\nout\ntwo\n/s/out/data\n");
    assert_eq!(tree(&shed.data("code")), "f one\nl out\n");
    // Made on the fly, unless that is forbidden; never filled from the image.
    assert_eq!(shed.sh("-v fresh:/data:O", "ls -A /data"), "");
    shed.try_sh("-v none:/data:O,nocreate", "true")
        .fails(125, "nocreate was given");
    assert_eq!(shed.volumes(), ["code", "fresh"]);
    // It is in use by both names.
    shed.cowshed("create --name box --mount type=overlay,src=code,dst=/s,upper=up base true")
        .ok();
    for name in ["code", "up"] {
        shed.cowshed(&format!("volume rm {name}"))
            .fails(1, "volume is in use");
    }
    let mount = &shed.inspect("box")["Mounts"][0];
    assert_eq!(
        (&mount["Type"], &mount["Name"], &mount["Upper"]),
        (&"overlay".into(), &"code".into(), &"up".into())
    );
}

#[test]
#[ignore = "needs root"]
fn root_need_26_changes_fit_one_directory_and_one_container_at_a_time() {
    let shed = Shed::new();
    let (src, other) = (source(&shed), shed.dir("other"));
    let flags = |src: &str| format!("--mount type=overlay,src={src},dst=/s,upper=up");
    shed.sh(&flags(&src), "touch /s/x");
    shed.try_sh(&flags(&other), "true")
        .fails(125, &format!("volume up holds changes to {src}"));
    let command = format!(
        "run --rm --name live {} base sh -c 'echo ready; while [ ! -e /s/go ]; do sleep 0.02; done'",
        flags(&src)
    );
    let mut live = shed.start(&command);
    shed.try_sh(&flags(&src), "true").fails(
        125,
        "another container that runs, or another command, has its changes there",
    );
    for verb in ["apply", "discard"] {
        shed.cowshed(&format!("overlay {verb} up"))
            .fails(1, "has its changes there");
        shed.cowshed(&format!("overlay {verb} live"))
            .fails(1, "has it mounted");
    }
    assert_eq!(shed.cowshed("overlay diff up").ok(), "A /x\n");
    shed.cowshed("exec live touch /s/go").ok();
    assert_eq!(live.wait().1, Some(0));
    // Killed, its claim is gone with it.
    assert_eq!(shed.sh(&flags(&src), "ls /s/go"), "/s/go\n");
    shed.cowshed("overlay discard up").ok();
    shed.sh(&flags(&other), "touch /s/mine");
    // A volume with data of its own is no place for changes.
    shed.sh("-v data:/d", "touch /d/precious");
    shed.try_sh(
        &format!("--mount type=overlay,src={src},dst=/s,upper=data"),
        "true",
    )
    .fails(125, "it has data of its own, such as precious");
    assert_eq!(tree(&shed.data("data")), "f precious\n");
}

#[test]
#[ignore = "needs root"]
fn root_need_26_bad_lowers_are_refused() {
    let shed = Shed::new();
    let file = shed.file("file", "");
    shed.try_sh(&format!("-v {file}:/s:O"), "true")
        .fails(125, "only a directory can be overlaid");
    let missing = shed.show("missing");
    shed.try_sh(
        &format!("--mount type=overlay,src={missing},dst=/s"),
        "true",
    )
    .fails(125, "bind source path does not exist");
    assert!(!shed.path("missing").exists());
    shed.sh(&format!("-v {missing}:/s:O"), "touch /s/x");
    assert_eq!(tree(&shed.path("missing")), "");
    shed.try_sh(&format!("-v {}:/file:O", shed.dir("dir")), "true")
        .fails(125, "/file");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_need_26_a_container_cannot_lead_its_upper_dir_elsewhere() {
    let shed = Shed::new();
    let src = source(&shed);
    let outside = shed.dir("outside");
    // Somebody who has the upper's volume mounted plants a link where the upper dir should be.
    shed.sh("-v up:/u", &format!("ln -s {outside} /u/upper"));
    let flags = format!("--mount type=overlay,src={src},dst=/s,upper=up");
    let done = shed.try_sh(&flags, "touch /s/x");
    assert_eq!(done.code, 125, "{done:?}");
    assert_eq!(tree(&shed.path("outside")), "");
    shed.sh(
        "-v up:/u",
        &format!("rm /u/upper; mkdir /u/upper; rm -rf /u/work; ln -s {outside} /u/work"),
    );
    let done = shed.try_sh(&flags, "touch /s/x");
    assert_eq!(done.code, 125, "{done:?}");
    assert_eq!(tree(&shed.path("outside")), "");
}

#[test]
#[ignore = "needs root"]
fn root_need_26_links_below_lead_where_they_lead_in_the_container() {
    let shed = Shed::new();
    let src = source(&shed);
    symlink("/etc/hostname", shed.path("src/link")).unwrap();
    let out = shed.sh(
        &format!("--hostname inside -v {src}:/s:O"),
        "cat /s/link; echo w >/s/a; stat -c %h /s/a",
    );
    assert_eq!(out, "inside\n1\n");
    let found = std::fs::metadata(shed.path("src/a")).unwrap();
    assert_eq!(found.size(), 2);
}

#[test]
#[ignore = "needs root"]
fn root_need_26_cp_goes_through_the_overlay() {
    let shed = Shed::new();
    let src = source(&shed);
    shed.cowshed(&format!("create --name box -v {src}:/s:O base true"))
        .ok();
    shed.file("in", "in\n");
    shed.cowshed("cp in box:/s/in").ok();
    assert!(!shed.path("src/in").exists());
    shed.cowshed("cp box:/s/a out").ok();
    assert_eq!(read(shed.path("out")), "a\n");
    assert_eq!(shed.cowshed("overlay diff box").ok(), "A /in\n");
}

#[test]
#[ignore = "needs root"]
fn root_need_26_kill_9_leaves_no_mount_no_lock_and_no_process() {
    let shed = Shed::new();
    let src = source(&shed);
    chown(shed.path("src"), Some(4242), Some(4242)).unwrap();
    let flags = format!(
        "-u app --mount type=overlay,src={src},dst=/s,upper=up --mount type=image,src=base,dst=/i \
         --mount type=bind,src={src},dst=/m,idmap --tmpfs /data:tmpcopyup"
    );
    for victim in ["program", "supervisor", "command"] {
        let command = format!("run --name box {flags} base sh -c 'echo ready; sleep 100'");
        let live = shed.start(&command);
        let (pid, id) = (shed.pid_of("box"), shed.id_of("box"));
        let status = read(format!("/proc/{pid}/status"));
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let parent: i32 = parent.unwrap().trim().parse().unwrap();
        match victim {
            "program" => kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap(),
            "supervisor" => kill(nix::unistd::Pid::from_raw(parent), Signal::SIGKILL).unwrap(),
            _ => live.signal(Signal::SIGKILL),
        }
        drop(live);
        wait_until("nothing of it runs", || {
            processes_of(&shed.store(), &id).is_empty()
        });
        shed.cowshed("rm -f box").ok();
        // Nobody holds the upper volume any more.
        assert_eq!(shed.sh(&flags, "ls /s"), "a\ndir\n", "{victim}");
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_rule_49_events_tell_of_both_volumes_of_an_overlay() {
    let shed = Shed::new();
    shed.sh("--mount type=overlay,src=low,dst=/s,upper=up", "true");
    let only = "--filter type=volume --filter event=mount";
    let text = shed
        .cowshed(&format!("events --since 1h --until 0s {only}"))
        .ok();
    let told = |name: &str, access: &str| {
        text.lines().any(|line| {
            line.contains(&format!(" mount {name} "))
                && line.contains(&format!("read/write={access}"))
        })
    };
    assert!(told("low", "false") && told("up", "true"), "{text}");
}
