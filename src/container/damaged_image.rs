//! Removing an image whose record cannot be read.

use super::{Engine, Error, Untagged};
use crate::{ident::Digest, image};

impl Engine {
    /// Takes its names and its record away; its layers and blobs go as far as it is known that
    /// nobody else needs them. The caller holds the layers' exclusive lease.
    pub(super) fn remove_damaged_image(&self, manifest: Digest) -> Result<Untagged, Error> {
        let images = self.images()?;
        let names = images.names()?;
        let own = names.into_iter().filter(|(_, to)| *to == manifest);
        let own: Vec<_> = own.map(|(name, _)| name).collect();
        images.untag(&own)?;
        for name in &own {
            self.tell_image("untag", &manifest, Some(&name.familiar()));
        }
        images.forget(&[manifest], &[])?;
        self.tell_image("delete", &manifest, None);
        self.unless_damaged(self.remove_orphans())?;
        Ok(Untagged {
            names: own,
            deleted: vec![manifest],
            ..Untagged::default()
        })
    }

    /// What nobody is known to need stays where somebody cannot be asked what he needs.
    pub(super) fn unless_damaged<T: Default>(&self, done: Result<T, Error>) -> Result<T, Error> {
        match done {
            Err(error @ (Error::Damaged { .. } | Error::Image(image::Error::Damaged { .. }))) => {
                let line = crate::error::in_a_line(&error);
                self.remark(&format!("layers that nobody may need stay: {line}"));
                Ok(T::default())
            }
            done => done,
        }
    }
}
