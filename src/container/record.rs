//! config.json and state.json of a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ident::{ChainId, ContainerId, ContainerName, Digest, Timestamp, VolumeName},
    log::LogOptions,
    mount::{Access, MountRequest, RequestKind},
    process::Network,
    sys::process,
};

/// config.json: everything that does not change in a container's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's run"
)]
pub struct ContainerRecord {
    /// Its directory's name.
    pub id: ContainerId,
    /// Unique in the store.
    pub name: ContainerName,
    /// Somebody chose the name: it is reserved in `containers/by-name`. A made-up one holds part of
    /// the id and needs no reservation.
    pub name_chosen: bool,
    /// When it was created.
    pub created: Timestamp,
    /// The image as the user named it.
    pub image: String,
    /// The image's id.
    pub image_id: Digest,
    /// Lowest first; keeps the layers alive.
    pub chains: Vec<ChainId>,
    /// Program and arguments, entrypoint first.
    pub args: Vec<String>,
    /// How many of `args` are the entrypoint.
    pub entrypoint_length: usize,
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Absolute.
    pub cwd: String,
    /// `user[:group]`; empty means root.
    pub user: String,
    /// Host name.
    pub hostname: String,
    /// Labels of the image and the user.
    pub labels: BTreeMap<String, String>,
    /// `--read-only`
    pub root: Access,
    /// `--network`
    pub network: Network,
    /// `--init`
    pub reaper: bool,
    /// `-t`
    pub terminal: bool,
    /// `-i`
    pub interactive: bool,
    /// `--rm`
    pub auto_remove: bool,
    /// Size of /dev/shm in bytes.
    pub shm_bytes: u64,
    /// How its output is kept.
    #[serde(default)]
    pub log: LogOptions,
    /// Everything mounted on top, anonymous volumes named.
    pub mounts: Vec<AttachedMount>,
}

/// A mount request that has found its volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachedMount {
    /// As asked for.
    pub request: MountRequest,
    /// For volumes.
    pub volume: Option<VolumeName>,
    /// Nobody named it: `--rm` and `rm -v` remove the volume.
    pub anonymous: bool,
    /// Came from `--volumes-from`: never filled from the image.
    #[serde(default)]
    pub inherited: bool,
}

impl AttachedMount {
    /// Whether an empty volume gets the image's directory (semantics 26, 29).
    pub fn is_filled(&self) -> bool {
        match &self.request.kind {
            RequestKind::Volume(wanted) => {
                !wanted.no_copy && wanted.subpath.is_none() && !self.inherited
            }
            RequestKind::Bind(_) | RequestKind::Tmpfs(_) => false,
        }
    }
}

impl ContainerRecord {
    /// The volumes it uses.
    pub fn volumes(&self) -> impl Iterator<Item = &VolumeName> {
        self.mounts.iter().filter_map(|mount| mount.volume.as_ref())
    }
}

/// state.json: what happened to it; absent until it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Process 1 as the host numbers it; 0 when it has ended.
    pub pid: i32,
    /// When the program was executed.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// The program's code, or 125–127 when it did not start.
    pub exit_code: i32,
    /// Why it did not start.
    pub error: String,
    /// Boot and start time of the process `pid`, so that another one with its number is not taken
    /// for it.
    #[serde(default)]
    pub identity: Option<(String, u64)>,
}
impl State {
    /// Whether process 1 of the container still runs, whoever supervises it.
    pub fn is_alive(&self) -> bool {
        let Some((boot, start_time)) = &self.identity else {
            return false;
        };
        self.finished.is_none()
            && process::start_time(self.pid) == Some(*start_time)
            && process::boot_id() == *boot
    }
}
