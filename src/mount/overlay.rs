//! The union mount: lower dirs topmost first, one upper, one work (kernel overlayfs.rst).

use std::{
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{Ephemeral, UnionOptions};
use crate::sys::{
    Dir, RootDir, SysError, copy_own_metadata,
    fs_context::FsContext,
    is_read_only,
    mount::{self, Attributes},
    process,
};

/// An overlay mount as a value. All paths but `base` are relative to it, which keeps them short:
/// one fsconfig(2) string holds 255 bytes, one mount(2) option string a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The store's root.
    pub base: PathBuf,
    /// Read-only directories; the first is the topmost.
    pub lowers: Vec<PathBuf>,
    /// Where changes go.
    pub upper: PathBuf,
    /// The kernel's workshop, on the file system of `upper`.
    pub work: PathBuf,
    /// Where the union appears.
    pub merged: PathBuf,
    /// Skips every sync of the upper dir: for uppers that nobody will see again.
    pub volatile: bool,
    /// What is switched on.
    pub options: UnionOptions,
}

/// What our overlays say unless something is switched on, because kernels are built with different defaults.
///
/// Following redirects or metacopy marks of a stranger's layer would let it show lower files under
/// other names.
pub(super) const OPTIONS: [(&str, &str); 4] = [
    ("redirect_dir", "nofollow"),
    ("metacopy", "off"),
    ("index", "off"),
    ("xino", "off"),
];

/// The kernel's limit of lower dirs (`OVL_MAX_STACK`).
pub const LOWERS_MAX: usize = 500;

impl Overlay {
    /// Mounts it on `merged` and returns the mount's root. `scratch` is for kernels that need one
    /// option string: links in it make the names short.
    ///
    /// The working directory is changed: only for a process that is on its way into a container.
    pub(super) fn attach(&self, scratch: &Dir) -> Result<OwnedFd, SysError> {
        let base = Dir::open(&self.base)?;
        let merged = RootDir::new(base.try_clone()?).locate(&self.merged)?;
        if let Some(memory) = self.options.ephemeral {
            self.attach_memory(&base, memory)?;
        }
        process::enter(&base)?;
        let overlay = match self.by_fs_context() {
            Ok(overlay) => {
                mount::attach(&overlay, merged.as_fd(), &self.merged)?;
                overlay
            }
            // What the new calls say is the better message, with the kernel's own reason.
            Err(error) if may_lack_append(&error) => self.by_options(scratch).map_err(|_| error)?,
            Err(error) => return Err(error),
        };
        self.is_writable(&base, &overlay)?;
        Ok(overlay)
    }

    /// Without room for a directory of its own overlayfs mounts read-only, and only the kernel's log
    /// tells: a full disk must not look like a choice.
    fn is_writable(&self, base: &Dir, overlay: &OwnedFd) -> Result<(), SysError> {
        if !is_read_only(overlay)? {
            return Ok(());
        }
        let work = RootDir::new(base.try_clone()?).open_dir(&self.work)?;
        work.make_dir("room", 0o700)?;
        work.remove_dir("room")?;
        let detail = "overlay: no work directory could be made";
        Err(SysError::new("fsmount", detail, Errno::EROFS))
    }

    /// The upper and the work dir that the kernel gets.
    pub fn written(&self) -> (PathBuf, PathBuf) {
        match self.options.ephemeral {
            // On the tmpfs, which lies on the work dir.
            Some(_) => (self.work.join("upper"), self.work.join("work")),
            None => (self.upper.clone(), self.work.clone()),
        }
    }

    /// A tmpfs on the work dir, seen in this mount namespace alone, with an upper dir that looks like the
    /// one on disk.
    fn attach_memory(&self, base: &Dir, memory: Ephemeral) -> Result<(), SysError> {
        let tmpfs = FsContext::open("tmpfs")?;
        tmpfs.set("mode", "0700")?;
        if let Some(size) = memory.size {
            tmpfs.set("size", &size.to_string())?;
        }
        let tree = tmpfs.mount(Attributes::NO_DEV)?;
        let root = RootDir::new(base.try_clone()?);
        let on = root.locate(&self.work)?;
        mount::attach(&tree, on.as_fd(), &self.work)?;
        let place = root.open_dir(&self.work)?;
        place.make_dir("upper", 0o755)?;
        place.make_dir("work", 0o700)?;
        copy_own_metadata(&root.open_dir(&self.upper)?, &place.open_dir("upper")?)
    }

    fn by_fs_context(&self) -> Result<OwnedFd, SysError> {
        let overlay = FsContext::open("overlay")?;
        for lower in &self.lowers {
            overlay.set_path("lowerdir+", lower)?;
        }
        let (upper, work) = self.written();
        overlay.set_path("upperdir", &upper)?;
        overlay.set_path("workdir", &work)?;
        for (key, value) in self.pairs() {
            overlay.set(key, value)?;
        }
        if self.volatile {
            overlay.set_flag("volatile")?;
        }
        // A device made in the container must not open the host's: there is no device filter yet.
        overlay.mount(Attributes::NO_DEV)
    }

    /// kernel(6.8): remove when Debian 12's 6.1 is out of support.
    fn by_options(&self, scratch: &Dir) -> Result<OwnedFd, SysError> {
        scratch.make_dir("links", 0o700)?;
        let links = scratch.open_dir("links")?;
        for (number, lower) in self.lowers.iter().enumerate() {
            links.make_symlink(self.base.join(lower).as_os_str(), number.to_string())?;
        }
        let (upper, work) = self.written();
        links.make_symlink(self.base.join(&upper).as_os_str(), "upper")?;
        links.make_symlink(self.base.join(&work).as_os_str(), "work")?;
        process::enter(&links)?;
        let lowers: Vec<_> = (0..self.lowers.len())
            .map(|number| number.to_string())
            .collect();
        let options = self.option_string(&lowers.join(":"), "upper", "work");
        let merged = self.base.join(&self.merged);
        mount::overlay_by_options("overlay", &merged, &options)?;
        Dir::open(&merged).map(Dir::into_fd)
    }

    pub(super) fn option_string(&self, lowers: &str, upper: &str, work: &str) -> String {
        let mut options = format!("lowerdir={lowers},upperdir={upper},workdir={work}");
        for (key, value) in self.pairs() {
            options.extend([",", key, "=", value]);
        }
        if self.volatile {
            options.push_str(",volatile");
        }
        options
    }

    /// Names and values of the options that are words.
    pub(super) fn pairs(&self) -> [(&'static str, &'static str); 4] {
        OPTIONS.map(|(key, value)| match key {
            "redirect_dir" if self.options.redirect_dir => (key, "on"),
            "metacopy" if self.options.metacopy => (key, "on"),
            _ => (key, value),
        })
    }

    /// The merged directory's absolute path.
    pub fn merged_path(&self) -> PathBuf {
        self.base.join(&self.merged)
    }

    /// Whether a path can stand in an option string as it is.
    pub(super) fn is_plain(path: &Path) -> bool {
        !path
            .as_os_str()
            .as_bytes()
            .iter()
            .any(|byte| b":,\\".contains(byte))
    }
}

/// `lowerdir+` is refused when it is set (6.5 to 6.7) or, by kernels whose overlayfs only knows
/// option strings, when the superblock is created.
pub(super) fn may_lack_append(error: &SysError) -> bool {
    matches!(error.errno(), Some(Errno::EINVAL | Errno::ENOSYS))
}
