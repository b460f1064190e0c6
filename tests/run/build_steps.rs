//! `build`: what each instruction does to the image, as Docker's classic builder would.

use serde_json::json;

use crate::support::Shed;

#[test]
#[ignore = "needs root"]
fn root_one_instruction_makes_one_layer_at_most() {
    let shed = Shed::new();
    shed.context("a", "a");
    let out = shed.build(
        "-t x -t y/z:2",
        "FROM base\nLABEL a=b\nRUN echo 1 > /one\nENV X=1\nCOPY a /a\nRUN true\nWORKDIR /w\nWORKDIR /w\nCMD [\"sh\"]\n",
    );
    assert!(out.starts_with("Step 1/9 : FROM base\n ---> "), "{out}");
    assert!(out.contains("Step 3/9 : RUN echo 1 > /one\n"), "{out}");
    assert!(out.contains("\n ---> Running in "), "{out}");
    assert!(
        out.contains("\nSuccessfully tagged x:latest\nSuccessfully tagged y/z:2\n"),
        "{out}"
    );
    let made: Vec<_> = shed.steps("x").iter().map(|step| step.1).collect();
    // The base; RUN, COPY and the first WORKDIR: what changes nothing makes no layer.
    let layers = [true, false, true, false, true, false, true, false, false];
    assert_eq!(made, layers);
    assert_eq!(shed.layer_count("x"), 4);
    assert_eq!(shed.in_image("x", "cat /one /a; pwd"), "1\na/w\n");
    assert_eq!(
        shed.image_config("x", "/Id"),
        shed.image_config("y/z:2", "/Id")
    );
}

#[test]
#[ignore = "needs root"]
fn root_history_and_inspect_name_the_images_of_the_steps() {
    let shed = Shed::new();
    shed.build("-t x", "FROM base\nRUN echo 1 > /one\nENV X=1\n");
    let ids = shed.cowshed("history --no-trunc -q x").ok();
    let ids: Vec<_> = ids.lines().collect();
    let steps = shed.cowshed("images -a --no-trunc -q").ok();
    let base = shed.image_config("base", "/Id");
    assert_eq!(shed.image_config("x", "/Id"), ids[0]);
    assert_eq!(shed.image_config("x", "/Parent"), ids[1]);
    assert!(steps.lines().any(|id| id == ids[1]), "{ids:?} {steps}");
    assert_eq!(base, ids[2]);
    assert_eq!(shed.image_config("base", "/Parent"), "");
}

#[test]
#[ignore = "needs root"]
fn root_the_history_is_written_as_by_the_classic_builder() {
    let shed = Shed::new();
    let mut dockerfile = String::from("FROM base\n");
    let lines = [
        (
            "LABEL a=b \"c d\"=\"e f\"",
            "/bin/sh -c #(nop)  LABEL a=b c d=e f",
        ),
        ("ARG FOO=bar", "/bin/sh -c #(nop)  ARG FOO=bar"),
        (
            "RUN echo $FOO > /out",
            "|1 FOO=bar /bin/sh -c echo $FOO > /out",
        ),
        ("WORKDIR /w", "/bin/sh -c #(nop) WORKDIR /w"),
        ("WORKDIR sub", "/bin/sh -c #(nop) WORKDIR /w/sub"),
        ("USER app", "/bin/sh -c #(nop)  USER app"),
        ("EXPOSE 80 443/udp", "/bin/sh -c #(nop)  EXPOSE 443/udp 80"),
        (
            "VOLUME /data /more",
            "/bin/sh -c #(nop)  VOLUME [/data /more]",
        ),
        (
            "RUN [\"/bin/sh\", \"-c\", \"id\"]",
            "|1 FOO=bar /bin/sh -c id",
        ),
        (
            "SHELL [\"/bin/sh\", \"-ec\"]",
            "/bin/sh -ec #(nop)  SHELL [/bin/sh -ec]",
        ),
        ("MAINTAINER me", "/bin/sh -ec #(nop)  MAINTAINER me"),
        (
            "CMD echo x",
            "/bin/sh -ec #(nop)  CMD [\"/bin/sh\" \"-ec\" \"echo x\"]",
        ),
        (
            "ONBUILD RUN echo x",
            "/bin/sh -ec #(nop)  ONBUILD RUN echo x",
        ),
    ];
    for (line, _) in lines {
        dockerfile.push_str(line);
        dockerfile.push('\n');
    }
    shed.build("-t x", &dockerfile);
    let steps = shed.steps("x");
    let texts: Vec<_> = steps[1..].iter().map(|step| step.0.as_str()).collect();
    assert_eq!(texts, lines.map(|(_, text)| text));
}

#[test]
#[ignore = "needs root"]
fn root_the_configuration_is_what_the_instructions_say() {
    let shed = Shed::new();
    shed.build(
        "-t x --label by=flag",
        "FROM base\nENV A=1\nENV A=2 B=$A D=${N:-def}\nUSER app:wheel\nEXPOSE 8000-8001\nVOLUME /v\n\
         ENTRYPOINT [\"e\"]\nCMD [\"c\"]\nSTOPSIGNAL SIGUSR1\nLABEL x=$A\n\
         HEALTHCHECK --interval=5s CMD true\n",
    );
    let config = shed.image_config("x", "/Config");
    for (pointer, wanted) in [
        ("/User", json!("app:wheel")),
        ("/ExposedPorts", json!({"8000/tcp": {}, "8001/tcp": {}})),
        ("/Volumes", json!({"/v": {}})),
        ("/Entrypoint", json!(["e"])),
        ("/Cmd", json!(["c"])),
        ("/StopSignal", json!("SIGUSR1")),
        ("/Labels", json!({"by": "flag", "x": "2"})),
        ("/Healthcheck/Interval", json!(5_000_000_000_i64)),
    ] {
        assert_eq!(config.pointer(pointer), Some(&wanted), "{pointer}");
    }
    let env = config["Env"].as_array().unwrap();
    assert!(env[0].as_str().unwrap().starts_with("PATH="), "{env:?}");
    assert_eq!(env[1..], [json!("A=2"), json!("B=1"), json!("D=def")]);
    shed.build("-t y", "FROM x\nENTRYPOINT [\"new\"]\n");
    assert_eq!(shed.image_config("y", "/Config/Cmd"), json!(null));
}

#[test]
#[ignore = "needs root"]
fn root_a_command_sees_environment_arguments_user_and_directory() {
    let shed = Shed::new();
    let out = shed.build(
        "--build-arg V=2 --build-arg HTTP_PROXY=http://p --build-arg NOPE=1",
        "ARG V=1\nFROM base\nARG V\nARG W=x$V\nENV E='a b'\nWORKDIR /w\nUSER app\n\
         RUN echo \"$V $W $E $HTTP_PROXY\"; id -u; pwd\n",
    );
    assert!(out.contains("\n2 x2 a b http://p\n1000\n/w\n"), "{out}");
    let warning = "[Warning] One or more build-args [NOPE] were not consumed\n";
    assert!(out.contains(warning), "{out}");
}

#[test]
#[ignore = "needs root"]
fn root_stages_are_built_in_turn_and_copied_from() {
    let shed = Shed::new();
    let dockerfile = "FROM base AS first\nRUN mkdir /d && echo one > /d/f && chown 5:6 /d/f\n\
        FROM first AS second\nRUN echo two >> /d/f\n\
        FROM scratch\nCOPY --from=first /d /first/\nCOPY --from=1 /d/f /second\n\
        COPY --from=base /bin/busybox /bin/sh\nCOPY --from=base --chown=7:8 /file /file\n";
    let out = shed.build("-t x", dockerfile);
    assert!(out.contains("Step 5/9 : FROM scratch\n ---> \n"), "{out}");
    let script = "cat /first/f /second; /bin/sh -c 'exec /bin/sh --help' 2>&1 | head -0";
    assert_eq!(shed.in_image("x", script), "one\none\ntwo\n");
    assert_eq!(shed.layer_count("x"), 4);
    shed.build("-t s --target FIRST", dockerfile);
    assert_eq!(
        shed.in_image("s", "stat -c %u:%g /d/f; cat /d/f"),
        "5:6\none\n"
    );
    shed.build("-t o", "FROM x\nCOPY --from=x /first/f /f\n");
    // Owners stay where they come from an image and nobody says otherwise.
    shed.build(
        "-t w",
        "FROM base\nCOPY --from=o /f /f\nCOPY --from=x /file /g\n",
    );
    assert_eq!(shed.in_image("w", "stat -c %u:%g /f /g"), "5:6\n7:8\n");
}

#[test]
#[ignore = "needs root"]
fn root_triggers_run_in_the_next_build_only() {
    let shed = Shed::new();
    shed.build(
        "-t onb",
        "FROM base\nONBUILD ENV Z=1\nONBUILD RUN echo trig > /t\n",
    );
    let out = shed.build("-t child", "FROM onb\nRUN echo after $Z\n");
    assert!(out.contains("# Executing 2 build triggers\n"), "{out}");
    assert!(out.contains("\nafter 1\n"), "{out}");
    assert_eq!(shed.in_image("child", "cat /t"), "trig\n");
    let out = shed.build("", "FROM child\nRUN echo grandchild\n");
    assert!(!out.contains("trigger"), "{out}");
    shed.build("-t bad", "FROM base\nONBUILD COPY nosuch /x\n");
    let done = shed.try_build("", "FROM bad\n");
    done.fails(1, "ONBUILD of bad:1: COPY nosuch /x");
}

#[test]
#[ignore = "needs root"]
fn root_rule_32_writes_below_a_volume_stay_and_are_said_aloud() {
    let shed = Shed::new();
    let done = shed.try_build(
        "-t x",
        "FROM base\nRUN mkdir /v && echo s > /v/seed\nVOLUME /v\nRUN echo kept > /v/kept\nRUN true\n",
    );
    let note = "cowshed: note: Dockerfile:4: what this wrote below /v stays in the image; Docker's \
                classic builder loses it, because Dockerfile:3 made /v a VOLUME before\n";
    assert_eq!(done.err, note);
    done.ok();
    assert_eq!(shed.in_image("x", "cat /v/seed /v/kept"), "s\nkept\n");
    let done = shed.try_build("", "FROM x\nRUN rm /v/seed\n");
    assert!(
        done.err.contains("because the base image made /v"),
        "{}",
        done.err
    );
    // No volume is left of it, and a container gets what was written.
    assert_eq!(shed.volumes(), [""; 0]);
    assert_eq!(shed.cowshed("run --rm x cat /v/kept").ok(), "kept\n");
}

#[test]
#[ignore = "needs root"]
fn root_a_heredoc_is_a_script() {
    let shed = Shed::new();
    shed.build(
        "-t x",
        "FROM base\nRUN <<EOF\necho one > /o\necho two >> /o\nEOF\nRUN cat <<'E' > /p\nsome $text\nE\n",
    );
    assert_eq!(shed.in_image("x", "cat /o /p"), "one\ntwo\nsome $text\n");
}

#[test]
#[ignore = "needs root"]
fn root_the_context_may_come_from_standard_input() {
    use std::{fs::File, process::Stdio};

    use crate::support::{Tar, finish, write_file};
    let shed = Shed::new();
    let tar = Tar::new()
        .file("Dockerfile", 0o644, b"FROM base\nCOPY . /all/\n")
        .file("Other", 0o644, b"FROM base\nCOPY a /other\n")
        .file(".dockerignore", 0o644, b"secret\nOther\n")
        .file("a", 0o644, b"a\n")
        .file("secret", 0o600, b"secret\n");
    write_file(&shed.path("context.tar"), &tar.finish());
    let with = |line: &str, file: &str| {
        let mut command = shed.command(line);
        command.stdin(Stdio::from(File::open(shed.path(file)).unwrap()));
        finish(command)
    };
    with("build --sync=none -t x -", "context.tar").ok();
    assert_eq!(
        shed.in_image("x", "ls -A /all"),
        ".dockerignore\nDockerfile\na\n"
    );
    with("build --sync=none -t y -f Other -", "context.tar").ok();
    assert_eq!(shed.in_image("y", "cat /other"), "a\n");
    with("build --sync=none -f Nosuch -", "context.tar").fails(1, "Cannot locate");
    shed.file("plain", "FROM base\nRUN echo plain > /p\n");
    with("build --sync=none -t z -", "plain").ok();
    assert_eq!(shed.in_image("z", "cat /p"), "plain\n");
    shed.context("b", "b\n");
    shed.file("copying", "FROM base\nCOPY b /b\n");
    with("build --sync=none -t w -f - context", "copying").ok();
    assert_eq!(shed.in_image("w", "cat /b"), "b\n");
    with("build -f - -", "copying").fails(1, "can't use stdin for both");
    shed.assert_no_containers();
}

#[test]
#[ignore = "needs root"]
fn root_quiet_prints_the_id_and_a_failure_everything() {
    let shed = Shed::new();
    let iid = shed.show("iid");
    let dockerfile = "FROM base\nRUN echo out; echo err >&2; exit $((X))\n";
    let done = shed.try_build(&format!("-q -t x --iidfile {iid}"), dockerfile);
    assert_eq!(done.err, "");
    let id = shed.image_config("x", "/Id");
    assert_eq!(done.ok().trim_end(), id.as_str().unwrap());
    assert_eq!(crate::support::read(&iid), id.as_str().unwrap());
    let done = shed.try_build("-q", &dockerfile.replace("$((X))", "3"));
    assert_eq!(done.out, "");
    for text in ["Step 2/2", "\nout\n", "\nerr\n", "non-zero code: 3"] {
        assert!(done.err.contains(text), "{}", done.err);
    }
    assert_eq!(done.code, 3);
}
