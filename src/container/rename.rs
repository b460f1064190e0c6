//! Another name for a container.

use super::{ContainerRecord, Engine, Error, containers};
use crate::{
    ident::ContainerName,
    store::{Durability, Place, record},
};

impl Engine {
    /// Renames a container, running or not. Docker's texts.
    ///
    /// The new name is claimed first and the old one given back last: at no moment has it none, and
    /// a crash in between leaves it with both.
    pub fn rename(&self, text: &str, new: &ContainerName) -> Result<(), Error> {
        let container = self.container(text)?;
        let old = container.record.name.clone();
        if old == *new {
            return Err(Error::Usage {
                what: "Renaming a container with the same name as its current name".to_owned(),
            });
        }
        let id = &container.record.id;
        self.claim_name(new, id)?;
        let rewrite = || {
            let dir = self.containers_dir()?;
            let own = dir.open_dir(id.as_str());
            let own = own.map_err(|source| containers::failed("open container", source))?;
            let now: ContainerRecord = record::read(&own, containers::CONFIG)?;
            let renamed = ContainerRecord {
                name: new.clone(),
                name_chosen: true,
                ..now
            };
            let synced = Durability::Synced;
            record::replace(self.store(), &own, containers::CONFIG, &renamed, synced)?;
            // Removed before it had the name: then nobody gives it back but we.
            self.must_be_there((text, id))
        };
        if let Err(error) = rewrite() {
            self.release_name(new, id)?;
            return self.unless_removed((text, id), Err(error));
        }
        self.release_name(&old, id)?;
        self.store().sync_names(Place::ContainerNames)?;
        let attributes = [("oldName", old.as_str())];
        let now = self.container(id.as_str())?.record;
        self.tell_container(&now, "rename", &attributes);
        Ok(())
    }
}
