//! Binds and subpaths under hostile hands: sources and subpaths that are swapped, links that lead
//! out, read-only that must reach everything, mounts inside mounts (rules 14-24, 30).

use std::{
    ffi::OsStr,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use nix::{
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    mount::{MntFlags, MsFlags, mount, umount2},
};

use crate::support::{Shed, tree};

/// Tells the swapping thread to end, also when a test panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` while two paths are exchanged as fast as can be.
fn while_swapped(one: &Path, other: &Path, work: impl FnOnce()) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut count = 0;
            while !ended.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, one, AT_FDCWD, other, flags).unwrap();
                count += 1;
                thread::yield_now();
            }
            count
        });
        let stop = Stop(&ended);
        work();
        drop(stop);
        assert!(swapper.join().unwrap() > 100);
    });
}

#[test]
#[ignore = "needs root"]
fn root_a_source_that_is_swapped_is_one_or_the_other() {
    let shed = Shed::new();
    for name in ["one", "two"] {
        shed.dir(&format!("{name}/deep"));
        shed.file(&format!("{name}/id"), name);
        shed.file(&format!("{name}/deep/id"), name);
    }
    shed.dir("outside");
    symlink(shed.path("two"), shed.path("link")).unwrap();
    let path = shed.show("one");
    while_swapped(&shed.path("one"), &shed.path("link"), || {
        for flags in [
            format!("-v {path}:/x:ro"),
            format!("-v {path}/deep:/x/deep:ro -v {path}/id:/x/id"),
            format!("-u app --mount type=bind,src={path},dst=/x,bind-idmap=match-user:app"),
            format!("-v {path}:/x:O"),
        ] {
            for _ in 0..15 {
                let script = "cat /x/id /x/deep/id; touch /x/new 2>/dev/null; true";
                let done = shed.try_sh(&flags, script);
                assert_eq!(done.code, 0, "{flags}: {done:?}");
                let mixed = flags.contains("/deep:");
                let whole = ["oneone", "twotwo"].contains(&done.out.as_str());
                assert!(whole || mixed, "{flags}: {done:?}");
            }
        }
    });
    assert_eq!(tree(&shed.path("outside")), "");
}

#[test]
#[ignore = "needs root"]
fn root_rule_30_a_subpath_that_is_swapped_never_shows_the_host() {
    let shed = Shed::new();
    shed.dir("outside/sub");
    shed.file("outside/sub/secret", "secret\n");
    shed.sh(
        "-v vol:/v",
        "mkdir -p /v/way/sub; echo mine >/v/way/sub/mine",
    );
    let data = shed.data("vol");
    symlink(shed.path("outside"), data.join("link")).unwrap();
    let shown = std::cell::Cell::new(0);
    while_swapped(&data.join("way"), &data.join("link"), || {
        for _ in 0..40 {
            for more in ["", ",volume-subpath-create"] {
                let flags = format!("--mount src=vol,dst=/x,volume-subpath=way/sub{more}");
                let done = shed.try_sh(&flags, "ls /x; touch /x/new");
                assert!(!done.out.contains("secret"), "{done:?}");
                shown.set(shown.get() + u32::from(done.code == 0));
            }
        }
    });
    assert!(shown.get() > 0);
    assert_eq!(tree(&shed.path("outside")), "d sub\nf sub/secret\n");
}

#[test]
#[ignore = "needs root"]
fn root_need_31_a_subpath_is_made_inside_the_volume_or_not_at_all() {
    let shed = Shed::new();
    let outside = shed.dir("outside");
    let made = |subpath: &str| {
        format!("--mount src=vol,dst=/x,volume-subpath={subpath},volume-subpath-create")
    };
    shed.try_sh("--mount src=vol,dst=/x,volume-subpath=a/b", "true")
        .fails(125, "a/b");
    assert_eq!(tree(&shed.data("vol")), "");
    shed.sh(&made("a/b"), "touch /x/y");
    assert_eq!(tree(&shed.data("vol")), "d a\nd a/b\nf a/b/y\n");
    // There already: nothing is made.
    assert_eq!(shed.sh(&made("a/b"), "ls /x"), "y\n");
    shed.sh(
        "-v vol:/v",
        &format!("ln -s {outside} /v/abs; ln -s ../../../../../..{outside} /v/rel; touch /v/file"),
    );
    for subpath in ["abs/in", "rel/in"] {
        shed.sh(&made(subpath), "touch /x/z");
    }
    assert_eq!(tree(&shed.path("outside")), "");
    shed.try_sh(&made("file/x"), "true").fails(125, "file/x");
    shed.try_sh(&made("../x"), "true")
        .fails(125, "subpath must be a relative path");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_volume_whose_data_is_a_link_is_not_mounted() {
    let shed = Shed::new();
    let outside = shed.dir("outside");
    shed.cowshed("volume create vol").ok();
    std::fs::remove_dir(shed.data("vol")).unwrap();
    symlink(&outside, shed.data("vol")).unwrap();
    for flags in [
        "-v vol:/x",
        "-v vol:/x:nocopy",
        "--mount src=vol,dst=/x,volume-subpath=a,volume-subpath-create",
        "-v vol:/x:O",
        "--mount type=overlay,src=base-src,dst=/x,upper=vol",
    ] {
        let done = shed.try_sh(flags, "touch /x/y");
        assert_eq!(done.code, 125, "{flags}: {done:?}");
        assert_eq!(tree(&shed.path("outside")), "", "{flags}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_targets_that_are_links_stay_in_the_container_for_every_form() {
    let shed = Shed::new();
    let src = shed.dir("src");
    shed.file("src/here", "");
    let layer = crate::support::Tar::new()
        .link("abs", "/made/by/link")
        .link("up", "../../../../../../made/up")
        .link("dangling", "/nowhere/yet");
    shed.image("linked", layer, &[]);
    for (form, name) in [
        (format!("type=bind,src={src}"), "here"),
        (format!("type=overlay,src={src}"), "here"),
        ("type=image,src=base".to_owned(), "plain"),
        ("type=tmpfs,tmpfs-copyup".to_owned(), ""),
    ] {
        for (target, place) in [
            ("/abs", "/made/by/link"),
            ("/up", "/made/up"),
            ("/dangling", "/nowhere/yet"),
        ] {
            let line = format!("run --rm --mount {form},dst={target} linked sh -c");
            let script = format!("ls -d {place}/{name} && grep -c \" {place} \" /proc/mounts");
            let done = shed.cowshed(&format!("{line} '{script}'"));
            assert_eq!(
                done.out,
                format!("{place}/{name}\n1\n"),
                "{form} {target}: {done:?}"
            );
        }
        assert!(!Path::new("/made").exists() && !Path::new("/nowhere").exists());
        shed.try_sh(&format!("--mount {form},dst=/proc/x"), "true")
            .fails(125, "/proc");
    }
}

#[test]
#[ignore = "needs root"]
fn root_rule_19_read_only_reaches_every_form_and_every_depth() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    for (place, file) in [("dir/a", "x"), ("dir/a/b", "y")] {
        std::fs::create_dir_all(shed.path(place)).unwrap();
        mount(
            Some("none"),
            &shed.path(place),
            Some("tmpfs"),
            MsFlags::empty(),
            None::<&str>,
        )
        .unwrap();
        shed.file(&format!("{place}/{file}"), "");
    }
    let script = "touch /x/n /x/a/n /x/a/b/n; ls /x/a/b";
    // Alone or with ids mapped.
    for flags in [
        format!("-v {dir}:/x:ro"),
        format!("-u app -v {dir}:/x:ro,idmap"),
    ] {
        let done = shed.try_sh(&flags, script);
        assert_eq!(
            done.err.matches("Read-only file system").count(),
            3,
            "{flags}: {done:?}"
        );
        assert_eq!(done.out, "y\n");
    }
    for place in ["dir/a/b", "dir/a"] {
        umount2(&shed.path(place), MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
#[ignore = "needs root"]
fn root_rule_24_every_form_nests_in_a_bind() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    let nested = format!(
        "-v {dir}:/x --mount type=image,src=base,dst=/x/image --mount type=overlay,src={dir},dst=/x/over \
         --mount type=tmpfs,dst=/x/mem"
    );
    assert_eq!(
        shed.sh(
            &nested,
            "touch /x/over/o /x/mem/m; ls /x/image/plain; ls /x"
        ),
        "/x/image/plain\nimage\nmem\nover\n"
    );
    // The places stay on the host, as with Docker; what was written through them does not.
    assert_eq!(tree(&shed.path("dir")), "d image\nd mem\nd over\n");
    let other = shed.dir("other");
    shed.try_sh(
        &format!("-v {other}:/x:ro --mount type=image,src=base,dst=/x/image"),
        "true",
    )
    .fails(125, "ead-only file system");
    assert_eq!(tree(&shed.path("other")), "");
}

#[test]
#[ignore = "needs root"]
fn root_rule_17_bind_create_src_follows_the_host_s_links_as_v_does() {
    let shed = Shed::new();
    shed.dir("real");
    symlink("real", shed.path("alias")).unwrap();
    for (name, flag) in [
        (
            "one",
            format!(
                "--mount type=bind,src={}/one,dst=/x,bind-create-src",
                shed.show("alias")
            ),
        ),
        ("two", format!("-v {}/two:/x", shed.show("alias"))),
    ] {
        shed.sh(&flag, "touch /x/y");
        assert!(shed.path("real").join(name).join("y").exists(), "{flag}");
    }
    assert_eq!(
        OsStr::new("real"),
        std::fs::read_link(shed.path("alias")).unwrap()
    );
}
