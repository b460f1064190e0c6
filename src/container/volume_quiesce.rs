//! Keeping the containers of a volume still while it is read.
//!
//! A child of its own waits for our end, whatever that is, and lets them go on: a command that is
//! killed must not leave a database frozen. It is told of each container before that is touched.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
};

use super::{
    Container, ContainerRecord, Engine, Error, Explain, Status, Way, containers::failed, told,
};
use crate::{
    control::Told,
    ident::VolumeName,
    sys::{
        SysError,
        fork::{self, Namespaces, Side},
        process,
    },
};

/// What is done to the containers that use a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quiesce {
    /// Nothing.
    #[default]
    No,
    /// They are frozen and go on afterwards.
    Freeze,
    /// They are stopped and started again.
    Stop,
}

/// Containers that stand still until this is released or dropped, or we die.
#[derive(Debug)]
pub(super) struct Held {
    names: Vec<String>,
    keeper: Option<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    /// Its end is our end.
    leash: File,
    answer: File,
    pidfd: OwnedFd,
}

impl Engine {
    /// Holds every container that runs with a volume. Signals must be caught already, and the
    /// process must have one thread.
    pub(super) fn quiesce_users(&self, volume: &VolumeName, how: Quiesce) -> Result<Held, Error> {
        let mut held = Held {
            names: Vec::new(),
            keeper: None,
        };
        if how == Quiesce::No {
            return Ok(held);
        }
        let users = self.running_users(volume, how)?;
        if users.is_empty() {
            return Ok(held);
        }
        held.keeper = Some(self.keeper(how)?);
        for Container { record, .. } in users {
            held.announce(record.id.as_str())?;
            match how {
                Quiesce::Freeze => drop(self.pause(record.id.as_str())?),
                Quiesce::Stop => drop(self.stop(record.id.as_str(), None, None)?),
                Quiesce::No => {}
            }
            held.names.push(record.name.to_string());
        }
        Ok(held)
    }

    /// Freezes one container that runs. The process must have one thread.
    pub(super) fn hold_still(&self, record: &ContainerRecord) -> Result<Held, Error> {
        let mut held = Held {
            names: Vec::new(),
            keeper: Some(self.keeper(Quiesce::Freeze)?),
        };
        held.announce(record.id.as_str())?;
        self.pause(record.id.as_str())?;
        held.names.push(record.name.to_string());
        Ok(held)
    }

    fn running_users(&self, volume: &VolumeName, how: Quiesce) -> Result<Vec<Container>, Error> {
        let mut users = self.containers()?;
        users.retain(|container| {
            let runs = match container.status {
                Status::Running => true,
                // It will run, and what is stopped is not started again by its policy.
                Status::Restarting => how == Quiesce::Stop,
                // One that is frozen already stays so.
                Status::Paused | Status::Created | Status::Exited => false,
            };
            runs && container.record.volumes().any(|name| name == volume)
        });
        let gone = users.iter().find(|user| user.record.auto_remove);
        if let Some(user) = gone.filter(|_| how == Quiesce::Stop) {
            return Err(Error::State {
                operation: format!("stop container {}", user.record.name),
                what: "would be removed: it runs with --rm",
                remedy: "use --freeze".to_owned(),
            });
        }
        Ok(users)
    }

    fn keeper(&self, how: Quiesce) -> Result<Keeper, Error> {
        let fails = |source| failed("hold containers", source);
        let (end, leash) = process::pipe().map_err(fails)?;
        let (answer, say) = process::pipe().map_err(fails)?;
        match fork::clone_into(Namespaces::NONE).map_err(fails)? {
            Side::Child => {
                drop((leash, answer));
                // Not for the signals of a terminal; others are blocked as they are for us.
                process::new_session().ok();
                let outcome = self.keep(File::from(end), how);
                let text = serde_json::to_string(&outcome.err().map(|error| told::pack(&error)));
                let line = text.unwrap_or_default() + "\n";
                let sent = File::from(say).write_all(line.as_bytes());
                fork::exit_now(i32::from(sent.is_err()))
            }
            Side::Parent { pidfd, .. } => Ok(Keeper {
                leash: File::from(leash),
                answer: File::from(answer),
                pidfd,
            }),
        }
    }

    /// The child's work: waits for the end, then lets everything go on; the first error is told.
    fn keep(&self, mut end: File, how: Quiesce) -> Result<(), Error> {
        let mut ids = String::new();
        end.read_to_string(&mut ids)
            .map_err(|error| failed("hold containers", SysError::from_io("read", "", &error)))?;
        let mut outcome = Ok(());
        for id in ids.lines() {
            let done = match how {
                Quiesce::Freeze => match self.container(id) {
                    // Announced, and not frozen when our parent died.
                    Ok(container) if container.status != Status::Paused => Ok(()),
                    Ok(_) => self.unpause(id).map(drop),
                    Err(error) => Err(error),
                },
                Quiesce::Stop => {
                    process::reset_signals().ok();
                    self.start(id, Way::Detached, &mut Explain::silent())
                        .map(drop)
                }
                Quiesce::No => Ok(()),
            };
            match done {
                // Removed, or killed: nothing to let go of.
                Err(Error::NotFound { .. }) => {}
                Err(Error::State { .. }) if how == Quiesce::Freeze => {}
                done => outcome = outcome.and(done),
            }
        }
        outcome
    }
}

impl Held {
    /// Who stands still.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    fn announce(&mut self, id: &str) -> Result<(), Error> {
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        let line = format!("{id}\n");
        let told = keeper.leash.write_all(line.as_bytes());
        told.map_err(|error| {
            let source = SysError::from_io("write", "pipe", &error);
            failed("hold containers", source)
        })
    }

    /// Lets them go on and waits until they do.
    pub(super) fn release(mut self) -> Result<(), Error> {
        self.keeper.take().map_or(Ok(()), Keeper::release)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            // The error that came before is the one to tell.
            keeper.release().ok();
        }
    }
}

impl Keeper {
    fn release(self) -> Result<(), Error> {
        let Self {
            leash,
            answer,
            pidfd,
        } = self;
        drop(leash);
        let died = |source| failed("let containers go on", source);
        // Not to its end: a supervisor that was started there has the other end, too.
        let mut text = String::new();
        let read = BufReader::new(answer).read_line(&mut text);
        read.map_err(|error| died(SysError::from_io("read", "pipe", &error)))?;
        process::wait(pidfd.as_fd()).map_err(died)?;
        let outcome: Option<Told> = serde_json::from_str(&text)
            .map_err(|error| died(SysError::from_io("read", "pipe", &error.into())))?;
        outcome.map_or(Ok(()), |told| Err(told::unpack(told)))
    }
}
