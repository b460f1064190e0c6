//! Real services under `run -d`: PostgreSQL, Redis and nginx of a real Debian, the course's command
//! lines, and people at a terminal.
//!
//! `COWSHED_SKIP_DEBOOTSTRAP=1` is for machines without a mirror.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/debian.rs"]
mod debian;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of run, which use more")]
mod support;

mod course;
mod nginx;
mod postgres;
mod redis;
mod scene;
mod sharing;
mod terminal;
