//! From a record to the values that are applied: a mount plan and a process.

use std::path::PathBuf;

use super::{
    ContainerRecord, Engine, Error, RunRequest, attach, create, create_volumes::new_volume,
    environment,
};
use crate::{
    ident::{ContainerId, ContainerName, VolumeName},
    mount::{MountPlan, Narration, RequestKind, system},
    process::{Console, InitStep, Network, ProcessSpec},
    rootfs::Snapshot,
    sys::features,
    volume::MountSpec,
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
    /// Volumes whose file system would be mounted, because nobody else uses them.
    pub volume_mounts: Vec<VolumeMount>,
}

/// What would be mounted on a volume.
#[derive(Debug)]
pub struct VolumeMount {
    /// The volume.
    pub name: VolumeName,
    /// Its data.
    pub mountpoint: PathBuf,
    /// The file system.
    pub spec: MountSpec,
}

impl DryRun {
    /// Every step as it would be narrated.
    pub fn narrate(&self) -> Vec<Narration> {
        let volumes = self.narrate_volumes();
        let steps = InitStep::list(&self.plan, &self.spec, None);
        volumes
            .into_iter()
            .chain(steps.iter().map(InitStep::narrate))
            .collect()
    }

    /// The first user of a volume with driver options mounts it, before anything else is done.
    fn narrate_volumes(&self) -> Option<Narration> {
        let calls = self.volume_mounts.iter().flat_map(|mount| {
            let place = format!("volumes/{}/_data", mount.name);
            mount.spec.narrate(&place)
        });
        let calls: Vec<_> = calls.collect();
        let why = "the first user of a volume with driver options mounts it, the last unmounts it";
        let title = "volumes";
        (!calls.is_empty()).then_some(Narration { title, calls, why })
    }
}

impl Engine {
    /// Decides a run and makes nothing.
    pub fn dry_run(&self, request: RunRequest) -> Result<DryRun, Error> {
        let create::Draft {
            record,
            snapshot,
            notes,
        } = self.draft(request)?;
        attach::check_sources(&record)?;
        self.tell_notes(&record, &notes)?;
        let (plan, spec) = self.plan(&record, &snapshot)?;
        let volumes = self.volumes()?;
        let (mut new_volumes, mut volume_mounts) = (Vec::new(), Vec::<VolumeMount>::new());
        for mount in &record.mounts {
            let (RequestKind::Volume(wanted), Some(name)) = (&mount.request.kind, &mount.volume)
            else {
                continue;
            };
            if volume_mounts.iter().any(|known| known.name == *name) {
                continue;
            }
            let mountpoint = volumes.mountpoint(name);
            let spec = if let Some(volume) = volumes.find(name)? {
                volume.mount_spec().filter(|_| !volumes.is_mounted(name))
            } else {
                new_volumes.push((mountpoint.clone(), name.to_string()));
                new_volume(name, wanted).mount_spec()?
            };
            volume_mounts.extend(spec.map(|spec| VolumeMount {
                name: name.clone(),
                mountpoint,
                spec,
            }));
        }
        Ok(DryRun {
            record,
            plan,
            spec,
            new_volumes,
            volume_mounts,
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
        let is_lost = record.auto_remove || record.union.volatile;
        overlay.volatile = is_lost && record.union.ephemeral.is_none();
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
        rights: record.security.rights(),
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
