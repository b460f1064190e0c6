//! Unpacked layers: directories against their records, and who needs them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Error, Finding, Remedy};
use crate::{
    container::Engine,
    error::in_a_line,
    ident::{ChainId, Digest},
    rootfs::{INIT, LayerRecord, Layers, init_faults},
    store::Place,
    sys::FileKind,
};

/// What the store knows of layers and blobs.
#[derive(Debug, Default)]
pub(super) struct LayerFacts {
    pub(super) layers: BTreeMap<ChainId, Layer>,
    /// With their sizes.
    pub(super) blobs: BTreeMap<Digest, u64>,
    pub(super) init: Vec<String>,
    /// Relative to the store.
    pub(super) strangers: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) record: Result<LayerRecord, String>,
    pub(super) has_tree: bool,
}

impl LayerFacts {
    pub(super) fn gather(engine: &Engine) -> Result<Self, Error> {
        let store = engine.store();
        let (mut facts, layers) = (Self::default(), Layers::open(store)?);
        let dir = store.open_dir(Place::Layers)?;
        for name in dir.sorted_entries()? {
            let digest = name.to_str().and_then(|text| Digest::from_hex(text).ok());
            let Some(chain) = digest.map(ChainId) else {
                if name != INIT {
                    facts.strangers.push(Place::Layers.path().join(name));
                }
                continue;
            };
            let record = layers.get(chain).map_err(|error| in_a_line(&error));
            let has_tree = layers.open_diff(chain).is_ok();
            // Removed while we looked: not there.
            if dir.find(&name)?.is_some() {
                facts.layers.insert(chain, Layer { record, has_tree });
            }
        }
        let blobs = store.open_dir(Place::Blobs)?;
        for name in blobs.sorted_entries()? {
            let digest = name.to_str().and_then(|text| Digest::from_hex(text).ok());
            let Some(found) = blobs.find(&name)? else {
                continue;
            };
            match digest {
                Some(digest) if found.kind() == FileKind::File => {
                    facts.blobs.insert(digest, found.size());
                }
                _ => facts.strangers.push(Place::Blobs.path().join(name)),
            }
        }
        facts.init = init_faults(store)?;
        Ok(facts)
    }

    pub(super) fn is_unpacked(&self, chain: ChainId) -> bool {
        self.layers.contains_key(&chain)
    }

    pub(super) fn decide(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (chain, layer) in &self.layers {
            let object = format!("layer {}", chain.0.short());
            let mut say = |what: String| {
                findings.push(Finding::damage(&object, what, Remedy::Unpack(*chain)));
            };
            match &layer.record {
                Err(why) => say(why.clone()),
                Ok(record) if record.chain != *chain => {
                    say(format!("its record is of another one: {}", record.chain));
                }
                Ok(record) if ChainId::extend(record.parent, record.diff_id) != *chain => {
                    say("its record does not lead to its name".to_owned());
                }
                Ok(_) if !layer.has_tree => say("has no tree".to_owned()),
                Ok(_) => {}
            }
        }
        if !self.init.is_empty() {
            let what = "is not as it is made";
            let mut finding = Finding::damage("the init layer", what, Remedy::Init);
            finding.details.clone_from(&self.init);
            findings.push(finding);
        }
        for path in &self.strangers {
            let remedy = Remedy::Quarantine(path.clone());
            let object = path.display().to_string();
            findings.push(Finding::leftover(object, "is not the store's", remedy));
        }
        findings
    }

    /// What nobody needs: it goes with the next removal of an image.
    pub(super) fn orphans(
        &self,
        chains: &BTreeSet<ChainId>,
        blobs: &BTreeSet<Digest>,
    ) -> Vec<Finding> {
        let layers = self.layers.keys().filter(|chain| !chains.contains(chain));
        let blobs = self.blobs.iter().filter(|(blob, _)| !blobs.contains(blob));
        let (layers, (count, bytes)) = (
            layers.count(),
            blobs.fold((0, 0), |(count, sum), (_, size)| (count + 1, sum + size)),
        );
        let mut findings = Vec::new();
        if layers > 0 {
            let what = format!("no image and no container needs {layers} of them");
            findings.push(Finding::note("unpacked layers", what, TYPE));
        }
        if count > 0 {
            let what = format!("no image needs {count} of them, {bytes} bytes");
            findings.push(Finding::note("blobs", what, TYPE));
        }
        findings
    }
}

const TYPE: &str = "cowshed image prune removes them";
