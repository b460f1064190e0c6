//! `DiffId` and `ChainId`: what a layer is and what a stack of layers is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Digest, Hasher};

/// The digest of a layer's *uncompressed* tar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

/// Names a stack of layers, so that a directory of that name holds the topmost layer of just
/// this stack (OCI image-spec config.md, "Layer ChainID").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// The chain of one layer more on top of `parent`.
    pub fn extend(parent: Option<ChainId>, layer: DiffId) -> Self {
        let Some(parent) = parent else {
            return Self(layer.0);
        };
        let mut hasher = Hasher::new();
        hasher.update(format!("{} {}", parent.0, layer.0).as_bytes());
        Self(hasher.finish())
    }

    /// The chain of each prefix of `layers`, lowest first.
    pub fn stack(layers: &[DiffId]) -> Vec<Self> {
        let mut below = None;
        let grow = |layer: &DiffId| {
            let chain = Self::extend(below, *layer);
            below = Some(chain);
            chain
        };
        layers.iter().map(grow).collect()
    }
}

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_chain_is_its_diff_id_and_the_next_hashes_both() {
        let a = DiffId(Digest::of(b"a"));
        let b = DiffId(Digest::of(b"b"));
        let stack = ChainId::stack(&[a, b]);
        assert_eq!(stack[0].0, a.0);
        assert_eq!(stack[1].0, Digest::of(format!("{a} {b}").as_bytes()));
    }
}
