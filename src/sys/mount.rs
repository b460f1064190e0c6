//! Mounts by descriptor: clone, change, attach; and the few calls that take paths.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::mount::{MntFlags, MsFlags, umount2};

use super::{At as _, Result, raw};

/// Per-mount attributes (mount_setattr(2), `MOUNT_ATTR_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(u64);

impl Attributes {
    /// None set: `rw,suid,dev,exec,relatime`.
    pub const NONE: Self = Self(0);
    /// `ro`
    pub const READ_ONLY: Self = Self(libc::MOUNT_ATTR_RDONLY);
    /// `nosuid`
    pub const NO_SUID: Self = Self(libc::MOUNT_ATTR_NOSUID);
    /// `nodev`
    pub const NO_DEV: Self = Self(libc::MOUNT_ATTR_NODEV);
    /// `noexec`
    pub const NO_EXEC: Self = Self(libc::MOUNT_ATTR_NOEXEC);
    /// `noatime`
    pub const NO_ATIME: Self = Self(libc::MOUNT_ATTR_NOATIME);
    /// `strictatime`
    pub const STRICT_ATIME: Self = Self(libc::MOUNT_ATTR_STRICTATIME);
    /// `nodiratime`
    pub const NO_DIR_ATIME: Self = Self(libc::MOUNT_ATTR_NODIRATIME);

    /// `nosymfollow`
    pub const NO_SYMLINKS: Self = Self(libc::MOUNT_ATTR_NOSYMFOLLOW);
    /// All that say something about access times; only to be taken back.
    pub const ANY_ATIME: Self = Self(libc::MOUNT_ATTR__ATIME);

    /// Both.
    #[must_use]
    pub const fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Without `less`.
    #[must_use]
    pub const fn without(self, less: Self) -> Self {
        Self(self.0 & !less.0)
    }

    /// Whether all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }
}

/// How mounts and unmounts below a mount travel (mount_namespaces(7), "shared subtrees").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are mount_namespaces(7)'s")]
pub enum PropagationType {
    Private,
    Slave,
    Shared,
    Unbindable,
}

impl PropagationType {
    fn flag(self) -> MsFlags {
        match self {
            Self::Private => MsFlags::MS_PRIVATE,
            Self::Slave => MsFlags::MS_SLAVE,
            Self::Shared => MsFlags::MS_SHARED,
            Self::Unbindable => MsFlags::MS_UNBINDABLE,
        }
    }
}

/// How much of a mount tree a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// The one mount.
    Top,
    /// The mount and everything mounted below it.
    Recursive,
}

/// A detached copy of the mount at `at`, starting there: a bind that is not attached yet.
#[doc(alias = "open_tree")]
pub fn clone_tree(at: impl AsFd, depth: Depth) -> Result<OwnedFd> {
    raw::open_tree_clone(at.as_fd(), depth == Depth::Recursive)
        .at("open_tree", || format!("fd, OPEN_TREE_CLONE, {depth:?}"))
}

/// Sets `set` and clears `clear` on a mount; all of it or an error.
#[doc(alias = "mount_setattr")]
pub fn change_attributes(
    mount: impl AsFd,
    depth: Depth,
    set: Attributes,
    clear: Attributes,
) -> Result<()> {
    let mut clear = clear.bits();
    let atime = libc::MOUNT_ATTR_NOATIME | libc::MOUNT_ATTR_STRICTATIME;
    if set.bits() & atime != 0 {
        // The access-time modes are a field, not bits: the whole field must be cleared first.
        clear |= libc::MOUNT_ATTR__ATIME;
    }
    let attributes = libc::mount_attr {
        attr_set: set.bits(),
        attr_clr: clear,
        propagation: 0,
        userns_fd: 0,
    };
    raw::mount_setattr(mount.as_fd(), depth == Depth::Recursive, &attributes)
        .at("mount_setattr", || format!("{depth:?}, set {set:?}"))
}

/// Maps the ids of a detached mount by a user namespace: an id that the namespace has inside is on
/// disk, the one outside is seen.
#[doc(alias = "mount_setattr")]
pub fn map_ids(mount: impl AsFd, depth: Depth, namespace: BorrowedFd<'_>) -> Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::from(raw::raw(&namespace).unsigned_abs()),
    };
    raw::mount_setattr(mount.as_fd(), depth == Depth::Recursive, &attributes)
        .at("mount_setattr", || format!("{depth:?}, MOUNT_ATTR_IDMAP"))
}

/// Changes how a detached or attached mount propagates.
pub fn change_propagation(
    mount: impl AsFd,
    depth: Depth,
    propagation: PropagationType,
) -> Result<()> {
    let propagation_bits = propagation.flag().bits();
    let attributes = libc::mount_attr {
        attr_set: 0,
        attr_clr: 0,
        propagation: propagation_bits,
        userns_fd: 0,
    };
    raw::mount_setattr(mount.as_fd(), depth == Depth::Recursive, &attributes)
        .at("mount_setattr", || format!("{depth:?}, {propagation:?}"))
}

/// Attaches a detached mount on a place that was resolved before.
#[doc(alias = "move_mount")]
pub fn attach(mount: impl AsFd, on: BorrowedFd<'_>, shown: &Path) -> Result<()> {
    raw::move_mount(mount.as_fd(), on).at("move_mount", || shown.display().to_string())
}

/// Takes the topmost mount off `path`, at once and whoever still uses it; the file system behind it
/// ends with its last user. Nothing of it is looked at, so a dead server hangs nobody here.
pub fn detach(path: &Path) -> Result<()> {
    let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
    umount2(path, flags).at("umount2", || format!("{}, MNT_DETACH", path.display()))
}

/// Takes the topmost mount off `path`, unless somebody uses it: then EBUSY.
pub fn unmount(path: &Path) -> Result<()> {
    let flags = MntFlags::UMOUNT_NOFOLLOW;
    umount2(path, flags).at("umount2", || path.display().to_string())
}

/// Changes how every mount of this namespace propagates.
#[doc(alias = "mount")]
pub fn set_namespace_propagation(propagation: PropagationType) -> Result<()> {
    let flags = MsFlags::MS_REC | propagation.flag();
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .at("mount", || format!("none, /, MS_REC|{propagation:?}"))
}

/// mount(2) of an overlay with an option string, for kernels without `lowerdir+` (before 6.8).
pub fn overlay_by_options(source: &str, target: &Path, options: &str) -> Result<()> {
    let flags = MsFlags::MS_NODEV;
    nix::mount::mount(Some(source), target, Some("overlay"), flags, Some(options))
        .at("mount", || {
            format!("overlay, {}, {options}", target.display())
        })
}

/// Makes the directory we stand in the root and drops the old one (pivot_root(2), NOTES: the
/// `pivot_root(".", ".")` form needs no directory for the old root).
pub fn pivot_here() -> Result<()> {
    nix::unistd::pivot_root(".", ".").at("pivot_root", || "., .")?;
    umount2(".", MntFlags::MNT_DETACH).at("umount2", || "., MNT_DETACH")
}
