//! The story: create, plan, spawn, supervise, tidy up.

use std::time::{Duration, Instant};

use super::{
    ContainerRecord, Engine, Error, Explain, RunRequest, create::CreatedContainer, supervisor,
};
use crate::{
    mount::{MountPlan, Narration},
    process::{self, ProcessSpec, Relay},
    rootfs::Snapshot,
    store::Lease,
    sys::process::Ended,
};

impl Engine {
    /// Runs a container in the foreground and returns how its program ended.
    ///
    /// With `--rm` nothing of it is left, however it ended.
    pub fn run(&self, request: RunRequest, explain: &mut Explain<'_>) -> Result<Ended, Error> {
        // First of all, so that a signal never ends us half-way.
        let relay = Relay::new()?;
        let created = explain.step(|| self.create(request), narrate_create)?;
        let CreatedContainer {
            record,
            snapshot,
            lease,
        } = created;
        let outcome = self.start(&record, &snapshot, (&lease, relay), explain);
        if let Err(error) = &outcome
            && !record.auto_remove
        {
            supervisor::record_failure(self, &lease, error)?;
        }
        if record.auto_remove {
            explain.step(
                || self.take_away(&record, lease, true),
                |_| narrate_removal(&record),
            )?;
        }
        outcome
    }

    /// Starts a container that exists and waits for its end.
    fn start(
        &self,
        record: &ContainerRecord,
        snapshot: &Snapshot,
        (lease, relay): (&Lease, Relay),
        explain: &mut Explain<'_>,
    ) -> Result<Ended, Error> {
        let prepare = || {
            self.make_sources(record)?;
            self.attach_volumes(record, snapshot)
        };
        let volumes = explain.step(prepare, |_| narrate_volumes(record));
        if let Some(signal) = relay.interrupted()? {
            return Err(Error::Interrupted { signal });
        }
        let _volumes = volumes?;
        let (plan, spec) = self.plan(record, snapshot)?;
        let running = spawn(&plan, &spec, explain)
            .map_err(|error| super::attach::wrong_type(error, &plan))?;
        supervisor::supervise(self, record, lease, (running, relay))
    }
}

fn spawn(
    plan: &MountPlan,
    spec: &ProcessSpec,
    explain: &mut Explain<'_>,
) -> Result<process::Running, process::Error> {
    if !explain.is_wanted() {
        return process::spawn(plan, spec, None);
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
    process::spawn(plan, spec, Some(&mut observer))
}

fn narrate_namespaces(spec: &ProcessSpec) -> Narration {
    let names = spec.namespaces().names().join("|");
    let calls = vec![format!("clone3({names}|CLONE_PIDFD)")];
    let why = "the new process sees mounts, processes, names and network of its own";
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

fn narrate_volumes(record: &ContainerRecord) -> Narration {
    let calls = record
        .volumes()
        .map(|name| format!("flock(volumes/{name}, LOCK_SH)"))
        .collect();
    let why = "a lock says that a volume is in use: it is given back even by kill -9";
    Narration {
        title: "leases",
        calls,
        why,
    }
}

fn narrate_removal(record: &ContainerRecord) -> Narration {
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
