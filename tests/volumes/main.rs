//! Volumes, binds and tmpfs beyond what `run` alone shows; rules by their numbers in the semantics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/strace.rs"]
mod strace;
#[path = "../support/mod.rs"]
mod support;

mod backup_archive;
mod backup_crash;
mod backup_hold;
mod backup_hostile;
mod backup_look;
mod backup_mounted;
mod backup_scene;
mod damaged;
mod driver_disks;
mod driver_fuse;
mod driver_guest;
mod driver_kill;
mod driver_options;
mod driver_users;
mod forms_apply;
mod forms_binds;
mod forms_idmap;
mod forms_image;
mod forms_notes;
mod forms_overlay;
mod forms_shown;
mod forms_tmpfs;
mod kill_walk;
mod manage_commands;
mod manage_crash;
mod manage_many;
mod manage_prune;
mod seams;
mod sharing;
mod start_path;
