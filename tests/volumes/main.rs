//! Every form of mount, as a user sees it; rules and needs by their numbers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod forms_apply;
mod forms_binds;
mod forms_idmap;
mod forms_image;
mod forms_notes;
mod forms_overlay;
mod forms_shown;
mod forms_tmpfs;
