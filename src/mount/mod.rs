//! Mounts as values: what a user types becomes requests, checked before anything is mounted.
//!
//! ```text
//! -v        parse_volume_flag ─┐
//! --mount   parse_mount_flag  ─┼─> MountRequest ──> check_duplicates
//! --tmpfs   parse_tmpfs_flag  ─┘
//! ```
//!
//! The rules and messages are Docker's; a request says what is wanted, not whether it can be had.
//!
//! Not here: whether a host path or volume exists (`volume`, `container`).

mod action;
mod apply;
mod apply_forms;
mod csv;
mod form_keys;
mod forms;
mod idmap;
mod mount_flag;
mod overlay;
mod path;
mod plan;
mod propagation;
mod request;
mod script;
mod script_forms;
mod sharing;
mod size;
pub mod system;
mod tmpfs;
mod union_options;
mod view;
mod volume_flag;
mod volumes_from;

pub use action::{Action, Narration};
pub use apply::{FindUser, Stage};
pub use forms::{ImageRequest, OverlayRequest, Stored, Upper};
pub use idmap::{IdMap, Mapping};
pub use mount_flag::parse_mount_flag;
pub use overlay::{LOWERS_MAX, Overlay};
pub use path::inside_volume;
pub use plan::{
    Bind, BindKind, Furniture, ImageTree, Mount, MountPlan, Origin, OverlayTree, ReadOnly, Source,
};
pub use propagation::Propagation;
pub use request::{
    Access, BindRecursive, BindRequest, MissingSource, MountRequest, RequestKind, VolumeRequest,
    check_duplicates,
};
pub use script::quote;
pub use sharing::Sharing;
pub use size::{TmpfsSize, parse_bytes};
pub use tmpfs::{AccessTime, HugePages, TmpfsOptions, parse_tmpfs_flag};
pub use union_options::{Ephemeral, UnionOptions};
pub use view::read_only_union;
pub use volume_flag::parse_volume_flag;
pub use volumes_from::{VolumesFrom, parse_volumes_from};

use std::path::PathBuf;

use crate::error::{ErrorKind, Failure};

/// A mount that was asked for and cannot be; where Docker has a text, it is Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// `-v` with too many fields, or with a mode where the destination belongs.
    #[error("invalid volume specification: '{text}'")]
    Specification { text: String },
    /// `-v :/x`, mostly an unset shell variable.
    #[error("invalid spec: {text}: empty section between colons")]
    EmptySection { text: String },
    /// Something required was not given.
    #[error("{what}")]
    Missing { what: &'static str },
    /// The third field of `-v`.
    #[error("invalid mode: {text}")]
    Mode { text: String },
    /// A volume name of one character.
    #[error("volume name is too short, names should be at least two alphanumeric characters")]
    VolumeNameShort,
    /// Not a volume name.
    #[error(
        "{text:?} includes invalid characters for a local volume name, only \
         \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use \
         absolute path"
    )]
    VolumeName { text: String },
    /// A part that this kind of mount does not have.
    #[error("field {field} must not be specified")]
    ExtraField { field: &'static str },
    /// A mount over the container's root.
    #[error("invalid specification: destination can't be '/'")]
    TargetIsRoot,
    /// A path that must begin with `/`.
    #[error("invalid mount path: '{text}' mount path must be absolute")]
    Relative { text: String },
    /// Two mounts at one place.
    #[error("Duplicate mount point: {}", target.display())]
    Duplicate { target: PathBuf },
    /// `--mount` is not one CSV record; the column counts bytes from 1.
    #[error("parse error on line 1, column {column}: {why}")]
    Record { column: usize, why: &'static str },
    /// A `--mount` key that does not exist.
    #[error("unexpected key '{key}' in '{field}'")]
    UnknownKey { key: String, field: String },
    /// A space beside a `--mount` key.
    #[error("invalid option '{key}' in '{field}': option should not have whitespace")]
    KeySpace { key: String, field: String },
    /// A space beside a `--mount` value.
    #[error("invalid value for '{key}' in '{field}': value should not have whitespace")]
    ValueSpace { key: String, field: String },
    /// `key=`.
    #[error("invalid value for '{key}': value is empty")]
    ValueEmpty { key: String },
    /// A bare `--mount` key that is not a switch.
    #[error("invalid field '{field}' must be a key=value pair")]
    NotKeyValue { field: String },
    /// Not one of the four words for a boolean.
    #[error(
        "invalid value for '{key}': invalid boolean value ({value:?}): must be one of \"true\", \
         \"1\", \"false\", or \"0\" (default \"true\")"
    )]
    Boolean { key: String, value: String },
    /// A value that its key does not take.
    #[error("invalid value for {key}: {value} (must be {expected})")]
    Value {
        key: String,
        value: String,
        expected: &'static str,
    },
    /// Not one of the six propagations.
    #[error("invalid propagation mode: {text}")]
    Propagation { text: String },
    /// Keys of one type with another type.
    #[error("cannot mix '{family}' options with mount type '{kind}'")]
    Mixed { family: &'static str, kind: String },
    /// An option that makes sense only with another one.
    #[error("option '{option}' requires '{other}' to be specified in conjunction")]
    Requires {
        option: &'static str,
        other: &'static str,
    },
    /// Two options that contradict each other.
    #[error("option '{option}' contradicts '{other}'")]
    Contradiction {
        option: &'static str,
        other: &'static str,
    },
    /// A key that Docker took away.
    #[error("bind-nonrecursive is deprecated, use bind-recursive=disabled instead")]
    NonRecursive,
    /// `type=` something else.
    #[error("invalid mount config for type {kind:?}: mount type unknown")]
    MountType { kind: String },
    /// `volume-subpath` that would leave the volume.
    #[error("subpath must be a relative path within the volume")]
    Subpath { text: String },
    /// `volume-subpath` of a volume that is new and empty.
    #[error("must not set Subpath when using anonymous volumes")]
    SubpathAnonymous,
    /// tmpfs options that do not exist, split at `=` as Docker shows them.
    #[error("invalid tmpfs option [{}]", go_quoted(unknown))]
    TmpfsOption { unknown: Vec<String> },
    /// A mount that would replace part of procfs.
    #[error("{} is in /proc, where nothing may be mounted", target.display())]
    InProc { target: PathBuf },
    /// More layers than the kernel stacks.
    #[error("{count} layers are more than the kernel's {LOWERS_MAX}")]
    TooManyLayers { count: usize },
    /// `--storage-opt` that is none of ours.
    #[error("invalid storage option {text:?}")]
    StorageOption { text: String },
    /// `--storage-opt` that the kernel refuses.
    #[error("overlay.metacopy=on needs overlay.redirect_dir=on")]
    MetacopyAlone,
    /// Understood, and not in this version.
    #[error("{what} is not supported yet")]
    Unsupported { what: String },
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        if matches!(self, Error::Unsupported { .. }) {
            ErrorKind::Unsupported
        } else {
            ErrorKind::Invalid
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most messages say all there is to say"
    )]
    fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Specification { .. } => {
                "-v takes [SOURCE:]TARGET[:MODE]; a path that holds ':' needs --mount \
                 type=bind,src=SOURCE,dst=TARGET"
            }
            Error::EmptySection { .. } => {
                "a shell variable may be empty: check what stands beside the colon"
            }
            Error::Mode { text } if text.starts_with('/') => {
                "a path that holds ':' needs --mount type=bind,src=SOURCE,dst=TARGET"
            }
            Error::Mode { .. } => {
                "at most one of each: ro|rw, z|Z, [r]private|[r]slave|[r]shared, nocopy, nocreate, O, \
                 idmap, consistent|cached|delegated"
            }
            Error::VolumeName { text } | Error::Relative { text } if text.starts_with('~') => {
                "'~' is the shell's and was not replaced: use \"$HOME\""
            }
            Error::VolumeName { text } if text.contains('/') => {
                "write ./ in front for a directory below this one"
            }
            Error::Record { .. } => {
                "put a field that holds a comma in quotes: --mount \
                 '\"src=/a,b\",dst=/x,type=bind'"
            }
            Error::UnknownKey { .. } => {
                "keys: type, src, dst, readonly, consistency, nocreate, upper, and those that begin \
                 with bind-, volume-, tmpfs- and image-"
            }
            Error::MountType { .. } => "types: volume, bind, tmpfs, image, overlay",
            Error::InProc { .. } => "choose another target: /proc shows the kernel's own files",
            Error::TooManyLayers { .. } => "build the image with fewer layers",
            Error::StorageOption { .. } => {
                "options: overlay.redirect_dir and overlay.metacopy, each on or off; a volume may \
                 be limited: cowshed volume create --help"
            }
            Error::Duplicate { .. } => "give each mount its own target",
            Error::TmpfsOption { .. } => {
                "options: size, mode, uid, gid, nr_inodes, nr_blocks, huge, ro, exec, suid, dev, \
                 noatime, noswap, tmpcopyup"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Words the way Go prints a list of them: `"a" "b"`.
fn go_quoted(words: &[String]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    quoted.join(" ")
}
