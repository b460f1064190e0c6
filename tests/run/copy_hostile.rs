//! Containers and tars that want a copy to leave its place. A canary must stay as it is.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    copy_scene::Boxed,
    support::{Done, Tar, finish, read, tree, write_file, write_text},
};

/// A directory of the host that nothing may touch or read.
struct Canary(String);

impl Canary {
    fn new(inside: &Boxed) -> Self {
        inside.shed.dir("canary/sub");
        write_text(&inside.shed.path("canary/secret"), "secret\n");
        Self(inside.shed.show("canary"))
    }

    #[track_caller]
    fn assert_untouched(&self) {
        let dir = Path::new(&self.0);
        assert_eq!(tree(dir), "f secret\nd sub\n");
        assert_eq!(read(dir.join("secret")), "secret\n");
        let links =
            std::os::unix::fs::MetadataExt::nlink(&fs::metadata(dir.join("secret")).unwrap());
        assert_eq!(links, 1);
    }
}

fn cp_in(inside: &Boxed, to: &str, tar: Tar) -> Done {
    let path = inside.shed.path("stream");
    write_file(&path, &tar.finish());
    let mut command = inside.shed.command(&format!("cp - {to}"));
    command.stdin(File::open(path).unwrap());
    finish(command)
}

#[test]
#[ignore = "needs root"]
fn root_tars_that_leave_their_place_are_refused() {
    for inside in [Boxed::running("-v vol:/vol"), Boxed::stopped("-v vol:/vol")] {
        let canary = Canary::new(&inside);
        let up = format!("../../../../../../../..{}", canary.0);
        for to in ["/tmp", "/vol"] {
            let place = format!("box:{to}");
            let file = |name: &str| Tar::new().named(name).finish();
            write_file(&inside.shed.path("stream"), &file("../up"));
            let mut command = inside.shed.command(&format!("cp - {place}"));
            command.stdin(File::open(inside.shed.path("stream")).unwrap());
            finish(command).fails(1, &format!("\"../up\" is outside of \"{to}\""));
            let target = format!("{up}/secret");
            cp_in(&inside, &place, Tar::new().hard_link("h", &target)).fails(1, "is outside of");
            let absolute = Tar::new().hard_link("h", &format!("{}/secret", canary.0));
            cp_in(&inside, &place, absolute).fails(1, "no file");
            for target in [&up, &canary.0] {
                let tar = Tar::new()
                    .link("out", target)
                    .file("out/planted", 0o644, b"p");
                // Where the link leads inside the container, if anywhere.
                cp_in(&inside, &place, tar);
                let tar = Tar::new()
                    .link("deep", target)
                    .hard_link("h2", "deep/secret");
                cp_in(&inside, &place, tar).fails(1, "no file");
                canary.assert_untouched();
            }
        }
        assert!(!inside.list("/").contains("= secret"));
        canary.assert_untouched();
    }
}

#[test]
#[ignore = "needs root"]
fn root_absolute_names_stay_inside() {
    let inside = Boxed::running("");
    let canary = Canary::new(&inside);
    let name = format!("{}/planted", canary.0);
    write_file(
        &inside.shed.path("stream"),
        &Tar::new().named("/abs").finish(),
    );
    let mut command = inside.shed.command("cp - box:/tmp");
    command.stdin(File::open(inside.shed.path("stream")).unwrap());
    finish(command).ok();
    assert!(inside.list("/tmp").contains("tmp/abs"));
    if name.len() < 100 {
        write_file(
            &inside.shed.path("stream"),
            &Tar::new().named(&name).finish(),
        );
        let mut command = inside.shed.command("cp - box:/");
        command.stdin(File::open(inside.shed.path("stream")).unwrap());
        finish(command).ok();
        assert!(inside.list(&name).starts_with("planted"));
    }
    canary.assert_untouched();
}

#[test]
#[ignore = "needs root"]
fn root_links_of_the_container_lead_nowhere_outside() {
    for inside in [Boxed::running(""), Boxed::stopped("")] {
        let canary = Canary::new(&inside);
        let up = format!("../../../../../../../..{}", canary.0);
        let tar = Tar::new().link("abs", &canary.0).link("up", &up);
        cp_in(&inside, "box:/tmp", tar).ok();
        inside.shed.file("evil", "evil");
        for link in ["abs", "up"] {
            inside
                .cp("evil", &format!("box:/tmp/{link}"))
                .fails(1, "Could not find the file");
            inside
                .cp("evil", &format!("box:/tmp/{link}/x"))
                .fails(1, "Could not find the file");
            inside
                .cp(&format!("-L box:/tmp/{link}"), "stolen")
                .fails(1, "Could not find the file");
            inside
                .cp(&format!("box:/tmp/{link}/secret"), "stolen")
                .fails(1, "Could not find");
            inside
                .cp(&format!("box:/tmp/{link}/"), "stolen")
                .fails(1, "Could not find");
        }
        assert!(!inside.shed.path("stolen").exists());
        canary.assert_untouched();
    }
}

/// Exchanges two names as fast as it can, from outside, as a container's program would.
struct Flipper(Child);

impl Flipper {
    fn start(dir: &str, one: &str, other: &str) -> Self {
        let script = format!(
            "import ctypes,os,time\nos.chdir({dir:?})\nlibc=ctypes.CDLL(None)\nend=time.time()+60\n\
             while time.time()<end:\n libc.renameat2(-100,b{one:?},-100,b{other:?},2)\n"
        );
        let mut command = Command::new("python3");
        command.arg("-c").arg(script).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Flipper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_directory_swapped_for_a_link_leads_no_copy_outside() {
    let inside = Boxed::running("-v vol:/vol");
    let canary = Canary::new(&inside);
    let pid = inside.shed.pid_of("box");
    let vol = format!("/proc/{pid}/root/vol");
    fs::create_dir(format!("{vol}/swap")).unwrap();
    fs::create_dir(format!("{vol}/swap/sub")).unwrap();
    write_text(Path::new(&format!("{vol}/swap/secret")), "harmless\n");
    std::os::unix::fs::symlink(&canary.0, format!("{vol}/link")).unwrap();
    inside.shed.dir("src/sub");
    inside.shed.file("src/planted", "p");
    inside.shed.file("src/sub/planted", "p");
    let flipper = Flipper::start(
        &inside.shed.data("vol").display().to_string(),
        "swap",
        "link",
    );
    let end = Instant::now() + Duration::from_secs(8);
    let mut went_through = 0;
    while Instant::now() < end {
        inside.cp("src/.", "box:/vol/swap");
        inside.cp("src/planted", "box:/vol/swap/secret");
        let done = inside.cp("box:/vol/swap/secret", "stolen");
        if done.code == 0 {
            went_through += 1;
            assert_ne!(read(inside.shed.path("stolen")), "secret\n");
        }
        let done = inside.cp("box:/vol", "whole");
        if done.code == 0 {
            let stolen = inside.shed.path("whole/swap/secret");
            // What was swapped while it was looked at is left out with a remark.
            let is_dir = fs::symlink_metadata(inside.shed.path("whole/swap"))
                .is_ok_and(|found| found.is_dir());
            assert!(!is_dir || !stolen.exists() || read(stolen) != "secret\n");
        }
        fs::remove_dir_all(inside.shed.path("whole")).ok();
        canary.assert_untouched();
    }
    drop(flipper);
    assert!(went_through > 0);
    canary.assert_untouched();
}

#[test]
#[ignore = "needs root"]
fn root_a_file_swapped_for_a_device_or_fifo_is_never_opened() {
    let inside = Boxed::running("-v vol:/vol");
    let dir = inside.shed.data("vol");
    write_text(&dir.join("file"), "harmless\n");
    for (name, kind) in [("fifo", "p"), ("zero", "c 1 5")] {
        let mut command = Command::new("mknod");
        command.arg(dir.join(name)).args(kind.split(' '));
        finish(command).ok();
        let flipper = Flipper::start(&dir.display().to_string(), "file", name);
        for _ in 0..40 {
            let done = inside.cp("box:/vol/file", "-");
            assert!(done.out.len() <= 10240, "{} bytes", done.out.len());
        }
        drop(flipper);
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_file_that_changes_its_size_is_copied_with_the_size_it_had() {
    let inside = Boxed::running("-v vol:/vol");
    let shed = &inside.shed;
    let path = shed.data("vol").join("log").display().to_string();
    let script = format!(
        "import os,time\nf=os.open({path:?},os.O_RDWR|os.O_CREAT)\nend=time.time()+60\n\
         while time.time()<end:\n os.ftruncate(f,20000000)\n os.pwrite(f,b'x'*65536,19000000)\n os.ftruncate(f,5)\n"
    );
    let mut writer = Command::new("python3")
        .arg("-c")
        .arg(script)
        .spawn()
        .unwrap();
    crate::support::wait_until("the log is there", || Path::new(&path).exists());
    let mut notes = String::new();
    for _ in 0..40 {
        let done = inside.cp("box:/vol/log", "out");
        assert_eq!(done.code, 0, "{done:?}");
        notes += &done.err;
        let mut command = shed.command("cp box:/vol/log -");
        let tar = command.output().unwrap();
        assert!(tar.status.success(), "{tar:?}");
        assert_eq!(tar.stdout.len() % 512, 0);
        notes += &String::from_utf8_lossy(&tar.stderr);
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(notes.contains("while it was copied"), "{notes}");
}

#[test]
#[ignore = "needs root"]
fn root_a_container_that_ends_in_the_middle_ends_no_copy() {
    let inside = Boxed::running("-v vol:/vol");
    let shed = &inside.shed;
    let mut make = Command::new("sh");
    let dir = shed.data("vol").display().to_string();
    make.arg("-c").arg(format!(
        "head -c 100000000 /dev/zero | tr '\\0' x >{dir}/big; echo last >{dir}/z"
    ));
    finish(make).ok();
    let mut command = shed.command("cp box:/vol out");
    let mut copy = command.spawn().unwrap();
    crate::support::wait_until("the copy has begun", || shed.path("out/big").exists());
    let pid = nix::unistd::Pid::from_raw(shed.pid_of("box"));
    nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).unwrap();
    assert!(copy.wait().unwrap().success());
    assert_eq!(
        fs::metadata(shed.path("out/big")).unwrap().len(),
        100_000_000
    );
    assert_eq!(read(shed.path("out/z")), "last\n");
}

#[test]
#[ignore = "needs root"]
fn root_many_copies_at_the_same_moment_do_not_disturb_each_other() {
    for inside in [Boxed::running("-v vol:/vol"), Boxed::stopped("-v vol:/vol")] {
        let shed = &inside.shed;
        let children: Vec<_> = (0..8)
            .map(|number| {
                shed.file(&format!("file-{number}"), &number.to_string());
                let line = format!("cp file-{number} box:/tmp");
                shed.command(&line).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let listed = inside.list("/tmp");
        assert_eq!(listed.lines().count(), 9, "{listed}");
        // Whoever looks meanwhile sees it in its state.
        let state = shed.inspect("box")["State"]["Status"].clone();
        assert!(state == "running" || state == "exited", "{state}");
    }
}
