//! `image prune`: what nobody needs, listed first; only what was listed is removed.

use super::{Engine, Error, Untagged, hidden_steps, image_remove::Family};
use crate::{
    event::Kind,
    ident::{Digest, Reference, Timestamp},
    image::{self, ImageConfig, ImageRecord, Names},
    store::{Graves, Place, lease_place},
};

/// An image that `prune` removed or would remove.
#[derive(Debug, Clone)]
pub struct UnusedImage {
    /// Docker's image id.
    pub id: Digest,
    /// Its names at that moment.
    pub names: Vec<Reference>,
    /// What it says about itself.
    pub config: ImageConfig,
    /// When it was made, as far as it says.
    pub created: Option<Timestamp>,
    /// Bytes of its layers, shared ones included.
    pub bytes: u64,
}

impl Engine {
    /// Images that no container is made of, no build relies on and that are not mounted, newest first; without `all`
    /// only those without a name. `going` are ids of containers that do not count.
    pub fn unused_images(&self, all: bool, going: &[&str]) -> Result<Vec<UnusedImage>, Error> {
        let images = self.images()?;
        let (records, names) = (images.list()?, images.names()?);
        let mut containers = self.containers()?;
        containers.retain(|one| !going.contains(&one.record.id.as_str()));
        let mounts = self.image_mounts()?;
        // They go with the last image that was built on them.
        let hidden = hidden_steps(&records, &names);
        let mut unused: Vec<UnusedImage> = Vec::new();
        for record in &records {
            if hidden.contains(&record.manifest) || unused.iter().any(|one| one.id == record.id) {
                continue;
            }
            let used = containers
                .iter()
                .any(|one| one.record.uses_image(&record.id))
                || mounts.iter().any(|view| view.mount.image == record.id)
                || self.is_built_on(&record.id)?;
            let family = Family::of(record.id, &records, &names);
            // A name by digest is no name that anybody gave.
            let has_tag = family.names.iter().any(|name| name.tag().is_some());
            if used || (has_tag && !all) {
                continue;
            }
            let config = match images.config(record) {
                // Removed since the list was read.
                Err(image::Error::NotFound { .. }) => continue,
                config => config?,
            };
            let created = config.created.as_ref().and_then(|text| text.parse().ok());
            unused.push(UnusedImage {
                id: record.id,
                names: family.names,
                config,
                created,
                bytes: record.bytes(),
            });
        }
        unused.sort_by_key(|one| std::cmp::Reverse(one.created));
        Ok(unused)
    }

    /// Removes those of `chosen` that still nobody needs and that have got no other name since.
    pub fn prune_images(&self, chosen: &[UnusedImage]) -> Result<Vec<Untagged>, Error> {
        let lease = lease_place(self.store(), Place::Layers, true)?;
        self.tidy_image_mounts()?;
        let images = self.images()?;
        let (records, names) = (images.list()?, images.names()?);
        let mut going = Vec::new();
        for one in chosen {
            if let Some(family) = self.still_unused(one, &records, &names)? {
                images.forget(&family.manifests(), &family.names)?;
                let steps = self.forget_steps_of(&family)?;
                going.push(family);
                going.extend(steps);
            }
        }
        let mut graves = Graves::new(self.store())?;
        let mut removed = Vec::new();
        for family in going {
            let mut untagged = Untagged {
                deleted: vec![family.id],
                ..Untagged::default()
            };
            self.bury_image(&family, &mut untagged, &mut graves)?;
            untagged.names = family.names;
            for name in &untagged.names {
                self.tell_image("untag", &family.id, Some(&name.familiar()));
            }
            self.tell_image("delete", &family.id, None);
            removed.push(untagged);
        }
        if removed.is_empty() {
            // What a removal that was killed left; else that went along.
            self.bury_orphans(&mut graves)?;
        }
        drop(lease);
        graves.empty_quickly()?;
        let reclaimed: u64 = removed.iter().map(|one| one.bytes).sum();
        let reclaimed = reclaimed.to_string();
        self.tell(Kind::Image, "prune", "", &[("reclaimed", &reclaimed)]);
        Ok(removed)
    }

    fn still_unused(
        &self,
        one: &UnusedImage,
        records: &[ImageRecord],
        names: &Names,
    ) -> Result<Option<Family>, Error> {
        let family = Family::of(one.id, records, names);
        let unchanged = family.names.iter().all(|name| one.names.contains(name));
        if family.records.is_empty() || !unchanged {
            return Ok(None);
        }
        let users = self.users_of(&family)?;
        Ok(users.nobody().then_some(family))
    }
}
