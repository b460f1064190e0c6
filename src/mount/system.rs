//! What every container has: its system mounts, devices, masked and read-only paths.
//!
//! The list is Docker's (moby, oci/defaults.go), as facts.

use super::{Access, AccessTime, Mount, Origin, Source, TmpfsOptions, TmpfsSize};
use crate::sys::features::Cgroups;

/// Device nodes of `/dev`: name, major, minor; mode 0666, root:root.
pub(super) const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links of `/dev`: name, target.
pub(super) const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

/// Kernel files that tell about the host or let it be changed: hidden behind something empty.
pub(super) const MASKED: [(&str, Hidden); 12] = [
    ("/proc/acpi", Hidden::Directory),
    ("/proc/asound", Hidden::Directory),
    ("/proc/interrupts", Hidden::File),
    ("/proc/kcore", Hidden::File),
    ("/proc/keys", Hidden::File),
    ("/proc/latency_stats", Hidden::File),
    ("/proc/timer_list", Hidden::File),
    ("/proc/timer_stats", Hidden::File),
    ("/proc/sched_debug", Hidden::File),
    ("/proc/scsi", Hidden::Directory),
    ("/sys/firmware", Hidden::Directory),
    ("/sys/devices/virtual/powercap", Hidden::Directory),
];

/// What a masked path is, and so what hides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    File,
    Directory,
}

/// Kernel files that may be read.
pub(super) const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The directories and files that the init layer provides, so that no mount has to make its
/// target in the container's upper dir.
pub const STUB_DIRS: [&str; 6] = ["proc", "sys", "dev", "dev/pts", "dev/shm", "etc"];

/// See [`STUB_DIRS`].
pub const STUB_FILES: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

fn dev() -> TmpfsOptions {
    let size = Some(TmpfsSize::Bytes(64 * 1024 * 1024));
    let (dev, exec, atime) = (true, true, AccessTime::Strict);
    TmpfsOptions {
        dev,
        exec,
        atime,
        size,
        mode: Some(0o755),
        ..TmpfsOptions::default()
    }
}

fn shm(bytes: u64) -> TmpfsOptions {
    TmpfsOptions {
        size: Some(TmpfsSize::Bytes(bytes)),
        ..TmpfsOptions::default()
    }
}

/// The system mounts: Docker's, and nearly in Docker's order.
pub fn mounts(cgroups: Cgroups, shm_bytes: u64, root: Access) -> Vec<Mount> {
    let system = |target: &str, source| Mount {
        target: target.into(),
        source,
        origin: Origin::System,
    };
    let etc = |name| Source::Furniture { name, access: root };
    let mut mounts = vec![
        system("/proc", Source::Proc),
        system("/dev", Source::Tmpfs(dev())),
        system("/dev/pts", Source::Devpts),
        system("/dev/mqueue", Source::Mqueue),
        system("/dev/shm", Source::Tmpfs(shm(shm_bytes))),
        system("/sys", Source::Sysfs),
        system("/etc/resolv.conf", etc("resolv.conf")),
        system("/etc/hostname", etc("hostname")),
        system("/etc/hosts", etc("hosts")),
    ];
    if cgroups == Cgroups::Unified {
        mounts.push(system("/sys/fs/cgroup", Source::Cgroup));
    }
    mounts
}
