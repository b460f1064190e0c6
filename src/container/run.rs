//! The story: create, plan, spawn, supervise, tidy up.

use std::time::{Duration, Instant};

use super::{
    ContainerRecord, Engine, Error, Explain, Ran, RunRequest, State, Way, create::CreatedContainer,
    launch::Startable,
};
use crate::{
    cgroup::Group,
    control::Console,
    ident::ContainerId,
    mount::{MountPlan, Narration},
    process::{self, ProcessSpec},
    volume::Hold,
};

/// A container that exists, is held, and waits for its start.
#[derive(Debug)]
pub struct Made {
    container: Startable,
    /// Holds signals, so that none ends us half-way.
    console: Console,
}

impl Made {
    /// Its id.
    pub fn id(&self) -> &ContainerId {
        &self.container.record.id
    }
}

impl Engine {
    /// Creates a container and starts it, in the foreground or detached.
    ///
    /// With `--rm` nothing of it is left, however it ended.
    pub fn run(
        &self,
        request: RunRequest,
        way: Way,
        explain: &mut Explain<'_>,
    ) -> Result<Ran, Error> {
        let made = self.make(request, explain)?;
        self.launch(made, way, explain)
    }

    /// The first half of [`run`](Self::run).
    pub fn make(&self, request: RunRequest, explain: &mut Explain<'_>) -> Result<Made, Error> {
        let console = Console::new()?;
        let created = explain.step(|| self.create(request), narrate_create)?;
        let CreatedContainer {
            record,
            snapshot,
            lease,
            volumes,
        } = created;
        self.tell_container(&record, "create", &[]);
        let container = Startable {
            record,
            snapshot,
            lease,
            volumes,
        };
        Ok(Made { container, console })
    }

    /// The second half of [`run`](Self::run).
    pub fn launch(&self, made: Made, way: Way, explain: &mut Explain<'_>) -> Result<Ran, Error> {
        let Made { container, console } = made;
        if let Some(signal) = console.interrupted()? {
            if container.record.auto_remove {
                // What is held, by ourselves too, is not removed.
                drop(container.volumes);
                self.take_away(&container.record, container.lease, true)?;
            } else {
                self.write_state(&container.lease.dir, &State::default())?;
            }
            return Err(Error::Interrupted { signal });
        }
        self.supervise(container, (way, console), explain)
    }

    /// Creates a container and does not start it.
    pub fn create_container(&self, request: RunRequest) -> Result<ContainerId, Error> {
        let created = self.create(request)?;
        self.tell_container(&created.record, "create", &[]);
        // Without a state it would be the leftover of a `run`.
        self.write_state(&created.lease.dir, &State::default())?;
        Ok(created.record.id)
    }
}

pub(super) fn spawn(
    plan: &MountPlan,
    spec: &ProcessSpec,
    group: Option<&Group>,
    explain: &mut Explain<'_>,
) -> Result<process::Running, process::Error> {
    if !explain.is_wanted() {
        return process::spawn(plan, spec, group, None);
    }
    let forked = Instant::now();
    let mut in_child = false;
    let mut observer = |step: &process::InitStep, took: Duration| {
        if !in_child {
            // The time until the child's first step is the kernel's for the namespaces.
            explain.tell(
                narrate_namespaces(spec),
                forked.elapsed().saturating_sub(took),
            );
            in_child = true;
        }
        explain.tell(step.narrate(), took);
    };
    process::spawn(plan, spec, group, Some(&mut observer))
}

fn narrate_namespaces(spec: &ProcessSpec) -> Narration {
    let names = spec.namespaces().names().join("|");
    let calls = vec![format!("clone3({names}|CLONE_PIDFD)")];
    let why = "the new process sees mounts, processes and names of its own";
    Narration {
        title: "namespaces",
        calls,
        why,
    }
}

fn narrate_create(created: &Result<CreatedContainer, Error>) -> Narration {
    let calls = created.as_ref().map_or(Vec::new(), |created| {
        let record = &created.record;
        vec![
            format!(
                "read images/names.json: {} is {}",
                record.image, record.image_id
            ),
            format!(
                "mkdir tmp/{0}/{{upper,work}}; write config.json",
                record.id.short()
            ),
            format!(
                "renameat2(tmp/{0}, containers/{0}, RENAME_NOREPLACE)",
                record.id.short()
            ),
        ]
    });
    let why = "born in tmp/ and renamed into place: a half-made container is never seen";
    Narration {
        title: "create",
        calls,
        why,
    }
}

pub(super) fn narrate_supervisor() -> Narration {
    let calls = ["clone3(CLONE_PIDFD)", "setsid()"];
    let why = "a process of its own holds the container's lock, keeps its streams and its log, and \
               waits for its end; this command is its first client";
    Narration {
        title: "supervisor",
        calls: calls.map(str::to_owned).to_vec(),
        why,
    }
}

pub(super) fn narrate_group(record: &ContainerRecord) -> Narration {
    let calls = vec![format!("mkdirat(/sys/fs/cgroup, cowshed/{})", record.id)];
    let why = "a control group holds all its processes: to freeze, to limit, to kill them together";
    Narration {
        title: "cgroup",
        calls,
        why,
    }
}

pub(super) fn narrate_volumes(record: &ContainerRecord, holds: &[Hold]) -> Narration {
    let mut calls = Vec::new();
    for (number, name) in record.volumes().enumerate() {
        calls.push(format!("flock(volumes/{name}, LOCK_SH)"));
        let mounted = holds.get(number).and_then(|hold| hold.narrate(name));
        calls.extend(mounted.into_iter().flatten());
    }
    let why = "a lock says that a volume is in use: it is given back even by kill -9";
    Narration {
        title: "leases",
        calls,
        why,
    }
}

pub(super) fn narrate_removal(record: &ContainerRecord) -> Narration {
    let calls = vec![format!(
        "renameat2(containers/{0}, trash/{0}); unlink",
        record.id.short()
    )];
    let why = "--rm: out of sight at once, then deleted; the mounts went with the namespace";
    Narration {
        title: "remove",
        calls,
        why,
    }
}
