//! From a store to what is wrong with it.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Error, Examined, Finding, Progress, Proved, Watcher, blobs,
    facts::{Facts, INVARIANTS},
    ground::Ground,
    trees,
};
use crate::{
    container::Engine,
    ident::{ChainId, Digest},
    store::{Place, Store},
};

/// What is there only while somebody is at it is gone at one of so many looks.
const LOOKS: usize = 5;
const PAUSE: Duration = Duration::from_millis(40);

/// A store that is looked at, whatever is wrong with it.
#[derive(Debug)]
pub struct Examination {
    pub(super) engine: Engine,
    /// Without the bytes of trees.
    pub(super) quick: bool,
    /// What was found to be whole, and is not read again by this examination.
    known: Mutex<Known>,
}

/// Blobs and trees that are whole.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) blobs: HashMap<Digest, u64>,
    pub(super) trees: HashSet<(ChainId, Digest)>,
}

/// Each invariant by its name, and what it says.
pub fn invariants() -> impl Iterator<Item = (&'static str, &'static str)> {
    let bytes = [
        (
            "store",
            "the store has its header and its directories, and nobody else enters them",
        ),
        ("blobs", "a blob has the digest that is its name"),
        ("trees", "an unpacked tree is what its blob unpacks to"),
    ];
    let facts = INVARIANTS.iter().map(|one| (one.name, one.says));
    bytes.into_iter().chain(facts)
}

impl Examination {
    /// Opens the store at `root`; `None` where there is none, nor the beginning of one.
    ///
    /// # Errors
    ///
    /// One of another format, or a system call.
    pub fn open(root: &Path, quick: bool) -> Result<Option<Self>, Error> {
        let Some(store) = Store::open_unproved(root)? else {
            return Ok(None);
        };
        // Somebody else's directory is no store, whole or not.
        let names = store.root().entries()?;
        if !names.iter().any(|name| Store::is_own_name(name)) {
            return Ok(None);
        }
        Ok(Some(Self {
            engine: Engine::of(store),
            quick,
            known: Mutex::default(),
        }))
    }

    /// Looks at everything. Takes no lock for longer than a moment.
    pub fn prove(&self, watcher: Watcher<'_>) -> Result<Examined, Error> {
        let begun = Instant::now();
        let mut examined = Examined::default();
        let ground = Ground::gather(self.engine.store())?;
        if !ground.is_begun() {
            return Ok(examined);
        }
        let of_ground = ground.decide().into_iter().map(|finding| Finding {
            invariant: "store",
            ..finding
        });
        examined.findings.extend(of_ground);
        examined.is_whole = ground.is_firm();
        if examined.is_whole {
            watcher(&Progress::Records);
            let (facts, findings) = self.settled();
            examined.findings.extend(findings);
            self.bytes(&facts, &mut examined, watcher)?;
            examined.proved.count(&facts);
        }
        examined.took = begun.elapsed();
        Ok(examined)
    }

    /// What is wrong at every one of several looks; what somebody is just doing is not.
    fn settled(&self) -> (Facts, Vec<Finding>) {
        let mut facts = Facts::gather(&self.engine);
        let mut findings = facts.decide();
        for _ in 1..LOOKS {
            if findings.is_empty() {
                break;
            }
            std::thread::sleep(PAUSE);
            facts = Facts::gather(&self.engine);
            let again: HashSet<_> = facts.decide().into_iter().collect();
            findings.retain(|finding| again.contains(finding));
        }
        (facts, findings)
    }

    fn bytes(
        &self,
        facts: &Facts,
        examined: &mut Examined,
        watcher: Watcher<'_>,
    ) -> Result<(), Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = self.engine.store().open_dir(Place::Blobs)?;
        let read = blobs::read_all(dir, &facts.layers.blobs, &mut known, watcher)?;
        let found = blobs::decide(&read, |blob| facts.users_of_blob(blob));
        examined.proved.blobs = read.count - read.damaged.len() as u64;
        examined.proved.blob_bytes = read.bytes;
        examined.findings.extend(named("blobs", found));
        if !self.quick {
            let of = (&facts.images, &facts.layers);
            let compared =
                trees::compare_all(&self.engine, of, (&read.damaged, &mut known), watcher);
            let found = trees::decide(&compared, |chain| facts.users_of_layer(chain));
            examined.proved.trees = compared.count - compared.faults.len() as u64;
            examined.proved.unproved_trees = compared.unproved;
            examined.findings.extend(named("trees", found));
        }
        Ok(())
    }
}

fn named(name: &'static str, findings: Vec<Finding>) -> impl Iterator<Item = Finding> {
    findings.into_iter().map(move |finding| Finding {
        invariant: name,
        ..finding
    })
}

impl Proved {
    fn count(&mut self, facts: &Facts) {
        self.images = facts.images.records.len();
        self.layers = facts.layers.layers.len();
        self.containers = facts.containers.containers.len();
        self.volumes = facts.volumes.volumes.len();
        self.events = facts.journal.lines;
    }
}
