//! A container's life under attack: killed at every step, slipped leashes, slow readers, many at
//! once. `COWSHED_TORTURE` set to a seed makes the walks whole (`scripts/torture.sh`).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/strace.rs"]
mod strace;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with other test programs")]
mod support;

mod commit;
mod detached;
mod docker_diff;
mod edges;
mod full_disk;
mod idle;
mod image_kill;
mod kill_walk;
mod leash;
mod many;
mod restarts;
mod states;
mod streams;
mod traces;
