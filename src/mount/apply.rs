//! Performs a plan's actions inside a mount namespace of our own.
//!
//! Every place is resolved once, to a descriptor, inside the union; the mount is attached to that
//! descriptor. No path is looked up a second time, so none can be swapped in between
//! (CVE-2021-30465).

use std::{
    collections::HashMap,
    ffi::OsStr,
    io::Write as _,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    Access, Action, Bind, BindKind, Furniture, Mount, Origin, Overlay, ReadOnly, Source,
    apply_forms::Held,
    system::{self, Hidden},
};
use crate::sys::{
    At as _, Dir, FileKind, Result, RootDir, SysError,
    fs_context::FsContext,
    mount::{self, Attributes, Depth, PropagationType},
    process,
};

const KERNEL_FS: Attributes = Attributes::NO_SUID
    .with(Attributes::NO_DEV)
    .with(Attributes::NO_EXEC);

/// Names in the furniture tmpfs that hide kernel files.
const EMPTY_FILE: &str = "empty-file";
pub(super) const EMPTY_DIR: &str = "empty-dir";

/// Looks up `user[:group]` in a container's root: user and group id.
pub type FindUser = fn(&RootDir, &str) -> Result<(u32, u32)>;

/// What the steps pass on.
#[derive(Debug, Default)]
pub struct Stage {
    sources: HashMap<PathBuf, OwnedFd>,
    pub(super) overlays: HashMap<PathBuf, Held>,
    furniture: Option<Dir>,
    root: Option<RootDir>,
    merged: PathBuf,
    pub(super) find_user: Option<FindUser>,
    /// Unions made so far.
    pub(super) unions: usize,
}

impl Stage {
    /// A stage for a container whose union appears at `merged`.
    pub fn new(merged: PathBuf) -> Self {
        Self {
            merged,
            ..Self::default()
        }
    }

    /// The same with a way to look up users, for mounts that map ids.
    #[must_use]
    pub fn with_users(self, find: FindUser) -> Self {
        let find_user = Some(find);
        Self { find_user, ..self }
    }

    /// A stage for a process that is in a container already.
    pub fn inside() -> Result<Self> {
        Ok(Self {
            root: Some(RootDir::open(Path::new("/"))?),
            ..Self::default()
        })
    }

    /// The union, once it is there.
    pub fn root(&self) -> Result<&RootDir> {
        let missing = || SysError::new("openat2", "the root is not mounted yet", Errno::EINVAL);
        self.root.as_ref().ok_or_else(missing)
    }

    /// Performs one action. The order is the plan's.
    pub fn apply(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::HoldSources(held) => self.hold_sources(held),
            Action::Isolate => mount::set_namespace_propagation(PropagationType::Slave),
            Action::Furnish(files) => self.furnish(files),
            Action::Overlay(overlay) => self.mount_overlay(overlay),
            Action::Mount(mount) => self.mount(mount),
            Action::Devices => self.make_devices(),
            Action::Mask => self.mask(),
            Action::ReadOnlyRoot => {
                let read_only = Attributes::READ_ONLY;
                mount::change_attributes(self.root()?, Depth::Top, read_only, Attributes::NONE)
            }
            Action::Pivot => {
                process::enter(self.root()?)?;
                mount::pivot_here()
            }
        }
    }

    fn hold_sources(&mut self, held: &[Mount]) -> Result<()> {
        for mount in held {
            match &mount.source {
                Source::Bind(bind) => {
                    let tree = hold_bind(bind)?;
                    self.sources.insert(mount.target.clone(), tree);
                }
                Source::Overlay(tree) => {
                    let held = Held::take(tree)?;
                    self.overlays.insert(mount.target.clone(), held);
                }
                Source::Proc
                | Source::Sysfs
                | Source::Cgroup
                | Source::Devpts
                | Source::Mqueue
                | Source::Tmpfs(_)
                | Source::Image(_)
                | Source::Furniture { .. } => {}
            }
        }
        Ok(())
    }

    /// Under the place where the union will be, so that it goes when the old root goes.
    fn furnish(&mut self, files: &[Furniture]) -> Result<()> {
        let tmpfs = FsContext::open("tmpfs")?;
        tmpfs.set("mode", "0755")?;
        tmpfs.set("size", "4m")?;
        let furniture = tmpfs.mount(KERNEL_FS)?;
        mount::attach(&furniture, open_path(&self.merged)?.as_fd(), &self.merged)?;
        let dir = RootDir::new(Dir::from_fd(furniture)).open_dir(Path::new("/"))?;
        for file in files {
            let mut open = dir.create_file(file.name, 0o644)?;
            open.write_all(&file.content).at("write", || file.name)?;
        }
        dir.create_file(EMPTY_FILE, 0o444)?;
        dir.make_dir(EMPTY_DIR, 0o555)?;
        self.furniture = Some(dir);
        Ok(())
    }

    pub(super) fn furniture(&self) -> Result<&Dir> {
        let missing = || SysError::new("open_tree", "the furniture is not there", Errno::EINVAL);
        self.furniture.as_ref().ok_or_else(missing)
    }

    fn mount_overlay(&mut self, overlay: &Overlay) -> Result<()> {
        let root = overlay.attach(self.furniture()?)?;
        self.root = Some(RootDir::new(Dir::from_fd(root)));
        Ok(())
    }

    fn mount(&mut self, mount: &Mount) -> Result<()> {
        let (tree, is_dir) = self.detached(mount)?;
        let place = self.place(&mount.target, is_dir)?;
        if mount.origin == Origin::User {
            refuse_kernel_files(&place, &mount.target)?;
        }
        if crate::sys::metadata_of(&place)?.is_dir() != is_dir {
            // The kernel's EINVAL would not say so (move_mount(2)).
            let detail = mount.target.display().to_string();
            return Err(SysError::new("move_mount", detail, Errno::ENOTDIR));
        }
        mount::attach(&tree, place.as_fd(), &mount.target)
    }

    /// The mount, not attached yet, and whether it wants a directory.
    fn detached(&mut self, mount: &Mount) -> Result<(OwnedFd, bool)> {
        match &mount.source {
            Source::Proc => Ok((FsContext::open("proc")?.mount(KERNEL_FS)?, true)),
            Source::Sysfs => {
                let attributes = KERNEL_FS.with(Attributes::READ_ONLY);
                Ok((FsContext::open("sysfs")?.mount(attributes)?, true))
            }
            Source::Cgroup => {
                let attributes = KERNEL_FS.with(Attributes::READ_ONLY);
                Ok((FsContext::open("cgroup2")?.mount(attributes)?, true))
            }
            Source::Devpts => Ok((devpts()?, true)),
            Source::Mqueue => Ok((FsContext::open("mqueue")?.mount(KERNEL_FS)?, true)),
            Source::Tmpfs(options) => Ok((self.tmpfs(&mount.target, options)?, true)),
            Source::Furniture { name, access } => {
                let tree = self.clone_furniture(name)?;
                if *access == Access::ReadOnly {
                    let read_only = Attributes::READ_ONLY;
                    mount::change_attributes(&tree, Depth::Top, read_only, Attributes::NONE)?;
                }
                Ok((tree, false))
            }
            Source::Bind(bind) => self.bind(&mount.target, bind),
            Source::Image(image) => self.image(image),
            Source::Overlay(tree) => Ok((self.overlay(&mount.target, tree)?, true)),
        }
    }

    fn bind(&mut self, target: &Path, bind: &Bind) -> Result<(OwnedFd, bool)> {
        let missing = || SysError::new("open_tree", target.display().to_string(), Errno::EINVAL);
        let tree = self.sources.remove(target).ok_or_else(missing)?;
        if let Some(user) = &bind.idmap {
            self.map_ids(&tree, bind, user)?;
        }
        let depth = match bind.read_only {
            ReadOnly::No => None,
            ReadOnly::Top => Some(Depth::Top),
            ReadOnly::Recursive => Some(Depth::Recursive),
        };
        if let Some(depth) = depth {
            mount::change_attributes(&tree, depth, Attributes::READ_ONLY, Attributes::NONE)?;
        }
        if bind.kind == BindKind::Volume {
            mount::change_attributes(
                &tree,
                Depth::Recursive,
                Attributes::NO_DEV,
                Attributes::NONE,
            )?;
        }
        // A clone starts in the peer group of its source; anything but shared must leave it.
        let (kind, depth) = bind.propagation.to_kernel();
        mount::change_propagation(&tree, depth, kind)?;
        let is_dir = Dir::from_fd(tree.try_clone().at("dup", String::new)?)
            .own_metadata()?
            .is_dir();
        Ok((tree, is_dir))
    }

    fn clone_furniture(&self, name: &str) -> Result<OwnedFd> {
        let furniture = RootDir::new(self.furniture()?.try_clone()?);
        mount::clone_tree(furniture.locate(Path::new(name))?, Depth::Top)
    }

    /// The place to mount on, made in the union where it is missing.
    fn place(&self, target: &Path, is_dir: bool) -> Result<OwnedFd> {
        let root = self.root()?;
        if is_dir {
            // Found first: a file in its place is the caller's to refuse.
            return match root.locate(target) {
                Ok(place) => Ok(place),
                Err(_) => root.make_dirs(target, 0o755).map(|(dir, _)| dir.into_fd()),
            };
        }
        if let Ok(place) = root.locate(target) {
            return Ok(place);
        }
        if let Some(parent) = target.parent() {
            root.make_dirs(parent, 0o755)?;
        }
        root.ensure_file(target, 0o755)?;
        root.locate(target)
    }

    fn make_devices(&self) -> Result<()> {
        let dev = self.root()?.open_dir(Path::new("/dev"))?;
        for (name, major, minor) in system::DEVICES {
            dev.make_node(name, FileKind::CharDevice, 0o666, (major, minor))?;
        }
        for (name, target) in system::LINKS {
            dev.make_symlink(OsStr::new(target), name)?;
        }
        Ok(())
    }

    fn mask(&self) -> Result<()> {
        let furniture = RootDir::new(self.furniture()?.try_clone()?);
        let file = furniture.locate(Path::new(EMPTY_FILE))?;
        let dir = furniture.locate(Path::new(EMPTY_DIR))?;
        let read_only = Attributes::READ_ONLY;
        // Copies of a read-only mount are read-only.
        mount::change_attributes(&furniture, Depth::Top, read_only, Attributes::NONE)?;
        for (path, hidden) in system::MASKED {
            let path = Path::new(path);
            let Ok(place) = self.root()?.locate(path) else {
                continue;
            };
            let empty = match hidden {
                Hidden::File => &file,
                Hidden::Directory => &dir,
            };
            let tree = mount::clone_tree(empty, Depth::Top)?;
            mount::attach(&tree, place.as_fd(), path)?;
        }
        for path in system::READ_ONLY.map(Path::new) {
            let Ok(place) = self.root()?.locate(path) else {
                continue;
            };
            let tree = mount::clone_tree(&place, Depth::Recursive)?;
            mount::change_attributes(&tree, Depth::Recursive, read_only, Attributes::NONE)?;
            mount::attach(&tree, place.as_fd(), path)?;
        }
        Ok(())
    }
}

fn hold_bind(bind: &Bind) -> Result<OwnedFd> {
    let place = match &bind.subpath {
        Some(subpath) => {
            let root = RootDir::new(open_source(&bind.source, bind.kind)?);
            if bind.create_subpath {
                root.make_dirs(subpath, 0o755)?;
            }
            root.locate(subpath)?
        }
        None if bind.kind == BindKind::Volume => open_source(&bind.source, bind.kind)?.into_fd(),
        None => open_path(&bind.source)?,
    };
    mount::clone_tree(&place, bind.depth)
        .map_err(|error| error.with_note(&bind.source.display().to_string()))
}

/// A directory of the host. One that the user named may be a link; a volume's data is never one.
pub(super) fn open_source(path: &Path, kind: BindKind) -> Result<Dir> {
    match (kind, path.parent(), path.file_name()) {
        (BindKind::Volume, Some(parent), Some(name)) => {
            Dir::open(parent)?.locate_dir(name).map(Dir::from_fd)
        }
        (BindKind::Volume | BindKind::Host, ..) => Dir::open(path),
    }
}

/// An `O_PATH` handle on a path of the user or of ours, links followed.
fn open_path(path: &Path) -> Result<OwnedFd> {
    crate::sys::open_handle(path)
}

fn devpts() -> Result<OwnedFd> {
    let devpts = FsContext::open("devpts")?;
    devpts.set_flag("newinstance")?;
    for (key, value) in [("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5")] {
        devpts.set(key, value)?;
    }
    devpts.mount(Attributes::NO_SUID.with(Attributes::NO_EXEC))
}

/// A link of the image must not lead a mount into procfs, where our writes go (CVE-2019-19921).
fn refuse_kernel_files(place: &OwnedFd, target: &Path) -> Result<()> {
    if crate::sys::is_procfs(place)? {
        let detail = format!("{}: leads into /proc", target.display());
        return Err(SysError::new("move_mount", detail, Errno::EXDEV));
    }
    Ok(())
}
