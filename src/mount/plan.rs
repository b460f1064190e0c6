//! `MountPlan`: everything that will be mounted, in order, checked, before anything is.

use std::path::{Path, PathBuf};

use super::{Access, Error, Overlay, Propagation, TmpfsOptions};
use crate::sys::mount::Depth;

/// One mount inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, as the container sees it; absolute.
    pub target: PathBuf,
    /// What.
    pub source: Source,
    /// Who wants it.
    pub origin: Origin,
}

/// Who wants a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Every container has it.
    System,
    /// The user or the image asked for it.
    User,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// procfs of the new pid namespace.
    Proc,
    /// sysfs, read-only.
    Sysfs,
    /// The unified cgroup tree, read-only.
    Cgroup,
    /// A devpts instance of its own.
    Devpts,
    /// POSIX message queues of the new ipc namespace.
    Mqueue,
    /// Memory.
    Tmpfs(TmpfsOptions),
    /// A directory or file of the host.
    Bind(Bind),
    /// Another image.
    Image(ImageTree),
    /// Copy-on-write over a directory of the host.
    Overlay(OverlayTree),
    /// A small file that we write, such as `/etc/hosts`.
    Furniture {
        /// Its name in the furniture tmpfs.
        name: &'static str,
        /// `--read-only` includes it.
        access: Access,
    },
}

/// What a bind is called when it is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindKind {
    /// The data of a volume.
    Volume,
    /// A path the user named.
    Host,
}

/// How much of a bind is read-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOnly {
    /// None.
    No,
    /// The mount itself, not what is mounted below.
    Top,
    /// Everything, or the mount fails.
    Recursive,
}

/// A bind mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Relative to `source`, resolved without leaving it.
    pub subpath: Option<PathBuf>,
    /// Volume or host path.
    pub kind: BindKind,
    /// With what is mounted below, or without.
    pub depth: Depth,
    /// How much is read-only.
    pub read_only: ReadOnly,
    /// How mounts below travel.
    pub propagation: Propagation,
    /// Make the subpath's directories where they are missing.
    pub create_subpath: bool,
    /// The `user[:group]` of the container as whom the source's owner appears.
    pub idmap: Option<String>,
}

/// Another image's tree, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTree {
    /// As the user named it.
    pub image: String,
    /// The store's root.
    pub base: PathBuf,
    /// Its layers, relative to `base`, topmost first.
    pub lowers: Vec<PathBuf>,
    /// Resolved in the union without leaving it.
    pub subpath: Option<PathBuf>,
}

/// Copy-on-write over a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayTree {
    /// What is seen where nothing was changed: an absolute path on the host.
    pub lower: PathBuf,
    /// Volume or host path.
    pub kind: BindKind,
    /// An absolute path on the host that holds `upper` and `work`; `None` is memory.
    pub place: Option<PathBuf>,
    /// Whether the container may write.
    pub access: Access,
}

impl OverlayTree {
    /// The directory of changes in its place.
    pub const UPPER: &str = "upper";
    /// The kernel's workshop beside it.
    pub const WORK: &str = "work";
}

/// A file of the furniture tmpfs: what the container sees but no layer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Furniture {
    /// Name in the tmpfs.
    pub name: &'static str,
    /// Content.
    pub content: Vec<u8>,
}

/// The whole plan, ordered parents first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPlan {
    /// The root.
    pub overlay: Overlay,
    /// `--read-only`.
    pub root: Access,
    /// Files that we write.
    pub furniture: Vec<Furniture>,
    /// Everything on top of the root.
    pub mounts: Vec<Mount>,
}

impl MountPlan {
    /// Puts system and user mounts in order.
    ///
    /// A user's mount replaces a system mount on the same target; one on `/dev` replaces all of
    /// ours below it as well (as runc does).
    ///
    /// # Errors
    ///
    /// A target in `/proc` (CVE-2023-27561), or too many layers.
    pub fn new(
        overlay: Overlay,
        root: Access,
        furniture: Vec<Furniture>,
        (system, user): (Vec<Mount>, Vec<Mount>),
    ) -> Result<Self, Error> {
        if overlay.lowers.len() > super::overlay::LOWERS_MAX {
            return Err(Error::TooManyLayers {
                count: overlay.lowers.len(),
            });
        }
        for mount in &user {
            if let Source::Image(image) = &mount.source
                && image.lowers.len() >= super::overlay::LOWERS_MAX
            {
                let count = image.lowers.len();
                return Err(Error::TooManyLayers { count });
            }
        }
        if let Some(mount) = user.iter().find(|mount| mount.target.starts_with("/proc")) {
            return Err(Error::InProc {
                target: mount.target.clone(),
            });
        }
        let own_dev = user.iter().any(|mount| mount.target == Path::new("/dev"));
        let replaced = |mount: &Mount| {
            own_dev && mount.target.starts_with("/dev")
                || user.iter().any(|other| other.target == mount.target)
        };
        let mut mounts: Vec<_> = system
            .into_iter()
            .filter(|mount| !replaced(mount))
            .collect();
        mounts.extend(user);
        // Stable: equal depths keep the order in which they were asked for. What belongs to our own /dev follows it at
        // once: a network, which sysfs needs, is made meanwhile.
        mounts.sort_by_key(|mount| {
            let is_device = mount.origin == Origin::System && mount.target.starts_with("/dev");
            let depth = mount.target.components().count();
            if is_device { depth.min(2) } else { depth }
        });
        Ok(Self {
            overlay,
            root,
            furniture,
            mounts,
        })
    }

    /// Whether `/dev` is ours to fill.
    pub fn owns_dev(&self) -> bool {
        let dev = |mount: &&Mount| mount.target == Path::new("/dev");
        self.mounts
            .iter()
            .find(dev)
            .is_some_and(|mount| mount.origin == Origin::System)
    }

    /// The binds among the mounts.
    pub fn binds(&self) -> impl Iterator<Item = (&Path, &Bind)> {
        self.mounts.iter().filter_map(|mount| match &mount.source {
            Source::Bind(bind) => Some((mount.target.as_path(), bind)),
            Source::Proc
            | Source::Sysfs
            | Source::Cgroup
            | Source::Devpts
            | Source::Mqueue
            | Source::Tmpfs(_)
            | Source::Image(_)
            | Source::Overlay(_)
            | Source::Furniture { .. } => None,
        })
    }

    /// The mounts that show something of the host.
    pub fn held(&self) -> Vec<Mount> {
        let shows = |mount: &&Mount| matches!(mount.source, Source::Bind(_) | Source::Overlay(_));
        self.mounts.iter().filter(shows).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay() -> Overlay {
        Overlay {
            base: "/store".into(),
            lowers: vec!["overlay2/b/diff".into(), "overlay2/a/diff".into()],
            upper: "containers/c/upper".into(),
            work: "containers/c/work".into(),
            merged: "containers/c/merged".into(),
            volatile: false,
            options: crate::mount::UnionOptions::default(),
        }
    }

    fn tmpfs(target: &str, origin: Origin) -> Mount {
        let source = Source::Tmpfs(TmpfsOptions::default());
        Mount {
            target: target.into(),
            source,
            origin,
        }
    }

    fn targets(user: &[&str]) -> Vec<String> {
        let system = ["/proc", "/dev", "/dev/shm", "/sys"];
        let system = system.map(|target| tmpfs(target, Origin::System)).to_vec();
        let user = user
            .iter()
            .map(|target| tmpfs(target, Origin::User))
            .collect();
        let plan =
            MountPlan::new(overlay(), Access::ReadWrite, Vec::new(), (system, user)).unwrap();
        plan.mounts
            .iter()
            .map(|mount| mount.target.display().to_string())
            .collect()
    }

    #[test]
    fn rule_14_parents_come_first_whatever_the_order_of_flags() {
        assert_eq!(
            targets(&["/a/b/c", "/a", "/a/b"]),
            ["/proc", "/dev", "/dev/shm", "/sys", "/a", "/a/b", "/a/b/c"]
        );
    }

    #[test]
    fn a_user_mount_replaces_ours_on_the_same_target() {
        assert_eq!(
            targets(&["/dev/shm"]),
            ["/proc", "/dev", "/sys", "/dev/shm"]
        );
        assert_eq!(targets(&["/dev"]), ["/proc", "/sys", "/dev"]);
    }

    #[test]
    fn nothing_is_mounted_in_proc() {
        for target in ["/proc", "/proc/self"] {
            let user = vec![tmpfs(target, Origin::User)];
            let plan = MountPlan::new(overlay(), Access::ReadWrite, Vec::new(), (Vec::new(), user));
            assert!(matches!(plan, Err(Error::InProc { .. })));
        }
    }
}
