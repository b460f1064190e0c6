//! Bad Dockerfiles and commands: file, line and cause, and the store as it was.

use crate::support::Shed;

/// Dockerfiles, the line that is wrong, and what is said of it.
const BAD: [(&str, usize, &str); 25] = [
    ("", 1, "the Dockerfile cannot be empty"),
    ("RUN x\n", 1, "no build stage in current context"),
    ("FROM base\nRUNN x\n", 2, "unknown instruction: RUNN"),
    (
        "FROM base\n\nCOPY nosuch /x\n",
        3,
        "stat nosuch: file does not exist",
    ),
    (
        "FROM base\nCOPY nosuch* /x/\n",
        2,
        "COPY failed: no source files were specified",
    ),
    (
        "FROM base\nCOPY ../a /x\n",
        2,
        "forbidden path outside the build context: ../a ()",
    ),
    (
        "FROM base\nCOPY a b /x\n",
        2,
        "the destination must be a directory and end with a /",
    ),
    (
        "FROM base\nCOPY a\n",
        2,
        "COPY requires at least two arguments",
    ),
    (
        "FROM base\nCOPY --from=7 /a /b\n",
        2,
        "invalid from flag value 7: index out of bounds",
    ),
    (
        "FROM base\nCOPY --from=next /a /b\nFROM base AS next\n",
        2,
        "that stage comes later",
    ),
    (
        "FROM base\nCOPY --chown=nobody2 a /x\n",
        2,
        "unable to find user nobody2",
    ),
    (
        "FROM base\nCOPY --chmod=u+x a /x\n",
        2,
        "invalid chmod parameter: 'u+x'",
    ),
    (
        "FROM base\nCOPY [ a /x/\n",
        2,
        "COPY [: syntax error in pattern",
    ),
    ("FROM base\nCOPY a[ /x/\n", 2, "syntax error in pattern"),
    (
        "FROM base\nENV A=\"x\n",
        2,
        "looking for matching double-quote",
    ),
    ("FROM base\nEXPOSE x\n", 2, "Invalid containerPort: x"),
    ("FROM base\nSTOPSIGNAL x\n", 2, "Invalid signal: x"),
    (
        "FROM base\nHEALTHCHECK x\n",
        2,
        "Unknown type \"X\" in HEALTHCHECK (try CMD)",
    ),
    (
        "FROM base\nRUN --mount=type=cache,target=/x y\n",
        2,
        "Unknown flag: mount",
    ),
    (
        "FROM base AS a\nFROM base AS A\n",
        2,
        "a stage name already used",
    ),
    ("FROM scratch\nRUN x\n", 2, "there is nothing in scratch"),
    (
        "FROM base\nUSER nobody2\nRUN id\n",
        3,
        "unable to find user nobody2",
    ),
    (
        "FROM base\nRUN [\"/nosuch\"]\n",
        2,
        "no such file or directory",
    ),
    ("# escape=x\nFROM base\n", 1, "invalid escape token"),
    (
        "FROM $NOTHING\n",
        1,
        "base name ($NOTHING) should not be blank",
    ),
];

/// Nobody listens on this port.
const NOWHERE: &str = "localhost:1/nosuch";

#[test]
#[ignore = "needs root"]
fn root_an_image_that_cannot_be_fetched_is_told_with_its_line() {
    let shed = Shed::new();
    for (dockerfile, line) in [
        (format!("FROM {NOWHERE}\n"), 1),
        (format!("FROM base\nCOPY --from={NOWHERE} /a /b\n"), 2),
    ] {
        let done = shed.try_build("-t x", &dockerfile);
        assert!(done.err.contains("Connection refused"), "{}", done.err);
        let place = format!("cowshed: error: Dockerfile:{line}: ");
        assert!(done.err.contains(&place), "{}", done.err);
        assert_eq!(done.err.matches("error:").count(), 1, "{}", done.err);
        done.fails(1, &format!("image {NOWHERE} could not be fetched"));
    }
    shed.assert_no_containers();
    // Nobody is asked for what a dry run would need.
    let done = shed.try_build("--dry-run", &format!("FROM {NOWHERE}\n"));
    done.fails(1, &format!("No such image: {NOWHERE}"));
    let done = shed.try_build("--dry-run", "FROM --platform=plan9/mips base\n");
    done.fails(1, "not for plan9/mips");
}

#[test]
#[ignore = "needs root"]
fn root_each_bad_line_is_named_and_nothing_is_left() {
    let shed = Shed::new();
    shed.context("a", "a");
    shed.context("b", "b");
    let before = shed.listing();
    for (dockerfile, line, what) in BAD {
        let done = shed.try_build("-t x", dockerfile);
        assert_eq!(done.err.matches("error: ").count(), 1, "{}", done.err);
        let place = format!("cowshed: error: Dockerfile:{line}: ");
        assert!(done.err.contains(&place), "{dockerfile:?}: {}", done.err);
        done.fails(1, what);
        shed.assert_no_containers();
    }
    // A step or two were finished and are in the cache; without them it is as it was.
    let ids = shed.cowshed("images -qa --no-trunc").ok();
    for id in ids.lines().filter(|id| *id != shed.inspect("base")["Id"]) {
        shed.cowshed(&format!("rmi -f {id}"));
    }
    let without_events = |listing: &str| listing.replace("f events\n", "");
    assert_eq!(without_events(&shed.listing()), without_events(&before));
}

#[test]
#[ignore = "needs root"]
fn root_a_misspelt_word_has_a_suggestion() {
    let shed = Shed::new();
    let done = shed.try_build("", "FROM base\nWORKDRI /x\n");
    let done = done.fails(1, "Dockerfile:2: unknown instruction: WORKDRI");
    assert!(
        done.err.contains("hint: did you mean WORKDIR?"),
        "{}",
        done.err
    );
    let done = shed.try_build("--target nosuch", "FROM base AS one\n");
    let done = done.fails(1, "failed to reach build target nosuch in Dockerfile");
    assert!(done.err.contains("stages with a name: one"), "{}", done.err);
}

#[test]
#[ignore = "needs root"]
fn root_a_failing_command_gives_its_code_and_docker_s_text() {
    let shed = Shed::new();
    for (command, code) in [
        ("exit 7", 7),
        ("nosuchprogram", 127),
        ("kill -9 $$; exit 9", 9),
    ] {
        let done = shed.try_build("", &format!("FROM base\nRUN {command}\n"));
        let text = format!("The command '/bin/sh -c {command}' returned a non-zero code: {code}");
        done.fails(code, &text);
        shed.assert_no_containers();
    }
    let done = shed.try_build("", "FROM scratch\n");
    done.fails(1, "No image was generated. Is your Dockerfile empty?");
}

#[test]
#[ignore = "needs root"]
fn root_a_context_that_is_none_is_refused() {
    let shed = Shed::new();
    shed.file("plain", "x");
    for (line, what) in [
        (
            "build nosuch",
            "unable to prepare context: path \"nosuch\" not found",
        ),
        ("build plain", "context must be a directory: plain"),
        ("build https://example.com/x.git", "is not on this machine"),
        ("build .", "lstat ./Dockerfile: no such file or directory"),
        ("build -f nosuch .", "open Dockerfile nosuch"),
    ] {
        let done = shed.cowshed(line);
        assert_eq!(done.code, 1, "{line}: {done:?}");
        assert!(done.err.contains(what), "{line}: {}", done.err);
    }
    let done = shed.cowshed("build -t UPPER .");
    done.fails(125, "invalid reference format");
    let digest = "0".repeat(64);
    let done = shed.cowshed(&format!("build -t x@sha256:{digest} ."));
    done.fails(1, "build tag cannot contain a digest");
    crate::support::write_file(&shed.path("binary"), b"FROM base\nRUN \xff\xfe\n");
    let done = shed.cowshed("build -f binary .");
    done.fails(1, "binary:2: this is not UTF-8 text");
}

#[test]
#[ignore = "needs root"]
fn root_what_is_hardly_meant_is_told() {
    let shed = Shed::new();
    let out = shed.build("", "FROM base\nCMD ['sh']\nRUN echo a \\\n\n && echo b\n");
    assert!(
        out.contains("[Warning] Dockerfile:2: this looks like a JSON list"),
        "{out}"
    );
    assert!(
        out.contains("[Warning] Dockerfile:3: empty continuation line"),
        "{out}"
    );
}
