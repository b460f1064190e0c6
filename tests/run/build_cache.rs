//! The cache of `build`: what is found again, and the reason for each step that is not.

use std::fs;

use crate::{
    build_scene::{ids, reasons},
    support::{Shed, finish},
};

const DOCKERFILE: &str = "FROM base\nARG V=1\nRUN echo $V > /v\nCOPY src /app\nENV X=1\n";

fn shed_with_sources() -> Shed {
    let shed = Shed::new();
    shed.context("src/app.js", "one");
    shed.context("src/lib/b.js", "two");
    shed
}

#[test]
#[ignore = "needs root"]
fn root_the_same_build_is_found_whole() {
    let shed = shed_with_sources();
    let first = shed.build("-t x", DOCKERFILE);
    let listing = shed.listing();
    let second = shed.build("-t x", DOCKERFILE);
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(second.matches(" ---> Using cache\n").count(), 4);
    assert!(!second.contains("Running in"), "{second}");
    assert_eq!(
        reasons(&second),
        [
            "hit: same parent, same instruction",
            "hit: same parent, same instruction, same build arguments",
            "hit: same parent, same instruction, same content of 3 files",
            "hit: same parent, same instruction",
        ]
    );
    // Nothing was made for it.
    assert_eq!(shed.listing(), listing);
    // Times do not count.
    let touched = shed.path("context/src/app.js");
    fs::File::options()
        .write(true)
        .open(touched)
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(ids(&shed.build("", DOCKERFILE)), ids(&first));
}

#[test]
#[ignore = "needs root"]
fn root_each_miss_names_its_reason() {
    let shed = shed_with_sources();
    shed.build("-t x", DOCKERFILE);
    let third = |out: &str| reasons(out)[2].clone();
    shed.context("src/app.js", "changed");
    let out = shed.build("", DOCKERFILE);
    assert_eq!(third(&out), "miss: file src/app.js changed");
    assert_eq!(reasons(&out)[3], "miss: a step before it is made anew");
    shed.context("src/new", "new");
    assert_eq!(
        third(&shed.build("", DOCKERFILE)),
        "miss: file src/new was added"
    );
    fs::remove_dir_all(shed.path("context/src/lib")).unwrap();
    assert_eq!(
        third(&shed.build("", DOCKERFILE)),
        "miss: directory src/lib is gone, and 1 more"
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(shed.path("context/src/new"), mode).unwrap();
    assert_eq!(
        third(&shed.build("", DOCKERFILE)),
        "miss: file src/new changed its mode from 0644 to 0755"
    );
    let second = |flags: &str, text: &str| reasons(&shed.build(flags, text))[1].clone();
    assert_eq!(
        second("--build-arg V=2", DOCKERFILE),
        "miss: build argument V changed from \"1\" to \"2\""
    );
    assert_eq!(
        second("", &DOCKERFILE.replace("echo $V", "echo other $V")),
        "miss: the instruction changed, it was: RUN /bin/sh -c echo $V > /v"
    );
    assert_eq!(second("--no-cache", DOCKERFILE), "miss: --no-cache");
    assert_eq!(
        second("--build-arg SOURCE_DATE_EPOCH=5", DOCKERFILE),
        "miss: a step before it is made anew"
    );
    assert_eq!(
        reasons(&shed.build("--build-arg SOURCE_DATE_EPOCH=6", DOCKERFILE))[0],
        "miss: SOURCE_DATE_EPOCH changed"
    );
}

#[test]
#[ignore = "needs root"]
fn root_words_that_only_look_the_same_are_other_steps() {
    let shed = Shed::new();
    let out = shed.build("", "FROM base\nRUN [\"echo\", \"a b\"]\nENV A=\"x B=y\"\n");
    let other = shed.build("", "FROM base\nRUN [\"echo\", \"a\", \"b\"]\nENV A=x B=y\n");
    assert!(reasons(&other)[0].starts_with("miss: "), "{other}");
    assert_ne!(ids(&out)[1..], ids(&other)[1..]);
}

#[test]
#[ignore = "needs root"]
fn root_images_of_steps_are_hidden_and_go_with_the_last_that_was_built_on_them() {
    let shed = shed_with_sources();
    let count = |flags: &str| {
        shed.cowshed(&format!("images -q {flags}"))
            .ok()
            .lines()
            .count()
    };
    shed.build("-t x", DOCKERFILE);
    assert_eq!((count(""), count("-a")), (2, 5));
    // Both end with another step on the same ones.
    shed.build("-t y", &format!("{DOCKERFILE}ENV Y=1\n"));
    assert_eq!((count(""), count("-a")), (3, 6));
    shed.cowshed("rmi y").ok();
    assert_eq!((count(""), count("-a")), (2, 5));
    let out = shed.cowshed("rmi x").ok();
    assert_eq!(out.matches("Deleted: ").count(), 4 + 2, "{out}");
    assert_eq!((count(""), count("-a")), (1, 1));
    // The base, its config and its manifest, and its layer.
    let blobs = fs::read_dir(shed.store().join("blobs/sha256")).unwrap();
    assert_eq!(blobs.count(), 3);
    assert!(reasons(&shed.build("", DOCKERFILE))[0].starts_with("miss: no step was built"));
}

#[test]
#[ignore = "needs root"]
fn root_an_image_in_the_middle_may_be_removed() {
    let shed = shed_with_sources();
    let first = shed.build("-t x", DOCKERFILE);
    let middle = &ids(&first)[2];
    shed.cowshed(&format!("rmi {middle}")).ok();
    let second = shed.build("-t x", DOCKERFILE);
    // With it went what only it was built on.
    assert_ne!(ids(&second)[1..3], ids(&first)[1..3]);
    assert_eq!(shed.in_image("x", "cat /v /app/app.js"), "1\none");
}

#[test]
#[ignore = "needs root"]
fn root_an_epoch_makes_the_same_image_in_every_store() {
    let manifest = |epoch: &str| {
        let shed = Shed::empty();
        for name in ["b", "a", "sub/c"] {
            shed.context(&format!("src/{name}"), name);
        }
        crate::support::write_file(&shed.path("context/root.tar"), crate::support::base());
        let dockerfile = "FROM scratch AS root\nADD root.tar /\nWORKDIR /w/x\n\
            RUN mkdir /made && echo 1 > /made/f && ln -s f /made/l && rm /plain\n\
            FROM root\nLABEL z=1 a=2\nENV A=1\nCOPY --chown=app src /app\nCOPY --from=root /made /copied\n\
            EXPOSE 2 1\nVOLUME /v\n";
        crate::support::write_text(&shed.path("Dockerfile"), dockerfile);
        let mut command = shed.command("build --sync=none -q -t x -f Dockerfile context");
        command.env("SOURCE_DATE_EPOCH", epoch);
        let id = finish(command).ok();
        let image = shed.inspect("x");
        assert_eq!(image["Created"], "2023-11-14T22:13:20Z");
        let newer = "find / -xdev -newermt '2023-11-14 22:13:21' 2>/dev/null | grep -vE '^/(proc|dev|sys|etc/host|etc/resolv)'; true";
        assert!(!shed.in_image("x", newer).contains("/app"), "{newer}");
        std::thread::sleep(std::time::Duration::from_millis(1100));
        (id, image["Manifest"].clone())
    };
    assert_eq!(manifest("1700000000"), manifest("1700000000"));
    let shed = Shed::new();
    for epoch in ["x", "-1", "99999999999999"] {
        let flags = format!("--build-arg SOURCE_DATE_EPOCH={epoch}");
        let done = shed.try_build(&flags, "FROM base\n");
        done.fails(1, "invalid SOURCE_DATE_EPOCH");
    }
}

#[test]
#[ignore = "needs root"]
fn root_a_dry_run_says_what_would_be_done_and_does_nothing() {
    let shed = shed_with_sources();
    let listing = shed.listing();
    let dockerfile = format!("{DOCKERFILE}FROM base\nCOPY --from=0 /app /app\nWORKDIR /w\n");
    let out = shed.build("--dry-run -t x", &dockerfile);
    for text in [
        " ---> would run /bin/sh -c echo $V > /v\n",
        " ---> would copy 3 files to /app\n",
        " ---> would COPY from stage 0, which would be made before\n",
        " ---> would make /w where it is missing\n",
        " ---> cache miss: no step was built on image ",
    ] {
        assert!(out.contains(text), "no {text:?} in {out}");
    }
    assert!(!out.contains("Successfully"), "{out}");
    assert_eq!(shed.listing(), listing);
    shed.build("-t x", DOCKERFILE);
    let out = shed.build("--dry-run", DOCKERFILE);
    assert_eq!(out.matches("cache hit: ").count(), 4);
}
