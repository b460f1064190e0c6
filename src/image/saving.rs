//! Images out of the store: what is written where, for each format.

use std::{collections::BTreeMap, io::Read};

use serde_json::Value;

use super::{
    BlobRef, Error, ImageRecord, Images, docker_writer,
    oci_layout::{FULL_NAME, REF_NAME},
};
use crate::{
    ident::{Digest, Reference},
    store::VerifiedBlob,
    sys::Result as SysResult,
};

/// Which form images are saved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaveFormat {
    /// An OCI layout, with the one file more by which older engines find their way in it.
    #[default]
    Oci,
    /// As `docker save` wrote it before it knew OCI layouts: layers as plain tars.
    DockerArchive,
}

/// Where the files of a saved image go.
pub trait SaveTarget {
    /// Makes a directory.
    fn directory(&mut self, name: &str) -> SysResult<()>;

    /// Writes a file: exactly `size` bytes of `data`.
    fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> SysResult<()>;
}

/// An image to be saved, and the names that go with it.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Which.
    pub record: ImageRecord,
    /// None where it was asked for by its id.
    pub names: Vec<Reference>,
}

/// Writes images, each blob once and every byte verified.
///
/// # Errors
///
/// A blob that is missing or damaged; a target that cannot take more. What was written then is no
/// whole image: it is the caller's to throw away.
pub fn save(
    images: &Images<'_>,
    wanted: &[Saved],
    format: SaveFormat,
    target: &mut dyn SaveTarget,
) -> Result<(), Error> {
    let mut writer = Writer { images, target };
    match format {
        SaveFormat::Oci => {
            writer.layout(wanted)?;
            let listing = docker_writer::listing_of_blobs(wanted)?;
            writer.text("manifest.json", &listing)
        }
        SaveFormat::DockerArchive => docker_writer::write(&mut writer, wanted),
    }
}

/// The same as a bare OCI layout.
pub fn save_layout(
    images: &Images<'_>,
    wanted: &[Saved],
    target: &mut dyn SaveTarget,
) -> Result<(), Error> {
    Writer { images, target }.layout(wanted)
}

pub(super) struct Writer<'a, 's> {
    pub(super) images: &'a Images<'s>,
    target: &'a mut dyn SaveTarget,
}

const MANIFEST_TYPES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

impl Writer<'_, '_> {
    fn layout(&mut self, wanted: &[Saved]) -> Result<(), Error> {
        let index = self.index(wanted)?;
        self.text("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        self.text("index.json", &index)?;
        self.directory("blobs")?;
        self.directory("blobs/sha256")?;
        // In the order of their names: the same images make the same archive.
        let mut blobs = BTreeMap::new();
        for Saved { record, .. } in wanted {
            for digest in [record.manifest, record.id] {
                blobs.insert(digest, self.size(digest)?);
            }
            let layers = record.layers.iter().map(|layer| &layer.blob);
            blobs.extend(layers.map(|blob| (blob.digest, blob.size)));
        }
        for (digest, size) in blobs {
            let name = format!("blobs/sha256/{}", digest.hex());
            let mut blob = VerifiedBlob::open(self.images.blobs(), digest, size)?;
            self.file(&name, size, &mut blob)?;
        }
        Ok(())
    }

    fn size(&self, digest: Digest) -> Result<u64, Error> {
        let size = self.images.blobs().size(digest)?;
        size.ok_or_else(|| Error::Missing {
            member: format!("blobs/sha256/{}", digest.hex()),
        })
    }

    /// One entry for each name, as other engines write it.
    fn index(&self, wanted: &[Saved]) -> Result<Vec<u8>, Error> {
        let mut manifests = Vec::new();
        for Saved { record, names } in wanted {
            let bytes = self.images.blobs().read(record.manifest)?;
            let blob = BlobRef {
                digest: record.manifest,
                size: bytes.len() as u64,
                media_type: media_type(&bytes),
            };
            if names.is_empty() {
                manifests.push(described(&blob, None));
            }
            manifests.extend(names.iter().map(|name| described(&blob, Some(name))));
        }
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        json("index.json", &index)
    }

    pub(super) fn directory(&mut self, name: &str) -> Result<(), Error> {
        self.target
            .directory(name)
            .map_err(|source| write_failed(name, source))
    }

    pub(super) fn text(&mut self, name: &str, text: &[u8]) -> Result<(), Error> {
        self.file(name, text.len() as u64, &mut &text[..])
    }

    pub(super) fn file(&mut self, name: &str, size: u64, data: &mut dyn Read) -> Result<(), Error> {
        self.target
            .file(name, size, data)
            .map_err(|source| write_failed(name, source))
    }
}

fn write_failed(name: &str, source: crate::sys::SysError) -> Error {
    Error::Write {
        what: name.to_owned(),
        source,
    }
}

/// A manifest in an index, under a name as containerd and Docker write it. Always the same text.
fn described(manifest: &BlobRef, name: Option<&Reference>) -> Value {
    let mut value = serde_json::json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
    });
    if let Some(name) = name {
        value["annotations"] = serde_json::json!({ FULL_NAME: name.to_string() });
        if let Some(tag) = name.tag() {
            value["annotations"][REF_NAME] = tag.into();
        }
    }
    value
}

/// A manifest's type is what it says it is; older ones say nothing.
fn media_type(manifest: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        media_type: Option<String>,
    }
    let typed = serde_json::from_slice::<Typed>(manifest);
    let own = typed.ok().and_then(|typed| typed.media_type);
    own.filter(|own| MANIFEST_TYPES.contains(&own.as_str()))
        .unwrap_or_else(|| MANIFEST_TYPES[0].to_owned())
}

pub(super) fn json(what: &str, value: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Parse {
        what: what.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_of_the_type_that_it_says() {
        let docker = br#"{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}"#;
        assert_eq!(media_type(docker), MANIFEST_TYPES[1]);
        for silent in [&b"{}"[..], br#"{"mediaType":"text/html"}"#, b"x"] {
            assert_eq!(media_type(silent), MANIFEST_TYPES[0]);
        }
    }
}
