//! From a record to the values that are applied: a mount plan and a process.

use std::path::PathBuf;

use super::{ContainerRecord, Engine, Error, RunRequest, attach, create::Draft, environment};
use crate::{
    ident::{ContainerId, ContainerName},
    mount::{MountPlan, Narration, system},
    process::{Console, InitStep, Network, ProcessSpec},
    rootfs::Snapshot,
    sys::features,
};

/// What `run --dry-run` and `--explain=sh` show.
#[derive(Debug)]
pub struct DryRun {
    /// What the container would be.
    pub record: ContainerRecord,
    /// What would be mounted.
    pub plan: MountPlan,
    /// What would run.
    pub spec: ProcessSpec,
    /// Volumes that would be made: mountpoint and name.
    pub new_volumes: Vec<(PathBuf, String)>,
}

impl DryRun {
    /// Every step as it would be narrated.
    pub fn narrate(&self) -> Vec<Narration> {
        InitStep::list(&self.plan, &self.spec, None)
            .iter()
            .map(InitStep::narrate)
            .collect()
    }
}

impl Engine {
    /// Decides a run and makes nothing.
    pub fn dry_run(&self, request: RunRequest) -> Result<DryRun, Error> {
        let Draft {
            record,
            snapshot,
            notes,
        } = self.draft(request)?;
        attach::check_sources(&record)?;
        self.tell_notes(&record, &notes)?;
        let (plan, spec) = self.plan(&record, &snapshot)?;
        let volumes = self.volumes()?;
        let mut new_volumes = Vec::new();
        for name in record.volumes() {
            if volumes.find(name)?.is_none() {
                new_volumes.push((volumes.mountpoint(name), name.to_string()));
            }
        }
        Ok(DryRun {
            record,
            plan,
            spec,
            new_volumes,
        })
    }

    pub(super) fn plan(
        &self,
        record: &ContainerRecord,
        snapshot: &Snapshot,
    ) -> Result<(MountPlan, ProcessSpec), Error> {
        let mut overlay = snapshot.overlay.clone();
        // Nobody will see the upper dir of a `--rm` container again, so nothing of it needs to
        // reach the disk.
        overlay.volatile = record.auto_remove;
        let system = system::mounts(features::cgroups(), record.shm_bytes, record.root);
        let user = self.mounts(record)?;
        let files = environment::files(&record.hostname, record.network == Network::Host);
        let plan = MountPlan::new(overlay, record.root, files, (system, user))?;
        Ok((plan, spec(record)))
    }
}

fn spec(record: &ContainerRecord) -> ProcessSpec {
    let console = if record.terminal {
        Console::Terminal
    } else {
        Console::Pipes {
            stdin: record.interactive,
        }
    };
    ProcessSpec {
        args: record.args.clone(),
        env: record.env.clone(),
        cwd: record.cwd.clone(),
        user: record.user.clone(),
        hostname: record.hostname.clone(),
        network: record.network,
        ulimits: record.ulimits.clone(),
        console,
        reaper: record.reaper,
    }
}

const ADJECTIVES: [&str; 32] = [
    "amber", "bold", "brisk", "calm", "clever", "crisp", "dapper", "eager", "fair", "gentle",
    "happy", "honest", "jolly", "keen", "kind", "lively", "lucid", "mellow", "merry", "neat",
    "nimble", "patient", "plain", "proud", "quiet", "sharp", "sound", "steady", "sunny", "tidy",
    "warm", "wise",
];

const ANIMALS: [&str; 32] = [
    "angus",
    "ayrshire",
    "bison",
    "brahman",
    "calf",
    "devon",
    "dexter",
    "ox",
    "fleckvieh",
    "gaur",
    "gelbvieh",
    "guernsey",
    "hanwoo",
    "hereford",
    "highland",
    "holstein",
    "jersey",
    "kerry",
    "limousin",
    "longhorn",
    "murray",
    "nguni",
    "piedmont",
    "pinzgau",
    "sanga",
    "shorthorn",
    "simmental",
    "sussex",
    "tajima",
    "wagyu",
    "yak",
    "zebu",
];

/// A name for a container that got none; the digits make it as good as unique.
pub(super) fn made_up_name(id: &ContainerId) -> ContainerName {
    let bytes: Vec<_> = id.as_str().bytes().map(usize::from).collect();
    let pick = |at: usize| (bytes[at] * 31 + bytes[at + 1] * 7 + bytes[at + 2]) % 32;
    let (adjective, animal) = (ADJECTIVES[pick(0)], ANIMALS[pick(3)]);
    let name = format!("{adjective}_{animal}_{}", &id.as_str()[6..12]);
    name.parse().expect("letters, digits and underscores")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_names_are_valid_and_differ() {
        let name = |byte| made_up_name(&ContainerId::from_random([byte; 32]));
        let names: std::collections::HashSet<_> = (0..=255).map(name).collect();
        assert_eq!(names.len(), 256);
    }
}
