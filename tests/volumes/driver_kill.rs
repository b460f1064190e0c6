//! `kill -9` of everybody at every call that has to do with a volume's mount: the next command puts
//! it right, and the host's data stays.

use super::driver_users::mounted;
use crate::{
    strace::{inject, traced},
    support::{Shed, read, wait_until, write_text},
};

const CALLS: [&str; 9] = [
    "flock",
    "clone3",
    "open_tree",
    "move_mount",
    "umount2",
    "unlinkat",
    "renameat2",
    "waitid",
    "setsid",
];

/// Runs a command line whose processes are each killed at their call of this number.
fn killed_at(shed: &Shed, line: &str, (call, number): (&str, usize)) {
    let all = inject(call, call, number).into_iter();
    traced(shed, line, all.chain(["-f".to_owned()]));
}

/// Removes what is left of containers, as anybody would.
fn remove_containers(shed: &Shed) {
    wait_until("all containers are gone", || {
        let ids = shed.cowshed("ps -aq").ok();
        let ids: Vec<_> = ids.split_whitespace().collect();
        ids.is_empty() || {
            shed.cowshed(&format!("rm -f {}", ids.join(" ")));
            false
        }
    });
}

#[test]
#[ignore = "needs root"]
fn root_killed_at_every_call_of_a_mount_and_an_unmount() {
    let mut shed = Shed::new();
    // What a killed command was making stays in tmp/ until that is swept.
    shed.strict = false;
    let host = shed.dir("host");
    write_text(&shed.path("host/kept"), "data\n");
    let create = format!("volume create -o type=none -o o=bind -o device={host} vol");
    for call in CALLS {
        for number in 1..=4 {
            let point = (call, number);
            shed.cowshed(&create).ok();
            killed_at(&shed, "run --rm -v vol:/x base true", point);
            remove_containers(&shed);
            wait_until(&format!("nothing is mounted after {point:?}"), || {
                shed.cowshed("ps").ok();
                mounted(&shed).is_empty()
            });
            assert_eq!(shed.sh("-v vol:/x", "cat /x/kept"), "data\n", "{point:?}");
            assert_eq!(mounted(&shed), Vec::<String>::new(), "{point:?}");
            killed_at(&shed, "volume rm vol", point);
            shed.cowshed("volume rm -f vol").ok();
            assert_eq!(read(format!("{host}/kept")), "data\n", "{point:?}");
            assert_eq!(shed.volumes(), Vec::<String>::new(), "{point:?}");
        }
    }
}
