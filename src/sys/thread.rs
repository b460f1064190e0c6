//! Threads that may not be had: a limit of processes must not end in a panic.

use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::{At as _, Result};

/// A thread of a scope.
///
/// # Errors
///
/// clone3(2): a limit of processes, or no memory. `work` is dropped then.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    let thread = Builder::new().spawn_scoped(scope, work);
    thread.at("clone3", || "CLONE_THREAD")
}

/// At most so many threads that share a work: as many as there are to be had, which may be none.
pub fn crew<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    count: usize,
    work: impl Fn() -> T + Send + Copy + 'scope,
) -> Vec<ScopedJoinHandle<'scope, T>> {
    (0..count).map_while(|_| spawn(scope, work).ok()).collect()
}
