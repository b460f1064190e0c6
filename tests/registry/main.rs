//! Registries as a user sees them: pull, push, login, through the real program.
//!
//! The other side is Debian's docker-registry and skopeo, or a server of ours that misbehaves on purpose.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../layer/archive.rs"]
#[expect(dead_code, reason = "shared with the layers' corpus, which uses more")]
mod archive;
mod going_on;
mod hostile;
mod hostile_documents;
mod letting_in;
#[path = "../images/making.rs"]
#[expect(dead_code, reason = "shared with the images' tests, which use more")]
mod making;
mod peer;
mod reaching;
mod round_trip;
mod running;
mod scene;
mod sending;
#[path = "../images/support.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the images' tests, which use more"
)]
mod support;
