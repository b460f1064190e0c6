//! Documents for images that come without them: manifests for docker-archives, manifest and config
//! for imported trees.

use oci_spec::image::{
    Arch, Config, Descriptor, HistoryBuilder, ImageConfigurationBuilder, ImageManifestBuilder,
    MediaType, Os, RootFsBuilder,
};
use serde::{Deserialize, Serialize};

use super::{Error, HealthCheck, manifest::host_architecture};
use crate::ident::{DiffId, Digest, Timestamp};

/// A blob as a descriptor names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// Of the bytes as stored.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Media type.
    pub media_type: String,
}

/// What an imported tree becomes.
#[derive(Debug)]
pub struct Synthesis {
    /// Lowest first.
    pub diff_ids: Vec<DiffId>,
    /// Run configuration, from `-c`.
    pub config: Config,
    /// The same, which the OCI's has no field for.
    pub health: Option<HealthCheck>,
    /// When.
    pub created: Timestamp,
    /// What `history` says about each layer.
    pub comment: String,
}

fn build_failed(what: &str, error: &oci_spec::OciSpecError) -> Error {
    Error::Malformed {
        what: what.to_owned(),
        why: error.to_string(),
    }
}

fn descriptor(blob: &BlobRef) -> Result<Descriptor, Error> {
    let digest = blob.digest.to_string();
    let digest: oci_spec::image::Digest = digest
        .parse()
        .map_err(|error| build_failed("descriptor", &error))?;
    Ok(Descriptor::new(
        MediaType::from(blob.media_type.as_str()),
        blob.size,
        digest,
    ))
}

impl Synthesis {
    /// The config document.
    pub fn config_bytes(&self) -> Result<Vec<u8>, Error> {
        let failed = |error| build_failed("config", &error);
        let diff_ids: Vec<_> = self.diff_ids.iter().map(ToString::to_string).collect();
        let rootfs = RootFsBuilder::default()
            .typ("layers")
            .diff_ids(diff_ids)
            .build();
        let created = self.created.to_string();
        let line = || {
            HistoryBuilder::default()
                .created(created.clone())
                .comment(self.comment.clone())
                .build()
        };
        let history = self
            .diff_ids
            .iter()
            .map(|_| line())
            .collect::<Result<Vec<_>, _>>();
        let config = ImageConfigurationBuilder::default()
            .created(created.clone())
            .architecture(Arch::from(host_architecture()))
            .os(Os::Linux)
            .config(self.config.clone())
            .rootfs(rootfs.map_err(failed)?)
            .history(history.map_err(failed)?)
            .build()
            .map_err(failed)?;
        let parse_failed = |source| Error::Parse {
            what: "config".to_owned(),
            source,
        };
        let mut document = serde_json::to_value(&config).map_err(parse_failed)?;
        if let Some(health) = &self.health {
            document["config"]["Healthcheck"] = serde_json::json!(health);
        }
        serde_json::to_vec(&document).map_err(parse_failed)
    }
}

/// An OCI manifest for a config and layers.
pub(super) fn manifest(config: &[u8], layers: &[BlobRef]) -> Result<Vec<u8>, Error> {
    let config = BlobRef {
        digest: Digest::of(config),
        size: config.len() as u64,
        media_type: MediaType::ImageConfig.to_string(),
    };
    let layers = layers
        .iter()
        .map(descriptor)
        .collect::<Result<Vec<_>, _>>()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(&config)?)
        .layers(layers)
        .build()
        .map_err(|error| build_failed("manifest", &error))?;
    serde_json::to_vec(&manifest).map_err(|source| Error::Parse {
        what: "manifest".to_owned(),
        source,
    })
}
