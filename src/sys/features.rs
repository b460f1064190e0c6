//! What this kernel can do, found by asking it.

use super::{Dir, fs_context::FsContext, raw};

/// Whether overlayfs takes `lowerdir+`, one layer a call (Linux 6.8).
pub fn overlay_lowerdir_append() -> bool {
    // An unknown key is refused when it is set, before anything is mounted; a file system that still
    // has option strings (before 6.5) takes any.
    let any =
        FsContext::open("overlay").is_ok_and(|overlay| overlay.set("no-such-key", "").is_ok());
    if any {
        return false;
    }
    FsContext::open("overlay").is_ok_and(|overlay| overlay.set("lowerdir+", "/").is_ok())
}

/// Whether an overlay option is known to this kernel.
fn overlay_has(key: &str, value: &str) -> bool {
    FsContext::open("overlay").is_ok_and(|overlay| overlay.set(key, value).is_ok())
}

/// Whether a directory's entries tell what they are (readdir(3), `d_type`), which overlayfs needs of
/// its upper dirs. Looks at those that there are.
pub fn typed_entries(dir: &Dir) -> bool {
    dir.typed_entries()
        .is_ok_and(|entries| entries.iter().all(|(_, is_dir)| is_dir.is_some()))
}

/// Whether overlayfs is there at all.
pub fn overlay() -> bool {
    FsContext::open("overlay").is_ok()
}

/// `userxattr` (Linux 5.11).
pub fn overlay_userxattr() -> bool {
    FsContext::open("overlay").is_ok_and(|overlay| overlay.set_flag("userxattr").is_ok())
}

/// `metacopy=on` (Linux 4.19).
pub fn overlay_metacopy() -> bool {
    overlay_has("metacopy", "on")
}

/// `volatile` (Linux 5.10).
pub fn overlay_volatile() -> bool {
    FsContext::open("overlay").is_ok_and(|overlay| overlay.set_flag("volatile").is_ok())
}

/// mount_setattr(2) with `MOUNT_ATTR_IDMAP` (Linux 5.12): the call exists. Whether a file system
/// allows it shows when it is tried.
pub fn idmapped_mounts() -> bool {
    let here = Dir::open(std::path::Path::new("/"));
    let nothing = libc::mount_attr {
        attr_set: 0,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    here.is_ok_and(|dir| {
        let fd = std::os::fd::AsFd::as_fd(&dir);
        !matches!(
            raw::mount_setattr(fd, false, &nothing),
            Err(nix::errno::Errno::ENOSYS)
        )
    })
}

/// Whether files in this directory can share blocks (ioctl_ficlone(2)): xfs, btrfs.
pub fn reflink(dir: &Dir) -> bool {
    let name = format!(".reflink-probe-{}", std::process::id());
    let copy = format!("{name}-copy");
    let works = || -> super::Result<bool> {
        let mut from = dir.create_file(&name, 0o600)?;
        super::At::at(
            std::io::Write::write_all(&mut from, &[1; 4096]),
            "write",
            || "probe",
        )?;
        let to = dir.create_file(&copy, 0o600)?;
        Ok(raw::ficlone(
            std::os::fd::AsFd::as_fd(&to),
            std::os::fd::AsFd::as_fd(&from),
        )
        .is_ok())
    };
    let works = works().unwrap_or(false);
    drop(dir.remove_file(&name));
    drop(dir.remove_file(&copy));
    works
}

/// How control groups are mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// One tree at /sys/fs/cgroup.
    Unified,
    /// Version 1 controllers, with or without an empty version 2 tree beside them.
    Legacy,
    /// Not mounted.
    Absent,
}

/// Looks at /sys/fs/cgroup (cgroups(7)).
pub fn cgroups() -> Cgroups {
    let kind = nix::sys::statfs::statfs("/sys/fs/cgroup").map(|fs| fs.filesystem_type());
    match kind {
        Ok(nix::sys::statfs::CGROUP2_SUPER_MAGIC) => Cgroups::Unified,
        Ok(nix::sys::statfs::TMPFS_MAGIC) => Cgroups::Legacy,
        _ => Cgroups::Absent,
    }
}

/// Whether control groups of version 2 are mounted at `path`, and can be made there.
pub fn is_writable_cgroup2(path: &std::path::Path) -> bool {
    use nix::sys::{
        statfs::{CGROUP2_SUPER_MAGIC, statfs},
        statvfs::FsFlags,
    };
    statfs(path).is_ok_and(|found| {
        found.filesystem_type() == CGROUP2_SUPER_MAGIC
            && !found.flags().contains(FsFlags::ST_RDONLY)
    })
}

/// The name of the file system that holds `dir`, or its magic number.
pub fn file_system_name(dir: &Dir) -> String {
    use nix::sys::statfs;
    const NAMES: &[(statfs::FsType, &str)] = &[
        (statfs::EXT4_SUPER_MAGIC, "extfs"),
        (statfs::XFS_SUPER_MAGIC, "xfs"),
        (statfs::BTRFS_SUPER_MAGIC, "btrfs"),
        (statfs::TMPFS_MAGIC, "tmpfs"),
        (statfs::OVERLAYFS_SUPER_MAGIC, "overlayfs"),
        (statfs::NFS_SUPER_MAGIC, "nfs"),
    ];
    let Ok(found) = statfs::fstatfs(dir) else {
        return "unknown".to_owned();
    };
    let kind = found.filesystem_type();
    let name = NAMES
        .iter()
        .find(|(magic, _)| *magic == kind)
        .map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| format!("{:#x}", kind.0))
}
