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
mod fault_real;
mod fault_sweep;
mod fault_table;
mod kill_operations;
mod kill_points;
mod kill_random;
mod kill_scene;
mod kill_sweep;
mod places;
