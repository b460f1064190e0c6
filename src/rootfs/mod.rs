//! The `overlay2` storage driver: layers become lower dirs, a container gets one upper.
//!
//! # Snapshots
//!
//! A *committed* snapshot is a directory `overlay2/<chain>` with one unpacked layer in `diff`; it
//! never changes again. An *active* one is a container's `upper` on a stack of committed ones. An
//! active snapshot is never the parent of anything. A *view* is a stack without an upper, mounted
//! for a moment in a namespace of its own.
//!
//! `overlay2/init/diff` is the topmost lower of every container: it has the mount points that
//! each container needs, so that none is made in an upper dir and shows up in `diff`.
//!
//! Not here: what an image says (`image`), how one layer is unpacked (`layer`).

mod apply;
mod commit;
mod content;
mod diff;
mod diff_marked;
mod explain;
mod held;
mod image_diff;
mod image_view;
mod import;
mod import_commit;
mod import_verify;
mod init_layer;
mod layers;
mod merged;
mod prepare;
mod remake;
mod tree_compare;
mod verify;
mod view;
mod writeback;

pub use apply::{Applying, apply, check_depth, forget};
pub use commit::{NewLayer, Source, commit, commit_snapshot};
pub use diff::{Change, ChangeKind, diff, diff_dirs};
pub use explain::{CopyOnWrite, Explained, explain};
pub use image_diff::{ImageChange, image_diff};
pub use image_view::{MOUNTED, image_root, image_view, open_stack};
pub use import::{Imported, LayerSource, Reader, Sync, import, import_begun};
pub use init_layer::{INIT, ensure_init, init_faults};
pub use layers::{LayerRecord, Layers};
pub use merged::{Leaf, Merged, Seen};
pub use prepare::{Snapshot, prepare, stack};
pub use remake::{Remade, is_touched, note_whole, remake_blob, remake_init, remake_layer};
pub use tree_compare::Difference;
pub use verify::{LayerFault, verify_layer};
pub use view::{has_directory, with_view};

use crate::{
    error::{ErrorKind, Failure},
    ident::{ChainId, DiffId, Digest},
    layer, store,
    sys::SysError,
};

/// Why the layers cannot be stacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A layer cannot be unpacked.
    #[error("unpack layer {number} ({diff_id})")]
    Unpack {
        /// From 1, lowest first.
        number: usize,
        /// Which one.
        diff_id: DiffId,
        /// Why.
        source: layer::Error,
    },
    /// A layer's bytes are not what the manifest says.
    #[error("verify layer {number}: its blob has digest {found}, the manifest says {wanted}")]
    BlobDigest {
        /// From 1, lowest first.
        number: usize,
        /// From the manifest.
        wanted: Digest,
        /// Computed.
        found: Digest,
    },
    /// A layer's size is not what the manifest says.
    #[error("verify layer {number}: its blob has {found} bytes, the manifest says {wanted}")]
    BlobSize {
        /// From 1, lowest first.
        number: usize,
        /// From the manifest.
        wanted: u64,
        /// Counted.
        found: u64,
    },
    /// A layer's tar is not what the config says.
    #[error("verify layer {number}: its tar has DiffID {found}, the config says {wanted}")]
    DiffId {
        /// From 1, lowest first.
        number: usize,
        /// From the config.
        wanted: DiffId,
        /// Computed.
        found: DiffId,
    },
    /// A layer's bytes cannot be reached.
    #[error("open layer {number}")]
    Open {
        /// From 1, lowest first.
        number: usize,
        /// Why.
        source: Box<dyn std::error::Error + Send + std::marker::Sync>,
    },
    /// It could not be found out whether a layer is as it was.
    #[error("verify layer {chain}")]
    Verify {
        /// Which one.
        chain: ChainId,
        /// Why.
        source: layer::Error,
    },
    /// A layer that an image or container needs is not there.
    #[error("find layer {chain}")]
    Missing {
        /// Which one.
        chain: ChainId,
        /// Why.
        source: store::Error,
    },
    /// The changes cannot be written as a layer.
    #[error("make a layer of the changes")]
    Commit {
        /// Why.
        source: layer::Error,
    },
    /// A system call failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: String,
        /// Why.
        source: SysError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Unpack { source, .. }
            | Error::Verify { source, .. }
            | Error::Commit { source } => source.kind(),
            Error::BlobDigest { .. } | Error::BlobSize { .. } | Error::DiffId { .. } => {
                ErrorKind::Corrupt
            }
            Error::Open { .. } => ErrorKind::System,
            Error::Missing { source, .. } | Error::Store(source) => source.kind(),
            Error::System { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Unpack { source, .. }
            | Error::Verify { source, .. }
            | Error::Commit { source } => source.hint(),
            Error::BlobDigest { .. } | Error::BlobSize { .. } | Error::DiffId { .. } => {
                Some("the image is damaged: fetch or save it again".to_owned())
            }
            Error::Open { .. } => None,
            Error::Missing { .. } => {
                Some("cowshed system check --repair unpacks it again from its blob".to_owned())
            }
            Error::Store(source) => source.hint(),
            Error::System { source, .. } => source.hint(),
        }
    }
}
