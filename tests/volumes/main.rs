//! Volumes, binds and tmpfs beyond what `run` alone shows; rules by their numbers in the semantics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with other test programs")]
mod support;

mod driver_disks;
mod driver_fuse;
mod driver_guest;
mod driver_kill;
mod driver_options;
mod driver_users;
mod manage_commands;
mod manage_crash;
mod manage_many;
mod manage_prune;
mod sharing;
