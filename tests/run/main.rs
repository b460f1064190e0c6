//! `run` and everything around it, as a user sees it; rules by their numbers in the semantics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/strace.rs"]
mod strace;
#[path = "../support/mod.rs"]
mod support;

mod binds;
mod build_beside;
mod build_cache;
mod build_copy;
mod build_ends;
mod build_errors;
mod build_hostile;
mod build_scene;
mod build_steps;
mod commit;
mod completion;
mod containers;
mod copy_hostile;
mod copy_in;
mod copy_out;
mod copy_scene;
mod copy_streams;
mod diff_explain;
mod disk_usage;
mod events;
mod exit_codes;
mod explain;
mod export;
mod format;
mod health;
mod hostile;
mod isolation;
mod logs;
mod many;
mod placing;
mod process;
mod saving;
mod streams;
mod tmpfs;
mod verbs;
mod volume_commands;
mod volumes;
