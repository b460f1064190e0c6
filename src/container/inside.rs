//! Which processes a container has, and what it uses, seen from the host.

use super::{Container, Engine, Error, State, Status};
use crate::{cgroup::Usage, process::Network, sys::process_table};

/// What a container uses now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveUsage {
    /// From its control group; all unknown where it has none.
    pub group: Usage,
    /// Bytes that its own interfaces received and sent.
    pub network: (u64, u64),
}

impl Engine {
    /// The processes of a container that runs, as the host numbers them. Docker's texts where it
    /// does not.
    pub fn processes(&self, container: &Container) -> Result<Vec<i32>, Error> {
        let record = &container.record;
        let refuse = |what, verb: &str| Error::State {
            operation: format!("list processes of container {}", record.name),
            what,
            remedy: format!("cowshed {verb} {}", record.name),
        };
        match container.status {
            Status::Running | Status::Paused => {}
            Status::Restarting => {
                let what = "is restarting, wait until the container is running";
                return Err(refuse(what, "logs"));
            }
            Status::Created | Status::Exited => return Err(refuse("is not running", "start")),
        }
        let group = self.group_of(record)?;
        let found = group.map_or(Ok(Vec::new()), |group| group.processes())?;
        if !found.is_empty() {
            return Ok(found);
        }
        let first = first_process(container).ok_or_else(|| refuse("is not running", "start"))?;
        Ok(process_table::in_pid_namespace_of(first))
    }

    /// What a container uses; `None` where it does not run.
    pub fn live_usage(&self, container: &Container) -> Result<Option<LiveUsage>, Error> {
        let Some(first) = first_process(container).filter(|_| container.status.is_live()) else {
            return Ok(None);
        };
        let group = match self.group_of(&container.record)? {
            // Ended and gone while we looked.
            Some(group) => group.usage().unwrap_or_default(),
            None => Usage::default(),
        };
        let network = match container.record.network {
            Network::None => process_table::network_bytes(first).unwrap_or_default(),
            // Those are the host's, whoever sends through them.
            Network::Host => (0, 0),
        };
        Ok(Some(LiveUsage { group, network }))
    }
}

fn first_process(container: &Container) -> Option<i32> {
    let state = container
        .state
        .as_ref()
        .filter(|state| State::is_alive(state));
    state.map(|state| state.pid)
}
