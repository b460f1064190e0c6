//! What a program is given: variables, directory, user, names, process 1.

use crate::support::{Shed, Tar, finish};

#[test]
#[ignore = "needs root"]
fn root_variables_come_from_the_defaults_the_image_files_and_flags() {
    let shed = Shed::new();
    shed.image(
        "envs",
        Tar::new(),
        &["ENV A=image B=image", "ENV PATH=/bin"],
    );
    let file = shed.file(
        "vars",
        "# a comment\n\nC=file\nB=file\nSPACED= a b \nCALLER\nABSENT_HERE\n",
    );
    let mut command = shed.command(&format!(
        "run --rm --hostname box --env-file {file} -e B=flag \
        -e CALLER2 -e EMPTY= -e ABSENT_TOO envs env"
    ));
    command
        .env("CALLER", "one")
        .env("CALLER2", "two")
        .env("SECRET", "no");
    assert_eq!(
        finish(command).ok(),
        "PATH=/bin\nHOSTNAME=box\nA=image\nB=flag\nC=file\nSPACED= a b \nCALLER=one\n\
         CALLER2=two\nEMPTY=\nHOME=/root\n"
    );
    assert_eq!(shed.sh("-e HOME=/mine -u app", "echo $HOME"), "/mine\n");
    shed.try_sh("-e =x", "true")
        .fails(125, "invalid environment variable");
    shed.try_sh("--env-file /no/such/file", "true")
        .fails(125, "/no/such/file");
    let bad = shed.file("bad", "with space=1\n");
    shed.try_sh(&format!("--env-file {bad}"), "true")
        .fails(125, "contains whitespaces");
}

#[test]
#[ignore = "needs root"]
fn root_the_working_directory_is_made() {
    let shed = Shed::new();
    assert_eq!(
        shed.sh("-w /made/for/me", "pwd; stat -c '%a %u' ."),
        "/made/for/me\n755 0\n"
    );
    assert_eq!(shed.sh("-w /var/run/../run", "pwd -P"), "/run\n");
    assert_eq!(shed.sh("-w /v/x -v vol:/v", "touch here"), "");
    assert!(shed.data("vol").join("x/here").exists());
    shed.try_sh("-w /file", "true").fails(125, "/file");
    shed.image("there", Tar::new(), &["WORKDIR /home/app"]);
    assert_eq!(shed.cowshed("run --rm there pwd").ok(), "/home/app\n");
}

#[test]
#[ignore = "needs root"]
fn root_users_by_name_and_number() {
    let shed = Shed::new();
    let id = "echo $(id -u):$(id -g) $(id -G) $HOME";
    for (user, wanted) in [
        ("root", "0:0 0 /root"),
        ("app", "1000:1001 1001 10 /home/app"),
        ("1000", "1000:1001 1001 10 /home/app"),
        ("app:wheel", "1000:10 10 /home/app"),
        ("app:77", "1000:77 77 /home/app"),
        ("4242", "4242:0 0 /"),
        ("4242:4343", "4242:4343 4343 /"),
        (":wheel", "0:10 10 /root"),
    ] {
        assert_eq!(shed.sh(&format!("-u {user}"), id).trim(), wanted, "{user}");
    }
    let group = "unable to find group nogroup2: no matching entries in group file";
    shed.try_sh("-u app:nogroup2", "true").fails(125, group);
    shed.try_sh("-u -1", "true").fails(125, "");
    shed.try_sh("-u 4294967295", "true")
        .fails(125, "uids and gids must be in range");
    shed.image("user", Tar::new(), &["USER app"]);
    assert_eq!(shed.cowshed("run --rm user id -u").ok(), "1000\n");
    assert_eq!(shed.cowshed("run --rm -u 0 user id -u").ok(), "0\n");
    // Its streams are its own to open again.
    assert_eq!(
        shed.sh("-u app", "echo out >/dev/stdout; echo err >/dev/stderr"),
        "out\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_an_empty_text_is_as_good_as_none() {
    let shed = Shed::new();
    shed.image("user", Tar::new(), &["USER app", "WORKDIR /data"]);
    let flags = "--name '' -w '' -u '' --hostname ''";
    let out = shed
        .cowshed(&format!(
            "run --rm {flags} user sh -c 'id -u; pwd; hostname'"
        ))
        .ok();
    assert!(out.starts_with("1000\n/data\n"), "{out}");
    assert_eq!(out.lines().last().unwrap().len(), 12);
}

#[test]
#[ignore = "needs root"]
fn root_the_host_name_is_the_container_s() {
    let shed = Shed::new();
    let script = "hostname; cat /etc/hostname; echo $HOSTNAME; grep -c box /etc/hosts";
    assert_eq!(shed.sh("--hostname box", script), "box\nbox\nbox\n1\n");
    assert_eq!(shed.sh("-h box", "hostname"), "box\n");
    let host = nix::unistd::gethostname().unwrap();
    let name = shed.cowshed("run --name me base hostname").ok();
    assert_eq!(name.trim(), &shed.id_of("me")[..12]);
    assert_ne!(name.trim(), host.to_str().unwrap());
    assert_eq!(nix::unistd::gethostname().unwrap(), host);
}

#[test]
#[ignore = "needs root"]
fn root_entrypoint_and_command() {
    let shed = Shed::new();
    let changes = ["ENTRYPOINT [\"echo\", \"entry\"]", "CMD [\"cmd\"]"];
    shed.image("entry", Tar::new(), &changes);
    assert_eq!(shed.cowshed("run --rm entry").ok(), "entry cmd\n");
    assert_eq!(shed.cowshed("run --rm entry a b").ok(), "entry a b\n");
    assert_eq!(
        shed.cowshed("run --rm --entrypoint printf entry hi").ok(),
        "hi"
    );
    assert_eq!(
        shed.cowshed("run --rm --entrypoint '' entry echo x").ok(),
        "x\n"
    );
    shed.cowshed("run --rm --entrypoint '' entry")
        .fails(125, "No command specified");
    shed.image("shell", Tar::new(), &["CMD echo $((1 + 1))"]);
    assert_eq!(shed.cowshed("run --rm shell").ok(), "2\n");
    // Flags after the image are the program's.
    assert_eq!(
        shed.cowshed("run --rm base echo --rm -v x --name y").ok(),
        "--rm -v x --name y\n"
    );
}

#[test]
#[ignore = "needs root"]
fn root_labels_are_the_image_s_and_the_flags() {
    let shed = Shed::new();
    shed.image("labelled", Tar::new(), &["LABEL a=image b=image"]);
    shed.cowshed("run --name box --label b=flag -l c labelled true")
        .ok();
    let labels = &shed.inspect("box")["Config"]["Labels"];
    assert_eq!(
        *labels,
        serde_json::json!({"a": "image", "b": "flag", "c": ""})
    );
}

#[test]
#[ignore = "needs root"]
fn root_init_collects_orphans_and_passes_the_code_on() {
    let shed = Shed::new();
    let orphan =
        "(sleep 0.02 &) ; sleep 0.1; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l; exit 5";
    let with = shed.try_sh("--init", orphan);
    assert_eq!((with.code, with.out.as_str()), (5, "0\n"));
    assert_eq!(
        shed.sh("--init", "cat /proc/1/comm; echo $$")
            .lines()
            .last(),
        Some("2")
    );
    let script = "tr '\\0' ' ' </proc/1/cmdline; cat /proc/1/environ";
    let line = shed.try_sh("--init -e TOKEN=secret", script).out;
    assert!(
        !line.contains("secret") && !line.contains(&shed.show("")),
        "{line}"
    );
    shed.cowshed("run --rm --init base nosuchprogram")
        .fails(127, "nosuchprogram");
    shed.assert_no_containers();
}
