//! `Document`: a manifest or an index as a registry hands it out.

use oci_spec::image::Descriptor;
use serde_json::Value;

use super::{
    BlobRef, Error, Platform,
    manifest::{self, malformed},
    media::{self, Media},
};

/// The media types that a manifest or index may have, the newest first.
pub const DOCUMENT_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What a name or digest leads to.
#[derive(Debug)]
pub enum Document {
    /// Builds of one image for several platforms.
    Index(Vec<Build>),
    /// One image.
    Image {
        /// Its config.
        config: BlobRef,
        /// Lowest first.
        layers: Vec<BlobRef>,
    },
}

/// An entry of an index.
#[derive(Debug, Clone)]
pub struct Build {
    /// A manifest, or an index again.
    pub document: BlobRef,
    /// `None` means all.
    pub platform: Option<Platform>,
}

impl Document {
    /// Parses and checks a document that is said to be of this media type.
    ///
    /// One that says itself that it is of another is refused: who believes whom would decide what it
    /// means (CVE-2021-41190).
    pub fn parse(what: &str, bytes: &[u8], media_type: &str) -> Result<Self, Error> {
        let own = own_media_type(what, bytes)?;
        if own != media_type && has_own_type(bytes) {
            let why = format!("it says it is {own}, it is sent as {media_type}");
            return Err(malformed(what, why));
        }
        match media::of(media_type) {
            Some(Media::Index) => {
                let entries = manifest::parse_index(what, bytes)?;
                // What is of no kind of ours, such as an attestation's, is nobody's build.
                Ok(Self::Index(entries.iter().filter_map(build).collect()))
            }
            Some(Media::Manifest) => {
                let parsed = manifest::parse(what, bytes, media_type)?;
                Ok(Self::Image {
                    config: parsed.config,
                    layers: parsed.layers,
                })
            }
            Some(Media::Config | Media::Layer) | None => Err(Error::MediaType {
                what: what.to_owned(),
                media: media_type.to_owned(),
            }),
        }
    }
}

fn has_own_type(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|value| value["mediaType"].is_string())
}

fn build(descriptor: &Descriptor) -> Option<Build> {
    let kind = media::of(descriptor.media_type().as_ref());
    let kind = kind.filter(|kind| matches!(kind, Media::Index | Media::Manifest))?;
    let platform = descriptor.platform().as_ref().map(|platform| Platform {
        os: platform.os().to_string(),
        architecture: platform.architecture().to_string(),
        variant: platform.variant().clone().unwrap_or_default(),
    });
    let document = manifest::blob_ref("index entry", descriptor, kind).ok()?;
    Some(Build { document, platform })
}

/// The build that fits a platform best; of equal ones the first.
pub fn choose<'a>(builds: &'a [Build], wanted: &Platform) -> Option<&'a Build> {
    let fit = |build: &&'a Build| match &build.platform {
        None => Some(u32::MAX),
        Some(platform) => wanted.distance(platform),
    };
    let fitting = builds
        .iter()
        .filter_map(|build| Some((fit(&build)?, build)));
    fitting
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, build)| build)
}

/// What kind of document it is, from its own words and its shape; for whoever is told nothing, or
/// nothing that helps, by the one who sends it.
pub fn own_media_type(what: &str, bytes: &[u8]) -> Result<String, Error> {
    let value: Value = serde_json::from_slice(bytes).map_err(|source| Error::Parse {
        what: what.to_owned(),
        source,
    })?;
    if let Some(own) = value.get("mediaType").and_then(Value::as_str) {
        return Ok(own.to_owned());
    }
    if value.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        let why = "it is of schema 1, which nobody serves any more".to_owned();
        return Err(malformed(what, why));
    }
    // OCI documents need not say what they are; Docker's do.
    let has = |key| value.get(key).is_some();
    let kind = match (has("manifests"), has("layers") && has("config")) {
        (true, false) => DOCUMENT_TYPES[0],
        (false, true) => DOCUMENT_TYPES[1],
        _ => {
            return Err(malformed(
                what,
                "it is neither a manifest nor an index".to_owned(),
            ));
        }
    };
    Ok(kind.to_owned())
}

/// The same manifest with other layers: what was compressed anew has another digest.
pub fn with_layers(manifest: &[u8], layers: &[BlobRef]) -> Result<Vec<u8>, Error> {
    let what = "manifest";
    let failed = |source| Error::Parse {
        what: what.to_owned(),
        source,
    };
    let mut value: Value = serde_json::from_slice(manifest).map_err(failed)?;
    let own = value.get_mut("layers").and_then(Value::as_array_mut);
    let own = own.filter(|own| own.len() == layers.len());
    let own = own.ok_or_else(|| malformed(what, "its layers are not the image's".to_owned()))?;
    for (entry, layer) in own.iter_mut().zip(layers) {
        entry["mediaType"] = layer.media_type.as_str().into();
        entry["digest"] = layer.digest.to_string().into();
        entry["size"] = layer.size.into();
    }
    serde_json::to_vec(&value).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Digest;

    fn build_for(platform: Option<&str>, name: &[u8]) -> Build {
        let document = BlobRef {
            digest: Digest::of(name),
            size: 1,
            media_type: DOCUMENT_TYPES[1].to_owned(),
        };
        let platform = platform.map(|text| text.parse().unwrap());
        Build { document, platform }
    }

    #[test]
    fn the_best_fit_is_chosen() {
        let builds = [
            build_for(None, b"any"),
            build_for(Some("linux/arm/v6"), b"v6"),
            build_for(Some("linux/arm/v7"), b"v7"),
            build_for(Some("linux/amd64"), b"amd64"),
            build_for(Some("linux/amd64"), b"second"),
        ];
        let chosen = |platform: &str| {
            let chosen = choose(&builds, &platform.parse().unwrap());
            chosen.map(|build| build.document.digest)
        };
        assert_eq!(chosen("linux/amd64"), Some(Digest::of(b"amd64")));
        assert_eq!(chosen("linux/arm/v7"), Some(Digest::of(b"v7")));
        assert_eq!(chosen("linux/arm/v6"), Some(Digest::of(b"v6")));
        assert_eq!(chosen("linux/s390x"), Some(Digest::of(b"any")));
        let unknown = [build_for(Some("unknown/unknown"), b"attestation")];
        assert!(choose(&unknown, &Platform::of_host()).is_none());
    }

    #[test]
    fn a_document_tells_what_it_is() {
        let own = |text: &str| own_media_type("x", text.as_bytes());
        assert_eq!(own(r#"{"mediaType":"a/b"}"#).unwrap(), "a/b");
        assert_eq!(own(r#"{"manifests":[]}"#).unwrap(), DOCUMENT_TYPES[0]);
        let image = r#"{"layers":[],"config":{}}"#;
        assert_eq!(own(image).unwrap(), DOCUMENT_TYPES[1]);
        for bad in [
            "<html>",
            "{}",
            r#"{"schemaVersion":1,"fsLayers":[]}"#,
            r#"{"manifests":[],"layers":[],"config":{}}"#,
        ] {
            assert!(own(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_layers_leave_the_rest_as_it_is() {
        let manifest = br#"{"schemaVersion":2,"x":{"b":1,"a":2},"layers":[{"digest":"d","annotations":{"k":"v"}}]}"#;
        let layer = build_for(None, b"new").document;
        let changed = with_layers(manifest, std::slice::from_ref(&layer)).unwrap();
        let text = String::from_utf8(changed).unwrap();
        assert!(text.contains(r#""x":{"b":1,"a":2}"#) && text.contains(r#""k":"v""#));
        assert!(text.contains(&layer.digest.to_string()));
        assert!(with_layers(manifest, &[]).is_err());
    }
}
