//! `kill -9` at every call that writes, of `volume restore` into a volume with a file system of its
//! own, and of `overlay apply`: whole, or what it was, or finished by the next.

use std::{collections::BTreeSet, fs, os::unix::process::ExitStatusExt as _};

use crate::{
    backup_scene::{facts, host},
    forms_apply::{CHANGE, check, source},
    strace::{has_strace, inject, traced},
    support::Shed,
};

/// Calls that write to a file system, or that say that it is written.
const WRITING: [&str; 27] = [
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "copy_file_range",
    "sendfile",
    "ftruncate",
    "fallocate",
    "mkdirat",
    "mknodat",
    "symlinkat",
    "linkat",
    "renameat",
    "renameat2",
    "unlinkat",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "fchown",
    "fchownat",
    "utimensat",
    "fsetxattr",
    "lsetxattr",
    "setxattr",
    "fsync",
    "fdatasync",
    "syncfs",
];

/// Those of them that `line` makes; the others need no walk.
fn calls_of(shed: &Shed, line: &str) -> Vec<&'static str> {
    let recording = shed.path("calls");
    let arguments = [
        "-f".to_owned(),
        "-qq".to_owned(),
        "-o".to_owned(),
        recording.display().to_string(),
        "-e".to_owned(),
        // Whether or not this strace(1) knows all of them.
        format!("trace=?{}", WRITING.join(",?")),
    ];
    assert!(traced(shed, line, arguments).success(), "{line}");
    let text = crate::support::read(&recording);
    fs::remove_file(recording).unwrap();
    let made: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
        .map(|(name, _)| name.to_owned())
        .collect();
    let made = WRITING.into_iter().filter(|call| made.contains(*call));
    made.collect()
}

/// Kills `line`, all of its threads and children, at each such call; the number of points.
fn walk(shed: &Shed, line: &str, prepare: impl Fn(), check: impl Fn(&str)) -> usize {
    prepare();
    let calls = calls_of(shed, line);
    check(line);
    let mut points = 0;
    for call in calls {
        for number in 1..200 {
            prepare();
            let all = inject(call, call, number).into_iter();
            let status = traced(shed, line, all.chain(["-f".to_owned()]));
            let was_killed = status.signal() == Some(9);
            check(&format!("{line}, killed at {call} {number}: {was_killed}"));
            if !was_killed {
                break;
            }
            points += 1;
        }
    }
    points
}

#[test]
#[ignore = "needs root"]
fn root_an_apply_killed_at_any_write_is_finished_by_the_next() {
    if !has_strace() {
        return;
    }
    let shed = Shed::new();
    let src = shed.dir("src");
    let prepare = || {
        // A name for each: what was changed below is no business of an upper dir that is gone.
        shed.cowshed("rm -f box");
        fs::remove_dir_all(&src).unwrap();
        source(&shed);
        let made = format!("run --name box -v {src}:/s:O base sh -c '{CHANGE}'");
        shed.cowshed(&made).ok();
    };
    let finished = |what: &str| {
        shed.cowshed("overlay apply box").ok();
        check(&shed.path("src"));
        let left = host(&shed.path("src"), "find . -name '*cowshed*'");
        assert_eq!(left, "", "{what}");
        assert_eq!(shed.cowshed("overlay diff box").ok(), "", "{what}");
    };
    let points = walk(&shed, "overlay apply box", prepare, finished);
    assert!(points > 40, "{points}");
    // What was killed half-way is swept up.
    shed.cowshed("volume trash ls").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_swap_killed_at_any_write_loses_nothing() {
    if !has_strace() {
        return;
    }
    let shed = Shed::empty();
    let disk = shed.dir("disk");
    shed.cowshed("volume create data").ok();
    host(
        &shed.data("data"),
        "mkdir d; echo new >d/x; echo new >same; setfattr -n user.a -v b same; chmod 1750 .",
    );
    shed.cowshed("volume backup -q -o a.tar data").ok();
    let new = facts(&shed.data("data"));
    shed.cowshed(&format!(
        "volume create -o type=none -o o=bind -o device={disk} disk"
    ))
    .ok();
    let line = format!("volume restore -q --replace {} disk", shed.show("a.tar"));
    let line = line.as_str();
    let prepare = || {
        host(
            disk.as_ref(),
            "find . -mindepth 1 -delete; echo old >same; mkdir old; echo old >old/o",
        );
    };
    let check = |what: &str| {
        // Each old file is where it was, or beside it, until all the new ones are there.
        let now = host(disk.as_ref(), "find . -type f | sort");
        let has = |name: &str| {
            [
                name.to_owned(),
                format!("./.cowshed-replaced/{}", &name[2..]),
            ]
            .iter()
            .any(|place| now.lines().any(|line| line == place))
        };
        let whole = facts(disk.as_ref()) == new;
        let same = fs::read_to_string(shed.path("disk/same"));
        let all_new = same.is_ok_and(|same| same == "new\n") && shed.path("disk/d/x").exists();
        assert!(
            whole || all_new || has("./old/o") && has("./same"),
            "{what}: {now}"
        );
        shed.cowshed(line).ok();
        assert_eq!(facts(disk.as_ref()), new, "{what}");
    };
    let points = walk(&shed, line, prepare, check);
    assert!(points > 10, "{points}");
    shed.cowshed("volume trash ls").ok();
}
