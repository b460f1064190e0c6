//! Unpacked trees: each path against the layer's blob.

use std::collections::{BTreeMap, BTreeSet};

use nix::errno::Errno;

use super::{
    Error, Finding, Progress, Remedy, Watcher, examine::Known, images::ImageFacts,
    layers::LayerFacts,
};
use crate::{
    container::Engine,
    error::in_a_line,
    ident::{ChainId, Digest},
    image::{BlobRef, LayerRef},
    rootfs::{self, LayerFault, Layers},
    sys::{Dir, SysError},
};

/// So many paths of a layer are named.
const DETAILS: usize = 20;

/// What was compared.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) count: u64,
    /// Those whose blob is missing or damaged, or whose image was removed.
    pub(super) unproved: u64,
    pub(super) faults: BTreeMap<ChainId, Vec<LayerFault>>,
    /// Why some could not be compared at all, such as a full disk.
    pub(super) hindered: Option<String>,
}

/// Whether the disk gives something wrong or nothing, and not just no room.
fn is_damage(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<SysError>() {
            return matches!(
                error.errno(),
                Some(Errno::EIO | Errno::EUCLEAN | Errno::EBADMSG)
            );
        }
        cause = error.source();
    }
    false
}

/// Each layer with each form in which an image has it.
fn candidates(images: &ImageFacts, layers: &LayerFacts) -> Vec<LayerRef> {
    let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
    for layer in images.records.iter().flat_map(|record| &record.layers) {
        if seen.insert((layer.chain, layer.blob.digest)) {
            all.push(layer.clone());
        }
    }
    let of_images: BTreeSet<_> = all.iter().map(|layer| layer.chain).collect();
    for (chain, layer) in &layers.layers {
        if let Ok(record) = &layer.record
            && !of_images.contains(chain)
        {
            let (digest, size) = (record.blob, record.blob_size);
            let media_type = String::new();
            all.push(LayerRef {
                chain: *chain,
                diff_id: record.diff_id,
                blob: BlobRef {
                    digest,
                    size,
                    media_type,
                },
                bytes: record.bytes,
            });
        }
    }
    all
}

/// Unpacks each layer once more and compares. Nothing is locked: a tree never changes, and one that
/// is removed meanwhile is no fault.
pub(super) fn compare_all(
    engine: &Engine,
    (images, layers): (&ImageFacts, &LayerFacts),
    (damaged, proved): (&BTreeMap<Digest, String>, &mut Known),
    watcher: Watcher<'_>,
) -> Compared {
    let candidates = candidates(images, layers);
    let mut compared = Compared::default();
    let total = candidates.len();
    for (number, layer) in candidates.iter().enumerate() {
        watcher(&Progress::Layers {
            done: number,
            total,
        });
        let blob = layer.blob.digest;
        let is_whole = layers.blobs.contains_key(&blob) && !damaged.contains_key(&blob);
        let known = layers.layers.get(&layer.chain);
        let is_told = known.is_none_or(|known| known.record.is_err() || !known.has_tree);
        if !is_whole || is_told {
            compared.unproved += 1;
            continue;
        }
        if proved.trees.contains(&(layer.chain, blob)) {
            compared.count += 1;
            continue;
        }
        match compare(engine, layers, layer) {
            Err(error) if is_damage(&error) => {
                let why = std::error::Error::source(&error).map_or_else(String::new, in_a_line);
                let fault = LayerFault::Tree(format!("cannot be read: {why}"));
                compared.faults.insert(layer.chain, vec![fault]);
                compared.count += 1;
            }
            Err(error) => {
                let why = std::error::Error::source(&error).map_or_else(String::new, in_a_line);
                compared.unproved += 1;
                compared.hindered.get_or_insert(why);
            }
            Ok(None) => compared.unproved += 1,
            Ok(Some(faults)) => {
                compared.count += 1;
                if faults.is_empty() {
                    proved.trees.insert((layer.chain, blob));
                } else {
                    compared.faults.insert(layer.chain, faults);
                }
            }
        }
    }
    compared
}

/// `None` for one that was removed, or that lies on one that cannot be read.
fn compare(
    engine: &Engine,
    facts: &LayerFacts,
    layer: &LayerRef,
) -> Result<Option<Vec<LayerFault>>, Error> {
    let layers = Layers::open(engine.store())?;
    let Some(lowers) = lowers(&layers, facts, layer.chain) else {
        return Ok(None);
    };
    let Ok(before) = layers.open_diff(layer.chain) else {
        return Ok(None);
    };
    let identity = |dir: &Dir| {
        let metadata = dir.own_metadata()?;
        Ok::<_, Error>((metadata.dev(), metadata.ino()))
    };
    let is_same = || match layers.open_diff(layer.chain) {
        Ok(after) => Ok(identity(&before)? == identity(&after)?),
        Err(_) => Ok::<_, Error>(false),
    };
    let faults = match rootfs::verify_layer(engine.store(), layer, &lowers) {
        // In the midst of being removed.
        Err(_) if !is_same()? => return Ok(None),
        faults => faults?,
    };
    if faults.is_empty() {
        return Ok(Some(faults));
    }
    let blob_faults = |fault: &LayerFault| matches!(fault, LayerFault::Blob(_));
    let blob_gone = engine.images()?.blobs().size(layer.blob.digest)?.is_none();
    let vanished = !is_same()? || blob_gone && faults.iter().any(blob_faults);
    Ok((!vanished).then_some(faults))
}

/// The trees below, topmost first, cut after one that hides the rest.
pub(super) fn lowers(layers: &Layers<'_>, facts: &LayerFacts, chain: ChainId) -> Option<Vec<Dir>> {
    let record = |chain: &ChainId| facts.layers.get(chain)?.record.as_ref().ok();
    let (mut lowers, mut below) = (Vec::new(), record(&chain)?.parent);
    while let Some(chain) = below {
        let record = record(&chain)?;
        lowers.push(layers.open_diff(chain).ok()?);
        below = record.parent.filter(|_| !record.opaque_root);
    }
    Some(lowers)
}

pub(super) fn decide(compared: &Compared, users: impl Fn(ChainId) -> Vec<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(why) = &compared.hindered {
        let what = format!("cannot all be compared with their blobs: {why}");
        let remedy = "make room on the disk, or leave it out with --quick";
        let remedy = Remedy::Type(remedy.to_owned());
        findings.push(Finding::leftover("unpacked layers", what, remedy));
    }
    for (chain, faults) in &compared.faults {
        let object = format!("layer {}", chain.0.short());
        let blob = |fault: &&LayerFault| matches!(fault, LayerFault::Blob(_));
        if let Some(LayerFault::Blob(what)) = faults.iter().find(blob) {
            let remedy = "the image was damaged before it came here: cowshed rmi -f it, then load or pull it again";
            let remedy = Remedy::Type(remedy.to_owned());
            findings.push(Finding::damage(object, format!("its blob {what}"), remedy));
            continue;
        }
        let what = match faults.len() {
            1 => "1 thing of its tree is not as its blob says".to_owned(),
            count => format!("{count} things of its tree are not as its blob says"),
        };
        let mut finding = Finding::damage(object, what, Remedy::Unpack(*chain));
        finding.details = faults.iter().take(DETAILS).map(line).collect();
        if faults.len() > DETAILS {
            let more = faults.len() - DETAILS;
            finding.details.push(format!("and {more} more"));
        }
        let users = users(*chain);
        if !users.is_empty() {
            finding
                .details
                .push(format!("needed by {}", users.join(", ")));
        }
        findings.push(finding);
    }
    findings
}

fn line(fault: &LayerFault) -> String {
    match fault {
        LayerFault::Blob(what) => format!("blob {what}"),
        LayerFault::Tree(what) => format!("directory {what}"),
        LayerFault::Path(one) => format!("{}: {}", one.path.display(), one.what),
    }
}
