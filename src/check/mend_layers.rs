//! Mending images, layers and blobs: each from what is whole of it.

use std::collections::HashMap;

use super::{Effect, Error, Finding, Remedy};
use crate::{
    container::{Alone, Engine},
    ident::{ChainId, Digest},
    image::{BlobRef, LayerRef},
    rootfs::{self, Layers},
    store::Blobs,
    sys::Dir,
};

/// Lower layers first: what lies on them is settled on them.
pub(super) fn sort(engine: &Engine, todo: &mut [Finding]) {
    let mut depths = HashMap::new();
    // Directories of the store may be missing: then there is no layer to mend yet.
    let records = engine.images().ok().and_then(|images| images.all().ok());
    for record in records.map_or_else(Vec::new, |(records, _)| records) {
        for (depth, layer) in record.layers.iter().enumerate() {
            depths.insert(layer.chain, depth);
        }
    }
    todo.sort_by_key(|finding| {
        let depth = if let Remedy::Unpack(chain) = &finding.remedy {
            depths.get(chain).copied()
        } else {
            None
        };
        (finding.remedy.order(), depth)
    });
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others are not dispatched to here"
)]
pub(super) fn mend(engine: &Engine, remedy: &Remedy, why: &str) -> Result<Effect, Error> {
    let images = engine.images()?;
    Ok(match remedy {
        Remedy::Unpack(chain) => unpack(engine, *chain)?,
        Remedy::Init => {
            let make = || Ok(rootfs::remake_init(engine.store())?);
            engine.with_no_container(make)?.into()
        }
        Remedy::PutBlobAside(digest) => match engine.put_blob_aside(*digest, why)? {
            Alone::Done(now) => Effect::Aside(now),
            Alone::Used(who) => Effect::Refused(who),
        },
        Remedy::PackBlob(blob, chain) => pack(engine, *blob, *chain)?,
        Remedy::ForgetName(name, _) => {
            images.forget_name_of_nothing(name)?;
            Effect::Mended
        }
        Remedy::ImageRecord(manifest, _) => {
            let layers = Layers::open(engine.store())?;
            let bytes = |chain| layers.get(chain).ok().map(|layer| layer.bytes);
            if images.remake_record(*manifest, why, bytes)? {
                Effect::Mended
            } else {
                let what = "its documents are not whole either: the record is in quarantine, load or pull \
                            the image again";
                Effect::Refused(what.to_owned())
            }
        }
        Remedy::MakeManifest(manifest) if images.remake_manifest(*manifest)? => Effect::Mended,
        _ => Effect::Refused("it came with the image: load or pull that again".to_owned()),
    })
}

/// A layer with what is below it.
struct Place {
    layer: LayerRef,
    parent: Option<ChainId>,
    /// Topmost first.
    lowers: Vec<Dir>,
}

/// All forms in which a layer can be had, those that images name first.
fn places(engine: &Engine, chain: ChainId) -> Result<Vec<Place>, Error> {
    let layers = Layers::open(engine.store())?;
    let (records, _damaged) = engine.images()?.all()?;
    let mut found = Vec::new();
    for record in &records {
        let Some(at) = record.layers.iter().position(|one| one.chain == chain) else {
            continue;
        };
        let below: Vec<_> = record.layers[..at].iter().map(|one| one.chain).collect();
        if let Some(lowers) = lowers(&layers, &below) {
            found.push(Place {
                layer: record.layers[at].clone(),
                parent: below.last().copied(),
                lowers,
            });
        }
    }
    if let Ok(known) = layers.get(chain)
        && let Some(lowers) = lowers(&layers, &layers.stack_of(known.parent))
    {
        let (digest, size) = (known.blob, known.blob_size);
        let media_type = String::new();
        found.push(Place {
            layer: LayerRef {
                chain,
                diff_id: known.diff_id,
                blob: BlobRef {
                    digest,
                    size,
                    media_type,
                },
                bytes: known.bytes,
            },
            parent: known.parent,
            lowers,
        });
    }
    Ok(found)
}

/// Of chains, lowest first; `None` where one of them is not whole.
fn lowers(layers: &Layers<'_>, below: &[ChainId]) -> Option<Vec<Dir>> {
    // What lies on a layer is not looked through for doubts about it.
    rootfs::renew(layers.store(), below).ok()?;
    let mut lowers = Vec::new();
    for chain in below.iter().rev() {
        let record = layers.get(*chain).ok()?;
        lowers.push(layers.open_diff(*chain).ok()?);
        if record.opaque_root {
            break;
        }
    }
    Some(lowers)
}

fn unpack(engine: &Engine, chain: ChainId) -> Result<Effect, Error> {
    let (store, blobs) = (engine.store(), Blobs::open(engine.store())?);
    let mut why = None;
    for place in places(engine, chain)? {
        // Without the blob there is nothing to begin with.
        if blobs.size(place.layer.blob.digest)?.is_none() {
            continue;
        }
        match rootfs::remake_layer(store, &place.layer, place.parent, &place.lowers) {
            Ok(remade) => {
                let put = || Ok(remade.put(store)?);
                return Ok(match engine.with_layer_alone(chain, put)? {
                    Alone::Done(replaced) => {
                        replaced.remove()?;
                        Effect::Mended
                    }
                    Alone::Used(who) => Effect::Refused(who),
                });
            }
            Err(error) => why = Some(error),
        }
    }
    match why {
        Some(error) => Err(error.into()),
        None => Ok(Effect::Refused(
            "there is no whole blob of it: load or pull the image again".to_owned(),
        )),
    }
}

/// The tree proves it: only bytes of the right digest get the name.
fn pack(engine: &Engine, blob: Digest, chain: ChainId) -> Result<Effect, Error> {
    for place in places(engine, chain)? {
        if place.layer.blob.digest == blob
            && rootfs::remake_blob(engine.store(), &place.layer, &place.lowers)?
        {
            return Ok(Effect::Mended);
        }
    }
    let what = "the tree does not give these bytes: load or pull the image again";
    Ok(Effect::Refused(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;
    use crate::store::{Store, in_quarantine};

    #[test]
    fn what_is_good_by_now_stays_where_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let engine = Engine::of(Store::open(scratch.path()).unwrap());
        let blobs = Blobs::open(engine.store()).unwrap();
        let digest = blobs.put(b"loaded again meanwhile").unwrap();
        let aside = Remedy::PutBlobAside(digest);
        let blob = scratch.path().join("blobs/sha256").join(digest.hex());
        mend(&engine, &aside, "was damaged").unwrap();
        assert!(blob.exists() && in_quarantine(engine.store()).unwrap().is_empty());
        // An image that was removed does not come back.
        let record = Remedy::ImageRecord(digest, "images/x.json".into());
        assert!(matches!(
            mend(&engine, &record, "was damaged"),
            Ok(Effect::Mended)
        ));
        let file = std::fs::File::options().write(true).open(&blob).unwrap();
        file.write_all_at(b"x", 3).unwrap();
        mend(&engine, &aside, "is damaged").unwrap();
        assert!(!blob.exists());
        assert_eq!(in_quarantine(engine.store()).unwrap().len(), 1);
        let gone = mend(&engine, &aside, "is damaged").unwrap();
        assert!(matches!(gone, Effect::Refused(why) if why == "it is gone"));
    }
}
