//! `Notes`: what an unpacked layer needs to know about the layers below, for later.

use serde::{Deserialize, Serialize};

use super::{EntryMetadata, PathBytes};

/// The metadata of a layer's root entry.
pub type RootMetadata = EntryMetadata;

/// What [`settle`](super::settle()) needs, and a record keeps. Paths are in byte order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The root's own entry, if the layer has one; already applied to the target.
    pub root: Option<RootMetadata>,
    /// The layer hides everything below it. overlayfs ignores an opaque root: the layers below must
    /// be left out of the mount.
    pub opaque_root: bool,
    /// Directories that were made because something is in them; no entry says what they are like.
    pub implied: Vec<PathBytes>,
    /// Paths of the layers below that are hidden.
    pub whiteouts: Vec<PathBytes>,
    /// Directories whose content in the layers below is hidden.
    pub opaques: Vec<PathBytes>,
    /// Entries of the tar, whiteouts included.
    pub entries: u64,
    /// Sum of the files' logical sizes.
    pub bytes: u64,
}
