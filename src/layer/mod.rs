//! One tar stream to one directory in overlay form, and a directory to a tar.
//!
//! # Flow
//!
//! [`unpack()`] runs two threads: the first reads, hashes and inflates the blob, the second hashes
//! the tar, splits it into frames, turns each into an entry (here all hostile input dies) and makes
//! it on disk. What depends on the layers below is only noted, so that layers can be unpacked in
//! any order and at the same time; [`settle()`] applies the [`Notes`] once the layers below are there.
//!
//! # Invariants
//!
//! - Nothing outside the target is touched: every directory is opened below it with openat2(2) and
//!   no link is ever followed by the kernel. Links of the layer on the way to an entry are followed
//!   by a book that is kept of them, and the kernel checks the outcome. Descriptors are cached, verdicts
//!   never (CVE-2025-47290), and any removal of a name empties the cache.
//! - Names are bytes and are printed escaped.
//! - The digests cover every byte of the blob and of the tar, padding and garbage after the tar's
//!   end included.
//! - Memory does not depend on the blob's size.
//!
//! # Decided cases
//!
//! A device 0:0 is a whiteout, as overlayfs takes it for one. Of the extended attributes
//! `user.*`, `security.capability` and `system.posix_acl_*` are kept; the host's labels and
//! everything that overlayfs obeys are dropped. A hard link to a file that only a lower layer has
//! is refused, as elsewhere.
//!
//! # Copies
//!
//! [`pack_copy()`] and [`place()`] do the same for plain files: no name hides another, and either
//! tree may be changed by others meanwhile.
//!
//! Not here: which layers an image has (`image`), how they are stacked and mounted (`rootfs`).

mod archive;
mod below;
mod change_writer;
mod compression;
mod conduit;
mod content;
mod content_digest;
mod digester;
mod draft;
mod encode;
mod entry;
mod file_parts;
mod frame;
mod index;
mod ledger;
mod limits;
mod list_changes;
mod lowers;
mod make;
mod marks;
mod metadata;
mod notes;
mod number;
mod pack;
mod pack_changes;
mod pack_copy;
mod pack_inode;
mod path;
mod pax;
mod pipe;
mod place;
mod places;
mod placing;
mod reading;
mod remarks;
mod settle;
mod source;
mod sparse;
mod tar_writer;
mod unpack;
mod whiteout;

use std::{borrow::Cow, io};

pub use archive::{ArchiveMember, decompress, members};
pub use compression::Compression;
pub use conduit::Inlet;
pub use content_digest::ContentDigest;
pub use encode::{Encoding, Pieces, encode};
pub use entry::{Dialect, EntryMetadata};
pub use ledger::{Item, ItemKind, Ledger, Unledgered};
pub use limits::Limits;
pub use list_changes::{Listed, ListedChange, find_below, list_changes};
pub use make::make;
pub use marks::{Elsewhere, Marked, Marks};
pub use metadata::of_directory as directory_metadata;
pub use notes::{Notes, RootMetadata};
pub use pack::pack;
pub use pack_changes::{Baked, Changes, pack_changes};
pub use pack_copy::{CopyForm, Subject, pack_copy, pack_tree};
pub use path::PathBytes;
pub use pipe::{Digested, digest};
pub use place::{Destination, Owner, Placed, Terms, place};
pub use reading::{begins_archive, inspect};
pub use remarks::Remarks;
pub use settle::settle;
pub use tar_writer::{Sink, TarWriter};
pub use unpack::{Unpacked, unpack};

use crate::{
    error::{ErrorKind, Failure},
    sys::SysError,
};

/// A layer that cannot be unpacked, settled or packed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name or a link's target points out of the layer.
    #[error("layer entry \"{entry}\" leaves the layer")]
    Escape {
        /// The name as the tar gives it.
        entry: PathBytes,
    },
    /// A header, record or name that breaks the format.
    #[error("read layer entry \"{entry}\": {why}")]
    Malformed {
        /// The name, or where in the tar it stands.
        entry: PathBytes,
        /// The rule it breaks.
        why: Cow<'static, str>,
    },
    /// The tar ends too early.
    #[error("layer tar ends in the middle of \"{entry}\"")]
    Truncated {
        /// The name, or where in the tar it stands.
        entry: PathBytes,
    },
    /// The blob is not what its compression says.
    #[error("decompress {compression} layer")]
    Corrupt {
        /// How the blob is compressed.
        compression: Compression,
        /// What the decoder says.
        source: io::Error,
    },
    /// The layer asks for more than is allowed.
    #[error("layer entry \"{entry}\" exceeds the limit of {limit} {what}")]
    Limit {
        /// The entry that went too far.
        entry: PathBytes,
        /// What is limited.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// A kind of entry that no layer has.
    #[error("layer entry \"{entry}\" has the unsupported type {kind}")]
    Unsupported {
        /// Its name.
        entry: PathBytes,
        /// The type flag, escaped.
        kind: String,
    },
    /// A hard link to what this layer does not have.
    #[error("link layer entry \"{entry}\": this layer has no file \"{target}\"")]
    LinkTarget {
        /// The link's name.
        entry: PathBytes,
        /// What it wants to be another name of.
        target: PathBytes,
    },
    /// A symbolic link of the layer that leads its entries nowhere.
    #[error("find the directory of layer entry \"{entry}\": {why}")]
    Parent {
        /// The entry below the link.
        entry: PathBytes,
        /// What is wrong with the way.
        why: &'static str,
    },
    /// A directory and something else want the same name.
    #[error("\"{entry}\" is a directory on one side only")]
    Mixed {
        /// What is there already.
        entry: PathBytes,
        /// Whether the new one is the directory.
        is_directory: bool,
    },
    /// The kernel refused an entry.
    #[error("unpack layer entry \"{entry}\"")]
    Entry {
        /// Its name.
        entry: PathBytes,
        /// The call that failed.
        source: SysError,
    },
    /// The blob could not be read or its copy not written.
    #[error("{operation} layer blob")]
    Blob {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        source: SysError,
    },
    /// The stream broke off because the other thread failed; replaced by that thread's error.
    #[error("read layer tar")]
    Stream {
        /// What the stream said.
        source: io::Error,
    },
    /// The layer could not be fitted to the layers below.
    #[error("settle layer path \"{path}\" over the layers below")]
    Settle {
        /// What was being changed.
        path: PathBytes,
        /// The call that failed.
        source: SysError,
    },
    /// A tree could not be written as a tar.
    #[error("pack \"{path}\"")]
    Pack {
        /// What was being written.
        path: PathBytes,
        /// The call that failed.
        source: SysError,
    },
    /// A message of overlayfs to itself that it did not write.
    #[error("pack \"{path}\": it has the attribute {mark}, which its mount does not write")]
    ForeignMark {
        /// What has it.
        path: PathBytes,
        /// The attribute's name.
        mark: &'static str,
    },
    /// A file that has only metadata, and no layer below has the rest.
    #[error("pack \"{path}\": no layer below has its data")]
    NoData {
        /// The file.
        path: PathBytes,
    },
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Escape { .. } => ErrorKind::Escape,
            Error::Malformed { .. }
            | Error::Limit { .. }
            | Error::LinkTarget { .. }
            | Error::Mixed { .. }
            | Error::Parent { .. } => ErrorKind::Invalid,
            Error::Truncated { .. }
            | Error::Corrupt { .. }
            | Error::Stream { .. }
            | Error::ForeignMark { .. }
            | Error::NoData { .. } => ErrorKind::Corrupt,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::Entry { source, .. }
            | Error::Blob { source, .. }
            | Error::Settle { source, .. }
            | Error::Pack { source, .. } => source.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::LinkTarget { .. } => Some(
                "hard links across layers do not exist: the layer must hold the file itself".into(),
            ),
            Error::Truncated { .. } | Error::Corrupt { .. } => {
                Some("the blob is damaged or of another type: fetch it again".into())
            }
            Error::Entry { source, .. }
            | Error::Blob { source, .. }
            | Error::Settle { source, .. }
            | Error::Pack { source, .. } => source.hint(),
            Error::Escape { .. }
            | Error::Malformed { .. }
            | Error::Limit { .. }
            | Error::Unsupported { .. }
            | Error::Mixed { .. }
            | Error::Parent { .. }
            | Error::Stream { .. }
            | Error::ForeignMark { .. }
            | Error::NoData { .. } => None,
        }
    }
}
