//! `cp` into containers that run and that do not: Docker's rules for sources and destinations.

use std::{fs, path::Path};

use crate::{
    copy_scene::{Boxed, sources, tree_of_src},
    support::read,
};

#[test]
#[ignore = "needs root"]
fn root_in_a_directory_goes_below_one_that_exists_and_becomes_one_that_does_not() {
    for inside in Boxed::in_each_state("") {
        sources(&inside.shed);
        for (from, to, shown) in [
            ("src", "/tmp/new", "/tmp/new"),
            ("src", "/tmp/slash/", "/tmp/slash"),
            ("src/.", "/tmp/content", "/tmp/content"),
            ("src", "/tmp/new", "/tmp/new/src"),
            ("src/", "/empty", "/empty/src"),
            ("lsrc/", "/tmp/through", "/tmp/through"),
            ("-L lsrc", "/tmp/follow", "/tmp/follow"),
            ("-L lsrc", "/home", "/home/lsrc"),
            ("lsrc/", "/home/app", "/home/app/lsrc"),
            ("-a src", "tmp/relative", "/tmp/relative"),
        ] {
            inside.cp(from, &format!("box:{to}")).ok();
            let (_, name) = shown.rsplit_once('/').unwrap();
            let listed = inside.list(shown);
            for line in tree_of_src(name).lines() {
                assert!(listed.contains(line), "{from} to {to}: {line}\n{listed}");
            }
        }
    }
}

#[test]
#[ignore = "needs root"]
fn root_in_content_goes_into_a_directory_that_stays_as_it_is() {
    for inside in Boxed::in_each_state("") {
        sources(&inside.shed);
        inside.cp("src/.", "box:/empty").ok();
        assert_eq!(
            inside.list("/empty"),
            "empty/ 750 1000:1001\nempty/sub/ 755 0:0\nempty/sub/y 644 0:0 = y\nempty/x 4750 7:8 = x"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn root_in_files_replace_files_and_links_lead_to_where_they_go() {
    for inside in Boxed::in_each_state("") {
        sources(&inside.shed);
        let list = |path: &str| inside.list(path);
        inside.cp("file", "box:/file").ok();
        assert_eq!(list("/file"), "file 644 0:0 = f");
        inside.cp("file", "box:/data/link").ok();
        assert_eq!(list("/data/one"), "one 644 0:0 = f");
        assert_eq!(list("/data/link"), "link 777 1000:1001 -> one");
        // Another name of the replaced file keeps the old bytes.
        assert_eq!(list("/data/same"), "same 640 1000:1001 = one\\n");
        inside.cp("file", "box:/var/run").ok();
        assert_eq!(list("/run"), "run/ 755 0:0\nrun/file 644 0:0 = f");
        inside.cp("lfile", "box:/tmp/link").ok();
        inside.cp("dangling", "box:/tmp").ok();
        inside.cp("-L lfile", "box:/tmp").ok();
        assert_eq!(list("/tmp/link"), "link 777 0:0 -> file");
        assert_eq!(list("/tmp/dangling"), "dangling 777 0:0 -> nothing");
        assert_eq!(list("/tmp/lfile"), "lfile 644 0:0 = f");
        // Where a dangling link leads, inside the container.
        inside.cp("dangling", "box:/plain").ok();
        inside.cp("file", "box:/plain").ok();
        assert_eq!(list("/nothing"), "nothing 644 0:0 = f");
    }
}

/// Source, destination, Docker's message.
const REFUSED_IN: &[(&str, &str, &str)] = &[
    (
        "src",
        "box:/tmp/no/.",
        "Could not find the file /tmp/no in container box",
    ),
    (
        "src",
        "box:/no/x",
        "Could not find the file /no in container box",
    ),
    (
        "file",
        "box:/no/x",
        "Could not find the file /no in container box",
    ),
    ("file", "box:/tmp/no/", "no such directory"),
    ("file", "box:/tmp/no/.", "no such directory"),
    ("file", "box:/file/", "no such directory"),
    ("file", "box:/file/x", "extraction point is not a directory"),
    ("src", "box:/file", "cannot copy directory"),
    (
        "src",
        "box:/file/",
        "cannot overwrite non-directory \"/file\" with directory \"/\"",
    ),
    (
        "one",
        "box:/data/",
        "cannot overwrite non-directory \"/data/one\" with directory \"/data\"",
    ),
    ("file/", "box:/tmp", "not a directory"),
    (
        "a:b",
        "box:/tmp",
        "copying between containers is not supported",
    ),
    (
        "box:/file",
        "box:/x",
        "copying between containers is not supported",
    ),
    (
        "file",
        "other",
        "must specify at least one container source",
    ),
    ("file", "none:/x", "No such container: none"),
    ("'' ", "box:/x", "source can not be empty"),
];

#[test]
#[ignore = "needs root"]
fn root_in_what_does_not_fit_is_refused_in_dockers_words() {
    for inside in Boxed::in_each_state("") {
        sources(&inside.shed);
        inside.shed.file("a:b", "colon");
        inside.shed.dir("one/sub");
        let here = inside.shed.path("").display().to_string();
        let here = here.trim_end_matches('/');
        let before = inside.list("/data");
        for (from, to, message) in REFUSED_IN {
            inside.cp(from, to).fails(1, message);
        }
        for (from, to, path) in [
            ("-L dangling", "box:/tmp", "nothing"),
            ("none", "box:/tmp", "none"),
        ] {
            let message = format!("lstat {here}/{path}: no such file or directory");
            inside.cp(from, to).fails(1, &message);
        }
        fs::rename(inside.shed.path("file"), inside.shed.path("sub")).unwrap();
        inside.cp("sub", "box:/data").fails(
            1,
            "cannot overwrite directory \"/data/sub\" with non-directory \"/data\"",
        );
        assert_eq!(inside.list("/data"), before);
        inside.cp("./a:b", "box:/tmp").ok();
        assert_eq!(inside.list("/tmp/a:b"), "a:b 644 0:0 = colon");
    }
}

#[test]
#[ignore = "needs root"]
fn root_in_read_only_places_are_refused_and_writable_ones_are_not() {
    let flags = "--read-only -v vol:/vol -v fixed:/fixed:ro --tmpfs /t";
    for inside in Boxed::in_each_state(flags) {
        sources(&inside.shed);
        let refused = |to, message| drop(inside.cp("file", to).fails(1, message));
        refused("box:/tmp", "container rootfs is marked read-only");
        refused("box:/file", "container rootfs is marked read-only");
        refused("box:/fixed", "mounted volume is marked read-only");
        inside.cp("file", "box:/vol").ok();
        assert_eq!(read(inside.shed.data("vol").join("file")), "f");
        assert_eq!(inside.list("/vol/file"), "file 644 0:0 = f");
    }
}

#[test]
#[ignore = "needs root"]
fn root_volumes_binds_and_tmpfs_are_copied_into_and_out_of() {
    let inside = Boxed::running("-v vol:/vol --tmpfs /t -v /tmp:/host-tmp:ro");
    sources(&inside.shed);
    for to in ["/vol", "/t"] {
        inside.cp("src", &format!("box:{to}")).ok();
        assert_eq!(inside.list(&format!("{to}/src")), tree_of_src("src"));
    }
    assert_eq!(read(inside.shed.data("vol").join("src/x")), "x");
    // What is mounted there stays mounted there.
    inside.cp("file", "box:/etc/hosts").fails(1, "EBUSY");
    inside.cp("file", "box:/dev/null").fails(
        1,
        "destination \"box:/dev/null\" must be a directory or a regular file: got a device",
    );
    let pid = inside.shed.pid_of("box");
    assert!(Path::new(&format!("/proc/{pid}/root/t/src/x")).exists());
    assert!(read(format!("/proc/{pid}/root/etc/hosts")).contains("localhost"));
}

#[test]
#[ignore = "needs root"]
fn root_a_stopped_container_has_its_volumes_and_the_image_s_files_in_them() {
    for inside in [
        Boxed::stopped("-v vol:/data"),
        Boxed::created("-v vol:/data"),
    ] {
        inside.cp("box:/data", "out").ok();
        assert_eq!(read(inside.shed.path("out/one")), "one\n");
        assert_eq!(read(inside.shed.data("vol").join("one")), "one\n");
        inside.shed.file("more", "more");
        inside.cp("more", "box:/data/more").ok();
        assert_eq!(read(inside.shed.data("vol").join("more")), "more");
    }
}
