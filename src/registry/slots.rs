//! `Slots`: so many transfers at once, and no more.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Docker's number for downloads.
const DOWNLOADS: usize = 3;

/// Places for transfers.
#[derive(Debug)]
pub struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One of the places, given back on drop.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    /// As many as Docker has.
    pub fn new() -> Self {
        Self {
            free: Mutex::new(DOWNLOADS),
            freed: Condvar::new(),
        }
    }

    /// Waits for a free one.
    pub(super) fn take(self: &Arc<Self>) -> Slot {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Slot(Arc::clone(self))
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free += 1;
        self.0.freed.notify_one();
    }
}
