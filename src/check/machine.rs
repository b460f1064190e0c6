//! What is left of dead commands outside of the store's files: mounts, control groups, loop devices.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{Error, Finding, Remedy};
use crate::{
    cgroup::{self, Hierarchies},
    container::{Engine, ImageMount},
    ident::{ChainId, ContainerId},
    rootfs::MOUNTED,
    store::{Place, Tried, try_lease},
    sys::{
        loop_device::{self, BackedLoop},
        mountinfo::{self, MountInfo},
        process,
    },
};

/// What mounts of images are made of, in tables of mounts.
const IMAGE: &str = "cowshed-image:";

#[derive(Debug, Default)]
pub(super) struct MachineFacts {
    /// The store's real path.
    root: PathBuf,
    /// Below it, in this mount namespace.
    mounts: Vec<MountInfo>,
    /// Volumes with a mount of their own that nobody uses.
    idle_volumes: BTreeSet<String>,
    image_mounts: Vec<(ImageMount, bool)>,
    /// Files among their records that cannot be read.
    image_mounts_damaged: Vec<(String, String)>,
    /// Groups of containers that are gone, as the journal tells.
    groups: Vec<String>,
    loops: Vec<(BackedLoop, bool)>,
}

impl MachineFacts {
    /// `made`: the containers that the journal tells of.
    pub(super) fn gather(engine: &Engine, made: &BTreeSet<String>) -> Result<Self, Error> {
        let store = engine.store();
        let root = process::real_path_of(store.root())?;
        let mut mounts = mountinfo::read()?;
        mounts.retain(|one| one.mount_point.starts_with(&root) && one.mount_point != root);
        let mut idle_volumes = BTreeSet::new();
        for mount in &mounts {
            if let Some(name) = volume_of(&root, &mount.mount_point) {
                let dir = store.open_dir(Place::Volumes)?;
                // A plain one: whoever mounts something on it means it.
                let mounts = dir
                    .open_dir(name)
                    .is_ok_and(|own| matches!(own.find("mount.lock"), Ok(Some(_))));
                if mounts && matches!(try_lease(dir, name)?, Tried::Got(_)) {
                    idle_volumes.insert(name.to_owned());
                }
            }
        }
        let (image_mounts, image_mounts_damaged) = engine.image_mount_records()?;
        Ok(Self {
            idle_volumes,
            image_mounts,
            image_mounts_damaged,
            groups: groups(engine, made)?,
            loops: loops(&root)?,
            mounts,
            root,
        })
    }

    /// Layers of images that are mounted.
    pub(super) fn mounted_chains(&self) -> impl Iterator<Item = ChainId> {
        let mounts = self.image_mounts.iter();
        mounts.flat_map(|(mount, _)| mount.chains.iter().copied())
    }

    pub(super) fn decide(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self
            .mounts
            .iter()
            .filter_map(|one| self.mount(one))
            .collect();
        for (mount, _) in self.image_mounts.iter().filter(|(_, alive)| !alive) {
            let object = format!("mount of image {}", mount.name);
            let what = format!("is no more: it was on {}", mount.target.display());
            let remedy = Remedy::ForgetMount(mount.id.clone());
            findings.push(Finding::leftover(object, what, remedy));
        }
        for (file, why) in &self.image_mounts_damaged {
            let path = Place::Images.path().join(MOUNTED).join(file);
            let object = path.display().to_string();
            findings.push(Finding::damage(object, why, Remedy::Quarantine(path)));
        }
        for id in &self.groups {
            let object = format!("control group cowshed/{id}");
            let what = "its container is gone";
            let remedy = Remedy::RemoveGroup(id.clone());
            findings.push(Finding::leftover(object, what, remedy));
        }
        for (device, in_use) in self.loops.iter().filter(|(_, in_use)| !in_use) {
            debug_assert!(!in_use);
            let object = device.path.display().to_string();
            let file = device.file.display();
            let type_it = format!("losetup -d {object}");
            findings.push(if device.is_deleted {
                let what = format!("keeps a file that was removed from the store: {file}");
                Finding::leftover(object, what, Remedy::Type(type_it))
            } else {
                let what = format!("has a file of the store, and nobody uses it: {file}");
                Finding::note(object, what, &type_it)
            });
        }
        findings
    }

    fn mount(&self, mount: &MountInfo) -> Option<Finding> {
        let point = &mount.mount_point;
        let object = format!("mount on {}", point.display());
        let below = point.strip_prefix(&self.root).ok()?;
        let is_place = |place: &Place| place.path() == below && *place != Place::Merged;
        if below.starts_with(Place::Volumes.path()) {
            let name = volume_of(&self.root, point)?;
            let is_left = self.idle_volumes.contains(name);
            return is_left.then(|| {
                let what = format!("nobody uses volume {name} any more");
                Finding::leftover(object, what, Remedy::Tidy)
            });
        }
        // Its owner has put this part of the store elsewhere.
        if Place::ALL.iter().any(is_place) {
            return None;
        }
        if let Some(id) = mount.source.strip_prefix(IMAGE) {
            if self.image_mounts.iter().any(|(one, _)| one.id == id) {
                return None;
            }
            let what = "nothing tells of this mount of an image";
            return Some(Finding::leftover(
                object,
                what,
                Remedy::Unmount(point.clone()),
            ));
        }
        let what = "something is mounted where each container has its own";
        let ours = mount.kind == "overlay" && ["overlay", "cowshed"].contains(&&*mount.source);
        let remedy = if ours && below.starts_with(Place::Merged.path()) {
            Remedy::Unmount(point.clone())
        } else {
            Remedy::Type(format!("umount {}", point.display()))
        };
        Some(Finding::leftover(object, what, remedy))
    }
}

/// Of the directory that holds a volume's data.
fn volume_of<'a>(root: &Path, point: &'a Path) -> Option<&'a str> {
    let below = point.strip_prefix(root).ok()?;
    let below = below.strip_prefix(Place::Volumes.path()).ok()?;
    let mut parts = below.iter();
    let name = parts.next()?.to_str()?;
    (parts.next()? == "_data" && parts.next().is_none()).then_some(name)
}

/// Another store has its groups in the same place: only those are ours that our journal tells of.
fn groups(engine: &Engine, made: &BTreeSet<String>) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let containers = engine.store().open_dir(Place::Containers)?;
    for id in cgroup::children(&Hierarchies::detect()?)? {
        let is_ours = made.contains(&id) && containers.find(&id)?.is_none();
        let parsed = id.parse::<ContainerId>();
        if is_ours && parsed.is_ok_and(|id| matches!(engine.is_being_made(&id), Ok(false))) {
            found.push(id);
        }
    }
    Ok(found)
}

fn loops(root: &Path) -> Result<Vec<(BackedLoop, bool)>, Error> {
    let mut devices = loop_device::backed();
    devices.retain(|device| device.file.starts_with(root));
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    let mounts = mountinfo::read_all()?;
    let is_used = |device: &BackedLoop| {
        // It lets go by itself as soon as nobody has it.
        device.autoclear
            || device.is_held
            || mounts
                .iter()
                .any(|one| Path::new(&one.source) == device.path)
    };
    Ok(devices
        .into_iter()
        .map(|device| {
            let used = is_used(&device);
            (device, used)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_data_of_a_volume_is_one() {
        let of = |point| volume_of(Path::new("/s"), Path::new(point));
        assert_eq!(of("/s/volumes/v/_data"), Some("v"));
        assert_eq!(of("/s/volumes/v/_data/deep"), None);
        assert_eq!(of("/s/volumes/v"), None);
        assert_eq!(of("/t/volumes/v/_data"), None);
    }

    fn told(text: &str) -> Vec<String> {
        let facts = MachineFacts {
            root: "/s".into(),
            mounts: mountinfo::parse(text.as_bytes()),
            idle_volumes: BTreeSet::from(["idle".to_owned()]),
            ..MachineFacts::default()
        };
        let text = |one: Finding| format!("{}: {}", one.object, one.remedy);
        facts.decide().into_iter().map(text).collect()
    }

    #[test]
    fn what_is_mounted_for_somebody_is_no_leak() {
        let line = |point, kind, source| format!("1 2 0:3 / {point} rw - {kind} {source} rw\n");
        for (point, kind, source) in [
            ("/s/volumes/busy/_data", "ext4", "/dev/loop0"),
            ("/s/volumes/idle/_data/own", "tmpfs", "none"),
            ("/s/overlay2", "ext4", "/dev/sdb1"),
        ] {
            assert_eq!(told(&line(point, kind, source)), [""; 0], "{point}");
        }
        let left = [
            ("/s/volumes/idle/_data", "ext4", "/dev/loop0"),
            ("/s/images/mounted/abc", "overlay", "cowshed-image:abc"),
            ("/s/merged", "overlay", "overlay"),
            ("/s/overlay2/x/diff", "tmpfs", "none"),
        ];
        let left = left.map(|(point, kind, source)| line(point, kind, source));
        assert_eq!(
            told(&left.concat()),
            [
                "mount on /s/volumes/idle/_data: finish or undo what was begun",
                "mount on /s/images/mounted/abc: unmount it",
                "mount on /s/merged: unmount it",
                "mount on /s/overlay2/x/diff: umount /s/overlay2/x/diff",
            ]
        );
    }
}
