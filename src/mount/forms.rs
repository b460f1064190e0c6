//! What `type=image` and `type=overlay` ask for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::MissingSource;

/// Another image's tree, always read-only (semantics 57).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRequest {
    /// Name or id as typed.
    pub image: String,
    /// A directory or file in it: relative, clean, resolved without leaving the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subpath: Option<PathBuf>,
}

/// Copy-on-write over a directory that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayRequest {
    /// What is seen where nothing was changed.
    pub lower: Stored,
    /// Where changes go.
    pub upper: Upper,
    /// What to do where the lower does not exist.
    pub missing: MissingSource,
}

/// A place for data outside of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// A directory of the host: absolute, lexically clean.
    Path(PathBuf),
    /// A volume by its valid name.
    Volume(String),
}

/// Where the changes of an overlay go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upper {
    /// The container's own directory: gone with the container.
    #[default]
    Discard,
    /// Memory: gone when the program ends.
    Tmpfs,
    /// A volume by its valid name: there for the next container.
    Volume(String),
}

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Volume(name) => f.write_str(name),
        }
    }
}

impl std::fmt::Display for Upper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Discard => "discard",
            Self::Tmpfs => "tmpfs",
            Self::Volume(name) => name,
        })
    }
}
