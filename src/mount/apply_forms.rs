//! Performs the mounts that are more than one clone or one file system: unions of an image or over
//! a directory, a tmpfs with content, mapped ids.

use std::{
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::errno::Errno;

use super::{
    Access, Bind, BindKind, ImageTree, Mapping, OverlayTree, Stage, TmpfsOptions,
    apply::{EMPTY_DIR, open_source},
    overlay::{OPTIONS, may_lack_append},
};
use crate::sys::{
    Dir, Result, RootDir, SysError, copy_own_metadata, copy_tree,
    fs_context::FsContext,
    metadata_of,
    mount::{self, Attributes, Depth},
    mountinfo, open_handle, process, userns,
};

/// What an overlay over a directory is made of, opened once.
#[derive(Debug)]
pub(super) struct Held {
    lower: Dir,
    /// Holds `upper` and `work`; `None` is memory.
    place: Option<Dir>,
}

impl Held {
    pub(super) fn take(tree: &OverlayTree) -> Result<Self> {
        let lower = open_source(&tree.lower, tree.kind)?;
        let place = tree.place.as_ref();
        // The last component may be within reach of a container: a volume's data.
        let place = place.map(|path| open_source(path, BindKind::Volume));
        let place = place.transpose()?;
        Ok(Self { lower, place })
    }
}

impl Stage {
    /// A tmpfs, with the image's content where that is wanted.
    pub(super) fn tmpfs(&self, target: &Path, options: &TmpfsOptions) -> Result<OwnedFd> {
        let tmpfs = FsContext::open("tmpfs")?;
        for (key, value) in options.data() {
            tmpfs.set(&key, &value)?;
        }
        for word in options.switches() {
            let note = if word == "noswap" { "of Linux 6.4" } else { "" };
            let known = tmpfs.set_flag(word);
            known.map_err(|error| error.with_note(note))?;
        }
        let tree = tmpfs.mount(options.attributes().without(Attributes::READ_ONLY))?;
        if options.copy_up {
            self.copy_up(target, &tree, options)?;
        }
        if options.access == Access::ReadOnly {
            let read_only = Attributes::READ_ONLY;
            mount::change_attributes(&tree, Depth::Top, read_only, Attributes::NONE)?;
        }
        if let Some(propagation) = options.propagation {
            let (kind, depth) = propagation.to_kernel();
            mount::change_propagation(&tree, depth, kind)?;
        }
        Ok(tree)
    }

    /// Nothing there, or no directory: nothing to copy. What was said about mode and owner holds.
    fn copy_up(&self, target: &Path, tree: &OwnedFd, options: &TmpfsOptions) -> Result<()> {
        let Ok(from) = self.root()?.open_dir(target) else {
            return Ok(());
        };
        let to = root_of(tree)?;
        let here = to.own_metadata()?;
        copy_tree(&from, &to).map_err(|error| {
            let note = format!("copying up {}", target.display());
            error.with_note(&note)
        })?;
        let copied = to.own_metadata()?;
        let uid = options.uid.map_or(copied.uid(), |_| here.uid());
        let gid = options.gid.map_or(copied.gid(), |_| here.gid());
        to.chown(".", uid, gid)?;
        to.chmod(".", options.mode.map_or(copied.mode(), |_| here.mode()))
    }

    /// A tree of another image, and whether it is a directory.
    pub(super) fn image(&mut self, image: &ImageTree) -> Result<(OwnedFd, bool)> {
        let base = Dir::open(&image.base)?;
        let layers = RootDir::new(base);
        let mut lowers = Vec::new();
        for lower in &image.lowers {
            lowers.push(layers.open_dir_without_links(lower)?);
        }
        // An overlay without an upper dir has two lowers at least.
        for _ in lowers.len()..2 {
            lowers.push(self.empty_dir()?);
        }
        let fds: Vec<_> = lowers.iter().map(|dir| dir.as_fd()).collect();
        let attributes = Attributes::READ_ONLY.with(Attributes::NO_DEV);
        let (tree, name) = self.union(&fds, None, attributes)?;
        let Some(subpath) = &image.subpath else {
            return Ok((tree, true));
        };
        // Only what is attached can be cloned in part (before Linux 6.15).
        let furniture = RootDir::new(self.furniture()?.try_clone()?);
        let place = furniture.locate(Path::new(&name))?;
        mount::attach(&tree, place.as_fd(), Path::new(&name))?;
        let union = RootDir::new(furniture.open_dir(Path::new(&name))?);
        let inside = union.locate(subpath)?;
        let is_dir = metadata_of(&inside)?.is_dir();
        Ok((mount::clone_tree(&inside, Depth::Top)?, is_dir))
    }

    /// A directory of the furniture that is always empty; each a different one, because overlayfs
    /// takes none twice.
    fn empty_dir(&mut self) -> Result<Dir> {
        let name = self.next_name(EMPTY_DIR);
        self.furniture()?.make_dir(&name, 0o755)?;
        self.furniture()?.open_dir(&name)
    }

    fn next_name(&mut self, stem: &str) -> String {
        self.unions += 1;
        format!("{stem}-{}", self.unions)
    }

    /// Copy-on-write over a directory.
    pub(super) fn overlay(&mut self, target: &Path, tree: &OverlayTree) -> Result<OwnedFd> {
        let missing = || SysError::new("open", target.display().to_string(), Errno::EINVAL);
        let held = self.overlays.remove(target).ok_or_else(missing)?;
        let place = match held.place {
            Some(place) => place,
            None => self.upper_in_memory(&held.lower)?,
        };
        let (upper, work) = (
            place.open_dir(OverlayTree::UPPER)?,
            place.open_dir(OverlayTree::WORK)?,
        );
        let mut attributes = Attributes::NO_DEV;
        if tree.access == Access::ReadOnly {
            attributes = attributes.with(Attributes::READ_ONLY);
        }
        let dirs = Some((upper.as_fd(), work.as_fd()));
        let (tree, _) = self.union(&[held.lower.as_fd()], dirs, attributes)?;
        Ok(tree)
    }

    /// A tmpfs of its own with both directories: it lives as long as the union.
    fn upper_in_memory(&mut self, lower: &Dir) -> Result<Dir> {
        let tmpfs = FsContext::open("tmpfs")?;
        tmpfs.set("mode", "0700")?;
        let tree = tmpfs.mount(Attributes::NO_DEV)?;
        let name = self.next_name("memory");
        let furniture = RootDir::new(self.furniture()?.try_clone()?);
        furniture.top().make_dir(&name, 0o700)?;
        let on = furniture.locate(Path::new(&name))?;
        mount::attach(&tree, on.as_fd(), Path::new(&name))?;
        let place = furniture.open_dir(Path::new(&name))?;
        place.make_dir(OverlayTree::UPPER, 0o755)?;
        place.make_dir(OverlayTree::WORK, 0o700)?;
        copy_own_metadata(lower, &place.open_dir(OverlayTree::UPPER)?)?;
        Ok(place)
    }

    /// A union, not attached, and the name of a directory of the furniture that it may be attached
    /// to. Its parts are named by descriptors, so none can be swapped, and none is too long.
    fn union(
        &mut self,
        lowers: &[BorrowedFd<'_>],
        upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
        attributes: Attributes,
    ) -> Result<(OwnedFd, String)> {
        let name = self.next_name("union");
        self.furniture()?.make_dir(&name, 0o755)?;
        match by_fs_context(lowers, upper, attributes) {
            Ok(tree) => Ok((tree, name)),
            Err(error) if may_lack_append(&error) => {
                let tree = self.by_options(lowers, upper, &name);
                let tree = tree.map_err(|_| error)?;
                mount::change_attributes(&tree, Depth::Top, attributes, Attributes::NONE)?;
                Ok((tree, name))
            }
            Err(error) => Err(error),
        }
    }

    /// kernel(6.8): remove when Debian 12's 6.1 is out of support.
    fn by_options(
        &self,
        lowers: &[BorrowedFd<'_>],
        upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
        name: &str,
    ) -> Result<OwnedFd> {
        let furniture = RootDir::new(self.furniture()?.try_clone()?);
        let place = furniture.locate(Path::new(name))?;
        let lowers: Vec<_> = lowers.iter().map(|fd| link_to(*fd)).collect();
        let mut options = format!("lowerdir={}", lowers.join(":"));
        if let Some((upper, work)) = upper {
            options.extend([",upperdir=", &link_to(upper), ",workdir=", &link_to(work)]);
        }
        for (key, value) in OPTIONS {
            options.extend([",", key, "=", value]);
        }
        mount::overlay_by_options("overlay", Path::new(&link_to(place.as_fd())), &options)?;
        mount::clone_tree(furniture.open_dir(Path::new(name))?, Depth::Top)
    }

    /// Lets the owner of a bind's source appear as a user of the container.
    pub(super) fn map_ids(&self, tree: &OwnedFd, bind: &Bind, user: &str) -> Result<()> {
        let missing = || SysError::new("mount_setattr", "no users are known here", Errno::EINVAL);
        let find = self.find_user.ok_or_else(missing)?;
        let (uid, gid) = find(self.root()?, user)?;
        let owner = metadata_of(tree)?;
        if (owner.uid(), owner.gid()) == (uid, gid) {
            return Ok(());
        }
        let lines = |disk, seen| Mapping { disk, seen }.lines();
        let (uids, gids) = (lines(owner.uid(), uid), lines(owner.gid(), gid));
        let namespace = userns::with_maps(&uids, &gids)?;
        mount::map_ids(tree, bind.depth, namespace.as_fd()).map_err(|error| {
            let kind = kind_of(&bind.source);
            let below = match bind.depth {
                Depth::Top => "",
                Depth::Recursive => " or one mounted below",
            };
            let note = format!(
                "{}: its file system ({kind}){below} does not map ids",
                bind.source.display()
            );
            error.with_note(&note)
        })
    }
}

fn by_fs_context(
    lowers: &[BorrowedFd<'_>],
    upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
    attributes: Attributes,
) -> Result<OwnedFd> {
    finish_union(FsContext::open("overlay")?, lowers, upper, attributes)
}

pub(super) fn finish_union(
    overlay: FsContext,
    lowers: &[BorrowedFd<'_>],
    upper: Option<(BorrowedFd<'_>, BorrowedFd<'_>)>,
    attributes: Attributes,
) -> Result<OwnedFd> {
    for lower in lowers {
        overlay.set("lowerdir+", &link_to(*lower))?;
    }
    if let Some((upper, work)) = upper {
        overlay.set("upperdir", &link_to(upper))?;
        overlay.set("workdir", &link_to(work))?;
    }
    for (key, value) in OPTIONS {
        overlay.set(key, value)?;
    }
    overlay.mount(attributes)
}

/// What kind of file system holds a path of the host, for a message.
fn kind_of(path: &Path) -> String {
    let real = open_handle(path).map(|handle| process::path_of(&handle));
    let mounts = mountinfo::read();
    let (Ok(real), Ok(mounts)) = (real, mounts) else {
        return "unknown".to_owned();
    };
    let holding = mountinfo::holding(&mounts, Path::new(&real));
    holding.map_or_else(|| "unknown".to_owned(), |mount| mount.kind.clone())
}

/// A path that leads to what is open, and nowhere else.
pub(super) fn link_to(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// A detached mount's directory, fit for reading.
fn root_of(tree: &OwnedFd) -> Result<Dir> {
    let handle = Dir::from_fd(
        tree.try_clone()
            .map_err(|error| SysError::from_io("dup", "mount", &error))?,
    );
    RootDir::new(handle).open_dir(Path::new("/"))
}
