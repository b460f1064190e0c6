//! Every verb in every state, and the exit codes and texts of Docker (rules 60 to 65).

use crate::{
    support::{Shed, wait_until},
    traces::assert_removable,
};

/// Brings `box` into a state.
fn bring(shed: &Shed, state: &str) {
    let up = "run -d --name box base sleep 1000";
    match state {
        "created" => drop(shed.cowshed("create --name box base sleep 1000").ok()),
        "running" => drop(shed.cowshed(up).ok()),
        "paused" => {
            shed.cowshed(up).ok();
            shed.cowshed("pause box").ok();
        }
        "restarting" => {
            shed.cowshed("run -d --name box --restart always base sh -c 'exit 5'")
                .ok();
            // The pauses are long enough by then.
            wait_until("it pauses", || {
                let format = "'{{.State.Status}} {{.RestartCount}}'";
                shed.cowshed(&format!("inspect -f {format} box")).out == "restarting 3\n"
            });
        }
        "exited" => drop(shed.cowshed("run --name box base true").ok()),
        "removed" => {}
        other => panic!("{other}"),
    }
}

const STATES: [&str; 6] = [
    "created",
    "running",
    "paused",
    "restarting",
    "exited",
    "removed",
];

/// A verb, and its code and text in each of the states; an empty text is success.
type Row = (&'static str, [(i32, &'static str); 6]);

const GONE: (i32, &str) = (1, "No such container: box");
const FINE: (i32, &str) = (0, "");

const TABLE: [Row; 11] = [
    (
        "start box",
        [
            FINE,
            FINE,
            (1, "is paused, try unpause instead"),
            FINE,
            FINE,
            GONE,
        ],
    ),
    ("stop -t 0 box", [FINE, FINE, FINE, FINE, FINE, GONE]),
    ("restart -t 0 box", [FINE, FINE, FINE, FINE, FINE, GONE]),
    (
        "kill -s USR2 box",
        [
            (1, "is not running"),
            FINE,
            FINE,
            FINE,
            (1, "is not running"),
            GONE,
        ],
    ),
    (
        "pause box",
        [
            (1, "is not running"),
            FINE,
            (1, "is already paused"),
            (1, "is restarting, wait until the container is running"),
            (1, "is not running"),
            GONE,
        ],
    ),
    (
        "unpause box",
        [
            (1, "is not paused"),
            (1, "is not paused"),
            FINE,
            (1, "is not paused"),
            (1, "is not paused"),
            GONE,
        ],
    ),
    (
        "exec box true",
        [
            (1, "is not running"),
            FINE,
            (1, "is paused, unpause the container before exec"),
            (1, "is restarting, wait until the container is running"),
            (1, "is not running"),
            GONE,
        ],
    ),
    (
        "rm box",
        [
            FINE,
            (1, "stop the container before removing or force remove"),
            (1, "is paused and must be unpaused"),
            (
                1,
                "is restarting: stop the container before removing or force remove",
            ),
            FINE,
            GONE,
        ],
    ),
    ("rm -f box", [FINE, FINE, FINE, FINE, FINE, FINE]),
    ("rename box other", [FINE, FINE, FINE, FINE, FINE, GONE]),
    ("logs box", [FINE, FINE, FINE, FINE, FINE, GONE]),
];

#[test]
#[ignore = "needs root"]
fn root_every_verb_in_every_state() {
    let shed = Shed::new();
    let mut wrong = Vec::new();
    for (line, wanted) in TABLE {
        for (state, (code, text)) in STATES.into_iter().zip(wanted) {
            bring(&shed, state);
            let done = shed.cowshed(line);
            if done.code != code || !done.err.contains(text) {
                wrong.push(format!("{line} when {state}: {done:?}"));
            }
            assert_removable(&shed, &format!("{line} when {state}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[ignore = "needs root"]
fn root_what_does_not_start_says_so_to_everybody() {
    let shed = Shed::new();
    for (program, code) in [
        ("/etc/passwd", 126),
        ("/etc", 126),
        ("nosuch", 127),
        ("/nosuch", 127),
    ] {
        for run in ["run --rm", "run -d --rm"] {
            shed.cowshed(&format!("{run} base {program}"))
                .fails(code, program);
        }
        shed.cowshed(&format!("create --name box base {program}"))
            .ok();
        for start in ["start", "start -a"] {
            shed.cowshed(&format!("{start} box")).fails(1, program);
            let format = "'{{.State.Status}} {{.State.ExitCode}}'";
            let state = shed.cowshed(&format!("inspect -f {format} box")).ok();
            assert_eq!(state, format!("created {code}\n"), "{start} {program}");
        }
        assert_eq!(shed.cowshed("wait box").ok(), format!("{code}\n"));
        shed.cowshed("rm box").ok();
        shed.cowshed("run -d --name box base sleep 1000").ok();
        shed.cowshed(&format!("exec box {program}"))
            .fails(code, program);
        assert_removable(&shed, program);
    }
    shed.cowshed("run -d --nosuchflag base")
        .fails(125, "nosuchflag");
    shed.cowshed("start --nosuchflag box")
        .fails(125, "nosuchflag");
    shed.cowshed("run -d --name box base sh -c 'exit 3'").ok();
    assert_eq!(shed.cowshed("wait box").ok(), "3\n");
    shed.cowshed("kill -s NOSUCH box")
        .fails(1, "nvalid signal: NOSUCH");
    assert_removable(&shed, "wait");
}

#[test]
#[ignore = "needs root"]
fn root_names_that_somebody_has() {
    let shed = Shed::new();
    shed.cowshed("create --name one base true").ok();
    shed.cowshed("create --name two base true").ok();
    shed.cowshed("create --name two base true")
        .fails(1, "is already in use by container");
    shed.cowshed("rename one two")
        .fails(1, "is already in use by container");
    shed.cowshed("rename one one")
        .fails(1, "same name as its current name");
    shed.cowshed("rename one 하나").fails(1, "nvalid");
    shed.cowshed("rename one one.2").ok();
    shed.cowshed("create --name one base true").ok();
    assert_removable(&shed, "names");
}

#[test]
#[ignore = "needs root"]
fn root_a_short_id_of_two_containers_is_ambiguous() {
    let shed = Shed::new();
    // 17 of them share a first digit.
    let ids: Vec<_> = (0..17)
        .map(|_| shed.cowshed("create base true").ok())
        .collect();
    let twice = |digit: &char| ids.iter().filter(|id| id.starts_with(*digit)).count() > 1;
    let digit = "0123456789abcdef".chars().find(twice).unwrap();
    for verb in [
        "start", "stop", "kill", "rm", "rm -f", "inspect", "wait", "logs",
    ] {
        let done = shed.cowshed(&format!("{verb} {digit}"));
        assert_eq!(done.code, 1, "{verb}: {done:?}");
        assert!(
            done.err.contains("is ambiguous: it fits"),
            "{verb}: {done:?}"
        );
    }
    assert_removable(&shed, "ambiguous");
}

#[test]
#[ignore = "needs root"]
fn root_a_terminal_for_what_is_none() {
    let shed = Shed::new();
    shed.cowshed("run -it --rm base true")
        .fails(1, "the input device is not a TTY");
    assert_eq!(shed.cowshed("run -t --rm base tty").ok(), "/dev/pts/0\r\n");
    assert_removable(&shed, "tty");
}
