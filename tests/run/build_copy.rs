//! `COPY` and `ADD`: where files go, whose they are, and what is left of them.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use crate::support::{Shed, Tar, write_file};

/// Names, kinds, owners and modes below `/d`, one a line.
const LOOK: &str =
    "cd /d && find . -mindepth 1 | sort | while read f; do stat -c '%n %F %u:%g %a' $f; done";

#[test]
#[ignore = "needs root"]
fn root_files_and_directories_go_where_docker_puts_them() {
    let shed = Shed::new();
    for name in ["a.txt", "b.txt", "dir/c", "dir/sub/d", "한글/파일"] {
        shed.context(name, name);
    }
    shed.build(
        "-t x",
        "FROM base\nWORKDIR /d\nCOPY a.txt new/name\nCOPY a.txt .\nCOPY a.txt b.txt two/\nCOPY dir in\n\
         COPY dir/* flat/\nCOPY *.txt glob/\nCOPY [\"a.txt\", \"with space/\"]\nCOPY 한글 한글/\n",
    );
    let wanted = "./a.txt\n./flat\n./flat/c\n./flat/d\n./glob\n./glob/a.txt\n./glob/b.txt\n./in\n\
        ./in/c\n./in/sub\n./in/sub/d\n./new\n./new/name\n./two\n./two/a.txt\n./two/b.txt\n\
        ./with space\n./with space/a.txt\n./한글\n./한글/파일\n";
    let found = shed.in_image("x", "cd /d && find . -mindepth 1 | sort");
    assert_eq!(found, wanted);
}

#[test]
#[ignore = "needs root"]
fn root_owners_and_modes_are_those_asked_for() {
    let shed = Shed::new();
    let file = shed.context("tree/f", "f");
    let sub = shed.context("tree/sub/g", "g");
    let sub = sub.parent().unwrap();
    fs::set_permissions(sub, fs::Permissions::from_mode(0o1750)).unwrap();
    std::os::unix::fs::chown(&file, Some(3), Some(4)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4711)).unwrap();
    shed.build(
        "-t x",
        "FROM base\nCOPY tree /d/plain\nCOPY --chown=app:wheel tree /d/named\nCOPY --chown=7 tree/f /d/new/f\n\
         COPY --chmod=600 tree/f /d/mode\nARG W=app\nCOPY --chown=$W tree/f /d/user\n",
    );
    let wanted = "\
        ./mode regular file 0:0 600\n./named directory 1000:10 755\n./named/f regular file 1000:10 4711\n\
        ./named/sub directory 1000:10 1750\n./named/sub/g regular file 1000:10 644\n\
        ./new directory 7:7 755\n./new/f regular file 7:7 4711\n\
        ./plain directory 0:0 755\n./plain/f regular file 0:0 4711\n./plain/sub directory 0:0 1750\n\
        ./plain/sub/g regular file 0:0 644\n./user regular file 1000:1001 4711\n";
    assert_eq!(shed.in_image("x", LOOK), wanted);
}

#[test]
#[ignore = "needs root"]
fn root_what_is_there_already_keeps_its_metadata_or_makes_room() {
    let shed = Shed::new();
    shed.context("dir/c", "new");
    shed.context("dir/sub/d", "new");
    symlink("c", shed.path("context/dir/link")).unwrap();
    shed.build(
        "-t x",
        "FROM base\nRUN mkdir -p /d/top/c && chown 5:5 /d/top && chmod 700 /d/top && ln -s /file /d/top/sub\n\
         COPY dir /d/top\nRUN mkdir /real && ln -s /real /d/l && ln -s /nowhere/x /d/dangling\n\
         COPY dir/c /d/l/\nCOPY dir/c /d/dangling\nCOPY dir/c /var/run/r\n",
    );
    let wanted = "./dangling symbolic link 0:0 777\n./l symbolic link 0:0 777\n./top directory 5:5 700\n\
        ./top/c regular file 0:0 644\n./top/link symbolic link 0:0 777\n./top/sub directory 0:0 755\n\
        ./top/sub/d regular file 0:0 644\n";
    assert_eq!(shed.in_image("x", LOOK), wanted);
    assert_eq!(
        shed.in_image("x", "cat /real/c /nowhere/x /run/r /d/top/c /file"),
        "newnewnewnewa file\n"
    );
    let done = shed.try_build("", "FROM base\nCOPY dir /file\n");
    done.fails(1, "Dockerfile:2: COPY dir /file");
}

#[test]
#[ignore = "needs root"]
fn root_archives_are_unpacked_by_add_alone() {
    let shed = Shed::new();
    let tar = Tar::new()
        .dir("in", 0o750)
        .file("in/f", 0o600, b"f")
        .owner(5, 6)
        .file("g", 0o644, b"g")
        .named("../up");
    fs::create_dir_all(shed.path("context")).unwrap();
    write_file(&shed.path("context/bad.tar"), &tar.finish());
    let tar = Tar::new()
        .dir("in", 0o750)
        .file("in/f", 0o600, b"f")
        .owner(5, 6)
        .file("g", 0o644, b"g");
    write_file(&shed.path("context/good.tar"), &tar.finish());
    shed.context("text", "no archive");
    shed.build(
        "-t x",
        "FROM base\nADD good.tar /d/un\nCOPY good.tar /d/file\nADD text /d/text\n",
    );
    let wanted = "./file regular file 0:0 644\n./text regular file 0:0 644\n./un directory 0:0 755\n\
        ./un/g regular file 5:6 644\n./un/in directory 0:0 750\n./un/in/f regular file 0:0 600\n";
    assert_eq!(shed.in_image("x", LOOK), wanted);
    let done = shed.try_build("", "FROM base\nADD bad.tar /d/\n");
    done.fails(1, "Dockerfile:2: ADD bad.tar /d/");
    let done = shed.try_build("", "FROM base\nADD http://localhost/x /x\n");
    done.fails(1, "ADD of a URL is not supported: http://localhost/x");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_a_root_file_system_is_added_to_nothing() {
    let shed = Shed::new();
    shed.context(".keep", "");
    fs::copy(shed.path("base.tar"), shed.path("context/root.tar")).unwrap();
    shed.build(
        "-t x",
        "FROM scratch\nADD root.tar /\nCMD [\"cat\", \"/file\"]\n",
    );
    assert_eq!(shed.cowshed("run --rm x").ok(), "a file\n");
    assert_eq!(shed.layer_count("x"), 1);
    // It is the very layer that the archive is.
    let look = "find / -xdev -mindepth 1 | grep -vE '^/(proc|dev|sys)' | while read f; do stat -c '%n %F %u:%g %a %s' $f; done | sort";
    assert_eq!(shed.in_image("x", look), shed.in_image("base", look));
}

#[test]
#[ignore = "needs root"]
fn root_ignored_files_are_not_copied_and_rules_beside_the_dockerfile_win() {
    let shed = Shed::new();
    for name in ["a.md", "b.txt", "keep/a.md", "keep/c", "secret"] {
        shed.context(name, name);
    }
    shed.context(
        ".dockerignore",
        "# rules\n**/*.md\n!keep/*.md\nsecret\n.dockerignore\n.keep\n",
    );
    shed.build("-t x", "FROM base\nCOPY . /d/\n");
    let names = |image: &str| shed.in_image(image, "cd /d && find . -type f | sort");
    assert_eq!(names("x"), "./b.txt\n./keep/a.md\n./keep/c\n");
    let done = shed.try_build("", "FROM base\nCOPY secret /d/\n");
    done.fails(
        1,
        "file not found in build context or excluded by .dockerignore: stat secret",
    );
    shed.file("Dockerfile.dockerignore", "keep\n.*\n");
    shed.build("-t y", "FROM base\nCOPY . /d/\n");
    assert_eq!(names("y"), "./a.md\n./b.txt\n./secret\n");
    shed.file("Dockerfile.dockerignore", "ok\n[\n");
    let done = shed.try_build("", "FROM base\n");
    done.fails(1, "Dockerfile.dockerignore:2: syntax error in pattern");
}
