//! From a command to a supervisor: the fork, and the wait at its side of the link.

use std::os::fd::{AsFd as _, OwnedFd};

use super::{
    ContainerRecord, Engine, Error, Explain, Removal, containers,
    create_volumes::Leases,
    supervisor::{self, Job},
    told,
};
use crate::{
    control::{Attach, Attachment, Console, Finish, Link, Parting, Reply},
    ident::ContainerId,
    rootfs::Snapshot,
    store::Lease,
    sys::{
        fork::{self, Namespaces, Side},
        process,
    },
};

/// How a command goes on once the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It leaves.
    Detached,
    /// It moves the program's bytes until the end.
    Attached {
        /// Streams, signals and keys.
        attachment: Attachment,
        /// Which outputs it shows: standard output, standard error.
        outputs: (bool, bool),
        /// The container ends with the command, should that vanish without a word.
        owner: bool,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// The program has ended with this code.
    Ended(i32),
    /// The program runs on without us.
    Detached(ContainerId),
    /// We left while it ran.
    Left(Parting),
}

/// A container whose lease is held, ready to be started.
#[derive(Debug)]
pub(super) struct Startable {
    pub(super) record: ContainerRecord,
    pub(super) snapshot: Snapshot,
    pub(super) lease: Lease,
    /// Of its volumes, where it was made a moment ago.
    pub(super) volumes: Leases,
}

impl Way {
    pub(super) fn attach(&self) -> Attach {
        match self {
            Way::Detached => Attach::default(),
            Way::Attached {
                attachment,
                outputs: (stdout, stderr),
                owner,
            } => Attach {
                stdin: attachment.stdin,
                stdout: *stdout,
                stderr: *stderr,
                owner: *owner,
            },
        }
    }
}

impl Engine {
    /// Forks a supervisor for a container and waits for the start, or for the end.
    pub(super) fn supervise(
        &self,
        container: Startable,
        (way, console): (Way, Console),
        explain: &mut Explain<'_>,
    ) -> Result<Ran, Error> {
        let (name, id) = (
            container.record.name.to_string(),
            container.record.id.clone(),
        );
        let attach = way.attach();
        let going = container.record.auto_remove;
        let going = going.then(|| container.record.clone());
        let forked = in_fork(|theirs: Link| {
            let job = Job {
                engine: self,
                record: container.record,
                snapshot: container.snapshot,
                lease: container.lease,
                volumes: container.volumes,
                link: theirs,
                attach,
            };
            supervisor::supervise(job, explain)
        });
        if let (Err(_), Some(record)) = (&forked, going) {
            let (force, volumes) = (false, true);
            // The first error is the one to tell.
            self.remove_stopped(&record, Removal { force, volumes })
                .ok();
        }
        let (ours, supervisor) = forked?;
        let ran = follow(ours, (way, console), &name, id);
        collect(&supervisor, attach.owner, &ran);
        ran
    }
}

/// Does `work` in a fork, which ends with it; our end of the link to it, and the fork itself. What the fork was given is
/// closed here: a lock that it holds is the fork's alone.
pub(super) fn in_fork(work: impl FnOnce(Link) -> i32) -> Result<(Link, OwnedFd), Error> {
    let (ours, theirs) = Link::pair()?;
    let side = fork::clone_into(Namespaces::NONE);
    match side.map_err(|source| containers::failed("fork supervisor", source))? {
        Side::Child => {
            // Its end shall be seen when the command dies.
            drop(ours);
            fork::exit_now(work(theirs))
        }
        Side::Parent { pidfd, .. } => Ok((ours, pidfd)),
    }
}

/// Collects a supervisor that has said its last word, or whose container goes because we failed.
pub(super) fn collect(supervisor: &OwnedFd, owner: bool, ran: &Result<Ran, Error>) {
    let ends = match ran {
        Ok(Ran::Ended(_)) | Err(Error::Told { .. } | Error::Lost { .. }) => true,
        Ok(Ran::Detached(_) | Ran::Left(_)) => false,
        Err(_) => owner,
    };
    if ends {
        process::wait(supervisor.as_fd()).ok();
    }
}

/// The command's side: until the start when detached, until the end or our leaving otherwise. We
/// hang up at the end.
pub(super) fn follow(
    link: Link,
    (way, console): (Way, Console),
    name: &str,
    id: ContainerId,
) -> Result<Ran, Error> {
    let lost = || Error::Lost {
        name: name.to_owned(),
    };
    let attachment = match way {
        Way::Detached => {
            return match link.hear()? {
                Some(Reply::Failed(told)) => Err(told::unpack(told)),
                Some(Reply::Ended { code }) => Ok(Ran::Ended(code)),
                Some(Reply::Started | Reply::Taken | Reply::Done | Reply::Refused { .. }) => {
                    Ok(Ran::Detached(id))
                }
                None => Err(lost()),
            };
        }
        Way::Attached { attachment, .. } => attachment,
    };
    let finish = console.run(&link, attachment);
    // A supervisor whose container is ours sees by this that we go.
    drop(link);
    match finish? {
        Finish::Ended(code) => Ok(Ran::Ended(code)),
        Finish::Failed(told) => Err(told::unpack(told)),
        Finish::Left(parting) => Ok(Ran::Left(parting)),
        Finish::Lost => Err(lost()),
    }
}
