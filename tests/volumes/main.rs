//! Volumes, binds and tmpfs beyond what `run` alone shows; rules by their numbers in the semantics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with other test programs")]
mod support;

mod sharing;
