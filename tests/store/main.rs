//! The store as a whole: what it is on disk, and that it survives what befalls it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/strace.rs"]
mod strace;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the other suites")]
mod support;

mod check_clean;
mod check_damage;
mod check_kill;
mod check_leaks;
mod check_repair;
mod check_scene;
mod crowd;
mod crowd_conflicts;
mod crowd_lines;
mod cuts;
mod cuts_look;
mod cuts_rig;
mod cuts_story;
mod destroy;
mod df;
mod dice;
mod ephemeral;
mod fault_real;
mod fault_sweep;
mod fault_table;
mod golden;
mod info;
mod interrupt;
mod kill_operations;
mod kill_points;
mod kill_random;
mod kill_scene;
mod kill_sweep;
mod leftovers;
mod mended;
mod model;
mod model_steps;
mod model_world;
mod places;
mod prune_dry;
mod race;
mod readers;
mod sync;
