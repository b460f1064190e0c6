//! Images and volumes that try to get out. A canary beside the store must stay as it is.

use std::time::{Duration, Instant};

use crate::support::{Shed, Tar, read, tree, write_text};

/// A directory of the host that nothing may touch.
struct Canary(String);

impl Canary {
    fn new(shed: &Shed) -> Self {
        shed.dir("canary");
        write_text(&shed.path("canary/secret"), "secret\n");
        Self(shed.show("canary"))
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let dir = std::path::Path::new(&self.0);
        assert_eq!(tree(dir), "f secret\n");
        assert_eq!(read(dir.join("secret")), "secret\n");
    }
}

#[test]
#[ignore = "needs root"]
fn root_system_directories_that_are_links_stay_inside() {
    let shed = Shed::new();
    let canary = Canary::new(&shed);
    let escapes = [
        canary.0.clone(),
        format!("../../../../../../..{}", canary.0),
    ];
    for (number, target) in escapes.iter().enumerate() {
        for name in ["dev", "proc", "sys", "etc"] {
            let image = format!("link-{name}-{number}");
            let layer = if name == "etc" {
                // A link may not take the place of base's directory by itself.
                Tar::new().file(".wh.etc", 0o644, b"").link("etc", target)
            } else {
                Tar::new().link(name, target)
            };
            shed.image(&image, layer, &[]);
            let line = format!("run --rm -v vol:/{name}/deep -w /{name}/here {image} true");
            for line in [format!("run --rm {image} ls /dev"), line] {
                let done = shed.cowshed(&line);
                assert!([0, 125, 126, 127].contains(&done.code), "{line}: {done:?}");
                assert!(!done.out.contains("secret"), "{line}: {done:?}");
            }
            canary.assert_untouched();
        }
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_etc_files_that_are_links_stay_inside() {
    let shed = Shed::new();
    let canary = Canary::new(&shed);
    let secret = format!("{}/secret", canary.0);
    let layer = Tar::new()
        .link("etc/hosts", &secret)
        .link("etc/hostname", &format!("../../../../../../../{secret}"))
        .link("etc/resolv.conf", &format!("{}/made", canary.0))
        .file("etc/.wh.passwd", 0o644, b"")
        .link("etc/passwd", &secret);
    shed.image("links", layer, &[]);
    let done =
        shed.cowshed("run --rm links sh -c 'cat /etc/hosts /etc/hostname; echo x >>/etc/hosts'");
    assert!(!done.out.contains("secret"), "{done:?}");
    canary.assert_untouched();
}

#[test]
#[ignore = "needs root"]
fn root_mount_targets_that_are_links_stay_inside() {
    let shed = Shed::new();
    let canary = Canary::new(&shed);
    let layer = Tar::new()
        .link("abs", &canary.0)
        .link("up", &format!("../../../../../../..{}", canary.0))
        .link("loop", "loop")
        .link("into-proc", "/proc/self")
        .link("fd", "/proc/self/fd/3");
    shed.image("links", layer, &[]);
    let dir = shed.dir("dir");
    let file = shed.file("a-file", "mine\n");
    for target in ["/abs", "/abs/new", "/up", "/up/secret", "/abs/x/y"] {
        for flags in [
            format!("-v vol:{target}"),
            format!("-v {dir}:{target}"),
            format!("--tmpfs {target}"),
            format!("-v {file}:{target}/f"),
        ] {
            let done = shed.cowshed(&format!("run --rm {flags} links ls -A {target}"));
            assert!(!done.out.contains("secret"), "{flags}: {done:?}");
            canary.assert_untouched();
        }
    }
    shed.cowshed("run --rm -v vol:/loop links true")
        .fails(125, "/loop");
    shed.cowshed("run --rm -v vol:/into-proc links true")
        .fails(125, "/into-proc");
    shed.cowshed("run --rm -v vol:/into-proc/attr links true")
        .fails(125, "/into-proc");
    shed.cowshed("run --rm --tmpfs /fd links true")
        .fails(125, "/fd");
    canary.assert_untouched();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_working_directory_outside_is_refused() {
    let shed = Shed::new();
    for number in 3..12 {
        for kind in ["self", "1", "thread-self"] {
            let done = shed.cowshed(&format!("run --rm -w /proc/{kind}/fd/{number} base pwd"));
            assert_eq!(
                (done.code, done.out.as_str()),
                (125, ""),
                "{number} {done:?}"
            );
        }
    }
    shed.image(
        "wd",
        Tar::new().link("here", "/proc/self/fd/7"),
        &["WORKDIR /here"],
    );
    shed.cowshed("run --rm wd pwd").fails(125, "");
    shed.image("wd2", Tar::new(), &["WORKDIR /proc/self/fd/8"]);
    shed.cowshed("run --rm wd2 pwd").fails(125, "");
    shed.cowshed("run --rm -w /proc/1/cwd/../.. base pwd")
        .fails(125, "");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_odd_passwd_files_hold_nobody_up() {
    let shed = Shed::new();
    let begin = Instant::now();
    let gone = || {
        Tar::new()
            .file("etc/.wh.passwd", 0o644, b"")
            .file("etc/.wh.group", 0o644, b"")
    };
    shed.image(
        "fifo",
        gone().fifo("etc/passwd", 0o644).fifo("etc/group", 0o644),
        &[],
    );
    shed.image("dir", gone().dir("etc/passwd", 0o755), &[]);
    shed.image(
        "zero",
        gone()
            .link("etc/passwd", "/dev/zero")
            .link("etc/group", "/dev/zero"),
        &[],
    );
    shed.image("none", gone(), &[]);
    shed.image("kmsg", gone().link("etc/passwd", "/proc/kmsg"), &[]);
    for image in ["fifo", "dir", "zero", "none", "kmsg"] {
        for (flags, wanted) in [("", "Uid:\t0\t0\t0\t0\n"), ("-u 7:8", "Uid:\t7\t7\t7\t7\n")] {
            let line = format!("run --rm {flags} {image} grep Uid: /proc/self/status");
            assert_eq!(shed.cowshed(&line).ok(), wanted, "{image}");
        }
        shed.cowshed(&format!("run --rm -u app {image} true"))
            .fails(125, "unable to find user app");
    }
    // 200 MB of nothing, sparse: through a bind, an archive of that size is slow to make.
    let huge = std::fs::File::create(shed.path("huge")).unwrap();
    huge.set_len(200 << 20).unwrap();
    assert_eq!(
        shed.sh(&format!("-v {}:/etc/passwd", shed.show("huge")), "echo ok"),
        "ok\n"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
#[ignore = "needs root"]
fn root_an_image_s_volume_stays_inside() {
    let shed = Shed::new();
    let canary = Canary::new(&shed);
    shed.image(
        "up",
        Tar::new(),
        &["VOLUME /../../x", "CMD grep -o ' /x ' /proc/mounts"],
    );
    assert_eq!(shed.cowshed("run --rm up").ok(), " /x \n");
    let change = format!("VOLUME /out/{}", "v");
    shed.image("out", Tar::new().link("out", &canary.0), &[&change]);
    let done = shed.cowshed("run --rm out sh -c 'touch /out/v/x; ls /out'");
    assert!(!done.out.contains("secret"), "{done:?}");
    for volume in ["VOLUME /", "VOLUME /proc", "VOLUME /proc/../proc/sys"] {
        shed.image("bad", Tar::new(), &[volume]);
        shed.cowshed("run --rm bad true").fails(125, "");
    }
    canary.assert_untouched();
    shed.assert_no_containers();
    assert_eq!(shed.volumes(), Vec::<String>::new());
}

#[test]
#[ignore = "needs root"]
fn root_a_volume_s_links_do_not_lead_the_copy_out() {
    let shed = Shed::new();
    let canary = Canary::new(&shed);
    // What is copied is a directory whose path leads through a link out.
    let layer = Tar::new()
        .link("src", &canary.0)
        .dir("real", 0o755)
        .link("real/l", &canary.0);
    shed.image("links", layer, &[]);
    let done = shed.cowshed("run --rm -v one:/src links ls -A /src");
    assert!(!done.out.contains("secret"), "{done:?}");
    shed.cowshed("run --rm -v two:/real links readlink /real/l")
        .ok();
    assert_eq!(tree(&shed.data("two")), "l l\n");
    // A volume whose data dir was swapped for a link by a container cannot exist; one whose
    // content is a link can, and a nested mount resolves it inside.
    shed.cowshed("run --rm -v two:/real --tmpfs /real/l/deep links true");
    canary.assert_untouched();
}

#[test]
#[ignore = "needs root"]
fn root_control_bytes_of_an_image_do_not_reach_the_terminal() {
    let shed = Shed::new();
    let done = shed.cowshed("run --rm base '/no\u{1b}[31msuch'");
    assert_eq!(done.code, 127);
    assert!(!done.err.contains('\u{1b}'), "{:?}", done.err);
}
