//! What survives a power cut: whatever a command has reported as done.
//!
//! A container that goes when it ends was promised to nobody: its start waits for no disk. Its
//! record says so itself, should a power cut leave nothing else of it.

use super::{ContainerRecord, DamagedContainer, Engine, Error, Removal, containers};
use crate::store::{Durability, record};

impl ContainerRecord {
    pub(super) fn durability(&self) -> Durability {
        if self.auto_remove {
            Durability::Volatile
        } else {
            Durability::Synced
        }
    }
}

impl Engine {
    /// Removes what a power cut left of a container that was promised to nobody. One whose record
    /// was synced and cannot be read is damaged: that is for its owner to see.
    pub(super) fn tidy_damaged(&self, damaged: &DamagedContainer) -> Result<(), Error> {
        let own = self.containers_dir()?.open_dir(damaged.id.as_str());
        // Not there: somebody was quicker.
        if let Ok(own) = own
            && record::is_volatile(&own, containers::CONFIG)?
        {
            self.remove_damaged(&damaged.id, Removal::default())?;
        }
        Ok(())
    }
}
