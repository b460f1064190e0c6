//! `Facts`: what the store's records and directories say, gathered at one moment without a lock.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Error, Finding, Remedy, containers::ContainerFacts, images::ImageFacts, journal::JournalFacts,
    layers::LayerFacts, machine::MachineFacts, volumes::VolumeFacts,
};
use crate::{
    container::Engine,
    ident::{ChainId, Digest, VolumeName},
    image::ImageRecord,
    store,
};

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) images: ImageFacts,
    pub(super) layers: LayerFacts,
    pub(super) containers: ContainerFacts,
    pub(super) volumes: VolumeFacts,
    pub(super) machine: MachineFacts,
    pub(super) journal: JournalFacts,
    /// In `tmp/` and `trash/`, of dead commands.
    pub(super) leftovers: Vec<PathBuf>,
    /// How many things are in quarantine.
    pub(super) aside: usize,
}

/// An invariant: its name, what it says, and what breaks it.
pub(super) struct Invariant {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) decide: fn(&Facts) -> Vec<Finding>,
}

/// All that follow from facts. Bytes are compared elsewhere, because that takes long.
pub(super) const INVARIANTS: [Invariant; 8] = [
    Invariant {
        name: "images",
        says: "an image has its blobs and layers, and what its documents say; a name has an image",
        decide: |facts| {
            let is_unpacked = |chain| facts.layers.is_unpacked(chain);
            facts.images.decide(&facts.layers.blobs, is_unpacked)
        },
    },
    Invariant {
        name: "layers",
        says: "an unpacked layer is what its name and its record say",
        decide: |facts| facts.layers.decide(),
    },
    Invariant {
        name: "containers",
        says: "a container has its directories, its name, its layers and its volumes",
        decide: |facts| {
            let is_unpacked = |chain| facts.layers.is_unpacked(chain);
            facts.containers.decide(is_unpacked, &facts.volumes.names())
        },
    },
    Invariant {
        name: "volumes",
        says: "a volume has its record and its data, and nobody died changing it",
        decide: |facts| facts.volumes.decide(&facts.used_volumes()),
    },
    Invariant {
        name: "orphans",
        says: "somebody needs what is there",
        decide: |facts| facts.orphans(),
    },
    Invariant {
        name: "leftovers",
        says: "nothing of dead commands is in tmp/ and trash/",
        decide: |facts| facts.left(),
    },
    Invariant {
        name: "machine",
        says: "no mount, control group or loop device outlives its user",
        decide: |facts| facts.machine.decide(),
    },
    Invariant {
        name: "journal",
        says: "the journal of events can be read",
        decide: |facts| facts.journal.decide(),
    },
];

impl Facts {
    pub(super) fn gather(engine: &Engine) -> Result<Self, Error> {
        // Who refers before what is referred to: what is made meanwhile is no dangling reference.
        let journal = JournalFacts::gather(engine.store())?;
        Ok(Self {
            containers: ContainerFacts::gather(engine)?,
            images: ImageFacts::gather(engine)?,
            layers: LayerFacts::gather(engine)?,
            volumes: VolumeFacts::gather(engine)?,
            machine: MachineFacts::gather(engine, &journal.containers)?,
            leftovers: store::leftovers(engine.store())?,
            aside: store::in_quarantine(engine.store())?.len(),
            journal,
        })
    }

    /// What breaks any invariant.
    pub(super) fn decide(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for invariant in &INVARIANTS {
            let found = (invariant.decide)(self).into_iter();
            findings.extend(found.map(|finding| Finding {
                invariant: invariant.name,
                ..finding
            }));
        }
        findings
    }

    fn used_volumes(&self) -> BTreeSet<VolumeName> {
        let containers = self.containers.containers.iter();
        let volumes = containers.flat_map(|one| one.record.volumes());
        volumes.cloned().collect()
    }

    /// The images that need a blob, as a user calls them.
    pub(super) fn users_of_blob(&self, blob: Digest) -> Vec<String> {
        let users = self.images.records.iter();
        let users = users.filter(|record| record.blobs().any(|one| one == blob));
        users.map(|record| self.images.called(record)).collect()
    }

    /// The images and containers that need a layer.
    pub(super) fn users_of_layer(&self, chain: ChainId) -> Vec<String> {
        let images = self.images.records.iter();
        let images = images.filter(|record| record.layers.iter().any(|one| one.chain == chain));
        let images = images.map(|record| format!("image {}", self.images.called(record)));
        let containers = self.containers.containers.iter();
        let containers = containers.filter(|one| one.record.all_chains().any(|own| *own == chain));
        let containers = containers.map(|one| format!("container {}", one.record.name));
        images.chain(containers).collect()
    }

    fn orphans(&self) -> Vec<Finding> {
        // Who cannot be asked may need it.
        if !self.images.damaged.is_empty() || !self.containers.damaged.is_empty() {
            return Vec::new();
        }
        let images = self.images.records.iter();
        let of_images = images.clone().flat_map(|image| &image.layers);
        let of_containers = self.containers.containers.iter();
        let of_containers = of_containers.flat_map(|one| one.record.all_chains());
        let of_mounts = self.machine.mounted_chains();
        let chains = of_images.map(|layer| layer.chain);
        let chains = chains.chain(of_containers.copied()).chain(of_mounts);
        let blobs = images.flat_map(ImageRecord::blobs);
        self.layers.orphans(&chains.collect(), &blobs.collect())
    }

    fn left(&self) -> Vec<Finding> {
        let finding = |path: &PathBuf| {
            let what = "was left by a command that is dead";
            Finding::leftover(path.display().to_string(), what, Remedy::Sweep)
        };
        let aside = (self.aside > 0).then(|| {
            let what = format!("{} are in it, each with a where.json", self.aside);
            let what = if self.aside == 1 {
                "1 thing is in it, with a where.json".to_owned()
            } else {
                what
            };
            let type_it = "look at it, and remove it when nobody wants it back";
            Finding::note(store::QUARANTINE, what, type_it)
        });
        self.leftovers.iter().map(finding).chain(aside).collect()
    }
}
