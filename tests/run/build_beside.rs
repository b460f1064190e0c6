//! Removals beside a build that runs: what it relies on stays until it ends.

use std::{io::BufRead as _, process::Stdio};

use crate::{
    build_scene::ids,
    support::{Shed, write_text},
};

#[test]
#[ignore = "needs root"]
fn root_build_beside_prune_and_rmi_keeps_what_it_relies_on() {
    let shed = Shed::new();
    shed.context(".keep", "");
    let dockerfile = "FROM base AS one\nRUN echo 1 > /one\nFROM base\nRUN echo 2 > /two\n\
        RUN echo ready; trap 'exit 0' USR1; while :; do sleep 0.05; done\n\
        COPY --from=one /one /copied\n";
    write_text(&shed.path("Dockerfile"), dockerfile);
    let mut command = shed.command("build --sync=none -f Dockerfile context");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut out = String::new();
    while !out.ends_with("\nready\n") {
        let line = lines.next().expect("it ended early").unwrap();
        out.push_str(&line);
        out.push('\n');
    }
    let ids = ids(&out);
    let stage = &ids[1];
    shed.cowshed("image prune -f").ok();
    for id in [stage, ids.last().unwrap()] {
        let done = shed.cowshed(&format!("rmi -f {id}"));
        done.fails(1, "image is being used by ");
    }
    let done = shed.cowshed(&format!("rmi {stage}"));
    done.fails(1, "image is being used by a running build");
    shed.cowshed(&format!("tag {stage} named")).ok();
    let said = shed.cowshed("rmi named").ok();
    assert!(!said.contains("Deleted"), "{said}");
    let container = shed.cowshed("ps -q").ok();
    shed.cowshed(&format!("kill -s USR1 {}", container.trim()))
        .ok();
    for line in lines {
        out.push_str(&line.unwrap());
        out.push('\n');
    }
    assert!(child.wait().unwrap().success(), "{out}");
    assert!(out.contains("Successfully built"), "{out}");
    // Nobody relies on it any more.
    shed.cowshed("image prune -f").ok();
    assert_eq!(shed.cowshed("images -qa").ok().lines().count(), 1);
}
