//! `--dry-run`, `--explain` and its script.

use std::process::Command;

use crate::support::{Done, Shed, Tar, finish, mounts_below, write_text};

#[test]
#[ignore = "needs root"]
fn root_dry_run_makes_nothing() {
    let shed = Shed::new();
    let before = shed.listing();
    let dir = shed.dir("dir");
    for flags in [
        String::new(),
        format!(
            "--rm -v new:/data -v /anon -v {dir}:/b:ro -v {}:/c",
            shed.show("missing")
        ),
        "--name box --tmpfs /t --read-only --init -t -u app -w /x --network host".to_owned(),
    ] {
        for explain in ["", "--explain=json", "--explain=sh"] {
            let text = shed
                .cowshed(&format!("run --dry-run {explain} {flags} base true"))
                .ok();
            assert!(text.lines().count() > 20, "{text}");
        }
    }
    let text = shed.cowshed("run --explain=sh -v new:/data base true").ok();
    assert!(text.starts_with("#!/bin/sh\n"));
    assert!(!shed.path("missing").exists());
    assert_eq!(shed.listing(), before);
}

#[test]
#[ignore = "needs root"]
fn root_explain_names_every_step() {
    let shed = Shed::new();
    let flags = "--rm -v vol:/data --tmpfs /t --read-only -w /w";
    let done = shed.cowshed(&format!("run {flags} --explain base echo hi"));
    assert_eq!((done.code, done.out.as_str()), (0, "hi\n"));
    let titles: Vec<_> = done
        .err
        .lines()
        .filter(|line| line.starts_with('['))
        .collect();
    for (number, line) in titles.iter().enumerate() {
        assert!(line.starts_with(&format!("[{:>2}] ", number + 1)), "{line}");
    }
    let title = |line: &&str| line[5..].split(' ').next().unwrap().to_owned();
    let titles: Vec<_> = titles.iter().map(title).collect();
    assert_eq!(
        titles.join(" "),
        "create supervisor leases cgroup namespaces leash sources private furniture overlay proc tmpfs devpts mqueue tmpfs \
         network sysfs volume tmpfs file file file devices workdir mask read-only pivot hostname \
         streams identity exec remove"
    );
}

#[test]
#[ignore = "needs root"]
fn root_explain_json_is_one_object_a_line() {
    let shed = Shed::new();
    let done = shed.cowshed("run --rm -v vol:/data --explain=json base echo hi");
    assert_eq!((done.code, done.out.as_str()), (0, "hi\n"));
    let dry = shed
        .cowshed("run --dry-run --explain=json -v vol:/data base true")
        .ok();
    for text in [&done.err, &dry] {
        for (number, line) in text.lines().enumerate() {
            let step: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(step["step"], number + 1);
            assert!(
                step["title"].is_string() && step["why"].is_string() && step["calls"].is_array()
            );
        }
    }
    let last = done.err.lines().last().unwrap();
    assert!(
        last.contains("\"remove\"") && last.contains("microseconds"),
        "{last}"
    );
}

#[test]
#[ignore = "needs root"]
fn root_explain_of_a_failure_ends_with_the_error() {
    let shed = Shed::new();
    let done = shed.cowshed("run --rm --explain base nosuchprogram");
    assert_eq!(done.code, 127);
    assert!(!done.err.contains("] exec"), "{}", done.err);
    assert!(
        done.err.contains("cowshed: error: exec: \"nosuchprogram\""),
        "{}",
        done.err
    );
}

/// What a container looks like from inside.
const LOOK: &str = "export LC_ALL=C; \
    echo == tree; find / -xdev ! -path '/proc*' -exec stat -c '%A %u:%g %s %N' {} + | \
        sed 's/^\\(d[^ ]* [^ ]*\\) [0-9]*/\\1/' | sort; \
    for m in /dev /v /b /t /etc; do echo \"== $m\"; [ ! -e $m ] || find $m -exec stat -c '%A %u:%g %t:%T %N' {} + | sort; done; \
    echo == env; env | grep -v '^_=\\|^SHLVL=\\|^OLDPWD=\\|^LC_ALL=\\|^HOSTNAME=' | sort; \
    echo == id; id; pwd; umask; \
    echo == mounts; sed 's/ rw[^ ]*$//' /proc/self/mounts | awk '{split($4, o, \",\"); print $2, $3, o[1]}' | sort; \
    echo == status; grep -E '^(Cap|Groups|NoNewPrivs)' /proc/self/status; \
    echo == net; ls /sys/class/net; \
    echo == files; sed 's/127.0.1.1.*//' /etc/hosts; cat /etc/resolv.conf; echo $$";

fn both(shed: &Shed, flags: &str, image: &str) -> (Done, Done) {
    let script = shed.path("inside.sh");
    write_text(&script, LOOK);
    let program = format!("{image} sh -c");
    // The script first: what it makes is its own, and the volume still empty.
    let mut command = shed.command(&format!("run --rm --explain=sh {flags} {program}"));
    let text = finish({
        command.arg(LOOK);
        command
    })
    .ok();
    let path = shed.file("explained.sh", &text);
    let scratch = shed.dir("for-script");
    let mut shell = Command::new("sh");
    shell.arg(path).env("TMPDIR", &scratch);
    let scripted = finish(shell);
    assert_eq!(
        crate::support::tree(&shed.path("for-script")),
        "",
        "{flags}: left by the script"
    );
    let mut command = shed.command(&format!("run --rm {flags} {program}"));
    command.arg(LOOK);
    (scripted, finish(command))
}

#[test]
#[ignore = "needs root"]
fn root_the_script_gives_the_program_s_code_and_needs_no_passwd() {
    let shed = Shed::new();
    let layer = Tar::new()
        .file("etc/.wh.passwd", 0o644, b"")
        .file("etc/.wh.group", 0o644, b"");
    shed.image("none", layer, &[]);
    for (flags, code) in [("", 0), ("-u 5:6", 7), ("-v vol:/data", 42)] {
        let line = format!("run --explain=sh {flags} none sh -c 'exit {code}'");
        let script = shed.file("script.sh", &shed.cowshed(&line).ok());
        let mut shell = Command::new("sh");
        shell.arg(script);
        assert_eq!(finish(shell).code, code, "{flags}");
    }
}

#[test]
#[ignore = "needs root"]
fn root_the_explained_script_builds_the_same_container() {
    let shed = Shed::new();
    let dir = shed.dir("dir");
    shed.file("dir/x", "x\n");
    shed.image(
        "odd-root",
        Tar::new().owner(7, 8).dir("./", 0o711).dir("more", 0o700),
        &["ENV GREETING=hello\\ world", "VOLUME /v"],
    );
    shed.sh("-v existing:/v", "mkdir /v/kept; touch /v/kept/file");
    for (flags, image) in [
        (String::new(), "base"),
        ("-v new:/data".to_owned(), "base"),
        ("-v existing:/v -v another:/v/kept".to_owned(), "base"),
        (
            format!("-v {dir}:/b:ro --tmpfs /t:size=1m,mode=0700,uid=5"),
            "base",
        ),
        (format!("-v {dir}/x:/b/file -v ro-vol:/v:ro"), "base"),
        ("--read-only --tmpfs /t -v new2:/data".to_owned(), "base"),
        ("-u app".to_owned(), "base"),
        ("-u app:wheel -w /home/app".to_owned(), "base"),
        ("-u 4242:4343 -e 'A=it is'".to_owned(), "base"),
        (
            "-w /made/here --shm-size 1m --hostname box".to_owned(),
            "base",
        ),
        ("--network host".to_owned(), "base"),
        (
            "--cap-drop all --cap-add net_admin --security-opt no-new-privileges".to_owned(),
            "base",
        ),
        ("--cap-drop all -u app".to_owned(), "base"),
        (
            "--mount type=tmpfs,dst=/dev/shm,tmpfs-size=2m".to_owned(),
            "base",
        ),
        (String::new(), "odd-root"),
    ] {
        let (scripted, own) = both(&shed, &flags, image);
        let own = own.ok();
        assert_eq!(scripted.code, 0, "{flags}: {scripted:?}");
        let (mut left, mut right) = (scripted.out.lines(), own.lines());
        loop {
            match (left.next(), right.next()) {
                (None, None) => break,
                (left, right) => assert_eq!(left, right, "script and run of {flags:?} {image}"),
            }
        }
        assert!(own.lines().count() > 150, "{own}");
        assert_eq!(mounts_below(&shed.path("")), Vec::<String>::new());
    }
}
