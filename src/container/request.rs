//! `RunRequest`: what a user asked for, parsed and not looked up.

use std::collections::BTreeMap;

use super::RestartPolicy;
use crate::{
    cgroup::Limits,
    ident::ContainerName,
    image::HealthCheck,
    log::LogOptions,
    mount::{Access, MountRequest, UnionOptions, VolumesFrom},
    process::{Network, Security, Ulimit},
};

/// Everything `run` takes, built by the command line or by a library caller.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's run"
)]
pub struct RunRequest {
    /// A reference or an id.
    pub image: String,
    /// `None` makes one up.
    pub name: Option<ContainerName>,
    /// After the image.
    pub args: Vec<String>,
    /// `--entrypoint`; an empty text means none at all.
    pub entrypoint: Option<String>,
    /// `KEY=value`, in order.
    pub env: Vec<String>,
    /// `-w`
    pub workdir: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `--hostname`
    pub hostname: Option<String>,
    /// `--label`
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
    /// A command is attached from the beginning, and its input is all there will be.
    pub stdin_once: bool,
    /// `--restart`
    pub restart: RestartPolicy,
    /// `--memory` and its like.
    pub limits: Limits,
    /// `--ulimit`
    pub ulimits: Vec<Ulimit>,
    /// `--cap-add` and its like.
    pub security: Security,
    /// `--stop-signal`
    pub stop_signal: Option<i32>,
    /// `--stop-timeout`, in seconds; a negative one waits for ever.
    pub stop_timeout: Option<i32>,
    /// `--rm`
    pub auto_remove: bool,
    /// `--shm-size`, in bytes.
    pub shm_bytes: u64,
    /// `--log-driver`, `--log-opt`
    pub log: LogOptions,
    /// `--health-cmd` and its like; what it leaves out is the image's.
    pub health: Option<HealthCheck>,
    /// `-v`, `--mount`, `--tmpfs`, in order.
    pub mounts: Vec<MountRequest>,
    /// `--volumes-from`, in order.
    pub volumes_from: Vec<VolumesFrom>,
    /// `--image-volume`
    pub image_volumes: ImageVolumes,
    /// `--storage-opt`
    pub union: UnionOptions,
    /// For whoever makes an image of it: a directory in `tmp/` that gets the upper dir when an
    /// `auto_remove` container goes. Nothing of it is told where that is not there any more.
    pub changes_to: Option<String>,
}

/// What becomes of the image's `VOLUME`s that no mount covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImageVolumes {
    /// Each gets an anonymous volume, as in Docker.
    #[default]
    Anonymous,
    /// They are directories like any other.
    Ignore,
    /// Each gets a tmpfs that begins with the image's content.
    Tmpfs,
}

impl RunRequest {
    /// The image's own command, nothing else.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            name: None,
            args: Vec::new(),
            entrypoint: None,
            env: Vec::new(),
            workdir: None,
            user: None,
            hostname: None,
            labels: BTreeMap::new(),
            root: Access::ReadWrite,
            network: Network::None,
            reaper: false,
            terminal: false,
            interactive: false,
            stdin_once: true,
            restart: RestartPolicy::No,
            limits: Limits::default(),
            ulimits: Vec::new(),
            security: Security::default(),
            stop_signal: None,
            stop_timeout: None,
            auto_remove: false,
            shm_bytes: 64 * 1024 * 1024,
            log: LogOptions::default(),
            health: None,
            mounts: Vec::new(),
            volumes_from: Vec::new(),
            image_volumes: ImageVolumes::default(),
            union: UnionOptions::default(),
            changes_to: None,
        }
    }
}
