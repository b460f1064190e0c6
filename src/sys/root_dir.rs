//! `RootDir`: every path inside an untrusted tree goes through it.
//!
//! Paths are resolved by the kernel as if the tree were `/` (openat2(2), `RESOLVE_IN_ROOT`): links
//! and `..` stay inside, magic links of procfs are refused. A descriptor is the result, so that
//! nothing is resolved twice.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::Mode,
};

use super::{At as _, Dir, Result, SysError};

const IN_ROOT: ResolveFlag = ResolveFlag::RESOLVE_IN_ROOT.union(ResolveFlag::RESOLVE_NO_MAGICLINKS);

/// The root of a tree that somebody else wrote: an image, a volume, a layer.
#[derive(Debug)]
pub struct RootDir(Dir);

/// What [`RootDir::make_dirs`] had to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// Everything was there.
    Nothing,
    /// This many directories.
    Directories(usize),
}

impl RootDir {
    /// The tree below `dir`.
    pub fn new(dir: Dir) -> Self {
        Self(dir)
    }

    /// Opens the tree below a trusted path.
    pub fn open(path: &Path) -> Result<Self> {
        Dir::open(path).map(Self)
    }

    /// The top directory.
    pub fn top(&self) -> &Dir {
        &self.0
    }

    fn resolve(&self, path: &Path, flags: OFlag, mode: Mode) -> Result<OwnedFd> {
        self.resolve_as(path, flags, mode, IN_ROOT)
    }

    fn resolve_as(
        &self,
        path: &Path,
        flags: OFlag,
        mode: Mode,
        resolve: ResolveFlag,
    ) -> Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(mode)
            .resolve(resolve);
        let relative = inside(path);
        // The kernel answers EAGAIN while somebody renames in the tree: try again (openat2(2)).
        let mut tries = 0;
        loop {
            match openat2(&self.0, relative, how) {
                Err(Errno::EAGAIN) if tries < 1000 => tries += 1,
                opened => {
                    return opened.at("openat2", || format!("{}, RESOLVE_IN_ROOT", path.display()));
                }
            }
        }
    }

    /// A handle on whatever `path` names, links followed inside the tree.
    pub fn locate(&self, path: &Path) -> Result<OwnedFd> {
        self.resolve(path, OFlag::O_PATH, Mode::empty())
    }

    /// Opens a directory, links followed inside the tree.
    pub fn open_dir(&self, path: &Path) -> Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        self.resolve(path, flags, Mode::empty()).map(Dir::from_fd)
    }

    /// Opens a directory; a link anywhere in the path is an error (ELOOP or ENOTDIR).
    pub fn open_dir_without_links(&self, path: &Path) -> Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let resolve = IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS;
        self.resolve_as(path, flags, Mode::empty(), resolve)
            .map(Dir::from_fd)
    }

    /// Opens a file for reading, links followed inside the tree; a fifo does not block.
    pub fn open_file(&self, path: &Path) -> Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        self.resolve(path, flags, Mode::empty()).map(File::from)
    }

    /// Opens the null device for reading and writing; anything else of that name is refused.
    pub fn open_null(&self) -> Result<OwnedFd> {
        let path = Path::new("/dev/null");
        let null = self.resolve(path, OFlag::O_RDWR | OFlag::O_NONBLOCK, Mode::empty())?;
        let metadata = super::metadata_of(&null)?;
        let is_null = metadata.kind() == super::FileKind::CharDevice
            && metadata.rdev() == nix::sys::stat::makedev(1, 3);
        if is_null {
            Ok(null)
        } else {
            Err(SysError::new("openat2", "/dev/null", Errno::ENODEV))
        }
    }

    /// Opens a new terminal of the tree's own devpts: its main side.
    pub fn open_terminal_main(&self) -> Result<File> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY;
        self.resolve(Path::new("/dev/pts/ptmx"), flags, Mode::empty())
            .map(File::from)
    }

    /// Creates an empty file unless something of that name is there, links followed inside.
    pub fn ensure_file(&self, path: &Path, mode: u32) -> Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        self.resolve(path, flags, Mode::from_bits_truncate(mode))
            .map(drop)
    }

    /// Makes every missing directory of `path` (root:root, `mode`) and opens the last.
    ///
    /// A link on the way is followed inside the tree; where it leads to nothing, that directory
    /// is made (as Docker does for `/var/run/x` where `run` is a link).
    pub fn make_dirs(&self, path: &Path, mode: u32) -> Result<(Dir, Made)> {
        // The common case costs one call.
        match self.open_dir(path) {
            Ok(dir) => return Ok((dir, Made::Nothing)),
            Err(error) if error.errno() == Some(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        // The next common case: only the last one is missing.
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Ok(parent) = self.open_dir(parent)
            && parent.make_dir(name, mode).is_ok()
        {
            return Ok((parent.open_dir(name)?, Made::Directories(1)));
        }
        let mut walk = Walk {
            so_far: PathBuf::new(),
            rest: parts(path).rev().map(OsStr::to_owned).collect(),
            made: 0,
            hops: 0,
        };
        let mut here = self.open_dir(Path::new("/"))?;
        while let Some(name) = walk.rest.pop() {
            walk.so_far.push(&name);
            here = match self.open_dir(&walk.so_far) {
                Ok(dir) => dir,
                Err(error) if error.errno() != Some(Errno::ENOENT) => return Err(error),
                Err(error) => match here.read_symlink(&name) {
                    Ok(_) if walk.hops >= LINKS_MAX => return Err(error),
                    Ok(target) => self.open_dir(walk.detour(&target))?,
                    Err(_) => walk.make(&here, &name, mode)?,
                },
            };
        }
        Ok((here, Made::Directories(walk.made)))
    }
}

/// As many links as the kernel follows on one path (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// The state of [`RootDir::make_dirs`].
struct Walk {
    so_far: PathBuf,
    /// Components still to go, the next one last.
    rest: Vec<OsString>,
    made: usize,
    hops: usize,
}

impl Walk {
    /// Goes where a dangling link points; the answer is the directory that exists already.
    fn detour(&mut self, target: &OsStr) -> &Path {
        self.hops += 1;
        self.so_far.pop();
        if target.as_bytes().starts_with(b"/") {
            self.so_far.clear();
        }
        self.rest
            .extend(parts(Path::new(target)).rev().map(OsStr::to_owned));
        &self.so_far
    }

    fn make(&mut self, here: &Dir, name: &OsStr, mode: u32) -> Result<Dir> {
        here.ensure_dir(name, mode)?;
        self.made += 1;
        here.open_dir(name)
    }
}

/// A handle on a path of ours or of the user, links followed: not for untrusted trees.
pub fn open_handle(path: &Path) -> Result<OwnedFd> {
    nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .at("open", || format!("{}, O_PATH", path.display()))
}

/// Whether a handle is on procfs (statfs(2), `PROC_SUPER_MAGIC`).
pub fn is_procfs(fd: impl AsFd) -> Result<bool> {
    let found = nix::sys::statfs::fstatfs(fd).at("fstatfs", String::new)?;
    Ok(found.filesystem_type() == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// Whether nothing can be written through this handle, because its mount or file system is
/// read-only (statvfs(3)).
pub fn is_read_only(fd: impl AsFd) -> Result<bool> {
    let found = nix::sys::statvfs::fstatvfs(fd).at("fstatvfs", String::new)?;
    Ok(found
        .flags()
        .contains(nix::sys::statvfs::FsFlags::ST_RDONLY))
}

impl AsFd for RootDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The path for openat2: relative, never empty.
fn inside(path: &Path) -> &Path {
    let relative = path.strip_prefix("/").unwrap_or(path);
    if relative.as_os_str().is_empty() {
        Path::new(".")
    } else {
        relative
    }
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, RootDir) {
        let scratch = tempfile::tempdir().unwrap();
        let root = RootDir::open(scratch.path()).unwrap();
        (scratch, root)
    }

    #[test]
    fn links_and_dotdot_stay_inside() {
        let (scratch, root) = tree();
        root.top().make_symlink(OsStr::new("/etc"), "out").unwrap();
        root.top()
            .make_symlink(OsStr::new("../../../../.."), "up")
            .unwrap();
        root.make_dirs(Path::new("out/inside"), 0o755).unwrap();
        assert!(scratch.path().join("etc/inside").is_dir());
        let (_, made) = root.make_dirs(Path::new("/up/x"), 0o755).unwrap();
        assert_eq!(made, Made::Directories(1));
        assert!(scratch.path().join("x").is_dir());
    }

    #[test]
    fn a_link_loop_is_an_error() {
        let (_scratch, root) = tree();
        root.top().make_symlink(OsStr::new("loop"), "loop").unwrap();
        let error = root.make_dirs(Path::new("loop/x"), 0o755).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ELOOP));
    }

    #[test]
    fn a_file_on_the_way_is_an_error() {
        let (_scratch, root) = tree();
        root.ensure_file(Path::new("file"), 0o644).unwrap();
        let error = root.make_dirs(Path::new("file/x"), 0o755).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOTDIR));
    }

    #[test]
    fn existing_directories_are_not_counted() {
        let (_scratch, root) = tree();
        let (_, made) = root.make_dirs(Path::new("/a/b/c"), 0o755).unwrap();
        assert_eq!(made, Made::Directories(3));
        let (_, made) = root.make_dirs(Path::new("/a/b"), 0o755).unwrap();
        assert_eq!(made, Made::Nothing);
    }
}
