//! OCI image layouts (image-spec image-layout.md).

use oci_spec::image::Descriptor;
use serde::Deserialize;

use super::{
    Bundle, CONFIG_MAX, Error, ImageConfig, MANIFEST_MAX, Offered, OfferedLayer,
    bundle::{blob_path, check_size},
    manifest,
    media::{self, Media},
};
use crate::ident::{DiffId, Reference};

pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// What containerd and Docker write beside it: the whole reference.
pub(super) const FULL_NAME: &str = "io.containerd.image.name";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: String,
}

/// Every image of a layout.
pub(super) fn offered(bundle: &Bundle) -> Result<Vec<Offered>, Error> {
    check_version(bundle)?;
    let index = bundle.read("index.json", MANIFEST_MAX)?;
    let descriptors = manifest::parse_index("index.json", &index)?;
    let has_name = |descriptor: &&Descriptor| name_text(descriptor).is_some();
    let mut chosen: Vec<_> = descriptors.iter().filter(has_name).collect();
    if chosen.is_empty() {
        chosen = for_host(&descriptors, "index.json")?;
    } else {
        // Images that were saved by their ids, beside others.
        let is_own = |one: &&Descriptor| {
            name_text(one).is_none() && manifest::is_image(one) && manifest::fits_host(one)
        };
        chosen.extend(descriptors.iter().filter(is_own));
    }
    let mut images = Vec::new();
    for descriptor in chosen {
        let names = names(bundle, descriptor)?;
        images.push(image(bundle, descriptor, names, 0)?);
    }
    Ok(images)
}

fn check_version(bundle: &Bundle) -> Result<(), Error> {
    let what = || "oci-layout".to_owned();
    let text = bundle.read("oci-layout", MANIFEST_MAX)?;
    let layout: Layout = serde_json::from_slice(&text).map_err(|source| Error::Parse {
        what: what(),
        source,
    })?;
    match layout.image_layout_version.as_str() {
        "1.0.0" => Ok(()),
        other => Err(Error::Malformed {
            what: what(),
            why: format!("version {other:?}, not 1.0.0"),
        }),
    }
}

/// Without names: one image, or the ones that fit this machine.
fn for_host<'a>(descriptors: &'a [Descriptor], what: &str) -> Result<Vec<&'a Descriptor>, Error> {
    let images: Vec<_> = descriptors
        .iter()
        .filter(|one| manifest::is_image(one))
        .collect();
    if images.len() == 1 {
        return Ok(images);
    }
    let fitting: Vec<_> = images
        .into_iter()
        .filter(|one| manifest::fits_host(one))
        .collect();
    if fitting.is_empty() {
        let why = format!("no image for linux/{}", manifest::host_architecture());
        return Err(Error::Malformed {
            what: what.to_owned(),
            why,
        });
    }
    Ok(fitting)
}

fn name_text(descriptor: &Descriptor) -> Option<&String> {
    let annotations = descriptor.annotations().as_ref()?;
    annotations
        .get(FULL_NAME)
        .or_else(|| annotations.get(REF_NAME))
}

/// A whole reference is taken as it is; a bare word is a tag of the bundle's own name, which is how
/// skopeo and umoci write it.
fn names(bundle: &Bundle, descriptor: &Descriptor) -> Result<Vec<Reference>, Error> {
    let Some(text) = name_text(descriptor) else {
        return Ok(Vec::new());
    };
    let whole = text.contains('/') || text.contains(':');
    let text = if whole {
        text.clone()
    } else {
        format!("{}:{text}", bundle.stem())
    };
    Ok(vec![text.parse()?])
}

fn image(
    bundle: &Bundle,
    descriptor: &Descriptor,
    names: Vec<Reference>,
    depth: usize,
) -> Result<Offered, Error> {
    let media_type = descriptor.media_type().to_string();
    match media::of(&media_type) {
        Some(Media::Manifest) => from_manifest(bundle, descriptor, names),
        Some(Media::Index) if depth < 4 => {
            let nested = manifest::blob_ref("index", descriptor, Media::Index)?;
            let bytes = bundle.read_blob(nested.digest, nested.size, MANIFEST_MAX)?;
            let what = blob_path(nested.digest);
            let descriptors = manifest::parse_index(&what, &bytes)?;
            let chosen = for_host(&descriptors, &what)?;
            image(bundle, chosen[0], names, depth + 1)
        }
        Some(Media::Index | Media::Config | Media::Layer) | None => Err(Error::MediaType {
            what: "index entry".to_owned(),
            media: media_type,
        }),
    }
}

fn from_manifest(
    bundle: &Bundle,
    descriptor: &Descriptor,
    names: Vec<Reference>,
) -> Result<Offered, Error> {
    let own = manifest::blob_ref("manifest", descriptor, Media::Manifest)?;
    let bytes = bundle.read_blob(own.digest, own.size, MANIFEST_MAX)?;
    let parsed = manifest::parse(&blob_path(own.digest), &bytes, &own.media_type)?;
    let config_bytes = bundle.read_blob(parsed.config.digest, parsed.config.size, CONFIG_MAX)?;
    let config = ImageConfig::parse(&config_bytes)?;
    check_count(parsed.layers.len(), config.diff_ids.len())?;
    let layers = parsed.layers.into_iter().zip(config.diff_ids);
    let layer = |(blob, diff_id): (super::BlobRef, DiffId)| {
        let member = bundle.get(&blob_path(blob.digest))?;
        check_size(&member.name, blob.size, member.size)?;
        Ok(OfferedLayer {
            blob: Some(blob),
            diff_id,
            member,
        })
    };
    let layers = layers.map(layer).collect::<Result<_, Error>>()?;
    Ok(Offered {
        manifest: Some(bytes),
        config: config_bytes,
        layers,
        names,
    })
}

/// A layer without DiffID, or the reverse, could never be verified.
pub fn check_count(layers: usize, diff_ids: usize) -> Result<(), Error> {
    if layers == diff_ids {
        return Ok(());
    }
    let why = format!("{diff_ids} DiffIDs for {layers} layers");
    Err(Error::Malformed {
        what: "config".to_owned(),
        why,
    })
}
