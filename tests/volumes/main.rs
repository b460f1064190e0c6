//! Volumes as their users see them; rules by their numbers in the semantics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with other test programs")]
mod support;

mod driver_disks;
mod driver_fuse;
mod driver_guest;
mod driver_kill;
mod driver_options;
mod driver_users;
