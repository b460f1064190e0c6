//! What this machine and this store are.

use super::{Container, Engine, Error, Status};
use crate::{
    store::DRIVER,
    sys::features::{self, Cgroups},
};

/// What `info` prints.
#[derive(Debug)]
pub struct Info {
    /// Containers that run, and are not frozen.
    pub running: usize,
    /// Frozen ones.
    pub paused: usize,
    /// Containers that do not.
    pub stopped: usize,
    /// Images, by id.
    pub images: usize,
    /// Volumes.
    pub volumes: usize,
    /// Volumes in the trash.
    pub trashed_volumes: usize,
    /// The storage driver.
    pub driver: &'static str,
    /// The store's root.
    pub root: String,
    /// What the kernel and the store's file system can do.
    pub features: Features,
    /// `6.18.0`
    pub kernel: String,
    /// PRETTY_NAME of /etc/os-release.
    pub operating_system: String,
    /// `x86_64`
    pub architecture: &'static str,
    /// Processors.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Host name.
    pub name: String,
}

/// What the kernel and the store's file system can do.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a list of abilities, each there or not"
)]
pub struct Features {
    /// File system under the store.
    pub backing: String,
    /// Whether a directory's entries tell their types.
    pub typed_entries: bool,
    /// overlayfs at all.
    pub overlay: bool,
    /// One `lowerdir+` a layer.
    pub lowerdir_append: bool,
    /// `userxattr`
    pub userxattr: bool,
    /// `metacopy=on`
    pub metacopy: bool,
    /// `volatile`
    pub volatile: bool,
    /// Idmapped mounts.
    pub idmap: bool,
    /// Copies that share blocks.
    pub reflink: bool,
    /// Control groups.
    pub cgroups: Cgroups,
}

impl Engine {
    /// Looks at everything.
    pub fn info(&self) -> Result<Info, Error> {
        // Those that cannot be read do not run, for all we know.
        let (containers, damaged) = self.all_containers()?;
        let live = containers.iter().filter(|one| one.status.is_live()).count();
        let is_paused = |one: &&Container| one.status == Status::Paused;
        let paused = containers.iter().filter(is_paused).count();
        let mut ids: Vec<_> = self
            .images()?
            .all()?
            .0
            .iter()
            .map(|record| record.id)
            .collect();
        ids.sort();
        ids.dedup();
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let release = read("/etc/os-release");
        let pretty = release
            .lines()
            .find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Ok(Info {
            running: live - paused,
            paused,
            stopped: containers.len() - live + damaged.len(),
            images: ids.len(),
            volumes: self.volumes()?.names()?.len(),
            trashed_volumes: self.volumes()?.trash()?.len(),
            driver: DRIVER,
            root: self.store().path().display().to_string(),
            features: self.features()?,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            operating_system: pretty.unwrap_or("Linux").trim_matches('"').to_owned(),
            architecture: std::env::consts::ARCH,
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: memory(&read("/proc/meminfo")),
            name: read("/proc/sys/kernel/hostname").trim().to_owned(),
        })
    }

    fn features(&self) -> Result<Features, Error> {
        let tmp = self.store().open_dir(crate::store::Place::Tmp)?;
        Ok(Features {
            backing: features::file_system_name(tmp),
            typed_entries: features::typed_entries(self.store().root()),
            overlay: features::overlay(),
            lowerdir_append: features::overlay_lowerdir_append(),
            userxattr: features::overlay_userxattr(),
            metacopy: features::overlay_metacopy(),
            volatile: features::overlay_volatile(),
            idmap: features::idmapped_mounts(),
            reflink: features::reflink(tmp),
            cgroups: features::cgroups(),
        })
    }
}

fn memory(meminfo: &str) -> u64 {
    let total = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
