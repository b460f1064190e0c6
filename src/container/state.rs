//! state.json of a container.

use serde::{Deserialize, Serialize};

use super::ContainerRecord;
use crate::{ident::Timestamp, sys::process};

/// state.json: what happened to it; absent while a `run` is making it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// How often its policy has started it again.
    #[serde(default)]
    pub restarts: u32,
    /// It waits for its next start; the end of the last run is in the other fields.
    #[serde(default)]
    pub restarting: bool,
    /// Somebody wanted its last end.
    #[serde(default)]
    pub stopped: bool,
    /// The kernel killed it for want of memory.
    #[serde(default)]
    pub oom_killed: bool,
    /// The boot in which its union was mounted without syncs, the last time (`--volatile`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volatile_boot: Option<String>,
}

impl State {
    /// In the place of one that cannot be read: it has run, and nobody knows how that ended. The code
    /// is Docker's for such an end.
    pub(super) fn lost(record: &ContainerRecord) -> Self {
        Self {
            started: Some(record.created),
            finished: Some(record.created),
            exit_code: 255,
            error: "its state cannot be read".to_owned(),
            ..Self::default()
        }
    }

    /// Whether process 1 of the container still runs, whoever supervises it.
    pub fn is_alive(&self) -> bool {
        let Some((boot, start_time)) = &self.identity else {
            return false;
        };
        self.finished.is_none()
            && process::start_time(self.pid) == Some(*start_time)
            && process::boot_id() == *boot
    }

    /// What a supervisor that was killed could not write any more.
    pub(super) fn settled(self) -> Self {
        if self.started.is_none() || self.finished.is_some() && !self.restarting {
            return self;
        }
        if self.restarting {
            return Self {
                restarting: false,
                ..self
            };
        }
        Self {
            pid: 0,
            exit_code: 137,
            error: "its supervisor was killed".to_owned(),
            ..self
        }
    }
}
