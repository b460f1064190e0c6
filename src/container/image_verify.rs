//! `image verify`: everything of an image against what it was when it came.

use std::collections::HashMap;

use super::{Engine, Error};
use crate::{
    ident::{ChainId, Digest},
    image::{self, ImageConfig, ImageRecord, LayerRef},
    rootfs::{self, LayerFault, Layers},
    sys::Dir,
};

/// What is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFault {
    /// The layer, from 1, lowest first; `None` for manifest and config.
    pub layer: Option<usize>,
    /// What.
    pub fault: LayerFault,
}

/// An image that was verified.
#[derive(Debug, Clone)]
pub struct VerifiedImage {
    /// Its record.
    pub record: ImageRecord,
    /// Nothing where all is well.
    pub faults: Vec<ImageFault>,
}

/// Verifies images one after the other; a layer that several have is looked at once.
#[derive(Debug)]
pub struct Verification<'e> {
    engine: &'e Engine,
    done: HashMap<(ChainId, Digest), Vec<LayerFault>>,
}

impl Engine {
    /// Begins to verify images.
    pub fn verification(&self) -> Verification<'_> {
        Verification {
            engine: self,
            done: HashMap::new(),
        }
    }
}

impl Verification<'_> {
    /// Verifies an image. `tell` is called before each layer with its number, from 1.
    ///
    /// # Errors
    ///
    /// Where it could not be found out, or there is no such image.
    pub fn image(
        &mut self,
        name: &str,
        mut tell: impl FnMut(usize, &ImageRecord),
    ) -> Result<VerifiedImage, Error> {
        let held = self.engine.held_as_it_is(name)?;
        let record = held.record.clone();
        let mut faults = self.documents(&record)?;
        let layers = Layers::open(self.engine.store())?;
        let (mut lowers, mut seen) = (Vec::<Dir>::new(), 0);
        for (number, layer) in record.layers.iter().enumerate() {
            tell(number + 1, &record);
            let found = self.layer(layer, &lowers)?;
            let with_number = |fault| ImageFault {
                layer: Some(number + 1),
                fault,
            };
            faults.extend(found.into_iter().map(with_number));
            // What cannot be read was told of already.
            seen += 1;
            if let Ok(Some(known)) = layers.find(layer.chain) {
                if known.opaque_root {
                    lowers.clear();
                    seen = 1;
                }
                if known.seen.is_some_and(|told| told != seen) {
                    let what = "has a record that hides other layers than it does";
                    faults.push(with_number(LayerFault::Tree(what.to_owned())));
                }
                if let Ok(diff) = layers.open_diff(layer.chain) {
                    lowers.insert(0, diff);
                }
            }
        }
        self.engine.release(vec![held])?;
        Ok(VerifiedImage { record, faults })
    }

    fn layer(&mut self, layer: &LayerRef, lowers: &[Dir]) -> Result<Vec<LayerFault>, Error> {
        let key = (layer.chain, layer.blob.digest);
        if let Some(known) = self.done.get(&key) {
            return Ok(known.clone());
        }
        let faults = rootfs::verify_layer(self.engine.store(), layer, lowers)?;
        self.done.insert(key, faults.clone());
        Ok(faults)
    }

    /// Manifest and config, and that they go together with each other and with the record.
    fn documents(&self, record: &ImageRecord) -> Result<Vec<ImageFault>, Error> {
        let mut faults = Vec::new();
        let mut say = |what: String| {
            faults.push(ImageFault {
                layer: None,
                fault: LayerFault::Blob(what),
            });
        };
        let blobs = self.engine.images()?;
        let blobs = blobs.blobs();
        let text = |error: &dyn std::error::Error| {
            let mut text = error.to_string();
            if let Some(cause) = error.source() {
                text = format!("{text}: {cause}");
            }
            text
        };
        match blobs.read(record.manifest) {
            Err(error) => say(format!("manifest: {}", text(&error))),
            Ok(bytes) => {
                let said = image::named_by(&bytes);
                let wanted = (
                    record.id,
                    record
                        .layers
                        .iter()
                        .map(|layer| (layer.blob.digest, layer.blob.size))
                        .collect(),
                );
                match said {
                    Err(error) => say(format!("manifest: {}", text(&error))),
                    Ok(said) if said != wanted => {
                        say("manifest: names another config or other layers".to_owned());
                    }
                    Ok(_) => {}
                }
            }
        }
        match blobs
            .read(record.id)
            .map(|bytes| ImageConfig::parse(&bytes))
        {
            Err(error) => say(format!("config: {}", text(&error))),
            Ok(Err(error)) => say(format!("config: {}", text(&error))),
            Ok(Ok(config)) => {
                let own: Vec<_> = record.layers.iter().map(|layer| layer.diff_id).collect();
                let chains: Vec<_> = record.layers.iter().map(|layer| layer.chain).collect();
                if config.diff_ids != own || ChainId::stack(&own) != chains {
                    say("config: names other layers than the store has".to_owned());
                }
            }
        }
        Ok(faults)
    }
}
