//! Volumes as a user sees them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with other test programs")]
mod support;

mod backup_archive;
mod backup_crash;
mod backup_hold;
mod backup_hostile;
mod backup_look;
mod backup_scene;
