//! Adding up a store's root, kind by kind. Nothing is locked, and what goes meanwhile is left out.

use std::{collections::HashMap, ffi::OsStr};

use super::{
    Engine, Error,
    containers::failed,
    space::{SpaceKind, Step, StoreSpace, step},
    step_images::hidden_steps,
};
use crate::{
    ident::{ChainId, Digest},
    image::ImageRecord,
    rootfs::Layers,
    sys::{Dir, Tally},
};

/// Which kind of thing names a layer or a blob.
#[derive(Debug, Default)]
struct Reach {
    layers: HashMap<ChainId, SpaceKind>,
    blobs: HashMap<Digest, SpaceKind>,
    /// Not everything could be read.
    unsure: bool,
}

impl Reach {
    fn layer(&mut self, chain: ChainId, kind: SpaceKind) {
        claim(&mut self.layers, chain, kind);
    }

    fn image(&mut self, image: &ImageRecord, is_step: bool) {
        let (layer, blob) = if is_step {
            (SpaceKind::BuildCache, SpaceKind::BuildCache)
        } else {
            (SpaceKind::Layers, SpaceKind::Blobs)
        };
        for own in &image.layers {
            self.layer(own.chain, layer);
        }
        for digest in image.blobs() {
            claim(&mut self.blobs, digest, blob);
        }
    }

    fn kind(&self, found: Option<&SpaceKind>, otherwise: SpaceKind) -> SpaceKind {
        match found {
            Some(kind) => *kind,
            None if self.unsure => otherwise,
            None => SpaceKind::Orphans,
        }
    }
}

/// What an image has is an image's, whatever else has it.
fn claim<K: std::hash::Hash + Eq>(known: &mut HashMap<K, SpaceKind>, key: K, kind: SpaceKind) {
    let slot = known.entry(key).or_insert(kind);
    if *slot == SpaceKind::BuildCache {
        *slot = kind;
    }
}

impl Engine {
    /// Classifies every byte of the root. `is_fresh` walks layers whose size is known, too.
    pub fn store_space(&self, is_fresh: bool) -> Result<StoreSpace, Error> {
        crate::sys::process::raise_file_limit();
        let mut reach = Reach::default();
        self.find_reach(&mut reach)?;
        let root = self.store().root();
        let tally = Tally::new(root).map_err(measuring)?;
        let mut walk = Walk {
            engine: self,
            layers: Layers::open(self.store())?,
            is_fresh,
            tally,
            reach,
            looked_again: false,
            space: StoreSpace::default(),
        };
        walk.root(root)?;
        walk.space.mounted = walk.tally.mounted();
        walk.space.unsure = walk.reach.unsure;
        Ok(walk.space)
    }

    /// Adds who names what to what is known of it.
    fn find_reach(&self, reach: &mut Reach) -> Result<(), Error> {
        let images = self.images()?;
        let (records, damaged_images) = images.all()?;
        let hidden = hidden_steps(&records, &images.names()?);
        for image in &records {
            reach.image(image, hidden.contains(&image.manifest));
        }
        let (containers, damaged_containers) = self.all_containers()?;
        for container in &containers {
            for chain in container.record.all_chains() {
                reach.layer(*chain, SpaceKind::Layers);
            }
        }
        for view in self.image_mounts()? {
            for chain in view.mount.chains {
                reach.layer(chain, SpaceKind::Layers);
            }
        }
        reach.unsure |= !damaged_images.is_empty() || !damaged_containers.is_empty();
        Ok(())
    }
}

struct Walk<'e> {
    engine: &'e Engine,
    layers: Layers<'e>,
    is_fresh: bool,
    tally: Tally,
    reach: Reach,
    looked_again: bool,
    space: StoreSpace,
}

impl Walk<'_> {
    fn root(&mut self, root: &Dir) -> Result<(), Error> {
        // First: what is written down about their sizes is a file that is counted afterwards.
        for chain in self.layers.list()? {
            self.layer(chain)?;
        }
        if let Some(taken) = self.tally.one(&root.own_metadata().map_err(measuring)?) {
            self.space.add(SpaceKind::Records, taken);
        }
        self.below(root, &mut Vec::new())
    }

    fn below(&mut self, dir: &Dir, path: &mut Vec<String>) -> Result<(), Error> {
        for name in dir.sorted_entries().map_err(measuring)? {
            // What is no UTF-8 is nothing of ours.
            let shown = name.to_str().unwrap_or("\0").to_owned();
            path.push(shown);
            let parts: Vec<_> = path.iter().map(String::as_str).collect();
            let step = step(&parts);
            match step {
                Step::Whole(kind) => self.whole(dir, &name, kind)?,
                Step::Into => self.into(dir, &name, path)?,
                Step::Blob(digest) => {
                    let kind = self.blob_kind(digest)?;
                    self.whole(dir, &name, kind)?;
                }
                Step::Layer(chain) => {
                    let is_orphan = self.layer_kind(chain)? == SpaceKind::Orphans;
                    let kind = if is_orphan {
                        SpaceKind::Orphans
                    } else {
                        SpaceKind::Records
                    };
                    self.beside_tree(dir, &name, kind)?;
                }
            }
            path.pop();
        }
        Ok(())
    }

    fn whole(&mut self, dir: &Dir, name: &OsStr, kind: SpaceKind) -> Result<(), Error> {
        let taken = self.tally.tree(dir, name).map_err(measuring)?;
        self.space.add(kind, taken);
        Ok(())
    }

    fn into(&mut self, dir: &Dir, name: &OsStr, path: &mut Vec<String>) -> Result<(), Error> {
        let Some(own) = dir.find(name).map_err(measuring)? else {
            return Ok(());
        };
        if !own.is_dir() {
            return self.whole(dir, name, SpaceKind::Unknown);
        }
        let Some(taken) = self.tally.one(&own) else {
            return Ok(());
        };
        self.space.add(SpaceKind::Records, taken);
        // It may have gone.
        match dir.open_dir(name) {
            Ok(own) => self.below(&own, path),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(measuring(error)),
        }
    }

    /// The tree of a layer. One that shares inodes with something else is counted with the rest.
    fn layer(&mut self, chain: ChainId) -> Result<(), Error> {
        let kind = self.layer_kind(chain)?;
        let store = self.engine.store();
        if let Some(taken) = self.layers.taken(store, chain, self.is_fresh)? {
            self.space.add(kind, taken);
            return Ok(());
        }
        let dir = store.open_dir(crate::store::Place::Layers)?;
        match dir.open_dir(chain.0.hex()) {
            Ok(own) => self.whole(&own, OsStr::new("diff"), kind),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(measuring(error)),
        }
    }

    /// A layer's directory and what is in it but for the tree.
    fn beside_tree(&mut self, dir: &Dir, name: &OsStr, kind: SpaceKind) -> Result<(), Error> {
        let look = || {
            let own = dir.open_dir(name)?;
            Ok((own.own_metadata()?, own.sorted_entries()?, own))
        };
        let (metadata, names, own) = match look() {
            Err(error) if is_gone(&error) => return Ok(()),
            found => found.map_err(measuring)?,
        };
        if let Some(taken) = self.tally.one(&metadata) {
            self.space.add(kind, taken);
        }
        for name in names {
            let kind = match name.to_str() {
                Some("diff") => continue,
                Some("layer.json" | "size.json") => kind,
                _ => SpaceKind::Unknown,
            };
            self.whole(&own, &name, kind)?;
        }
        Ok(())
    }

    fn layer_kind(&mut self, chain: ChainId) -> Result<SpaceKind, Error> {
        if !self.reach.layers.contains_key(&chain) {
            self.look_again()?;
        }
        let found = self.reach.layers.get(&chain);
        Ok(self.reach.kind(found, SpaceKind::Layers))
    }

    fn blob_kind(&mut self, digest: Digest) -> Result<SpaceKind, Error> {
        if !self.reach.blobs.contains_key(&digest) {
            self.look_again()?;
        }
        let found = self.reach.blobs.get(&digest);
        Ok(self.reach.kind(found, SpaceKind::Blobs))
    }

    /// Something may have been imported since we looked who names what.
    fn look_again(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.looked_again, true) {
            self.engine.find_reach(&mut self.reach)?;
        }
        Ok(())
    }
}

fn is_gone(error: &crate::sys::SysError) -> bool {
    use nix::errno::Errno;
    matches!(
        error.errno(),
        Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)
    )
}

fn measuring(source: crate::sys::SysError) -> Error {
    failed("measure store", source)
}
