//! What a container sees of the host: as little as Docker's.

use crate::support::{Shed, finish};

const CAPABILITIES: u64 = 0xa804_25fb;

#[test]
#[ignore = "needs root"]
fn root_a_program_has_three_descriptors_and_no_variable_of_the_host() {
    let shed = Shed::new();
    // One more descriptor that would be inherited.
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "exec 7</etc/passwd; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_cowshed"),
    ]);
    command
        .arg("--root")
        .arg(shed.store())
        .env("HOST_SECRET", "x");
    command.args([
        "run",
        "--rm",
        "base",
        "sh",
        "-c",
        "ls /proc/self/fd; env; tr '\\0' ' ' </proc/1/cmdline",
    ]);
    let out = finish(command).ok();
    // ls itself opens the directory.
    assert!(out.starts_with("0\n1\n2\n3\n"), "{out}");
    assert!(
        !out.contains("HOST_SECRET") && !out.contains("\n4\n"),
        "{out}"
    );
    for flags in ["--init", "-i", "-u app"] {
        assert_eq!(
            shed.sh(flags, "ls /proc/self/fd"),
            "0\n1\n2\n3\n",
            "{flags}"
        );
    }
    assert_eq!(shed.sh("--init", "ls /proc/1/fd").lines().count(), 3);
}

#[test]
#[ignore = "needs root"]
fn root_only_its_own_processes_are_there() {
    let shed = Shed::new();
    assert_eq!(shed.sh("", "echo $$ /proc/[0-9]*"), "1 /proc/1\n");
    assert_eq!(
        shed.sh("--init", "echo $$ /proc/[0-9]*"),
        "2 /proc/1 /proc/2\n"
    );
    for kind in ["pid", "mnt", "uts", "ipc", "net", "cgroup"] {
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let own = shed.sh("", &format!("readlink /proc/self/ns/{kind}"));
        assert_ne!(own.trim(), host.to_str().unwrap());
    }
}

#[test]
#[ignore = "needs root"]
fn root_capabilities_are_dockers_fourteen() {
    let shed = Shed::new();
    let script = "grep -E '^(Cap|Groups|NoNewPrivs|Seccomp:)' /proc/self/status";
    let sets = |flags: &str| {
        let text = shed.sh(flags, script);
        let set = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
        };
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(set)
    };
    assert_eq!(CAPABILITIES.count_ones(), 14);
    let root = [0, CAPABILITIES, CAPABILITIES, CAPABILITIES, 0];
    assert_eq!(sets(""), root);
    assert_eq!(sets("--init"), root);
    assert_eq!(sets("-u app"), [0, 0, 0, CAPABILITIES, 0]);
    assert_eq!(sets("-u 4242:4242"), [0, 0, 0, CAPABILITIES, 0]);

    let all = |set| [0, set, set, set, 0];
    assert_eq!(sets("--cap-drop all"), all(0));
    assert_eq!(sets("--cap-drop ALL --cap-add chown"), all(1));
    assert_eq!(sets("--cap-drop CAP_CHOWN"), all(CAPABILITIES & !1));
    assert_eq!(sets("--cap-add net_admin"), all(CAPABILITIES | 1 << 12));
    let most = sets("--cap-add ALL --cap-drop chown");
    // As far as we have them ourselves.
    assert!(most[2] & 1 == 0 && most[2] & (1 << 21) != 0, "{most:x?}");
    assert_eq!(sets("--cap-drop all -u app"), [0; 5]);
}

#[test]
#[ignore = "needs root"]
fn root_rights_hold_for_exec_probes_and_the_script_too() {
    let shed = Shed::new();
    let flags = "--cap-drop all --cap-add kill --security-opt no-new-privileges";
    let look = "grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status";
    let expected = "CapBnd:\t0000000000000020\nNoNewPrivs:\t1\n";
    assert_eq!(shed.sh(flags, look), expected);
    shed.cowshed(&format!("run -d --name box {flags} base sleep 100"))
        .ok();
    let exec = |more: &str| shed.cowshed(&format!("exec {more} box {look}")).ok();
    assert_eq!(exec(""), expected);
    assert!(exec("--privileged").contains("NoNewPrivs:\t0"));
    let host = &shed.inspect("box")["HostConfig"];
    assert_eq!(host["CapAdd"], serde_json::json!(["CAP_KILL"]));
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
    assert_eq!(
        host["SecurityOpt"],
        serde_json::json!(["no-new-privileges"])
    );
    shed.cowshed("rm -f box").ok();
    for (flags, message) in [
        (
            "--cap-add nope",
            "invalid CapAdd: unknown capability: \"CAP_NOPE\"",
        ),
        (
            "--cap-drop CAP_X",
            "invalid CapDrop: unknown capability: \"CAP_X\"",
        ),
        (
            "--security-opt seccomp=/x",
            "invalid --security-opt: \"seccomp=/x\"",
        ),
    ] {
        shed.cowshed(&format!("run --rm {flags} base true"))
            .fails(125, message);
    }
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_kernel_files_are_masked_or_read_only() {
    let shed = Shed::new();
    let script = "for path in acpi asound interrupts keys latency_stats timer_list scsi; do \
        [ -e /proc/$path ] || continue; \
        [ -d /proc/$path ] && n=$(ls -A /proc/$path | wc -l) || n=$(wc -c </proc/$path); \
        [ $n = 0 ] || echo $path; done; ls -A /sys/firmware; head -c 1 /proc/kcore 2>/dev/null | wc -c";
    assert_eq!(shed.sh("", script), "0\n");
    for path in [
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
    ] {
        let done = shed.try_sh(
            "",
            &format!("[ -e {path} ] || exit 0; echo x >{path} && echo wrote"),
        );
        assert!(!done.out.contains("wrote"), "{path}: {done:?}");
    }
    let refused = shed.try_sh(
        "",
        "mount -t tmpfs none /tmp; mknod /dev/sda b 8 0; umount /proc/sys",
    );
    assert!(refused.code != 0, "{refused:?}");
    let done = shed.try_sh("", "mount -o remount,rw /sys");
    assert_ne!(done.code, 0);
}

#[test]
#[ignore = "needs root"]
fn root_dev_has_a_handful_of_devices() {
    let shed = Shed::new();
    assert_eq!(
        shed.sh("", "ls /dev"),
        "core\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"
    );
    let list =
        "stat -c '%a %t:%T %u' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty";
    let wanted = "666 1:3 0\n666 1:5 0\n666 1:7 0\n666 1:8 0\n666 1:9 0\n666 5:0 0\n";
    assert_eq!(shed.sh("", list), wanted);
    assert_eq!(
        shed.sh("-u app", "echo x >/dev/null; head -c 3 /dev/zero | wc -c"),
        "3\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_network_none_has_loopback_only_and_host_has_the_host_s() {
    let shed = Shed::new();
    assert_eq!(
        shed.sh("", "ls /sys/class/net; cat /sys/class/net/lo/operstate"),
        "lo\nunknown\n"
    );
    let up = shed.sh("--network none", "ifconfig lo");
    assert!(up.contains("UP") && up.contains("127.0.0.1"), "{up}");
    let mut host: Vec<_> = std::fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    host.sort();
    for flag in ["--network host", "--net=host"] {
        let script = "ls /sys/class/net; readlink /proc/self/ns/net";
        let out = shed.sh(flag, script);
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        assert_eq!(out, format!("{}\n{}\n", host.join("\n"), own.display()));
    }
    assert_eq!(
        shed.sh("--network host", "hostname").trim(),
        nix::unistd::gethostname().unwrap().to_str().unwrap()
    );
    shed.try_sh("--network bridge", "true").fails(125, "bridge");
}

#[test]
#[ignore = "needs root"]
fn root_the_host_s_root_cannot_be_reached() {
    let shed = Shed::new();
    shed.file("canary", "secret\n");
    let path = shed.show("canary");
    let script = format!(
        "ls /../../..{path} /proc/1/root{path} /proc/self/cwd{path} 2>/dev/null; grep -c {} /proc/self/mountinfo",
        shed.show("")
    );
    assert_eq!(shed.try_sh("", &script).out, "0\n");
}
