//! Images of a build's steps: nameless, and there for the cache as long as something is built on them.

use std::{collections::HashSet, fs::File};

use super::{Engine, Error, image_remove::Family};
use crate::{
    ident::Digest,
    image::{ImageRecord, Names},
    store::{Blobs, Place, lease_place},
};

/// The images, by their manifests, that no list shows unless asked for all: they have no name, and
/// another one was built on them.
pub fn hidden_steps(images: &[ImageRecord], names: &Names) -> HashSet<Digest> {
    let parents: HashSet<_> = images
        .iter()
        .filter_map(|image| image.step.as_ref()?.parent)
        .collect();
    let called: HashSet<_> = names.values().collect();
    let is_hidden = |image: &&ImageRecord| {
        image.step.is_some() && parents.contains(&image.id) && !called.contains(&image.manifest)
    };
    let hidden = images.iter().filter(is_hidden);
    hidden.map(|image| image.manifest).collect()
}

/// An image that removals leave alone, for a build; given back on drop or death.
#[derive(Debug)]
pub struct KeptImage {
    _config: File,
}

impl Engine {
    /// Keeps an image for a build; `None` where it is gone.
    pub fn keep_image(&self, image: &ImageRecord) -> Result<Option<KeptImage>, Error> {
        let _lease = lease_place(self.store(), Place::Layers, false)?;
        if self.images()?.find(image.manifest)?.is_none() {
            return Ok(None);
        }
        let config = Blobs::open(self.store())?.rely_on(image.id)?;
        Ok(config.map(|config| KeptImage { _config: config }))
    }

    /// Whether a build relies on an image.
    pub(super) fn is_built_on(&self, id: &Digest) -> Result<bool, Error> {
        Ok(Blobs::open(self.store())?.is_relied_on(*id)?)
    }

    /// Forgets the nameless images of steps that `gone` was built on, as far as nobody else is built
    /// on them and no container or build needs them; the nearest first. Their layers are the caller's to
    /// remove, who holds the layers' exclusive lease.
    pub(super) fn forget_steps_of(&self, gone: &Family) -> Result<Vec<Family>, Error> {
        let parent = |image: &ImageRecord| image.step.as_ref()?.parent;
        let mut next = gone.records.iter().find_map(parent);
        let mut forgotten = Vec::new();
        if next.is_none() {
            return Ok(forgotten);
        }
        let images = self.images()?;
        let (mut left, names) = (images.list()?, images.names()?);
        while let Some(id) = next.take() {
            let built_on = |image: &ImageRecord| {
                let step = image.step.as_ref();
                step.is_some_and(|step| step.parent == Some(id))
            };
            let Some(at) = left.iter().position(|image| image.id == id) else {
                break;
            };
            let Some(step) = left[at].step.clone() else {
                break;
            };
            let family = Family::of(id, &left, &names);
            let is_used = !self.users_of(&family)?.nobody();
            if !family.names.is_empty() || left.iter().any(built_on) || is_used {
                break;
            }
            next = step.parent;
            images.forget(&family.manifests(), &[])?;
            left.retain(|image| image.id != id);
            forgotten.push(family);
        }
        Ok(forgotten)
    }
}
