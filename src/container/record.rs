//! config.json and state.json of a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RestartPolicy;
use crate::{
    cgroup::Limits,
    control::StopRequest,
    ident::{ChainId, ContainerId, ContainerName, Digest, Timestamp, VolumeName},
    image::HealthCheck,
    log::LogOptions,
    mount::{Access, MountRequest, RequestKind, UnionOptions},
    process::{Network, Security, Ulimit},
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
    /// Its input ends when the first client's does: the command that ran it was attached.
    #[serde(default)]
    pub stdin_once: bool,
    /// `--restart`
    #[serde(default)]
    pub restart: RestartPolicy,
    /// `--memory` and its like.
    #[serde(default)]
    pub limits: Limits,
    /// `--ulimit`
    #[serde(default)]
    pub ulimits: Vec<Ulimit>,
    /// `--cap-add` and its like.
    #[serde(default, skip_serializing_if = "Security::is_default")]
    pub security: Security,
    /// What `stop` sends first.
    #[serde(default = "sigterm")]
    pub stop_signal: i32,
    /// Seconds until `stop` kills; `None` waits for ever.
    #[serde(default = "ten_seconds")]
    pub stop_timeout: Option<u32>,
    /// `--rm`
    pub auto_remove: bool,
    /// Size of /dev/shm in bytes.
    pub shm_bytes: u64,
    /// How its output is kept.
    #[serde(default)]
    pub log: LogOptions,
    /// The image's check and the user's together.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// The image's shell, for scripts of the check.
    #[serde(default)]
    pub shell: Vec<String>,
    /// Everything mounted on top, anonymous volumes named.
    pub mounts: Vec<AttachedMount>,
    /// What its union has switched on.
    #[serde(default, skip_serializing_if = "UnionOptions::is_default")]
    pub union: UnionOptions,
    /// The directory in `tmp/` that gets the upper dir when the container goes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_to: Option<String>,
}

fn sigterm() -> i32 {
    nix::sys::signal::Signal::SIGTERM as i32
}

#[expect(clippy::unnecessary_wraps, reason = "the field's type")]
fn ten_seconds() -> Option<u32> {
    Some(DEFAULT_STOP_TIMEOUT)
}

/// Docker's patience, in seconds.
pub const DEFAULT_STOP_TIMEOUT: u32 = 10;

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
    /// For images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<MountedImage>,
    /// The volume that takes the changes of an overlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<VolumeName>,
}

/// An image that a container has mounted; in use as long as there is the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountedImage {
    /// The image's id.
    pub id: Digest,
    /// Lowest first; keeps the layers alive.
    pub chains: Vec<ChainId>,
}

impl AttachedMount {
    /// Whether an empty volume gets the image's directory (semantics 26, 29).
    pub fn is_filled(&self) -> bool {
        match &self.request.kind {
            RequestKind::Volume(wanted) => {
                !wanted.no_copy && wanted.subpath.is_none() && !self.inherited
            }
            RequestKind::Bind(_)
            | RequestKind::Tmpfs(_)
            | RequestKind::Image(_)
            | RequestKind::Overlay(_) => false,
        }
    }

    /// The volumes it uses.
    pub fn volumes(&self) -> impl Iterator<Item = &VolumeName> {
        self.volume.iter().chain(&self.upper)
    }

    /// The same, and whether the container may write there: never to what is below an overlay.
    pub fn uses(&self) -> impl Iterator<Item = (&VolumeName, Access)> {
        let access = self.request.access;
        let below = match self.request.kind {
            RequestKind::Overlay(_) => Access::ReadOnly,
            RequestKind::Volume(_)
            | RequestKind::Bind(_)
            | RequestKind::Tmpfs(_)
            | RequestKind::Image(_) => access,
        };
        let volume = self.volume.iter().map(move |name| (name, below));
        volume.chain(self.upper.iter().map(move |name| (name, access)))
    }
}

impl ContainerRecord {
    /// How it is asked to end unless somebody says otherwise.
    pub fn stop_request(&self) -> StopRequest {
        StopRequest {
            signal: self.stop_signal,
            seconds: self.stop_timeout,
        }
    }

    /// What a probe of its health runs; `None` where it has no check.
    pub fn probe(&self) -> Option<Vec<String>> {
        self.health.as_ref()?.command(&self.shell)
    }

    /// The volumes it uses.
    pub fn volumes(&self) -> impl Iterator<Item = &VolumeName> {
        self.mounts.iter().flat_map(AttachedMount::volumes)
    }

    /// The layers it keeps alive: those of its own image and of images that it has mounted.
    pub fn all_chains(&self) -> impl Iterator<Item = &ChainId> {
        let mounted = self.mounts.iter().filter_map(|mount| mount.image.as_ref());
        self.chains
            .iter()
            .chain(mounted.flat_map(|image| &image.chains))
    }

    /// Whether it was made of an image or has it mounted.
    pub fn uses_image(&self, id: &Digest) -> bool {
        let mut mounted = self.mounts.iter().filter_map(|mount| mount.image.as_ref());
        self.image_id == *id || mounted.any(|image| image.id == *id)
    }
}
