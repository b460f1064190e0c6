//! Control groups on the real kernel, in whatever hierarchies this machine has.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cgroup/groups.rs"]
mod groups;
#[path = "cgroup/limited.rs"]
mod limited;
#[path = "cgroup/scene.rs"]
mod scene;
#[path = "cgroup/stopping.rs"]
mod stopping;
