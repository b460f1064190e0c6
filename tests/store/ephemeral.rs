//! `run --volatile` and `--ephemeral`: changes that are not kept, by choice.

use serde_json::Value;

use crate::support::{Shed, finish, read, tree, write_file};

#[test]
#[ignore = "needs root"]
fn root_ephemeral_changes_are_in_memory_and_go_with_the_program() {
    let shed = Shed::new();
    shed.cowshed(
        "run -d --name box --ephemeral=2m base sh -c 'echo hello >/f; ls -ld / >/line; sleep 100'",
    )
    .ok();
    crate::support::wait_until("it has written", || {
        shed.cowshed("exec box cat /line").code == 0
    });
    // As any root: by owner and mode.
    let own = shed.sh("", "ls -ld / | cut -c1-10");
    assert!(
        shed.cowshed("exec box cat /line")
            .ok()
            .starts_with(own.trim())
    );
    let upper = shed.store().join("containers").join(shed.id_of("box"));
    assert_eq!(tree(&upper.join("upper")), "");
    assert_eq!(tree(&upper.join("work")), "");
    // What reaches the container itself sees them.
    assert_eq!(shed.cowshed("exec box cat /f").ok(), "hello\n");
    shed.cowshed("cp box:/f copy").ok();
    assert_eq!(read(shed.path("copy")), "hello\n");
    let tar = shed.path("box.tar");
    shed.cowshed(&format!("export -o {} box", tar.display()))
        .ok();
    assert!(String::from_utf8_lossy(&std::fs::read(&tar).unwrap()).contains("hello\n"));
    // What reads the disk is told that there is nothing.
    for line in ["diff box", "commit box image"] {
        let refused = shed.cowshed(line).fails(1, "is ephemeral");
        assert!(refused.err.contains("hint: cowshed cp"), "{refused:?}");
    }
    // The size is a limit.
    let full = shed.cowshed("exec box dd if=/dev/zero of=/big bs=64k count=64");
    assert!(
        full.code != 0 && full.err.contains("No space left"),
        "{full:?}"
    );
    shed.cowshed("stop -t 0 box").ok();
    assert_eq!(shed.cowshed("diff box").ok(), "");
    shed.cowshed("cp copy box:/g").fails(1, "is ephemeral");
    shed.cowshed("cp box:/f copy").fails(1, "");
    shed.cowshed("commit box image").fails(1, "is ephemeral");
    // The next run begins with the image.
    shed.cowshed("start box").ok();
    crate::support::wait_until("it runs again", || {
        shed.cowshed("exec box cat /f").code == 0
    });
    shed.cowshed("exec box ls /big").fails(1, "");
    shed.cowshed("rm -f box").ok();
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_ephemeral_is_shown_planned_and_scripted() {
    let shed = Shed::new();
    shed.cowshed("create --name box --ephemeral=2m base true")
        .ok();
    shed.cowshed("create --name whole --ephemeral base true")
        .ok();
    shed.cowshed("create --name fast --volatile base true").ok();
    let host = |name: &str| shed.inspect(name)["HostConfig"].clone();
    assert_eq!(host("box")["Ephemeral"]["Size"], "2m");
    assert_eq!(host("whole")["Ephemeral"]["Size"], Value::Null);
    assert_eq!(host("fast")["Volatile"], true);
    assert_eq!(host("fast").get("Ephemeral"), None);
    let plan = shed.cowshed("run --dry-run --ephemeral=2m base true").ok();
    assert!(plan.contains("\"size\", \"2m\""), "{plan}");
    assert!(plan.contains("work/upper"), "{plan}");
    let plan = shed.cowshed("run --dry-run --volatile base true").ok();
    assert!(plan.contains("FSCONFIG_SET_FLAG, \"volatile\""), "{plan}");
    let line = "run --explain=sh --ephemeral=2m base sh -c 'echo x >/f; cat /f; cat /etc/hostname'";
    let script = shed.cowshed(line).ok();
    assert!(script.contains("size=2m ephemeral"), "{script}");
    let path = shed.file("explained.sh", &script);
    let mut shell = std::process::Command::new("sh");
    shell.arg(path).env("TMPDIR", shed.dir("for-script"));
    let said = finish(shell).ok();
    assert!(said.starts_with("x\n") && said.len() > 3, "{said}");
    assert_eq!(tree(&shed.path("for-script")), "");
    shed.cowshed("run --rm --ephemeral=2x base true")
        .fails(125, "invalid size for --ephemeral");
    shed.cowshed("run --rm --ephemeral --volatile base true")
        .fails(125, "cannot be used with");
    assert_eq!(shed.sh("--ephemeral", "echo x >/f; cat /f"), "x\n");
    shed.cowshed("rm box whole fast").ok();
}

#[test]
#[ignore = "needs root"]
fn root_volatile_goes_on_and_warns_after_a_reboot() {
    let shed = Shed::new();
    shed.cowshed("run --name box --volatile base sh -c 'echo x >>/f; cat /f'")
        .ok();
    let again = shed.cowshed("start -a box");
    assert_eq!((again.out.as_str(), again.err.as_str()), ("x\nx\n", ""));
    // Everything that reads a stopped one finds it as ever.
    assert!(shed.cowshed("diff box").ok().contains("A /f"));
    shed.cowshed("cp box:/f copy").ok();
    assert_eq!(read(shed.path("copy")), "x\nx\n");
    write_file(&shed.path("g"), b"g");
    shed.cowshed("cp g box:/g").ok();
    shed.cowshed("commit --sync=none box image").ok();
    assert_eq!(shed.cowshed("run --rm image cat /f /g").ok(), "x\nx\ng");
    // As if the machine had gone down since.
    let path = shed.store().join("containers").join(shed.id_of("box"));
    let state = path.join("state.json");
    let mut record: Value = serde_json::from_str(&read(&state)).unwrap();
    assert!(record["volatile_boot"].is_string(), "{record}");
    record["volatile_boot"] = "another-boot".into();
    write_file(&state, record.to_string().as_bytes());
    let again = shed.cowshed("start -a box");
    assert_eq!(again.out, "x\nx\nx\n");
    assert!(again.err.contains("may be incomplete"), "{again:?}");
    let again = shed.cowshed("start -a box");
    assert_eq!(again.err, "");
    shed.cowshed("rm box").ok();
    shed.cowshed("rmi image").ok();
    shed.assert_no_containers();
}
