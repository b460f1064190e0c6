//! What a load or pull mends of the image that it brings, where some of that was here and is damaged.

use super::{Alone, Engine, Error, containers::failed};
use crate::{
    ident::{ChainId, DiffId},
    image::{ImageRecord, LayerRef},
    rootfs::{self, Layers},
    store::Place,
    sys::Dir,
};

/// So many inodes are looked at in a few milliseconds.
const LOOKS: u64 = 4096;

impl Engine {
    /// After an image came in whose layers were here: those that somebody has changed meanwhile are
    /// unpacked again. Where that cannot be done now, it is said.
    ///
    /// Of a large image only the blobs and the tops of the trees are looked at: to load what is there must
    /// not take longer than 10 ms. `system check` looks at everything. Nothing of it is held: an image that is
    /// removed meanwhile is no fault.
    pub(super) fn mend_touched(&self, record: &ImageRecord) -> Result<(), Error> {
        match self.mend_layers(record) {
            Err(_) if !self.is_all_there(record)? => Ok(()),
            done => done,
        }
    }

    fn is_all_there(&self, record: &ImageRecord) -> Result<bool, Error> {
        let layers = self.store().open_dir(Place::Layers)?;
        let is_there = |layer: &LayerRef| matches!(layers.find(layer.chain.0.hex()), Ok(Some(_)));
        let is_known = self.images()?.find(record.manifest)?.is_some();
        Ok(is_known && record.layers.iter().all(is_there))
    }

    fn mend_layers(&self, record: &ImageRecord) -> Result<(), Error> {
        let layers = Layers::open(self.store())?;
        let (mut lowers, mut parent) = (Vec::new(), None);
        let mut entries = 0;
        for layer in &record.layers {
            entries += layers
                .find(layer.chain)
                .ok()
                .flatten()
                .map_or(0, |known| known.entries);
        }
        for layer in &record.layers {
            if rootfs::is_touched(self.store(), layer, entries <= LOOKS)? {
                self.mend_layer(layer, parent, &lowers)?;
            }
            let known = layers.get(layer.chain)?;
            if known.opaque_root {
                lowers.clear();
            }
            lowers.insert(0, layers.open_diff(layer.chain)?);
            parent = Some(layer.chain);
        }
        Ok(())
    }

    fn mend_layer(
        &self,
        layer: &LayerRef,
        parent: Option<ChainId>,
        lowers: &[Dir],
    ) -> Result<(), Error> {
        let store = self.store();
        if rootfs::verify_layer(store, layer, lowers)?.is_empty() {
            return Ok(rootfs::note_whole(store, layer.chain)?);
        }
        let remade = rootfs::remake_layer(store, layer, parent, lowers)?;
        let layers = store.open_dir(Place::Layers)?;
        let put = || {
            let there = layers.find(layer.chain.0.hex());
            match there.map_err(|source| failed("look up layer", source))? {
                Some(_) => Ok(Some(remade.put(store)?)),
                // Removed: nobody wants it.
                None => Ok(None),
            }
        };
        match self.with_layer_alone(layer.chain, put)? {
            Alone::Done(Some(replaced)) => Ok(replaced.remove()?),
            Alone::Done(None) => Ok(()),
            Alone::Used(who) => {
                let short = layer.chain.0.short();
                self.remark(&format!("layer {short} is damaged and stays: {who}"));
                Ok(())
            }
        }
    }

    /// Before an image comes in: layers that are here and cannot be read go, so that they are unpacked
    /// again.
    pub(super) fn clear_broken(&self, diff_ids: &[DiffId]) -> Result<(), Error> {
        for chain in ChainId::stack(diff_ids) {
            let name = chain.0.hex();
            let dir = self.store().open_dir(Place::Layers)?;
            let there = dir
                .find(&name)
                .map_err(|source| failed("look up layer", source))?;
            if there.is_none() || !rootfs::is_broken(self.store(), chain)? {
                continue;
            }
            let discard = || {
                // Removed meanwhile, or made anew.
                let there = dir
                    .find(&name)
                    .map_err(|source| failed("look up layer", source))?;
                if there.is_some() && rootfs::is_broken(self.store(), chain)? {
                    self.store().discard(dir, &name)?;
                }
                Ok(())
            };
            if let Alone::Used(who) = self.with_layer_alone(chain, discard)? {
                self.remark(&format!(
                    "layer {} is damaged and stays: {who}",
                    chain.0.short()
                ));
            }
        }
        Ok(())
    }
}
