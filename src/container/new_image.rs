//! Images that are made here: one step from another, with a layer more or only another config.

use super::{ContainerRecord, Engine, Error, KeptImage, Loaded};
use crate::{
    ident::{Reference, Timestamp},
    image::{BuildStep, ImageRecord, NextImage, RunConfig},
    layer::Baked,
    rootfs::{self, NewLayer, Source, Sync},
    store::{Blobs, Lease, Place, lease_place},
    sys::Dir,
};

/// Beside the container's record.
const UPPER: &str = "upper";

/// A step from one image to the next.
#[derive(Debug, Clone)]
pub struct ImageStep<'a> {
    /// The image below; `None` where the new one begins.
    pub parent: Option<&'a ImageRecord>,
    /// The new image's run configuration, whole.
    pub config: RunConfig,
    /// When; the same steps at the same moment make the same image.
    pub created: Timestamp,
    /// What the history shows as the instruction.
    pub created_by: String,
    /// Who; `None` leaves whom the parent names.
    pub author: Option<String>,
    /// Free text for the history.
    pub comment: Option<String>,
    /// What the image shall be called.
    pub names: Vec<Reference>,
    /// For the cache of builds, with the listing of its sources.
    pub build: Option<(BuildStep, Option<Vec<u8>>)>,
}

impl Engine {
    /// Makes a layer of what a container changed in its root, on top of the layers of its image;
    /// the trees of `baked` take the place of what is under their names. It is garbage until
    /// [`Engine::make_image`] gives it an image.
    ///
    /// `packed` is called as soon as nothing of the container is read any more. The caller sees to
    /// it that nobody writes there meanwhile.
    pub(super) fn make_layer(
        &self,
        record: &ContainerRecord,
        baked: &[Baked],
        packed: impl FnOnce() + Send,
        durability: Sync,
    ) -> Result<NewLayer, Error> {
        let snapshot = self.snapshot(record)?;
        let source = Source {
            snapshot: &snapshot,
            latest: None,
            baked,
        };
        let store = self.store();
        let made = rootfs::commit_snapshot(store, &record.chains, &source, packed, durability);
        self.clean_after(made.map_err(Error::from))
    }

    /// Moves a container's upper dir to where somebody waits for it. Whoever does not wait any more
    /// does not need it.
    pub(super) fn hand_over(&self, container: &Dir, place: &str) {
        let waiting = self.store().open_dir(Place::Tmp);
        if let Ok(Ok(waiting)) = waiting.map(|tmp| tmp.open_dir(place)) {
            container.rename_new(UPPER, &waiting, UPPER).ok();
        }
    }

    /// Makes the image that a step leads to: with `layer` on top of the parent's, or with the
    /// parent's layers alone.
    ///
    /// # Errors
    ///
    /// Then nothing of the image stays, the layer included.
    pub fn make_image(
        &self,
        step: &ImageStep<'_>,
        layer: Option<NewLayer>,
    ) -> Result<Loaded, Error> {
        let made = self.record_image(step, layer);
        self.clean_after(made.map(|(made, _)| made))
    }

    /// The same for a build, which relies on it from the first moment on.
    pub fn make_kept_image(
        &self,
        step: &ImageStep<'_>,
        layer: Option<NewLayer>,
    ) -> Result<(ImageRecord, Option<KeptImage>), Error> {
        let make = || {
            let (made, _lease) = self.record_image(step, layer)?;
            let kept = self.keep_image(&made.record)?;
            Ok((made.record, kept))
        };
        // Its lease is gone by then.
        self.clean_after(make())
    }

    fn record_image(
        &self,
        step: &ImageStep<'_>,
        layer: Option<NewLayer>,
    ) -> Result<(Loaded, Lease), Error> {
        let (layer, lease) = match layer {
            Some(new) => (new.layer, new.lease),
            None => (None, lease_place(self.store(), Place::Layers, false)?),
        };
        let images = self.images()?;
        let next = NextImage {
            config: step.config.clone(),
            layer: layer.as_ref().map(|layer| layer.diff_id),
            created: step.created,
            created_by: step.created_by.clone(),
            author: step.author.clone(),
            comment: step.comment.clone(),
        };
        let parent = step.parent.map(|parent| images.config_bytes(parent));
        let document = next.document(parent.transpose()?.as_deref())?;
        let below = step.parent.map(|parent| parent.layers.clone());
        let layers = below.into_iter().flatten().chain(layer).collect();
        let build = step.build.as_ref();
        if let Some((_, Some(sources))) = build {
            Blobs::open(self.store())?.put(sources)?;
        }
        let build = build.map(|(build, _)| build.clone());
        let (record, moved) = images.commit((None, &document), layers, &step.names, build)?;
        let made = Loaded {
            record,
            names: step.names.clone(),
            moved,
        };
        Ok((made, lease))
    }
}
