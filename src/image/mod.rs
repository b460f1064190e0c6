//! From a reference to a verified config and a list of layers.
//!
//! [`Bundle`] opens what the user gave (an OCI layout or a docker-archive, as a directory or a tar
//! of any compression); [`Bundle::offered`] lists its images with everything checked that can be
//! checked without reading a layer. [`Images`] keeps what was imported: records and names.
//!
//! Not here: unpacking and stacking layers (`rootfs`).

mod archive;
mod both;
mod build_step;
mod bundle;
mod change;
mod config;
mod docker_archive;
mod docker_writer;
mod document;
mod health_change;
mod health_check;
mod images;
mod manifest;
mod media;
mod next;
mod oci_layout;
mod platform;
mod remake;
mod run_config;
mod saving;
mod synthesis;

pub use build_step::BuildStep;
pub use bundle::{Bundle, Member};
pub use change::apply as apply_change;
pub use config::{History, ImageConfig};
pub use document::{Build, DOCUMENT_TYPES, Document, choose, own_media_type, with_layers};
pub use health_change::health_change;
pub use health_check::HealthCheck;
pub use images::{DamagedImage, ImageRecord, Images, LayerRef, Names};
pub use manifest::{CONFIG_MAX, MANIFEST_MAX, named_by};
pub use next::NextImage;
pub use oci_layout::check_count;
pub use platform::Platform;
pub use run_config::RunConfig;
pub use saving::{SaveFormat, SaveTarget, Saved, save, save_layout};
pub use synthesis::{BlobRef, Synthesis};

use std::path::PathBuf;

use crate::{
    error::{ErrorKind, Failure},
    ident::{self, DiffId, Digest, Reference},
    layer, store,
    sys::SysError,
};

/// An image that a bundle holds, before any layer is read.
#[derive(Debug)]
pub struct Offered {
    /// Manifest bytes; `None` where the bundle's format has none and one is made up.
    pub manifest: Option<Vec<u8>>,
    /// Config bytes.
    pub config: Vec<u8>,
    /// Lowest first; as many as the config has DiffIDs.
    pub layers: Vec<OfferedLayer>,
    /// Names it shall have.
    pub names: Vec<Reference>,
}

/// A layer that a bundle holds.
#[derive(Debug, Clone)]
pub struct OfferedLayer {
    /// What the manifest says of the blob; `None` where there is no manifest.
    pub blob: Option<BlobRef>,
    /// What the config says of the tar.
    pub diff_id: DiffId,
    /// Where the bytes are.
    pub member: Member,
}

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of this name. Docker's text.
    #[error("No such image: {name}")]
    NotFound {
        /// As asked for.
        name: String,
    },
    /// A record that cannot be read.
    #[error("read image {what}")]
    Damaged {
        /// As asked for, or its manifest.
        what: String,
        /// Its manifest, which its record's name is made of.
        manifest: Digest,
        /// Why.
        source: Box<store::Error>,
    },
    /// The names of images cannot be read.
    #[error("read the names of images")]
    Names {
        /// The record that holds them.
        path: PathBuf,
        /// Why.
        source: Box<store::Error>,
    },
    /// An id prefix that fits several images.
    #[error("image id {prefix} is ambiguous: it fits {count} images")]
    Ambiguous {
        /// As asked for.
        prefix: String,
        /// How many.
        count: usize,
    },
    /// The file or directory cannot be read.
    #[error("open {what}")]
    Open {
        /// Path or member.
        what: String,
        /// Why.
        source: SysError,
    },
    /// The file is not an image of a kind we know.
    #[error("{what} is neither an OCI layout nor a docker-archive")]
    NotAnImage {
        /// Path.
        what: String,
    },
    /// Something the index or manifest names is not there.
    #[error("{member} is missing in the image")]
    Missing {
        /// Its name.
        member: String,
    },
    /// JSON that is not what it should be.
    #[error("parse {what}")]
    Parse {
        /// Which document.
        what: String,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A document that breaks the image-spec.
    #[error("{what}: {why}")]
    Malformed {
        /// Which document or entry.
        what: String,
        /// The rule it breaks.
        why: String,
    },
    /// A larger document than we read.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Which document.
        what: String,
        /// Our limit.
        limit: u64,
    },
    /// Bytes that do not match their digest.
    #[error("{what} has digest {found}, not {wanted}")]
    Digest {
        /// Which blob.
        what: String,
        /// As the manifest says.
        wanted: Digest,
        /// As computed.
        found: Digest,
    },
    /// A media type that we do not unpack.
    #[error("{what} has media type {media:?}, which is not supported")]
    MediaType {
        /// Which descriptor.
        what: String,
        /// As given.
        media: String,
    },
    /// A `-c` change that is not one.
    #[error("invalid change {text:?}: {why}")]
    Change {
        /// As given.
        text: String,
        /// The rule it breaks.
        why: String,
    },
    /// Not a platform.
    #[error("invalid platform {text:?}: it is os/architecture[/variant], such as linux/arm64")]
    Platform {
        /// As given.
        text: String,
    },
    /// A name, digest or reference that is not one.
    #[error(transparent)]
    Ident(#[from] ident::Error),
    /// The tar around the image cannot be read.
    #[error("read the tar {what}")]
    Tar {
        /// Path.
        what: String,
        /// Why.
        source: layer::Error,
    },
    /// What an image is saved to takes no more, or a part of it cannot be read.
    #[error("write {what}")]
    Write {
        /// Which file of the saved image.
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
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::Ambiguous { .. }
            | Error::Change { .. }
            | Error::Platform { .. }
            | Error::NotAnImage { .. } => ErrorKind::Invalid,
            Error::Open { source, .. } | Error::Write { source, .. } => source.kind(),
            Error::Missing { .. }
            | Error::Parse { .. }
            | Error::Malformed { .. }
            | Error::TooLarge { .. }
            | Error::Damaged { .. }
            | Error::Names { .. }
            | Error::Digest { .. } => ErrorKind::Corrupt,
            Error::MediaType { .. } => ErrorKind::Unsupported,
            Error::Ident(error) => error.kind(),
            Error::Tar { source, .. } => source.kind(),
            Error::Store(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NotFound { .. } => {
                "cowshed images lists what is here; cowshed load -i FILE adds"
            }
            Error::Ambiguous { .. } => "type more digits",
            Error::Damaged { what, .. } => {
                return Some(format!("cowshed rmi {what}, then load it again"));
            }
            Error::Names { path, .. } => {
                return Some(format!(
                    "rm {}: all names are gone then, and images can be run and tagged by their ids",
                    path.display()
                ));
            }
            Error::Open { source, .. } | Error::Write { source, .. } => return source.hint(),
            Error::NotAnImage { .. } => {
                "a root file system tar is taken in with: cowshed import FILE NAME"
            }
            Error::Missing { .. }
            | Error::Parse { .. }
            | Error::Malformed { .. }
            | Error::TooLarge { .. }
            | Error::Digest { .. } => "the image is damaged: fetch or save it again",
            Error::MediaType { .. } => "layers may be tar, tar+gzip or tar+zstd",
            Error::Change { .. } => {
                "changes: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME, \
                 WORKDIR"
            }
            Error::Platform { .. } => return None,
            Error::Ident(error) => return error.hint(),
            Error::Tar { source, .. } => return source.hint(),
            Error::Store(error) => return error.hint(),
        };
        Some(hint.to_owned())
    }
}
