//! volume.json: what is known about a volume beside its data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ident::{Timestamp, VolumeName},
    mount::Sharing,
};

/// The label that marks anonymous volumes, as Docker's since 23.0.
pub const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

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
    /// Whom its root was asked to belong to.
    #[serde(default, skip_serializing_if = "Owner::is_empty")]
    pub owner: Owner,
    /// What it is for, in its user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Neither pruned nor removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// Owner and mode of a volume's root; `None` leaves what the image or the default says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: Option<u32>,
}

impl Owner {
    /// Nothing was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
    /// Its kind in a word.
    pub fn kind(&self) -> &'static str {
        if self.is_anonymous() {
            "anonymous"
        } else {
            "named"
        }
    }

    /// Whether prune may take it where nobody uses it: not what is protected, and not what the local
    /// driver mounts from elsewhere (semantics 45).
    pub fn is_prunable(&self) -> bool {
        !self.protected && self.options.as_ref().is_none_or(BTreeMap::is_empty)
    }

    /// Whether nobody named it.
    pub fn is_anonymous(&self) -> bool {
        self.labels
            .as_ref()
            .is_some_and(|labels| labels.contains_key(ANONYMOUS_LABEL))
    }
}
