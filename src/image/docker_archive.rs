//! docker-archives: what `docker save` writes (moby image-spec v1.2, manifest.json).

use serde::Deserialize;

use super::{
    Bundle, CONFIG_MAX, Error, ImageConfig, MANIFEST_MAX, Offered, OfferedLayer, oci_layout,
};
use crate::ident::{Digest, Reference};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Every image of the archive.
pub(super) fn offered(bundle: &Bundle) -> Result<Vec<Offered>, Error> {
    let text = bundle.read("manifest.json", MANIFEST_MAX)?;
    let items: Vec<Item> = serde_json::from_slice(&text).map_err(|source| Error::Parse {
        what: "manifest.json".to_owned(),
        source,
    })?;
    items.into_iter().map(|item| image(bundle, item)).collect()
}

fn image(bundle: &Bundle, item: Item) -> Result<Offered, Error> {
    let config_bytes = bundle.read(&item.config, CONFIG_MAX)?;
    check_config_name(&item.config, &config_bytes)?;
    let config = ImageConfig::parse(&config_bytes)?;
    oci_layout::check_count(item.layers.len(), config.diff_ids.len())?;
    let layers = item.layers.iter().zip(config.diff_ids);
    // Without descriptors, the DiffID alone says what a layer must be.
    let layer = |(name, diff_id): (&String, _)| {
        Ok(OfferedLayer {
            blob: None,
            diff_id,
            member: bundle.get(name)?,
        })
    };
    let layers = layers.map(layer).collect::<Result<_, Error>>()?;
    let tags = item.repo_tags.unwrap_or_default();
    let names = tags
        .iter()
        .map(|tag| tag.parse())
        .collect::<Result<Vec<Reference>, _>>()?;
    Ok(Offered {
        manifest: None,
        config: config_bytes,
        layers,
        names,
    })
}

/// `<hex>.json` in old archives, `blobs/sha256/<hex>` in newer ones: either way the digest.
fn check_config_name(name: &str, bytes: &[u8]) -> Result<(), Error> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let hex = last.strip_suffix(".json").unwrap_or(last);
    let Ok(wanted) = Digest::from_hex(hex) else {
        return Ok(());
    };
    let found = Digest::of(bytes);
    if found == wanted {
        return Ok(());
    }
    Err(Error::Digest {
        what: name.to_owned(),
        wanted,
        found,
    })
}
