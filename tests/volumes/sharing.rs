//! Who may have a volume at the same time.

use std::process::Stdio;

use crate::support::{Shed, finish, wait_until};

fn runs(shed: &Shed, name: &str) -> bool {
    shed.cowshed(&format!("inspect -f '{{{{.State.Running}}}}' {name}"))
        .out
        == "true\n"
}

/// What a command says to a terminal, by script(1).
fn on_terminal(shed: &Shed, line: &str) -> String {
    let plain = shed.command(line);
    let words = plain.get_args().map(|word| word.to_str().unwrap());
    let words: Vec<_> = words.collect();
    let line = format!("{} {}", plain.get_program().display(), words.join(" "));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]);
    script
        .env("COWSHED_ROOT", shed.store())
        .stdin(Stdio::null());
    finish(script).ok().replace('\r', "")
}

#[test]
#[ignore = "needs root"]
fn root_an_exclusive_volume_has_one_user_and_the_second_is_told_who() {
    let shed = Shed::new();
    shed.cowshed("volume create --sharing exclusive data").ok();
    let inspect = shed.cowshed("volume inspect -f '{{.Sharing}}' data").ok();
    assert_eq!(inspect, "exclusive\n");
    shed.cowshed("run -d --name first -v data:/data base sleep 1000")
        .ok();
    for flags in ["-v data:/data", "-v data:/data:ro", "--volumes-from first"] {
        let refused = shed.cowshed(&format!("run --rm {flags} base true"));
        let refused = refused.fails(125, "use volume data (exclusive): container first uses it");
        assert!(refused.err.contains("hint: "), "{}", refused.err);
    }
    // Twice in one container is one user.
    shed.cowshed("rm -f first").ok();
    shed.cowshed("run --rm -v data:/a -v data:/b:ro base true")
        .ok();
    // Killed, it has nothing any more.
    shed.cowshed("run -d --name second -v data:/data base sleep 1000")
        .ok();
    shed.cowshed("kill second").ok();
    shed.cowshed("run --rm -v data:/data base true").ok();
    shed.cowshed("rm -f second").ok();
    assert_eq!(shed.cowshed("ps -aq").ok(), "");
}

#[test]
#[ignore = "needs root"]
fn root_a_mount_may_ask_for_more_than_its_volume() {
    let shed = Shed::new();
    shed.cowshed("run -d --name plain -v data:/data base sleep 1000")
        .ok();
    let exclusive = "--mount src=data,dst=/data,volume-sharing=exclusive";
    shed.cowshed(&format!("run --rm {exclusive} base true"))
        .fails(125, "container plain uses it");
    shed.cowshed("rm -f plain").ok();
    shed.cowshed(&format!("run -d --name alone {exclusive} base sleep 1000"))
        .ok();
    shed.cowshed("run --rm -v data:/data base true")
        .fails(125, "container alone uses it");
    // It is the mount's wish, not the volume's.
    let inspect = shed.cowshed("volume inspect data").ok();
    assert!(inspect.contains("\"Sharing\": \"shared\""), "{inspect}");
    shed.cowshed("run --rm --mount src=data,dst=/data,volume-sharing=some base true")
        .fails(125, "shared, readers or exclusive");
    shed.cowshed("rm -f alone").ok();
}

#[test]
#[ignore = "needs root"]
fn root_readers_are_many_or_a_writer_is_one() {
    let shed = Shed::new();
    shed.cowshed("volume create -o volume-sharing=readers data")
        .ok();
    for name in ["one", "two"] {
        shed.cowshed(&format!(
            "run -d --name {name} -v data:/data:ro base sleep 1000"
        ))
        .ok();
    }
    shed.cowshed("run --rm -v data:/data base true")
        .fails(125, "container one, container two use it");
    shed.cowshed("rm -f one two").ok();
    shed.cowshed("run -d --name writer -v data:/data base sleep 1000")
        .ok();
    shed.cowshed("run --rm -v data:/data:ro base true")
        .fails(125, "container writer uses it");
    shed.cowshed("rm -f writer").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_second_writer_of_a_shared_volume_is_noted_once() {
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    let start = |name: &str, flags: &str| {
        let line = format!("run -d --name {name} {flags} base sleep 1000");
        on_terminal(&shed, &line)
    };
    let id = |text: &str| text.trim_end().len() == 64;
    assert!(id(&start("web", "-v data:/data")));
    assert!(id(&start("reader", "-v data:/data:ro")));
    let text = start("job", "-v data:/data -v data:/again");
    let (note, rest) = text.split_once('\n').unwrap();
    assert!(note.contains("note: web can write to volume data, too"));
    assert!(id(rest), "{text}");
    shed.cowshed("rm -f web reader job").ok();
}

#[test]
#[ignore = "needs root"]
fn root_lock_run_keeps_containers_out_and_waits_for_them() {
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    let mut job = shed.command("volume lock-run data -- sh -c");
    job.arg("echo kept >$COWSHED_VOLUME/file; read line; exit 7");
    let mut job = job.stdin(Stdio::piped()).spawn().unwrap();
    wait_until("the job has begun", || {
        shed.data("data").join("file").exists()
    });
    let refused = shed.cowshed("run --rm -v data:/data base true");
    let refused = refused.fails(125, "use volume data (shared): process ");
    assert!(refused.err.contains("(sh) uses it"), "{}", refused.err);
    shed.cowshed("volume rm data").fails(1, "volume is in use");
    shed.cowshed("volume lock-run --read data true")
        .fails(125, "(sh) uses it");
    drop(job.stdin.take());
    assert_eq!(job.wait().unwrap().code(), Some(7));
    assert_eq!(
        shed.cowshed("run --rm -v data:/data base cat /data/file")
            .ok(),
        "kept\n"
    );
    shed.cowshed("run -d --name box -v data:/data base sleep 1000")
        .ok();
    shed.cowshed("volume lock-run data true")
        .fails(125, "container box uses it");
    shed.cowshed("volume lock-run --wait=100ms data true")
        .fails(125, "container box uses it");
    let mut waits = shed.command("volume lock-run --wait data true");
    let mut waits = waits.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(waits.try_wait().unwrap().is_none() && runs(&shed, "box"));
    shed.cowshed("rm -f box").ok();
    assert_eq!(waits.wait().unwrap().code(), Some(0));
    shed.cowshed("volume lock-run data nosuchprogram")
        .fails(127, "nosuchprogram");
    shed.cowshed("volume lock-run data /etc").fails(126, "/etc");
    shed.cowshed("volume lock-run nosuch true")
        .fails(125, "no such volume");
    shed.cowshed("volume rm data").ok();
}

#[test]
#[ignore = "needs root"]
fn root_a_job_killed_with_9_keeps_nobody_out() {
    let shed = Shed::new();
    shed.cowshed("volume create data").ok();
    let mut job = shed
        .command("volume lock-run data sleep 1000")
        .spawn()
        .unwrap();
    wait_until("the job has begun", || {
        crate::support::read(format!("/proc/{}/cmdline", job.id())).starts_with("sleep")
    });
    shed.cowshed("run --rm -v data:/data base true")
        .fails(125, "(sleep) uses it");
    job.kill().unwrap();
    job.wait().unwrap();
    shed.cowshed("run --rm -v data:/data base true").ok();
}

/// Every command that writes into a volume named data.
fn writers(shed: &Shed) -> Vec<String> {
    let file = shed.file("new", "new");
    let tar = shed.show("new.tar");
    let packed = std::process::Command::new("tar")
        .args(["cf", &tar, "-C", &shed.show(""), "new"])
        .status();
    assert!(packed.unwrap().success());
    shed.cowshed("volume create source").ok();
    shed.dir("tree");
    vec![
        format!("volume cp {file} data:/"),
        "volume cp source:/. data:/".to_owned(),
        format!("volume import data {tar}"),
        format!("volume import data {}", shed.show("tree")),
        "overlay apply over".to_owned(),
    ]
}

#[test]
#[ignore = "needs root"]
fn root_commands_that_write_ask_as_a_second_user_would() {
    for sharing in ["exclusive", "readers", "shared"] {
        let shed = Shed::new();
        shed.cowshed(&format!("volume create --sharing {sharing} data"))
            .ok();
        let overlay = "--mount type=overlay,src=data,dst=/d,upper=discard";
        shed.cowshed(&format!("run --name over {overlay} base touch /d/a"))
            .ok();
        let lines = writers(&shed);
        for access in ["rw", "ro"] {
            shed.cowshed(&format!(
                "run -d --name first -v data:/data:{access} base sleep 1000"
            ))
            .ok();
            for line in &lines {
                let done = shed.cowshed(line);
                if sharing == "shared" {
                    done.ok();
                } else {
                    let message = format!("use volume data ({sharing}): container first uses it");
                    done.fails(1, &message);
                }
            }
            shed.cowshed("rm -f first").ok();
        }
        for line in &lines {
            shed.cowshed(line).ok();
        }
        for name in ["new", "a"] {
            assert!(shed.data("data").join(name).exists(), "{sharing} {name}");
        }
        // To look is no use.
        shed.cowshed("run -d --name first -v data:/data base sleep 1000")
            .ok();
        shed.cowshed("volume ls-files data").ok();
        shed.cowshed("rm -f first over").ok();
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_command_that_writes_keeps_others_out_and_is_named() {
    let shed = Shed::new();
    shed.cowshed("volume create --sharing exclusive data").ok();
    let mut import = shed.command("volume import data -");
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    let who = shed.store().join("volumes/data/users");
    wait_until("it is in", || {
        std::fs::read_to_string(&who).is_ok_and(|text| text.contains("volume import"))
    });
    shed.cowshed("run --rm -v data:/data base true")
        .fails(125, "(volume import) uses it");
    import.kill().unwrap();
    import.wait().unwrap();
    shed.cowshed("run --rm -v data:/data base true").ok();
}

/// A volume whose data is a tmpfs while it is in use.
const DISK: &str = "volume create -o type=tmpfs -o device=tmpfs disk";

fn is_mounted(shed: &Shed) -> bool {
    let table = crate::support::read("/proc/thread-self/mountinfo");
    table.contains(&shed.data("disk").display().to_string())
}

/// Has begun when the file `begun` is there.
fn job(shed: &Shed, script: &str) -> std::process::Child {
    shed.cowshed("volume create disk -o type=tmpfs -o device=tmpfs")
        .ok();
    let mut job = shed.command("volume lock-run disk -- sh -c");
    job.arg(script.replace("BEGUN", &shed.show("begun")));
    let job = job.stdin(Stdio::piped()).spawn().unwrap();
    wait_until("the job has begun", || shed.path("begun").exists());
    job
}

#[test]
#[ignore = "needs root"]
fn root_lock_run_unmounts_when_its_program_has_ended() {
    let shed = Shed::new();
    shed.cowshed(DISK).ok();
    // A fresh look at what is mounted, by nobody who tidies up.
    let done = shed.cowshed("volume lock-run disk -- sh -c exit");
    assert_eq!(done.code, 0);
    assert!(!is_mounted(&shed));
    let mut job = job(&shed, "echo >BEGUN; read line; exit 7");
    assert!(is_mounted(&shed));
    shed.cowshed("run --rm -v disk:/data base true")
        .fails(125, "(sh) uses it");
    drop(job.stdin.take());
    assert_eq!(job.wait().unwrap().code(), Some(7));
    assert!(!is_mounted(&shed));
    for (program, code) in [("nosuchprogram", 127), ("/etc", 126)] {
        shed.cowshed(&format!("volume lock-run disk {program}"))
            .fails(code, program);
        assert!(!is_mounted(&shed));
    }
    // Not the last one.
    shed.cowshed("run -d --name box -v disk:/data:ro base sleep 1000")
        .ok();
    shed.cowshed("volume lock-run --read disk true").ok();
    assert!(is_mounted(&shed));
    shed.cowshed("rm -f box").ok();
    assert!(!is_mounted(&shed));
}

#[test]
#[ignore = "needs root"]
fn root_lock_run_passes_signals_on_and_dies_of_them() {
    use nix::sys::signal::{Signal, kill};
    let shed = Shed::new();
    let mut heard = job(
        &shed,
        "trap 'exit 9' USR1; echo >BEGUN; while :; do sleep 0.05; done",
    );
    let pid =
        |job: &std::process::Child| nix::unistd::Pid::from_raw(i32::try_from(job.id()).unwrap());
    kill(pid(&heard), Signal::SIGUSR1).unwrap();
    assert_eq!(heard.wait().unwrap().code(), Some(9));
    assert!(!is_mounted(&shed));
    std::fs::remove_file(shed.path("begun")).unwrap();
    let mut ended = job(&shed, "echo >BEGUN; exec sleep 1000");
    kill(pid(&ended), Signal::SIGTERM).unwrap();
    assert_eq!(ended.wait().unwrap().code(), Some(128 + 15));
    assert!(!is_mounted(&shed));
}

#[test]
#[ignore = "needs root"]
fn root_a_job_on_a_disk_killed_with_9_keeps_nobody_out() {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    for whom in ["the command", "the program"] {
        let shed = Shed::new();
        let mut job = job(
            &shed,
            "echo $$ >BEGUN.tmp; mv BEGUN.tmp BEGUN; exec sleep 1000",
        );
        let program = crate::support::read(shed.path("begun"));
        let program = Pid::from_raw(program.trim().parse().unwrap());
        if whom == "the command" {
            job.kill().unwrap();
            job.wait().unwrap();
            wait_until("the program is gone", || kill(program, None).is_err());
        } else {
            kill(program, Signal::SIGKILL).unwrap();
            assert_eq!(job.wait().unwrap().code(), Some(137));
            assert!(!is_mounted(&shed));
        }
        shed.cowshed("run --rm -v disk:/data base true").ok();
        shed.cowshed("volume rm disk").ok();
        assert!(!is_mounted(&shed));
    }
}

#[test]
#[ignore = "needs root"]
fn root_what_a_job_leaves_running_holds_the_disk_on() {
    let shed = Shed::new();
    let mut job = job(
        &shed,
        "sleep 1000 >/dev/null 2>&1 & echo $! >BEGUN.tmp; mv BEGUN.tmp BEGUN",
    );
    assert_eq!(job.wait().unwrap().code(), Some(0));
    assert!(is_mounted(&shed));
    shed.cowshed("run --rm -v disk:/data base true")
        .fails(125, "uses it");
    let left = crate::support::read(shed.path("begun"));
    let left = nix::unistd::Pid::from_raw(left.trim().parse().unwrap());
    nix::sys::signal::kill(left, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("it is free", || {
        shed.cowshed("volume ls").ok();
        !is_mounted(&shed)
    });
    shed.cowshed("volume rm disk").ok();
}
