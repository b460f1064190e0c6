//! Finds both ends of a copy inside a root that others may change; answers are descriptors.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::copy_rule::{Found, Typed};
use crate::{
    layer::Subject,
    sys::{self, Dir, FileKind, Metadata, RootDir, SysError},
};

/// As many links as the kernel follows on one path (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Something to copy.
#[derive(Debug)]
pub(super) enum Node {
    Directory(Dir),
    Other {
        parent: Dir,
        name: OsString,
        kind: FileKind,
    },
}

impl Node {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    pub(super) fn is_socket(&self) -> bool {
        matches!(
            self,
            Self::Other {
                kind: FileKind::Socket,
                ..
            }
        )
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        match self {
            Self::Directory(dir) => Subject::Tree(dir),
            Self::Other { parent, name, .. } => Subject::Name(parent, name),
        }
    }
}

/// A source that is there.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) node: Node,
    /// Its path; another one than was typed where a link was followed.
    pub(super) path: PathBuf,
}

/// A path that leads nowhere.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) path: PathBuf,
    pub(super) source: SysError,
}

/// A destination, there or not.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) found: Found,
    pub(super) is_device: bool,
    /// Links followed.
    pub(super) path: PathBuf,
    /// A link was followed.
    pub(super) is_elsewhere: bool,
}

impl Target {
    /// The directory that it is in.
    pub(super) fn parent(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    pub(super) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

/// Finds what shall be copied. The last link is followed if that is wanted, or where the path says
/// that it is a directory.
pub(super) fn source(root: &RootDir, typed: &Typed, follow: bool) -> Result<Source, Miss> {
    let (path, end) = walk(root, &typed.clean, follow || typed.asserts_directory)?;
    let miss = |source| Miss {
        path: path.clone(),
        source,
    };
    let (parent, name, metadata) = match end {
        End::Directory(dir) => {
            let node = Node::Directory(dir);
            return Ok(Source { node, path });
        }
        End::Name(parent, name, metadata) => (parent, name, metadata),
    };
    let Some(metadata) = metadata else {
        return Err(miss(failed(&path, Errno::ENOENT)));
    };
    let node = if metadata.is_dir() {
        Node::Directory(parent.open_dir(&name).map_err(miss)?)
    } else if typed.asserts_directory {
        return Err(Miss {
            path: typed.clean.clone(),
            source: failed(&typed.clean, Errno::ENOTDIR),
        });
    } else {
        let kind = metadata.kind();
        Node::Other { parent, name, kind }
    };
    Ok(Source { node, path })
}

/// Looks at a destination, links followed. What cannot be reached counts as missing: whoever
/// opens its directory is told why.
pub(super) fn target(root: &RootDir, typed: &Typed) -> Result<Target, Miss> {
    let (path, end) = match walk(root, &typed.clean, true) {
        Ok(walked) => walked,
        Err(miss) if is_absent(&miss.source) => {
            let is_elsewhere = miss.path != typed.clean;
            return Ok(Target {
                found: Found::Nothing,
                is_device: false,
                path: miss.path,
                is_elsewhere,
            });
        }
        Err(miss) => return Err(miss),
    };
    let kind = match &end {
        End::Directory(_) => Some(FileKind::Directory),
        End::Name(_, _, metadata) => metadata.as_ref().map(Metadata::kind),
    };
    let found = match kind {
        Some(FileKind::Directory) => Found::Directory,
        Some(_) if !typed.asserts_directory => Found::Other,
        _ => Found::Nothing,
    };
    Ok(Target {
        found,
        is_device: matches!(kind, Some(FileKind::CharDevice | FileKind::BlockDevice)),
        is_elsewhere: path != typed.clean,
        path,
    })
}

pub(super) fn is_absent(error: &SysError) -> bool {
    matches!(error.errno(), Some(Errno::ENOENT | Errno::ENOTDIR))
}

/// Where a path ends.
enum End {
    /// A directory whose name is not known: the root, or `..` at the end of a link.
    Directory(Dir),
    /// A name that may be there.
    Name(Dir, OsString, Option<Metadata>),
}

/// Goes to the end of a path and, if wanted, on through the links there; each step is resolved by
/// the kernel inside the root.
fn walk(root: &RootDir, path: &Path, follow: bool) -> Result<(PathBuf, End), Miss> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS_MAX {
        let stepped = step(root, &path, follow);
        let step = stepped.map_err(|source| Miss {
            path: path.clone(),
            source,
        })?;
        match step {
            Step::End(end) => return Ok((path, end)),
            Step::Link(next) => path = next,
        }
    }
    let source = failed(&path, Errno::ELOOP);
    Err(Miss { path, source })
}

enum Step {
    End(End),
    Link(PathBuf),
}

fn step(root: &RootDir, path: &Path, follow: bool) -> sys::Result<Step> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Step::End(End::Directory(root.open_dir(path)?)));
    };
    let parent = root.open_dir(above)?;
    let metadata = parent.find(name)?;
    let is_link = metadata.is_some_and(|found| found.kind() == FileKind::Symlink);
    if is_link && follow {
        return Ok(Step::Link(above.join(parent.read_symlink(name)?)));
    }
    Ok(Step::End(End::Name(parent, name.to_owned(), metadata)))
}

fn failed(path: &Path, errno: Errno) -> SysError {
    SysError::new("lstat", path.display().to_string(), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, RootDir) {
        let scratch = tempfile::tempdir().unwrap();
        let root = RootDir::open(scratch.path()).unwrap();
        let top = root.top();
        top.make_dir("d", 0o755).unwrap();
        top.create_file("f", 0o644).unwrap();
        for (name, to) in [
            ("ld", "d"),
            ("lf", "/f"),
            ("llf", "ld/../lf"),
            ("gone", "../../../d/nothing"),
            ("far", "/no/where"),
            ("loop", "loop"),
        ] {
            top.make_symlink(OsStr::new(to), name).unwrap();
        }
        (scratch, root)
    }

    fn typed(path: &str) -> Typed {
        Typed::new(OsStr::new("/"), OsStr::new(path))
    }

    #[test]
    fn sources_follow_the_last_link_only_where_that_is_wanted() {
        let (_scratch, root) = tree();
        let found = |path, follow| match source(&root, &typed(path), follow) {
            Ok(Source {
                node: Node::Directory(_),
                path,
            }) => format!("dir {}", path.display()),
            Ok(Source {
                node: Node::Other { kind, .. },
                path,
            }) => format!("{kind:?} {}", path.display()),
            Err(miss) => format!("{:?} {}", miss.source.errno().unwrap(), miss.path.display()),
        };
        for (path, follow, wanted) in [
            ("/", false, "dir /"),
            ("d", false, "dir /d"),
            ("d/", false, "dir /d"),
            ("ld", false, "Symlink /ld"),
            ("ld", true, "dir /d"),
            ("ld/", false, "dir /d"),
            ("ld/.", false, "dir /d"),
            ("lf", false, "Symlink /lf"),
            ("lf", true, "File /f"),
            ("llf", true, "File /f"),
            ("f/", false, "ENOTDIR /f"),
            ("lf/", false, "ENOTDIR /lf"),
            ("f/x", false, "ENOTDIR /f/x"),
            ("none", false, "ENOENT /none"),
            ("gone", false, "Symlink /gone"),
            ("loop", true, "ELOOP /loop"),
        ] {
            assert_eq!(found(path, follow), wanted, "{path} {follow}");
        }
    }

    #[test]
    fn targets_are_where_links_lead_inside_the_root() {
        let (_scratch, root) = tree();
        let found = |path| {
            let target = target(&root, &typed(path)).unwrap();
            format!("{:?} {}", target.found, target.path.display())
        };
        for (path, wanted) in [
            ("d", "Directory /d"),
            ("ld", "Directory /d"),
            ("f", "Other /f"),
            ("lf", "Other /f"),
            ("f/", "Nothing /f"),
            ("new", "Nothing /new"),
            ("gone", "Nothing /../../../d/nothing"),
            ("far", "Nothing /no/where"),
            ("f/x", "Nothing /f/x"),
            ("no/x", "Nothing /no/x"),
        ] {
            assert_eq!(found(path), wanted, "{path}");
        }
        assert!(target(&root, &typed("loop")).is_err());
    }
}
