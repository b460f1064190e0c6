//! `cp` out of containers that run and that do not: Docker's rules for sources and destinations.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
};

use crate::{
    copy_scene::Boxed,
    support::{finish, read, write_text},
};

#[test]
#[ignore = "needs root"]
fn root_out_a_directory_goes_below_one_that_exists_and_becomes_one_that_does_not() {
    for inside in Boxed::in_each_state("") {
        let shed = &inside.shed;
        shed.dir("have");
        symlink("have", shed.path("lhave")).unwrap();
        symlink("newfile", shed.path("lnew")).unwrap();
        for (from, to, made) in [
            ("/data", "new", "new/one"),
            ("/data/", "slash/", "slash/one"),
            ("/data/.", "content", "content/one"),
            ("/data", "have", "have/data/one"),
            ("/data", "have", "have/data/sub/two"),
            ("/data/.", "have", "have/one"),
            ("/data/one", "have", "have/one"),
            ("/data/one", "renamed", "renamed"),
            ("/data/one", "lnew", "newfile"),
            ("/data/sub", "lhave", "have/sub/two"),
            ("-L box:/data/link", "followed", "followed"),
            ("-L box:/data/link", "have", "have/link"),
            ("/var/run/", "run", "run"),
            ("-L box:/var/run", "have", "have/run"),
            ("data/one", "relative", "relative"),
            ("/no/../data/one", "lexical", "lexical"),
        ] {
            let from = if from.contains("box:") {
                from.to_owned()
            } else {
                format!("box:{from}")
            };
            inside.cp(&from, to).ok();
            let found = fs::symlink_metadata(shed.path(made));
            let found = found.unwrap_or_else(|_| panic!("{from} to {to} made no {made}"));
            assert!(!found.is_symlink(), "{made}");
        }
        assert!(shed.path("lnew").is_symlink());
        inside.cp("box:/data/link", "kept").ok();
        assert_eq!(fs::read_link(shed.path("kept")).unwrap(), Path::new("one"));
        inside.cp("box:/data/fifo", "fifo").ok();
        let kind = fs::symlink_metadata(shed.path("fifo")).unwrap().file_type();
        assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind));
    }
}

#[test]
#[ignore = "needs root"]
fn root_out_owners_are_the_caller_s_and_with_archive_the_container_s() {
    for inside in Boxed::in_each_state("") {
        inside.cp("box:/data", "plain").ok();
        inside.cp("-a box:/data", "kept").ok();
        let facts = |path: &str| {
            let found = fs::symlink_metadata(inside.shed.path(path)).unwrap();
            (
                found.mode() & 0o7777,
                found.uid(),
                found.gid(),
                found.mtime(),
            )
        };
        let time = 1_600_000_000;
        assert_eq!(facts("plain"), (0o751, 0, 0, time));
        assert_eq!(facts("plain/one"), (0o640, 0, 0, time));
        assert_eq!(facts("plain/setuid"), (0o4755, 0, 0, time));
        assert_eq!(facts("kept"), (0o751, 1000, 1001, time));
        assert_eq!(facts("kept/one"), (0o640, 1000, 1001, time));
        assert_eq!(facts("kept/setuid"), (0o4755, 1000, 1001, time));
        assert_eq!(facts("kept/link"), (0o777, 1000, 1001, time));
        // Hard links stay one file.
        let inode = |path: &str| fs::metadata(inside.shed.path(path)).unwrap().ino();
        assert_eq!(inode("plain/one"), inode("plain/same"));
    }
}

#[test]
#[ignore = "needs root"]
fn root_out_what_does_not_fit_is_refused_in_dockers_words() {
    for inside in Boxed::in_each_state("") {
        let shed = &inside.shed;
        let file = shed.file("file", "keep");
        shed.dir("full/one");
        write_text(&shed.path("full/data"), "keep");
        let here = shed.path("").display().to_string();
        let here = here.trim_end_matches('/');
        for (from, to, message) in [
            (
                "/none",
                ".",
                "Could not find the file /none in container box",
            ),
            ("/file/", ".", "not a directory"),
            ("/file/x", ".", "not a directory"),
            (
                "/data",
                "no/x",
                &format!("invalid output path: directory \"{here}/no\" does not exist"),
            ),
            ("/file", "no/", "no such directory"),
            ("/file", "file/", &format!("stat {file}/: not a directory")),
            ("/data", "file", "cannot copy directory"),
            (
                "/data/one",
                "full",
                &format!(
                    "cannot overwrite directory \"{here}/full/one\" with non-directory \"{here}/full\""
                ),
            ),
            (
                "/data",
                "full",
                &format!(
                    "cannot overwrite non-directory \"{here}/full/data\" with directory \"{here}/full\""
                ),
            ),
            (
                "/file",
                "/dev/null",
                "invalid output path: \"/dev/null\" must be a directory or a regular file: got a device",
            ),
        ] {
            inside.cp(&format!("box:{from}"), to).fails(1, message);
        }
        assert_eq!(read(file), "keep");
        assert_eq!(read(shed.path("full/data")), "keep");
        assert!(!shed.path("no").exists());
    }
}

#[test]
#[ignore = "needs root"]
fn root_out_the_whole_root_without_the_kernel_s_files() {
    for inside in Boxed::in_each_state("-v vol:/vol") {
        inside.shed.file("in-volume", "v");
        inside.cp("in-volume", "box:/vol").ok();
        for (from, to) in [("box:", "alone"), ("box:/", "slash"), ("box:/.", "dot")] {
            inside.cp(from, to).ok();
            let top = inside.shed.path(to);
            assert_eq!(read(top.join("data/sub/two")), "two\n");
            assert_eq!(read(top.join("vol/in-volume")), "v");
            for empty in ["proc", "sys"] {
                assert_eq!(fs::read_dir(top.join(empty)).unwrap().count(), 0, "{empty}");
            }
        }
    }
}

#[test]
#[ignore = "needs root"]
fn root_korean_names_and_names_that_are_no_text_are_kept() {
    use std::os::unix::ffi::OsStrExt as _;
    let inside = Boxed::running("");
    let shed = &inside.shed;
    let odd = std::ffi::OsStr::from_bytes(b"odd-\xff\xfe\n");
    let long = "긴".repeat(80);
    shed.dir("자료");
    write_text(&shed.path("자료").join(odd), "odd");
    write_text(&shed.path("자료").join(&long), "long");
    inside.cp("자료", "box:/tmp/한글").ok();
    inside.cp("box:/tmp/한글", "다시").ok();
    assert_eq!(read(shed.path("다시").join(odd)), "odd");
    assert_eq!(read(shed.path("다시").join(&long)), "long");
    let mut command = shed.command("cp");
    let mut source = std::ffi::OsString::from("box:/tmp/한글/");
    source.push(odd);
    command.arg(source).arg("one");
    finish(command).ok();
    assert_eq!(read(shed.path("one")), "odd");
}

#[test]
#[ignore = "needs root"]
fn root_the_last_line_is_for_terminals_only() {
    let inside = Boxed::running("");
    inside.shed.file("file", "f");
    let done = inside.cp("file", "box:/tmp");
    assert_eq!((done.out.as_str(), done.err.as_str()), ("", ""));
    let script = |line: &str| {
        let program = env!("CARGO_BIN_EXE_cowshed");
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &format!("{program} {line}"), "/dev/null"]);
        command.env("COWSHED_ROOT", inside.shed.store());
        command.current_dir(inside.shed.path(""));
        finish(command).ok().replace('\r', "")
    };
    let here = inside.shed.show("");
    let here = here.trim_end_matches('/');
    assert_eq!(script("cp -q file box:/tmp"), "");
    assert_eq!(
        script("cp file box:tmp/p"),
        "Successfully copied 2.05kB to box:tmp/p\n"
    );
    assert_eq!(
        script("cp file box:/data/link"),
        "Successfully copied 2.05kB to box:/data/one\n"
    );
    assert_eq!(
        script("cp box:/file out"),
        format!("Successfully copied 2.05kB to {here}/out\n")
    );
    assert!(script("container cp --help").contains("CONTAINER:PATH"));
}
