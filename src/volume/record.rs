//! volume.json: what is known about a volume beside its data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ident::{Timestamp, VolumeName},
    mount::Sharing,
};

/// The label that marks anonymous volumes, as Docker's since 23.0.
pub(super) const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// The record of one volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeRecord {
    /// Also its directory's name.
    pub name: VolumeName,
    /// Always `local` in this version.
    pub driver: String,
    /// Does not move when data is written.
    pub created: Timestamp,
    /// `None` and empty print differently in `inspect`.
    pub labels: Option<BTreeMap<String, String>>,
    /// Driver options.
    pub options: Option<BTreeMap<String, String>>,
    /// Who made it on the fly; `None` for `volume create`.
    pub origin: Option<Origin>,
    /// The last time it was filled from an image, so that an empty directory is not copied over
    /// and over.
    #[serde(default)]
    pub filled: Option<Fill>,
    /// Who may have it mounted at the same time.
    #[serde(default, skip_serializing_if = "Sharing::is_shared")]
    pub sharing: Sharing,
}

/// Which container made a volume on the fly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its id.
    pub container: String,
    /// Where it was mounted.
    pub target: String,
}

/// From where a volume was filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The image's topmost chain.
    pub chain: String,
    /// The directory in it.
    pub target: String,
}

impl VolumeRecord {
    /// Whether nobody named it.
    pub fn is_anonymous(&self) -> bool {
        self.labels
            .as_ref()
            .is_some_and(|labels| labels.contains_key(ANONYMOUS_LABEL))
    }
}
