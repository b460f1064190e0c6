//! Which hierarchies this machine has: the one of version 2, and those of version 1 (cgroups(7)).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Error, Limits};
use crate::sys::{
    At as _,
    features::is_writable_cgroup2,
    mountinfo::{self, MountInfo},
};

/// Controllers of version 1 that we have a use for.
const LEGACY: [&str; 7] = [
    "blkio", "cpu", "cpuacct", "cpuset", "freezer", "memory", "pids",
];

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where.
    pub mount_point: PathBuf,
    /// What it controls.
    pub controllers: Vec<String>,
}

/// One of [`Hierarchies`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hierarchy {
    /// Version 2.
    Unified,
    /// Version 1, by its place in [`Hierarchies::legacy`].
    Legacy(usize),
}

/// The hierarchies that groups can be made in. A read-only or hidden one is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hierarchies {
    unified: Option<Mounted>,
    legacy: Vec<Mounted>,
}

impl Hierarchies {
    /// Looks at /proc/self/mountinfo, and at what version 2 offers.
    pub fn detect() -> Result<Self, Error> {
        let system = |source| Error::System {
            what: "look for control groups".to_owned(),
            source,
        };
        let mounts = mountinfo::read().map_err(system)?;
        let offered = match unified_mount(&mounts) {
            Some(mount) => {
                let file = mount.mount_point.join("cgroup.controllers");
                let text = fs::read_to_string(&file).at("read", || file.display().to_string());
                text.map_err(system)?
            }
            None => String::new(),
        };
        Ok(Self::new(&mounts, &offered))
    }

    /// What is enough for these limits: without any, version 2 where it usually is, found with a
    /// system call or two instead of all mounts.
    pub fn detect_for(limits: &Limits) -> Result<Self, Error> {
        let usual = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let found = || usual.into_iter().find(|path| is_writable_cgroup2(path));
        match limits.is_empty().then(found).flatten() {
            Some(path) => Ok(Self {
                unified: Some(Mounted {
                    mount_point: path.to_owned(),
                    controllers: Vec::new(),
                }),
                legacy: Vec::new(),
            }),
            None => Self::detect(),
        }
    }

    /// From the mounts, and the text of `cgroup.controllers` where version 2 is among them.
    pub fn new(mounts: &[MountInfo], offered: &str) -> Self {
        let unified = unified_mount(mounts).map(|mount| Mounted {
            mount_point: mount.mount_point.clone(),
            controllers: offered.split_whitespace().map(str::to_owned).collect(),
        });
        let mut legacy: Vec<Mounted> = Vec::new();
        for mount in of_kind(mounts, "cgroup") {
            let controllers: Vec<_> = mount
                .super_options
                .split(',')
                .filter(|option| LEGACY.contains(option))
                .map(str::to_owned)
                .collect();
            let known = |one: &Mounted| one.controllers == controllers;
            if !controllers.is_empty() && !legacy.iter().any(known) {
                legacy.push(Mounted {
                    mount_point: mount.mount_point.clone(),
                    controllers,
                });
            }
        }
        Self { unified, legacy }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.unified.is_none() && self.legacy.is_empty()
    }

    /// Version 2.
    pub fn unified(&self) -> Option<&Mounted> {
        self.unified.as_ref()
    }

    /// Version 1, in the order of mounting. Controllers may share a hierarchy.
    pub fn legacy(&self) -> &[Mounted] {
        &self.legacy
    }

    /// All, version 2 first.
    pub fn all(&self) -> impl Iterator<Item = Hierarchy> {
        let legacy = (0..self.legacy.len()).map(Hierarchy::Legacy);
        self.unified
            .iter()
            .map(|_| Hierarchy::Unified)
            .chain(legacy)
    }

    /// Where a controller can be used. `cpu` and the like have one name in both versions, but
    /// `blkio` is `io` in version 2, and `freezer` is no controller there.
    pub fn of_controller(&self, name: &str) -> Option<Hierarchy> {
        let has = |one: &Mounted| one.controllers.iter().any(|controller| controller == name);
        if self.unified.as_ref().is_some_and(has) {
            return Some(Hierarchy::Unified);
        }
        self.legacy.iter().position(has).map(Hierarchy::Legacy)
    }

    /// The hierarchy that every group is in: version 2, which can freeze and kill even without
    /// controllers, else the freezer, else any.
    pub fn primary(&self) -> Option<Hierarchy> {
        let unified = self.unified.as_ref().map(|_| Hierarchy::Unified);
        unified
            .or_else(|| self.of_controller("freezer"))
            .or_else(|| self.all().next())
    }

    /// Where a hierarchy is mounted.
    pub(super) fn mount_point(&self, hierarchy: Hierarchy) -> Option<&Path> {
        let mounted = match hierarchy {
            Hierarchy::Unified => self.unified.as_ref(),
            Hierarchy::Legacy(number) => self.legacy.get(number),
        };
        mounted.map(|mounted| mounted.mount_point.as_path())
    }
}

/// The mounts of one type that can be used, those at the usual place first.
fn of_kind<'a>(mounts: &'a [MountInfo], kind: &str) -> Vec<&'a MountInfo> {
    let usable = |mount: &&MountInfo| {
        mount.kind == kind && !mount.read_only && mountinfo::is_visible(mounts, mount)
    };
    let mut found: Vec<_> = mounts.iter().filter(usable).collect();
    found.sort_by_key(|mount| !mount.mount_point.starts_with("/sys/fs/cgroup"));
    found
}

fn unified_mount(mounts: &[MountInfo]) -> Option<&MountInfo> {
    of_kind(mounts, "cgroup2").first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEMD: &str = "\
22 28 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
28 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
31 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";

    const HYBRID: &str = "\
23 28 0:21 / /sys rw,relatime - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    const LEGACY_SYSTEMD: &str = "\
22 27 0:20 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
27 0 8:1 / / rw,relatime shared:1 - xfs /dev/sda1 rw,attr2,inode64
25 22 0:23 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
26 25 0:24 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup rw,xattr,release_agent=/usr/lib/systemd/systemd-cgroups-agent,name=systemd
29 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpuacct,cpu
30 25 0:27 / /sys/fs/cgroup/freezer rw,nosuid shared:13 - cgroup cgroup rw,freezer
31 25 0:28 / /sys/fs/cgroup/net_cls,net_prio rw,nosuid shared:14 - cgroup cgroup rw,net_prio,net_cls
32 25 0:29 / /sys/fs/cgroup/memory rw,nosuid shared:15 - cgroup cgroup rw,memory
";

    /// As docker run --privileged shows it: the container's own part, twice.
    const NESTED: &str = "\
700 650 0:52 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c
705 700 0:57 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw
706 705 0:27 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate
710 700 0:27 /docker/abc /mnt/cgroup rw,relatime - cgroup2 cgroup rw,nsdelegate
";

    fn hierarchies(mountinfo: &str, offered: &str) -> Hierarchies {
        Hierarchies::new(&mountinfo::parse(mountinfo.as_bytes()), offered)
    }

    #[test]
    fn version_2_alone_holds_what_it_offers() {
        let found = hierarchies(SYSTEMD, "cpuset cpu io memory hugetlb pids rdma\n");
        assert_eq!(
            found.unified().unwrap().mount_point,
            Path::new("/sys/fs/cgroup")
        );
        assert!(found.legacy().is_empty());
        assert_eq!(found.primary(), Some(Hierarchy::Unified));
        for name in ["cpuset", "cpu", "io", "memory", "pids"] {
            assert_eq!(found.of_controller(name), Some(Hierarchy::Unified));
        }
        assert_eq!(found.of_controller("blkio"), None);
        assert_eq!(found.of_controller("freezer"), None);
    }

    #[test]
    fn a_hybrid_machine_has_an_empty_version_2_beside_the_controllers() {
        let found = hierarchies(HYBRID, "hugetlb\n");
        assert_eq!(found.primary(), Some(Hierarchy::Unified));
        assert_eq!(
            found.mount_point(Hierarchy::Unified),
            Some(Path::new("/sys/fs/cgroup/unified"))
        );
        assert_eq!(found.legacy().len(), 7);
        assert_eq!(found.of_controller("memory"), Some(Hierarchy::Legacy(3)));
        assert_eq!(found.all().count(), 8);
        let memory = found.of_controller("memory").unwrap();
        assert_eq!(
            found.mount_point(memory),
            Some(Path::new("/sys/fs/cgroup/memory"))
        );
    }

    #[test]
    fn version_1_alone_begins_with_the_freezer() {
        let found = hierarchies(LEGACY_SYSTEMD, "");
        assert_eq!(found.unified(), None);
        assert_eq!(found.primary(), Some(Hierarchy::Legacy(1)));
        assert_eq!(found.primary(), found.of_controller("freezer"));
    }

    #[test]
    fn controllers_that_share_a_hierarchy_are_in_one() {
        let found = hierarchies(LEGACY_SYSTEMD, "");
        assert_eq!(found.of_controller("cpu"), Some(Hierarchy::Legacy(0)));
        assert_eq!(found.of_controller("cpuacct"), Some(Hierarchy::Legacy(0)));
        assert_eq!(found.legacy().len(), 3);
    }

    #[test]
    fn inside_a_container_the_usual_place_is_taken() {
        let found = hierarchies(NESTED, "memory pids\n");
        assert_eq!(
            found.unified().unwrap().mount_point,
            Path::new("/sys/fs/cgroup")
        );
        assert_eq!(found.of_controller("pids"), Some(Hierarchy::Unified));
    }

    #[test]
    fn read_only_and_hidden_mounts_are_none() {
        let text = NESTED.replace("/cgroup rw", "/cgroup ro");
        assert_eq!(hierarchies(&text, "memory\n"), Hierarchies::default());
        let text = format!("{SYSTEMD}90 31 0:99 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
        assert_eq!(hierarchies(&text, "memory\n"), Hierarchies::default());
    }

    #[test]
    fn without_control_groups_there_is_none() {
        for text in ["", "28 1 8:2 / / rw - ext4 /dev/sda2 rw\n", "한글 \\\n\n"] {
            let found = hierarchies(text, "");
            assert!(found.is_empty(), "{text}");
            assert_eq!(found.primary(), None);
        }
    }
}
