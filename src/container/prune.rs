//! Removing all containers that do not run.

use super::{Container, Engine, Error, Removal};
use crate::{event::Kind, store::Place};

/// A container that `prune` removed or would remove.
#[derive(Debug, Clone)]
pub struct PrunedContainer {
    /// Which one.
    pub container: Container,
    /// Bytes that it wrote.
    pub bytes: u64,
}

impl Engine {
    /// Containers that do not run, newest first, with what they wrote. Of those whose records cannot be
    /// read nobody knows it: they stay, and a note says so.
    pub fn stopped_containers(&self) -> Result<Vec<PrunedContainer>, Error> {
        let (mut all, damaged) = self.all_containers()?;
        if !damaged.is_empty() {
            let ids = damaged.iter().map(|one| one.id.short());
            let ids = ids.collect::<Vec<_>>().join(", ");
            self.remark(&format!(
                "containers whose records cannot be read stay: {ids}; cowshed rm removes one"
            ));
        }
        all.retain(|container| !container.status.is_live());
        let measured = all.into_iter().map(|container| {
            // One that has lost its layers must be removable, too.
            let size = self.size_of(&container.record);
            let bytes = size.map_or(0, |size| size.written);
            PrunedContainer { container, bytes }
        });
        Ok(measured.collect())
    }

    /// Removes those of `chosen` that still do not run; answers which. Their anonymous volumes stay,
    /// as in Docker.
    ///
    /// Only what was shown to the user is ever removed, whatever has changed meanwhile.
    pub fn prune_containers(
        &self,
        chosen: Vec<PrunedContainer>,
    ) -> Result<Vec<PrunedContainer>, Error> {
        let mut removed = Vec::new();
        for pruned in chosen {
            let id = pruned.container.record.id.as_str();
            match self.remove_one(id, Removal::default()) {
                Ok(_) => removed.push(pruned),
                // Started again, or removed by somebody else.
                Err(Error::State { .. } | Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.store().sync_names(Place::Containers)?;
        let reclaimed: u64 = removed.iter().map(|pruned| pruned.bytes).sum();
        let reclaimed = reclaimed.to_string();
        self.tell(Kind::Container, "prune", "", &[("reclaimed", &reclaimed)]);
        Ok(removed)
    }
}
