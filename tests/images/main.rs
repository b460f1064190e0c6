//! Images as a user sees them: load, import, list, name, remove, through the real program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../layer/archive.rs"]
#[expect(dead_code, reason = "shared with the layers' corpus, which uses more")]
mod archive;
mod damaged;
mod facts;
mod formats;
mod importing;
mod indexes;
mod looking;
mod making;
mod mounting;
mod names;
mod odd;
mod places;
mod pruning;
mod removal;
mod sharing;
mod stacks;
mod support;
mod verifying;
