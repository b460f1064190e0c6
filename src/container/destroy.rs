//! `system destroy`: a store ends, and nothing of it stays on the machine.

use std::path::Path;

use super::{Engine, Error, Removal};
use crate::{
    cgroup,
    store::{Razed, Store},
};

/// What a store that shall be destroyed holds, as far as it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doomed {
    /// Containers, and how many of them run.
    pub containers: (usize, usize),
    /// Images.
    pub images: usize,
    /// Volumes.
    pub volumes: usize,
}

impl Engine {
    /// Opens a store for [`Engine::destroy`] and nothing else.
    pub fn open_to_destroy(root: &Path) -> Result<Self, Error> {
        Ok(Self::of(Store::open_to_destroy(root)?))
    }

    /// What would go.
    pub fn doomed(&self) -> Doomed {
        // What cannot be read goes all the same.
        let containers = self.all_containers().unwrap_or_default();
        let live = containers.0.iter().filter(|one| one.status.is_live());
        let images = self.images().and_then(|images| Ok(images.all()?));
        let volumes = self.volumes().and_then(|volumes| Ok(volumes.list()?));
        Doomed {
            containers: (containers.0.len() + containers.1.len(), live.count()),
            images: images.map_or(0, |(whole, damaged)| whole.len() + damaged.len()),
            volumes: volumes.map_or(0, |volumes| volumes.len()),
        }
    }

    /// The names of volumes that are protected.
    pub fn protected_volumes(&self) -> Vec<String> {
        let volumes = self.volumes().and_then(|volumes| Ok(volumes.list()?));
        let volumes = volumes.unwrap_or_default().into_iter();
        let records = volumes.filter_map(|looked| match looked {
            crate::volume::Looked::Whole(volume) => Some(volume.record),
            crate::volume::Looked::Damaged(_) => None,
        });
        let protected = records.filter(|record| record.protected);
        protected.map(|record| record.name.to_string()).collect()
    }

    /// Ends all containers, takes off all mounts, and removes the root. Whatever ends it in the middle,
    /// the same again goes on.
    pub fn destroy(self) -> Result<Razed, Error> {
        let doom = self.store().doom()?;
        // Places that have gone already hold nothing.
        self.end_containers()?;
        if let Ok(views) = self.image_mounts()
            && !views.is_empty()
        {
            self.unmount_images()?;
        }
        if let Ok(volumes) = self.volumes() {
            volumes.tidy()?;
        }
        let razed = self.store().raze(doom)?;
        // Other stores may have theirs there.
        if let Ok(all) = self.hierarchies() {
            cgroup::remove_empty_parents(all).ok();
        }
        Ok(razed)
    }

    fn end_containers(&self) -> Result<(), Error> {
        let Ok((containers, damaged)) = self.all_containers() else {
            return Ok(());
        };
        let whole = containers.iter().map(|one| one.record.id.to_string());
        let ids = whole.chain(damaged.iter().map(|one| one.id.to_string()));
        let removal = Removal {
            force: true,
            volumes: false,
        };
        for id in ids {
            match self.remove_one(&id, removal) {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
