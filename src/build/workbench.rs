//! `Workbench`: an image's root to be written to, and its changes as a layer.
//!
//! Its upper dir is in `tmp/`: whoever dies leaves nothing that the next command does not remove. The
//! union is mounted in a child's own mount namespace and goes with it.

use std::path::PathBuf;

use super::{Error, error::failed};
use crate::{
    ident::{ChainId, ContainerId},
    rootfs::{self, Layers, NewLayer, Snapshot, Source, Sync},
    store::{Lease, Place, Staging, Store},
    sys::{RootDir, TimeSpec, process, random_bytes},
};

const UPPER: &str = "upper";
const WORK: &str = "work";
/// What an image without layers is mounted on.
const BELOW: &str = "below";

/// A snapshot of an image that nobody else knows of.
#[derive(Debug)]
pub(super) struct Workbench<'s> {
    store: &'s Store,
    name: String,
    staging: Staging<'s>,
    chains: Vec<ChainId>,
    snapshot: Snapshot,
    /// Its layers stay as long as it does.
    _held: Vec<Lease>,
}

impl<'s> Workbench<'s> {
    /// One without the mount points that containers need.
    pub(super) fn begin(store: &'s Store, chains: Vec<ChainId>) -> Result<Self, Error> {
        let mut bench = Self::empty(store, chains)?;
        let overlay = &mut bench.snapshot.overlay;
        // The topmost is the init layer.
        overlay.lowers.remove(0);
        if overlay.lowers.is_empty() {
            let made = bench.staging.dir().make_dir(BELOW, 0o755);
            made.map_err(failed("make a scratch directory"))?;
            overlay.lowers.push(place(&bench.name, BELOW));
        }
        bench.snapshot.make_dirs(bench.staging.dir())?;
        Ok(bench)
    }

    /// One that waits for the changes of a container.
    pub(super) fn for_container(store: &'s Store, chains: Vec<ChainId>) -> Result<Self, Error> {
        Self::empty(store, chains)
    }

    fn empty(store: &'s Store, chains: Vec<ChainId>) -> Result<Self, Error> {
        let random = random_bytes().map_err(failed("name a scratch directory"))?;
        let id = ContainerId::from_random(random);
        let name = id.as_str().to_owned();
        let staging = Staging::begin(store, &name)?;
        // While we hold none of them.
        rootfs::renew(store, &chains)?;
        let layers = Layers::open(store)?;
        let lease = |chain: &ChainId| {
            let gone = || Error::refused(format!("layer {chain} was removed a moment ago"));
            layers.hold(*chain)?.ok_or_else(gone)
        };
        process::raise_file_limit();
        let leases = chains.iter().map(lease).collect::<Result<_, Error>>()?;
        let mut snapshot = rootfs::prepare(store, &chains, &id)?;
        snapshot.overlay.upper = place(&name, UPPER);
        snapshot.overlay.work = place(&name, WORK);
        Ok(Self {
            store,
            name,
            staging,
            chains,
            snapshot,
            _held: leases,
        })
    }

    /// Its directory's name in `tmp/`: where a container shall leave its changes.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Mounts it for a child and does `work` there. A signal ends the child.
    pub(super) fn enter(
        &self,
        work: impl FnOnce(&RootDir) -> Vec<u8>,
    ) -> Result<Vec<u8>, rootfs::Error> {
        rootfs::with_view(&self.snapshot, |root| {
            process::reset_signals()?;
            process::set_umask(0);
            Ok(work(root))
        })
    }

    /// Whether something was changed at or below an absolute path, links not followed.
    pub(super) fn has_changed(&self, path: &str) -> bool {
        let look = || {
            let upper = RootDir::new(self.staging.dir().open_dir(UPPER)?);
            let path = std::path::Path::new(path);
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Ok(None);
            };
            upper.open_dir_without_links(parent)?.find(name)
        };
        look().is_ok_and(|found| found.is_some())
    }

    /// Whether the changes of a container have come.
    pub(super) fn has_received(&self) -> bool {
        let found = self.staging.dir().find(UPPER);
        found.is_ok_and(|found| found.is_some())
    }

    /// The layer of what was changed.
    pub(super) fn commit(
        self,
        latest: Option<TimeSpec>,
        durability: Sync,
    ) -> Result<NewLayer, Error> {
        let source = Source {
            snapshot: &self.snapshot,
            latest,
            baked: &[],
        };
        let made = rootfs::commit_snapshot(self.store, &self.chains, &source, || (), durability);
        Ok(made?)
    }
}

fn place(name: &str, part: &str) -> PathBuf {
    Place::Tmp.path().join(name).join(part)
}

/// The layers of an image, lowest first.
pub(super) fn chains(image: Option<&crate::image::ImageRecord>) -> Vec<ChainId> {
    let layers = image.map_or(&[][..], |image| &image.layers);
    layers.iter().map(|layer| layer.chain).collect()
}
