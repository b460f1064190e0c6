//! `ProcessSpec`: what runs, with everything decided that can be decided outside the container.

use super::Ulimit;
use crate::sys::{capability::Capabilities, fork::Namespaces};

/// Which network the process sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// A namespace of its own with loopback only.
    None,
    /// The host's.
    Host,
}

/// Where standard streams go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// Three pipes; standard input is /dev/null unless `stdin`.
    Pipes {
        /// `-i`
        stdin: bool,
    },
    /// A terminal of the container's own devpts.
    Terminal,
}

/// What a process may do to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// What root has; other users have none.
    pub capabilities: Capabilities,
    /// No program that it executes gets more (prctl(2), `PR_SET_NO_NEW_PRIVS`).
    pub no_new_privileges: bool,
}

impl Rights {
    /// `--privileged`: everything that we have.
    pub const ALL: Self = Self {
        capabilities: Capabilities::ALL,
        no_new_privileges: false,
    };
}

/// A process that joins a running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments; never empty.
    pub args: Vec<String>,
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Absolute path in the container; must be there.
    pub cwd: String,
    /// `user[:group]` as names or numbers; empty means root.
    pub user: String,
    /// Standard streams.
    pub console: Console,
    /// Capabilities.
    pub rights: Rights,
    /// `--ulimit` of the container.
    pub ulimits: Vec<Ulimit>,
}

/// What runs and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSpec {
    /// Program and arguments; never empty.
    pub args: Vec<String>,
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Absolute path in the container; made where it is missing.
    pub cwd: String,
    /// `user[:group]` as names or numbers; empty means root.
    pub user: String,
    /// Of the new UTS namespace.
    pub hostname: String,
    /// Which network.
    pub network: Network,
    /// `--ulimit`
    pub ulimits: Vec<Ulimit>,
    /// Standard streams.
    pub console: Console,
    /// Capabilities.
    pub rights: Rights,
    /// `--init`: our reaper is process 1, the program its child.
    pub reaper: bool,
}

impl ProcessSpec {
    /// The namespaces that the process is born in; that of the network comes later
    /// ([`InitStep::Network`](super::InitStep::Network)).
    pub fn namespaces(&self) -> Namespaces {
        Namespaces::MOUNT
            .with(Namespaces::PID)
            .with(Namespaces::UTS)
            .with(Namespaces::IPC)
            .with(Namespaces::CGROUP)
    }
}
