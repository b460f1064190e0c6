//! Containers whose record cannot be read: lists go on past them, and `rm` takes them away.
//!
//! Whoever must know every user of something, such as of a volume that is to be removed, does not
//! go on: he asks for [`Engine::containers`].

use std::{os::fd::AsFd as _, time::Duration};

use nix::sys::signal::Signal;

use super::{
    Container, Engine, Error, Removal, State,
    containers::{STATE, failed},
    keeper,
};
use crate::{
    error::in_a_line,
    ident::{ContainerId, ContainerName},
    store::{Place, Tried, record, try_lease},
    sys::process,
};

/// How often to look whether one that was killed has ended: 5 s in all.
const RETRIES: usize = 1000;
const PAUSE: Duration = Duration::from_millis(5);

/// A container whose record cannot be read.
#[derive(Debug)]
pub struct DamagedContainer {
    /// Its id: its directory has it.
    pub id: ContainerId,
    /// Its name, where somebody gave it one.
    pub name: Option<ContainerName>,
    /// What is wrong, in a line.
    pub why: String,
}

impl Engine {
    /// All containers that can be read, newest first, and those that cannot.
    pub fn all_containers(&self) -> Result<(Vec<Container>, Vec<DamagedContainer>), Error> {
        let (mut whole, mut damaged) = (Vec::new(), Vec::new());
        for looked in self.each_container()? {
            match looked {
                Ok(container) => whole.push(container),
                Err(Error::Damaged { id, source }) => damaged.push(DamagedContainer {
                    name: self.name_of(&id),
                    id,
                    why: in_a_line(&source),
                }),
                Err(error) => return Err(error),
            }
        }
        whole.sort_by_key(|container| std::cmp::Reverse(container.record.created));
        Ok((whole, damaged))
    }

    /// Its name as the directory of names has it.
    pub(super) fn name_of(&self, id: &ContainerId) -> Option<ContainerName> {
        let names = self.store().open_dir(Place::ContainerNames).ok()?;
        let names = names.entries().ok()?.into_iter();
        let mut names = names.filter_map(|name| name.to_str()?.parse().ok());
        names.find(|name| matches!(self.holder_of(name), Ok(Some(holder)) if holder == *id))
    }

    /// Removes what is left of a container whose record says nothing any more. Its anonymous volumes
    /// stay: nobody knows which they are.
    pub(super) fn remove_damaged(
        &self,
        id: &ContainerId,
        removal: Removal,
    ) -> Result<ContainerId, Error> {
        let dir = self.containers_dir()?;
        let name = self.name_of(id);
        if removal.force {
            self.kill_damaged(id)?;
        }
        for _ in 0..RETRIES {
            match try_lease(dir, id.as_str())? {
                Tried::Got(_lease) => {
                    keeper::clear(self.hierarchies()?, id.as_str())?;
                    self.store().discard(dir, id.as_str())?;
                }
                Tried::Absent => {}
                Tried::Busy if removal.force => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                Tried::Busy => {
                    return Err(Error::State {
                        operation: format!("cannot remove container \"{}\"", id.short()),
                        what: "is running, and its record cannot be read",
                        remedy: format!("cowshed rm -f {}", id.short()),
                    });
                }
            }
            if let Some(name) = &name {
                self.release_name(name, id)?;
            }
            return Ok(id.clone());
        }
        Err(super::remove::busy(id))
    }

    /// Kills its program, as far as its state tells which that is; its supervisor ends with it.
    fn kill_damaged(&self, id: &ContainerId) -> Result<(), Error> {
        let Ok(own) = self.containers_dir()?.open_dir(id.as_str()) else {
            return Ok(());
        };
        let state = record::find::<State>(&own, STATE).ok().flatten();
        let Some(state) = state.filter(State::is_alive) else {
            return Ok(());
        };
        let killed = || -> crate::sys::Result<()> {
            // Opened first, looked at again then: the number cannot have changed hands in between.
            match process::open_pidfd(state.pid)? {
                Some(pidfd) if state.is_alive() => {
                    process::send_signal(pidfd.as_fd(), Signal::SIGKILL as i32)
                }
                _ => Ok(()),
            }
        };
        killed().map_err(|source| failed("kill container", source))
    }
}
