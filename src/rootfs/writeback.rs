//! Writes to disk while the layers are still being unpacked, so that the sync at the end is short.
//!
//! Inflating and hashing keep the processors busy and the disk idle; the kernel would begin to write
//! only when much is dirty.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use crate::sys::{Dir, sync};

/// Often enough to keep a disk busy, seldom enough for the journal to have something to commit.
const PAUSE: Duration = Duration::from_millis(200);

/// Syncs the file system of `dir` again and again until the other end of `until` is dropped.
///
/// Only a head start: what it could not write, or the error it met, the last sync meets, too. That
/// one has another open file: the kernel tells of an error once for each (`f_sb_err`).
pub(super) fn keep_going(dir: &Dir, until: &Receiver<()>) {
    let Ok(own) = dir.reopen() else {
        return;
    };
    while until.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        sync::file_system(&own).ok();
    }
}
