//! Containers whose changes are not kept: `--volatile` keeps them until the machine goes down, `--ephemeral`
//! until the program ends.
//!
//! | | `--volatile` | `--ephemeral` |
//! |---|---|---|
//! | `start` again | goes on with the changes; after a reboot with a warning | begins with the image |
//! | `commit` | as ever | refused: there is nothing on disk to be read |
//! | `diff` | as ever | refused while it runs; nothing afterwards |
//! | `cp`, `export` | as ever | the changes while it runs, the image afterwards; into one that does not run refused |

use super::{ContainerRecord, Engine, Error, State};
use crate::{
    rootfs::Snapshot,
    sys::{Dir, process},
};

/// Refuses what needs an upper dir on disk.
pub(super) fn refuse_ephemeral(operation: &str, record: &ContainerRecord) -> Result<(), Error> {
    if record.union.ephemeral.is_none() {
        return Ok(());
    }
    Err(Error::State {
        operation: format!("cannot {operation} container \"/{}\"", record.name),
        what: "is ephemeral: what it changes is in memory and goes when it ends",
        remedy: format!(
            "cowshed cp or cowshed export while it runs; or run {} without --ephemeral",
            record.image
        ),
    })
}

impl Engine {
    /// Makes a volatile upper dir fit for another mount. We hold the container's lease.
    ///
    /// The kernel would refuse it, because it cannot know whether everything is there (overlayfs.rst,
    /// "Volatile mount"). In the same boot it is; after another one nobody knows, and that is said.
    pub(super) fn renew_volatile(
        &self,
        record: &ContainerRecord,
        state: Option<&State>,
        (snapshot, own): (&Snapshot, &Dir),
    ) -> Result<(), Error> {
        let before = state.and_then(|state| state.volatile_boot.as_ref());
        if before.is_some_and(|boot| *boot != process::boot_id()) {
            self.remark(&format!(
                "container {} is volatile and the machine was started anew since it ran: what it changed \
                 in its root may be incomplete",
                record.name
            ));
        }
        Ok(snapshot.renew(own)?)
    }
}
