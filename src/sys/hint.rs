//! What to check next, by system call and errno: one table.

use nix::errno::Errno;

/// What those of mounts know about is the overlay, not what a tmpfs was asked for.
const OF_OVERLAY: [&str; 2] = ["fsconfig", "mount"];

/// (call, or "" for any; errno; hint). The first row that fits wins.
const HINTS: &[(&str, Errno, &str)] = &[
    ("clone3", Errno::EPERM, "run as root: sudo cowshed …"),
    (
        "clone3",
        Errno::ENOSPC,
        "too many namespaces: see /proc/sys/user/max_*_namespaces",
    ),
    (
        "clone3",
        Errno::EAGAIN,
        "too many processes: see ulimit -u, and pids.max of this control group",
    ),
    (
        "fsopen",
        Errno::ENODEV,
        "this kernel lacks the file system: see cowshed info",
    ),
    (
        "fsmount",
        Errno::EINVAL,
        "see dmesg | tail for the kernel's reason",
    ),
    (
        "fsconfig",
        Errno::EINVAL,
        "see dmesg | tail: overlayfs refuses an upper dir on overlay, NFS or FAT; put the store on ext4, xfs, btrfs or tmpfs with --root",
    ),
    (
        "mount",
        Errno::EINVAL,
        "see dmesg | tail: overlayfs refuses an upper dir on overlay, NFS or FAT; put the store on ext4, xfs, btrfs or tmpfs with --root",
    ),
    (
        "move_mount",
        Errno::ENOSPC,
        "the limit of mounts is reached: sysctl fs.mount-max",
    ),
    (
        "mount_setattr",
        Errno::EINVAL,
        "the file system refuses this: an idmapped or propagation change may not fit it",
    ),
    (
        "openat2",
        Errno::ENOSYS,
        "a kernel of 5.12 or newer is needed",
    ),
    (
        "openat2",
        Errno::ELOOP,
        "too many symbolic links, or a link where none is allowed",
    ),
    (
        "openat2",
        Errno::EXDEV,
        "the path leaves the tree it must stay in",
    ),
    (
        "",
        Errno::ENOSPC,
        "check free space with df and free inodes with df -i",
    ),
    (
        "",
        Errno::EDQUOT,
        "a disk quota is used up: see quota or repquota",
    ),
    ("", Errno::EPERM, "run as root: sudo cowshed …"),
    ("", Errno::EACCES, "run as root: sudo cowshed …"),
    (
        "",
        Errno::EROFS,
        "the file system is mounted read-only; choose another store with --root",
    ),
    ("", Errno::EMFILE, "too many open files: ulimit -n"),
    ("", Errno::ENFILE, "too many open files: sysctl fs.file-max"),
    (
        "",
        Errno::EIO,
        "the disk reports an error: see dmesg | tail",
    ),
    (
        "",
        Errno::ENOMEM,
        "the kernel has no memory left: see free -m, and the memory limit of this control group",
    ),
];

pub(super) fn for_call(call: &str, detail: &str, errno: Errno) -> Option<&'static str> {
    if errno == Errno::EINVAL && OF_OVERLAY.contains(&call) && !detail.starts_with("overlay") {
        return None;
    }
    let fits = |row: &&(&str, Errno, &str)| row.1 == errno && (row.0.is_empty() || row.0 == call);
    HINTS.iter().find(fits).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_overlay_refuses_is_no_hint_for_another_file_system() {
        let hint = |detail| for_call("fsconfig", detail, Errno::EINVAL);
        assert!(hint("overlay: create").is_some_and(|hint| hint.contains("overlayfs")));
        assert_eq!(hint("tmpfs: noswap"), None);
    }
}
