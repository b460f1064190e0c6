//! Why a command cannot be carried out.

use std::path::PathBuf;

use super::{Cause, CopyError};
use crate::{
    cgroup, control,
    error::{ErrorKind, Failure},
    event, ident, image, log, mount, process, registry, rootfs, store,
    sys::SysError,
    volume,
};

/// Why a command cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container of this name. Docker's text.
    #[error("No such container: {name}")]
    NotFound {
        /// As asked for.
        name: String,
    },
    /// An id prefix that fits several containers.
    #[error("container id {prefix} is ambiguous: it fits {count} containers")]
    Ambiguous {
        /// As asked for.
        prefix: String,
        /// How many.
        count: usize,
    },
    /// The name is taken. Docker's text.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You \
         have to remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Id of its holder.
        holder: String,
    },
    /// The container is not in a state for this. Docker's words.
    #[error("{operation}: container {what}")]
    State {
        /// What was wanted, with its object: `cannot remove container "/x"`.
        operation: String,
        /// What it is: `is running`.
        what: &'static str,
        /// What to type first.
        remedy: String,
    },
    /// The supervisor was killed while we waited for it, and the program with it.
    #[error("wait for container {name}: its supervisor was killed, and the container with it")]
    Lost {
        /// Its name.
        name: String,
    },
    /// Another process of ours failed, and this is what it said.
    #[error("{message}")]
    Told {
        /// Operation and object.
        message: String,
        /// Why.
        source: Option<Box<Cause>>,
        /// What to type next.
        hint: Option<String>,
        /// What `run` exits with.
        exit_code: i32,
    },
    /// A limit cannot be set, or the control group cannot be had.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The conversation with a supervisor failed.
    #[error(transparent)]
    Control(#[from] control::Error),
    /// Neither the user nor the image says what to run. Docker's text.
    #[error("No command specified")]
    NoCommand,
    /// A relative working directory. Docker's text.
    #[error("the working directory '{path}' is invalid, it needs to be an absolute path")]
    WorkingDirectory {
        /// As asked for.
        path: String,
    },
    /// A bind source that is not there. Docker's text.
    #[error("invalid mount config for type \"bind\": bind source path does not exist: {}", path.display())]
    NoSource {
        /// Which path.
        path: PathBuf,
    },
    /// A propagation that the host's mount does not allow. Docker's text.
    #[error("path {} is mounted on {} but it is not a {wanted} mount", path.display(), mount.display())]
    NotShared {
        /// The bind's source.
        path: PathBuf,
        /// The mount that holds it.
        mount: PathBuf,
        /// `shared`, or `shared or slave`.
        wanted: &'static str,
    },
    /// File and directory do not go together; ends with Docker's text.
    #[error(
        "mount {} on {}: not a directory: Are you trying to mount a directory onto a file (or \
         vice-versa)? Check if the specified host path exists and is the expected type",
        source_path.display(), target.display()
    )]
    WrongType {
        /// The bind's source.
        source_path: PathBuf,
        /// The place in the container.
        target: PathBuf,
        /// What the kernel said.
        source: Box<process::Error>,
    },
    /// A volume that must exist does not.
    #[error("volume {name} does not exist and nocreate was given")]
    NoCreate {
        /// Its name.
        name: String,
    },
    /// An image that containers or names still need. Docker's text.
    #[error("conflict: unable to delete {image} (cannot be forced) - {why}")]
    ImageInUse {
        /// As asked for.
        image: String,
        /// By whom.
        why: String,
    },
    /// An image with several names cannot be removed by its id. Docker's text.
    #[error("conflict: unable to delete {image} (must be forced) - {why}")]
    MustForce {
        /// As asked for.
        image: String,
        /// Why.
        why: String,
    },
    /// The last name of an image that a container was made of. Docker's text.
    #[error(
        "conflict: unable to remove repository reference \"{name}\" (must force) - container \
         {container} is using its referenced image {image}"
    )]
    NameInUse {
        /// As asked for.
        name: String,
        /// Its short id.
        container: String,
        /// Its short id.
        image: String,
    },
    /// An image, or a directory, that `image unmount` has nothing to do with.
    #[error("unmount image {name}: it is not mounted in this mount namespace")]
    NotMounted {
        /// As asked for.
        name: String,
    },
    /// A container whose output is not kept. Docker's text.
    #[error("configured logging driver does not support reading")]
    NoLog,
    /// What would be told in a note, and must not be done quietly.
    #[error("mount strictly: {}", notes.join("; "))]
    StrictMounts {
        /// Each of them.
        notes: Vec<String>,
    },
    /// An overlay over something that is no directory.
    #[error("overlay {}: only a directory can be overlaid", path.display())]
    NoLowerDirectory {
        /// What was to be overlaid.
        path: PathBuf,
    },
    /// The changes of an overlay cannot be looked at, applied or discarded.
    #[error("{operation} {object}: {why}")]
    Overlay {
        /// `diff overlay`, `apply overlay`, `discard overlay` or `mount overlay`.
        operation: &'static str,
        /// As asked for.
        object: String,
        /// Why not.
        why: String,
        /// What to type instead.
        remedy: Option<String>,
    },
    /// An option that needs another value or another option.
    #[error("{what}")]
    Usage {
        /// The rule.
        what: String,
    },
    /// A signal came before the program ran.
    #[error("start container: stopped by signal {signal}")]
    Interrupted {
        /// Its number.
        signal: i32,
    },
    /// A container whose record cannot be read.
    #[error("read container {id}")]
    Damaged {
        /// Its directory's name.
        id: ident::ContainerId,
        /// Why.
        source: store::Error,
    },
    /// A system call failed.
    #[error("{what}")]
    System {
        /// Operation and object.
        what: String,
        /// Why.
        source: SysError,
    },
    /// A name is not valid.
    #[error(transparent)]
    Ident(#[from] ident::Error),
    /// A mount is not valid.
    #[error(transparent)]
    Mount(#[from] mount::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// An image cannot be had.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The layers cannot be stacked.
    #[error(transparent)]
    Rootfs(#[from] rootfs::Error),
    /// A volume cannot be had.
    #[error(transparent)]
    Volume(#[from] volume::Error),
    /// The log cannot be had.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The journal cannot be read.
    #[error(transparent)]
    Event(#[from] event::Error),
    /// A copy cannot be made.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The process did not start.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// No image of this name to send. Docker's text.
    #[error("An image does not exist locally with the tag: {repository}")]
    NothingToPush {
        /// As asked for.
        repository: String,
    },
    /// An image that a registry gave cannot be taken in.
    #[error("pull {reference} from {host}")]
    Pull {
        /// As asked for.
        reference: String,
        /// Who gave it.
        host: String,
        /// Why.
        source: Box<Error>,
    },
    /// A registry did not do what was wanted.
    #[error(transparent)]
    Registry(Box<registry::Error>),
}

impl From<registry::Error> for Error {
    fn from(error: registry::Error) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl Error {
    /// The signal that stopped the command, where one did.
    pub fn interrupted_by(&self) -> Option<i32> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "everything else is no signal's doing"
        )]
        match self {
            Error::Interrupted { signal } | Error::Copy(CopyError::Interrupted { signal }) => {
                Some(*signal)
            }
            _ => None,
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. }
            | Error::NoSource { .. }
            | Error::NoCreate { .. }
            | Error::NotMounted { .. }
            | Error::NothingToPush { .. } => ErrorKind::NotFound,
            Error::NameTaken { .. } => ErrorKind::AlreadyExists,
            Error::State { .. }
            | Error::ImageInUse { .. }
            | Error::NameInUse { .. }
            | Error::MustForce { .. } => ErrorKind::InUse,
            Error::Ambiguous { .. }
            | Error::NoCommand
            | Error::WorkingDirectory { .. }
            | Error::NotShared { .. }
            | Error::WrongType { .. }
            | Error::StrictMounts { .. }
            | Error::NoLowerDirectory { .. }
            | Error::Overlay { .. }
            | Error::Usage { .. } => ErrorKind::Invalid,
            Error::NoLog => ErrorKind::Unsupported,
            Error::Interrupted { .. } | Error::Lost { .. } | Error::Told { .. } => {
                ErrorKind::System
            }
            Error::Control(error) => error.kind(),
            Error::Cgroup(error) => error.kind(),
            Error::Damaged { source, .. } => source.kind(),
            Error::System { source, .. } => source.kind(),
            Error::Ident(error) => error.kind(),
            Error::Mount(error) => error.kind(),
            Error::Store(error) => error.kind(),
            Error::Image(error) => error.kind(),
            Error::Rootfs(error) => error.kind(),
            Error::Volume(error) => error.kind(),
            Error::Log(error) => error.kind(),
            Error::Event(error) => error.kind(),
            Error::Copy(error) => error.kind(),
            Error::Process(error) => error.kind(),
            Error::Pull { source, .. } => source.kind(),
            Error::Registry(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NotFound { .. } => "cowshed ps -a lists all containers".to_owned(),
            Error::Ambiguous { .. } => "type more digits".to_owned(),
            Error::NameTaken { name, .. } => format!("cowshed rm {name}, or choose another --name"),
            Error::State { remedy, .. } => remedy.clone(),
            Error::Lost { name } => format!("cowshed start {name}"),
            Error::Told { hint, .. } => return hint.clone(),
            Error::Control(error) => return error.hint(),
            Error::Cgroup(error) => return error.hint(),
            Error::NoCommand => "name a program after the image".to_owned(),
            Error::WorkingDirectory { path } => format!("-w /{path}"),
            Error::NoSource { path } => format!("mkdir -p {}", mount::quote(path)),
            Error::NotShared { mount, .. } => {
                format!("mount --make-rshared {}", mount::quote(mount))
            }
            Error::WrongType { .. } => {
                "bind a file to a file, a directory to a directory".to_owned()
            }
            Error::NoCreate { name } => format!("cowshed volume create {name}"),
            Error::ImageInUse { .. } => {
                "remove what uses it first: cowshed ps -a, cowshed image mount".to_owned()
            }
            Error::MustForce { .. } | Error::NameInUse { .. } => "cowshed rmi -f".to_owned(),
            Error::NotMounted { .. } => "cowshed image mount lists what is mounted".to_owned(),
            Error::NoLog => "run it with --log-driver json-file".to_owned(),
            Error::StrictMounts { .. } => {
                "COWSHED_STRICT_MOUNTS is set: make or name what is meant \
                 first, or unset it"
                    .to_owned()
            }
            Error::NoLowerDirectory { .. } => "overlay the directory that holds it".to_owned(),
            Error::Overlay { remedy, .. } => return remedy.clone(),
            Error::Usage { .. } | Error::Interrupted { .. } => return None,
            Error::Damaged { id, .. } => {
                format!("cowshed rm {} removes what is left of it", id.short())
            }
            Error::System { source, .. } => return source.hint(),
            Error::Ident(error) => return error.hint(),
            Error::Mount(error) => return error.hint(),
            Error::Store(error) => return error.hint(),
            Error::Image(error) => return error.hint(),
            Error::Rootfs(error) => return error.hint(),
            Error::Volume(error) => return error.hint(),
            Error::Log(error) => return error.hint(),
            Error::Event(error) => return error.hint(),
            Error::Copy(error) => return error.hint(),
            Error::Process(error) => return error.hint(),
            Error::NothingToPush { .. } => {
                "cowshed images lists what is here; cowshed tag gives a name".to_owned()
            }
            Error::Pull { source, .. } => return source.hint(),
            Error::Registry(error) => return error.hint(),
        })
    }
}
