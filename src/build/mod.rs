//! `build`: a Dockerfile becomes an image, one instruction one step, one step one layer at most.
//!
//! # Flow
//!
//! [`build()`] opens the context (`context`), reads the Dockerfile (`dockerfile`) and goes through
//! its stages. A step is decided first (`change`: words replaced, configuration changed; `sources`:
//! files found and listed with their digests), then looked up in the cache (`cache`), and only if
//! nothing fits it is done: in a container for `RUN`, on a union of its own for `COPY`, `ADD` and
//! `WORKDIR` (`workbench`). What was changed becomes a layer, and every step an image.
//!
//! # The cache
//!
//! It is the images themselves: each that a step made says in its record what made it
//! ([`BuildStep`](crate::image::BuildStep)), and a step is found by comparing that, whole. Nothing can go
//! stale: who removes the image removes the entry, and a kill at any moment leaves the steps that
//! were finished. Images of steps have no name: `image prune` takes those that nobody builds on, and
//! removing an image removes the nameless ones that it was built on.
//!
//! # Decided cases
//!
//! - What `RUN` writes below a `VOLUME` stays in the image, as with BuildKit, and a note says which
//!   line did it: the classic builder loses it without a word (semantics 32).
//! - An instruction that changes nothing on disk makes no layer: those of the configuration, a `RUN`
//!   that wrote nothing, a `WORKDIR` that is there already.
//! - `COPY` makes root the owner unless `--chown` says otherwise; `COPY --from` keeps the owners, as
//!   in the classic builder.
//! - `.` as the destination is a directory, as with BuildKit.
//! - `ADD` of URLs is refused.
//!
//! Not here: what a Dockerfile may look like (`dockerfile`), how layers and images are made
//! (`rootfs`, `container`).

mod arguments;
mod base;
mod begin;
mod builder;
mod cache;
mod change;
mod context;
mod created_by;
mod destination;
mod error;
mod listing;
mod place;
mod ports;
mod request;
mod run_step;
mod sources;
mod stage;
mod transfer;
mod tree;
mod workbench;

pub use begin::build;
pub use error::Error;
pub use request::{BuildRequest, Built, ContextFrom, DockerfileFrom, Fetch, Progress, Unfetched};
