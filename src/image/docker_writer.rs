//! The docker-archive as `docker save` writes it up to version 24: a directory for each layer with
//! `VERSION`, `json` and `layer.tar`, and `manifest.json` and `repositories` beside them.

use std::{
    collections::{BTreeMap, HashSet},
    io::{BufReader, Read as _},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Error, LayerRef,
    saving::{self, Saved, Writer},
};
use crate::{
    ident::{Digest, Reference},
    layer::{self, Compression, Limits},
    store::VerifiedBlob,
};

/// One line of `manifest.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// `manifest.json` beside an OCI layout: by it older engines find config and layers among the blobs.
pub(super) fn listing_of_blobs(wanted: &[Saved]) -> Result<Vec<u8>, Error> {
    let blob = |digest: Digest| format!("blobs/sha256/{}", digest.hex());
    let item = |saved: &Saved| Item {
        config: blob(saved.record.id),
        repo_tags: tags(&saved.names),
        layers: saved
            .record
            .layers
            .iter()
            .map(|layer| blob(layer.blob.digest))
            .collect(),
    };
    let items: Vec<_> = wanted.iter().map(item).collect();
    saving::json("manifest.json", &items)
}

fn tags(names: &[Reference]) -> Option<Vec<String>> {
    let tags: Vec<_> = names.iter().map(Reference::familiar).collect();
    (!tags.is_empty()).then_some(tags)
}

/// Writes the whole archive.
pub(super) fn write(writer: &mut Writer<'_, '_>, wanted: &[Saved]) -> Result<(), Error> {
    let (mut items, mut written) = (Vec::new(), HashSet::new());
    // repository: tag: the topmost layer's directory
    let mut repositories = BTreeMap::<String, BTreeMap<String, String>>::new();
    for saved in wanted {
        let config = writer.images.config_bytes(&saved.record)?;
        let ids = ids(saved);
        for (number, layer) in saved.record.layers.iter().enumerate() {
            if written.insert(ids[number].clone()) {
                let is_top = number + 1 == ids.len();
                let below = number.checked_sub(1).map(|below| ids[below].as_str());
                let about = about(&ids[number], below, is_top.then_some(&config[..]))?;
                directory(writer, &ids[number], &about, layer)?;
            }
        }
        let hex = saved.record.id.hex();
        let name = format!("{hex}.json");
        if written.insert(name.clone()) {
            writer.text(&name, &config)?;
        }
        for name in &saved.names {
            if let (Some(tag), Some(top)) = (name.tag(), ids.last()) {
                let repository = repositories.entry(name.familiar_repository());
                repository.or_default().insert(tag.to_owned(), top.clone());
            }
        }
        items.push(Item {
            config: name,
            repo_tags: tags(&saved.names),
            layers: ids.iter().map(|id| format!("{id}/layer.tar")).collect(),
        });
    }
    writer.text("manifest.json", &saving::json("manifest.json", &items)?)?;
    if repositories.is_empty() {
        return Ok(());
    }
    let text = saving::json("repositories", &repositories)?;
    writer.text("repositories", &text)
}

/// A name for each layer's directory; the topmost one's is the image's alone.
fn ids(saved: &Saved) -> Vec<String> {
    let layers = &saved.record.layers;
    let id = |(number, layer): (usize, &LayerRef)| {
        let mut text = layer.chain.to_string();
        if number + 1 == layers.len() {
            text.push_str(&saved.record.id.to_string());
        }
        Digest::of(text.as_bytes()).hex()
    };
    layers.iter().enumerate().map(id).collect()
}

/// What engines of before 2016 read of a layer; the topmost tells of the image.
fn about(id: &str, below: Option<&str>, config: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let mut about = json!({"id": id});
    if let Some(below) = below {
        about["parent"] = below.into();
    }
    about["created"] = "1970-01-01T00:00:00Z".into();
    let config = config.map(serde_json::from_slice::<Value>).transpose();
    let config = config.map_err(|source| Error::Parse {
        what: "config".to_owned(),
        source,
    })?;
    for key in [
        "created",
        "author",
        "config",
        "architecture",
        "variant",
        "os",
    ] {
        if let Some(value) = config.as_ref().and_then(|config| config.get(key)) {
            about[key] = value.clone();
        }
    }
    saving::json("json", &about)
}

fn directory(
    writer: &mut Writer<'_, '_>,
    id: &str,
    about: &[u8],
    layer: &LayerRef,
) -> Result<(), Error> {
    writer.directory(id)?;
    writer.text(&format!("{id}/VERSION"), b"1.0")?;
    writer.text(&format!("{id}/json"), about)?;
    let name = format!("{id}/layer.tar");
    let blobs = writer.images.blobs();
    let open = || VerifiedBlob::open(blobs, layer.blob.digest, layer.blob.size);
    let mut head = Vec::new();
    let begun = open()?.take(512).read_to_end(&mut head);
    begun.map_err(|error| blob_failed(layer, &error))?;
    let compression = Compression::detect(&head);
    if compression == Compression::None {
        return writer.file(&name, layer.blob.size, &mut open()?);
    }
    // A tar says first how long a member is: the tar is unpacked twice, and needs no room.
    let failed = |source| Error::Tar {
        what: format!("of layer {}", layer.diff_id),
        source,
    };
    let limits = Limits::own();
    let digested = layer::digest(open()?, compression, &limits, None).map_err(failed)?;
    if digested.diff_id != layer.diff_id {
        return Err(Error::Digest {
            what: "layer".to_owned(),
            wanted: layer.diff_id.0,
            found: digested.diff_id.0,
        });
    }
    let blob = BufReader::with_capacity(1 << 18, open()?);
    let mut plain = compression.decoder(blob, &limits);
    writer.file(&name, digested.tar_size, &mut plain)
}

fn blob_failed(layer: &LayerRef, error: &std::io::Error) -> Error {
    Error::Store(crate::store::Error::Blob {
        digest: layer.blob.digest,
        source: crate::sys::SysError::from_io("read", "", error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_layer_tells_of_the_image() {
        let config = br#"{"created":"2026-01-01T00:00:00Z","config":{"Cmd":["x"]},"os":"linux"}"#;
        let text = about("top", Some("below"), Some(config)).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["parent"], "below");
        assert_eq!(value["config"]["Cmd"][0], "x");
        assert_eq!(value["created"], "2026-01-01T00:00:00Z");
        let text = about("low", None, None).unwrap();
        let value: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["created"], "1970-01-01T00:00:00Z");
        assert!(value.get("parent").is_none());
    }
}
