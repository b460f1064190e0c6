//! Manifests and indexes, parsed and checked against the image-spec.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::{
    BlobRef, Error,
    media::{self, Media},
};
use crate::ident::Digest;

/// A manifest or index larger than this is not one (registries refuse more than 4 MiB).
pub const MANIFEST_MAX: u64 = 4 * 1024 * 1024;

/// A config larger than this is not one.
pub const CONFIG_MAX: u64 = 16 * 1024 * 1024;

/// A manifest's descriptors, checked.
#[derive(Debug)]
pub(super) struct Manifest {
    pub config: BlobRef,
    pub layers: Vec<BlobRef>,
}

pub(super) fn malformed(what: &str, why: impl Into<String>) -> Error {
    Error::Malformed {
        what: what.to_owned(),
        why: why.into(),
    }
}

/// Digest and size of a descriptor whose media type must be of this kind.
pub(super) fn blob_ref(what: &str, descriptor: &Descriptor, kind: Media) -> Result<BlobRef, Error> {
    let media_type = descriptor.media_type().to_string();
    if media::of(&media_type) != Some(kind) {
        return Err(Error::MediaType {
            what: what.to_owned(),
            media: media_type,
        });
    }
    let digest = descriptor.digest().to_string().parse::<Digest>();
    let digest = digest.map_err(|error| malformed(what, error.to_string()))?;
    Ok(BlobRef {
        digest,
        size: descriptor.size(),
        media_type,
    })
}

/// A document that is both kinds would be read as either by different tools (CVE-2021-41190).
fn refuse_both_kinds(what: &str, bytes: &[u8]) -> Result<(), Error> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|source| Error::Parse {
            what: what.to_owned(),
            source,
        })?;
    let has = |key| value.get(key).is_some();
    if has("manifests") && (has("layers") || has("config")) {
        return Err(malformed(what, "it is a manifest and an index at once"));
    }
    Ok(())
}

/// Parses an image manifest whose descriptor said it is of `media_type`.
pub(super) fn parse(what: &str, bytes: &[u8], media_type: &str) -> Result<Manifest, Error> {
    refuse_both_kinds(what, bytes)?;
    let manifest: ImageManifest = serde_json::from_slice(bytes).map_err(|source| Error::Parse {
        what: what.to_owned(),
        source,
    })?;
    if manifest.schema_version() != 2 {
        return Err(malformed(
            what,
            format!("schema version {}", manifest.schema_version()),
        ));
    }
    let own = manifest.media_type().as_ref().map(ToString::to_string);
    if let Some(own) = own.filter(|own| own != media_type) {
        return Err(malformed(
            what,
            format!("it says it is {own}, its descriptor {media_type}"),
        ));
    }
    let config = blob_ref("config", manifest.config(), Media::Config)?;
    let layer =
        |(number, descriptor)| blob_ref(&format!("layer {}", number + 1), descriptor, Media::Layer);
    let layers = manifest
        .layers()
        .iter()
        .enumerate()
        .map(layer)
        .collect::<Result<_, _>>()?;
    Ok(Manifest { config, layers })
}

/// The config that a manifest names, and the layers with their sizes in bytes; whatever kind of
/// manifest it is.
pub fn named_by(manifest: &[u8]) -> Result<(Digest, Vec<(Digest, u64)>), Error> {
    let manifest: ImageManifest =
        serde_json::from_slice(manifest).map_err(|source| Error::Parse {
            what: "manifest".to_owned(),
            source,
        })?;
    let digest = |descriptor: &Descriptor| {
        let digest = descriptor.digest().to_string().parse::<Digest>();
        digest.map_err(|error| malformed("manifest", error.to_string()))
    };
    let layers = manifest.layers().iter();
    let layers = layers.map(|layer| Ok((digest(layer)?, layer.size())));
    Ok((
        digest(manifest.config())?,
        layers.collect::<Result<_, Error>>()?,
    ))
}

/// The config and the layers that a manifest names, with their media types.
pub(super) fn blobs_of(manifest: &[u8]) -> Result<(Digest, Vec<BlobRef>), Error> {
    let what = "manifest";
    let manifest: ImageManifest =
        serde_json::from_slice(manifest).map_err(|source| Error::Parse {
            what: what.to_owned(),
            source,
        })?;
    let config = blob_ref(what, manifest.config(), Media::Config)?;
    let layers = manifest.layers().iter();
    let layers = layers.map(|layer| blob_ref(what, layer, Media::Layer));
    Ok((config.digest, layers.collect::<Result<_, _>>()?))
}

/// Parses an image index.
pub(super) fn parse_index(what: &str, bytes: &[u8]) -> Result<Vec<Descriptor>, Error> {
    refuse_both_kinds(what, bytes)?;
    let index: ImageIndex = serde_json::from_slice(bytes).map_err(|source| Error::Parse {
        what: what.to_owned(),
        source,
    })?;
    if index.schema_version() != 2 {
        return Err(malformed(
            what,
            format!("schema version {}", index.schema_version()),
        ));
    }
    Ok(index.manifests().clone())
}

/// The architecture's name in the image-spec (Go's GOARCH).
pub(super) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Whether a descriptor is for this machine; one without platform is for all.
pub(super) fn fits_host(descriptor: &Descriptor) -> bool {
    descriptor.platform().as_ref().is_none_or(|platform| {
        platform.os().to_string() == "linux"
            && platform.architecture().to_string() == host_architecture()
    })
}

/// Whether a descriptor is something other than an image, such as a build attestation.
pub(super) fn is_image(descriptor: &Descriptor) -> bool {
    descriptor
        .platform()
        .as_ref()
        .is_none_or(|platform| platform.os().to_string() != "unknown")
}
