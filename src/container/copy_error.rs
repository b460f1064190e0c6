//! `CopyError`: why a copy cannot be made. It can travel from the process beside the container.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    error::{ErrorKind, Failure},
    layer,
    sys::SysError,
};

/// Why `cp` or `export` failed; where Docker has a text, it is Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum CopyError {
    /// An argument without a letter.
    #[error("{side} can not be empty")]
    Empty { side: String },
    /// Both sides are containers.
    #[error("copying between containers is not supported")]
    BetweenContainers,
    /// Neither side is.
    #[error("must specify at least one container source")]
    NoContainer,
    /// A path that a container does not have.
    #[error("Could not find the file {path} in container {container}")]
    NotInContainer { path: String, container: String },
    /// Neither side is a volume.
    #[error("one side must be VOLUME:PATH")]
    NoVolume,
    /// A path that a volume does not have.
    #[error("no {path} in volume {volume}")]
    NotInVolume { path: String, volume: String },
    /// Something else than a file, to be read as one.
    #[error("{path} in {holder} is no regular file")]
    NotAFile { path: String, holder: String },
    /// A path that an image does not have.
    #[error("no {path} in image {image}")]
    NotInImage { path: String, image: String },
    /// A path that the host does not have, or that leads through a file.
    #[error("{call} {path}: {why}")]
    Host {
        call: String,
        path: String,
        why: String,
        hint: Option<String>,
    },
    /// The destination's directory.
    #[error("invalid output path: directory {path:?} does not exist")]
    NoOutputDirectory { path: String },
    /// A destination on the host that is neither file nor directory.
    #[error("invalid output path: {path:?} must be a directory or a regular file: got a device")]
    OutputDevice { path: String },
    /// The same in a container.
    #[error("destination {place:?} must be a directory or a regular file: got a device")]
    Device { place: String },
    /// A tar can only be unpacked in a directory.
    #[error("destination {place:?} must be a directory")]
    NotDirectory { place: String },
    /// A file in the place of the directory to copy into.
    #[error("extraction point is not a directory")]
    ExtractionPoint,
    /// A file to a name that must be a directory.
    #[error("no such directory")]
    NoSuchDirectory,
    /// A directory onto a file.
    #[error("cannot copy directory")]
    DirectoryOntoFile,
    /// `--read-only`
    #[error("container rootfs is marked read-only")]
    ReadOnlyRoot,
    /// `:ro`
    #[error("mounted volume is marked read-only")]
    ReadOnlyMount,
    /// An entry of a tar that would go elsewhere.
    #[error("{entry:?} is outside of {place:?}")]
    Outside { entry: String, place: String },
    /// Nothing to copy from, and nothing that could be made.
    #[error("{path}: sockets cannot be copied")]
    Socket { path: String },
    /// A signal came.
    #[error("stopped by signal {signal}")]
    Interrupted { signal: i32 },
    /// The process is there, but not yet what it will be.
    #[error("container {container} is just being started or removed")]
    Unsettled { container: String },
    /// Everything else.
    #[error("{what}")]
    Failed {
        what: String,
        source: Option<Cause>,
        hint: Option<String>,
    },
}

/// The link below a failure, as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{text}")]
pub struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    fn of(error: &dyn std::error::Error) -> Self {
        Self {
            text: error.to_string(),
            source: error.source().map(|below| Box::new(Self::of(below))),
        }
    }
}

impl CopyError {
    /// A path of the host that cannot be used, as Docker says it.
    pub(super) fn host(call: &str, path: &Path, source: &SysError) -> Self {
        let why = source
            .errno()
            .map_or_else(|| source.to_string(), |errno| errno.desc().to_lowercase());
        Self::Host {
            call: call.to_owned(),
            path: path.display().to_string(),
            why,
            hint: hint(source),
        }
    }

    /// A failed call and what it was for.
    pub(super) fn system(what: impl Into<String>, source: &SysError) -> Self {
        Self::Failed {
            what: what.into(),
            source: Some(Cause::of(source)),
            hint: hint(source),
        }
    }

    /// What went wrong with an archive that was to be put in `place`.
    pub(super) fn archive(error: &layer::Error, place: &str) -> Self {
        let what = match error {
            layer::Error::Escape { entry } => {
                return Self::Outside {
                    entry: entry.to_string(),
                    place: place.to_owned(),
                };
            }
            layer::Error::Mixed {
                entry,
                is_directory,
            } => {
                let (old, new) = if *is_directory {
                    ("non-directory", "directory")
                } else {
                    ("directory", "non-directory")
                };
                let slash = if place.ends_with('/') { "" } else { "/" };
                format!("cannot overwrite {old} \"{place}{slash}{entry}\" with {new} \"{place}\"")
            }
            layer::Error::Entry { entry, .. } => format!("copy \"{entry}\" to {place}"),
            layer::Error::LinkTarget { entry, target } => {
                format!("link \"{entry}\": no file \"{target}\" in {place}")
            }
            layer::Error::Malformed { entry, why } => format!("read tar entry \"{entry}\": {why}"),
            layer::Error::Truncated { entry } => {
                format!("unexpected EOF: the tar ends in the middle of \"{entry}\"")
            }
            layer::Error::Unsupported { entry, kind } => {
                format!("tar entry \"{entry}\" has the unsupported type {kind}")
            }
            layer::Error::Limit {
                entry, what, limit, ..
            } => format!("tar entry \"{entry}\" exceeds the limit of {limit} {what}"),
            layer::Error::Stream { .. } => "read tar".to_owned(),
            layer::Error::Pack { path, .. } if path.is_root() => format!("read {place}"),
            layer::Error::Pack { path, .. } => format!("read \"{path}\" in {place}"),
            layer::Error::Corrupt { .. }
            | layer::Error::Parent { .. }
            | layer::Error::Blob { .. }
            | layer::Error::Settle { .. }
            | layer::Error::ForeignMark { .. }
            | layer::Error::NoData { .. } => error.to_string(),
        };
        let source = std::error::Error::source(error).map(Cause::of);
        let hint =
            if let layer::Error::Entry { source, .. } | layer::Error::Pack { source, .. } = error {
                hint(source)
            } else {
                None
            };
        Self::Failed { what, source, hint }
    }
}

/// We are root: what is denied to us is denied to root.
fn hint(source: &SysError) -> Option<String> {
    source.hint().filter(|_| source.kind() != ErrorKind::Denied)
}

impl Failure for CopyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotInContainer { .. }
            | Self::NotInVolume { .. }
            | Self::NotInImage { .. }
            | Self::Host { .. }
            | Self::NoOutputDirectory { .. }
            | Self::NoSuchDirectory => ErrorKind::NotFound,
            Self::Outside { .. } => ErrorKind::Escape,
            Self::ReadOnlyRoot | Self::ReadOnlyMount => ErrorKind::Denied,
            Self::Unsettled { .. } => ErrorKind::InUse,
            Self::Socket { .. } => ErrorKind::Unsupported,
            Self::Interrupted { .. } | Self::Failed { .. } => ErrorKind::System,
            Self::Empty { .. }
            | Self::NoVolume
            | Self::NotAFile { .. }
            | Self::BetweenContainers
            | Self::NoContainer
            | Self::OutputDevice { .. }
            | Self::Device { .. }
            | Self::NotDirectory { .. }
            | Self::ExtractionPoint
            | Self::DirectoryOntoFile => ErrorKind::Invalid,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most messages say all there is to say"
    )]
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoContainer => "one side is CONTAINER:PATH",
            Self::NoVolume => "a whole volume: cowshed volume cp OLD NEW",
            Self::NotInVolume { .. } => "cowshed volume ls-files lists what is there",
            Self::NotInImage { .. } => "cowshed image ls-files lists what is there",
            Self::BetweenContainers => {
                "a host path that holds ':' needs ./ in front; between containers: \
                 cowshed cp A:PATH - | cowshed cp - B:DIRECTORY"
            }
            Self::NoSuchDirectory => "make the directory first, or leave the last / out",
            Self::DirectoryOntoFile => "name a directory, or something that does not exist yet",
            Self::ReadOnlyRoot => "copy to a volume or tmpfs of the container",
            Self::Unsettled { .. } => "try again",
            Self::Failed { hint, .. } | Self::Host { hint, .. } => return hint.clone(),
            _ => return None,
        };
        Some(text.to_owned())
    }
}
