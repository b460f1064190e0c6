//! `cp`: Docker's rules for sources and destinations, of containers that run and that do not.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::Path,
};

use crate::support::{Shed, Started, finish, read, write_text};

/// A container in some state; killed and removed at the end.
pub(crate) struct Boxed {
    pub(crate) shed: Shed,
    live: Option<Started>,
}

impl Boxed {
    pub(crate) fn running(flags: &str) -> Self {
        let shed = Shed::new();
        let live = shed.start(&format!(
            "run --name box {flags} base sh -c 'echo ready; sleep 1000'"
        ));
        let live = Some(live);
        Self { shed, live }
    }

    pub(crate) fn stopped(flags: &str) -> Self {
        let shed = Shed::new();
        shed.cowshed(&format!("run --name box {flags} base true"))
            .ok();
        Self { shed, live: None }
    }

    /// One that was made and never ran.
    fn created(flags: &str) -> Self {
        let shed = Shed::new();
        shed.cowshed(&format!("run --name box {flags} base nosuchprogram"))
            .fails(127, "");
        assert_eq!(shed.inspect("box")["State"]["Status"], "created");
        Self { shed, live: None }
    }

    fn in_each_state(flags: &str) -> [Self; 3] {
        [
            Self::running(flags),
            Self::stopped(flags),
            Self::created(flags),
        ]
    }

    #[track_caller]
    pub(crate) fn cp(&self, from: &str, to: &str) -> crate::support::Done {
        self.shed.cowshed(&format!("cp {from} {to}"))
    }

    /// What is at a path of the container: mode, owner and name of each entry.
    #[track_caller]
    pub(crate) fn list(&self, path: &str) -> String {
        let mut command = self.shed.command("cp");
        command.arg(format!("box:{path}")).arg("-");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        listing(&output.stdout)
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        let removed = self.shed.cowshed("rm -f box");
        if let Some(mut live) = self.live.take()
            && removed.code == 0
        {
            live.wait();
        }
    }
}

/// A line for each entry of a tar, sorted by name.
pub(crate) fn listing(tar: &[u8]) -> String {
    let mut lines = Vec::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let name = entry.path_bytes().escape_ascii().to_string();
        let mut line = format!(
            "{name} {:o} {}:{}",
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap()
        );
        if let Some(link) = entry.link_name_bytes() {
            write!(line, " -> {}", link.escape_ascii()).unwrap();
        } else if header.entry_type().is_file() {
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            write!(line, " = {}", content.escape_ascii()).unwrap();
        }
        lines.push(line);
    }
    lines.sort();
    lines.join("\n")
}

/// `src` with a file of 7:8 and a directory, `file`, links to both, and `dangling`.
fn sources(shed: &Shed) {
    shed.dir("src/sub");
    shed.file("src/x", "x");
    shed.file("src/sub/y", "y");
    shed.file("file", "f");
    chown(shed.path("src/x"), Some(7), Some(8)).unwrap();
    chown(shed.path("src"), Some(7), Some(8)).unwrap();
    fs::set_permissions(shed.path("src/x"), fs::Permissions::from_mode(0o4750)).unwrap();
    for (to, name) in [("file", "lfile"), ("src", "lsrc"), ("nothing", "dangling")] {
        symlink(to, shed.path(name)).unwrap();
    }
}

fn tree_of_src(name: &str) -> String {
    format!("{name}/ 755 7:8\n{name}/sub/ 755 0:0\n{name}/sub/y 644 0:0 = y\n{name}/x 4750 7:8 = x")
}

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
