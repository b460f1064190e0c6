//! The store as a whole: what it is on disk, and that it survives what befalls it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/strace.rs"]
#[expect(dead_code, reason = "shared with the other suites, which use more")]
mod strace;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the other suites")]
mod support;

mod check_clean;
mod check_damage;
mod check_repair;
mod check_scene;
mod crowd;
mod crowd_conflicts;
mod crowd_lines;
mod cuts;
mod cuts_look;
mod cuts_rig;
mod cuts_story;
mod dice;
mod leftovers;
mod mended;
mod model;
mod model_steps;
mod model_world;
mod places;
mod race;
mod readers;
