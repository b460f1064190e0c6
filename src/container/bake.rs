//! `commit --bake-volume`: volumes whose content becomes a part of the image.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Component, Path, PathBuf},
};

use nix::errno::Errno;

use super::{ContainerRecord, Engine, Error, containers::failed, copy_reach::Extent};
use crate::{
    ident::VolumeName,
    layer::{Baked, PathBytes},
    mount::RequestKind,
    sys::{Result as SysResult, RootDir, SysError, fork},
    volume::OpenVolume,
};

/// A volume to be taken in, and where.
#[derive(Debug)]
pub(super) struct Bake {
    pub(super) volume: VolumeName,
    subpath: Option<PathBuf>,
    /// As it was asked for.
    pub(super) target: PathBuf,
    /// In the container's root, links followed.
    path: PathBytes,
}

/// Volumes that are read.
#[derive(Debug)]
pub(super) struct OpenBakes {
    pub(super) trees: Vec<Baked>,
    _volumes: Vec<OpenVolume>,
}

impl Engine {
    /// Finds what `--bake-volume` means. The process must have one thread.
    ///
    /// # Errors
    ///
    /// What is no volume of the container.
    pub(super) fn find_baked(
        &self,
        record: &ContainerRecord,
        wanted: &[String],
    ) -> Result<Vec<Bake>, Error> {
        let mut bakes: Vec<Bake> = Vec::new();
        for text in wanted {
            let before = bakes.len();
            for mount in &record.mounts {
                let (RequestKind::Volume(request), Some(volume)) =
                    (&mount.request.kind, &mount.volume)
                else {
                    continue;
                };
                let target = &mount.request.target;
                let is_meant = volume.as_str() == text || target == Path::new(text);
                if is_meant && !bakes.iter().any(|bake| bake.target == *target) {
                    bakes.push(Bake {
                        volume: volume.clone(),
                        subpath: request.subpath.clone(),
                        target: target.clone(),
                        path: self.place_of(record, target)?,
                    });
                }
            }
            if bakes.len() == before {
                return Err(Error::Usage {
                    what: format!("container {} has no volume {text} mounted", record.name),
                });
            }
        }
        Ok(bakes)
    }

    /// Where a mount point is in the container's root: `/var/run/x` may be `/run/x`.
    fn place_of(&self, record: &ContainerRecord, target: &Path) -> Result<PathBytes, Error> {
        let reach = self.reach(record.id.as_str(), Extent::Union)?;
        let find = || {
            let found = reach.enter(Extent::Union, |root| resolve(root, target))?;
            found.map(|path| path.into_os_string().into_vec())
        };
        let found = fork::run_in(reach.namespaces(), find);
        let shown = target.display();
        let found = found.map_err(|source| failed(&format!("look for {shown}"), source))?;
        Ok(PathBytes::new(found))
    }

    /// Opens them for reading.
    pub(super) fn open_baked(&self, bakes: &[Bake]) -> Result<OpenBakes, Error> {
        let all = self.volumes()?;
        let (mut trees, mut volumes) = (Vec::new(), Vec::new());
        for bake in bakes {
            let open = all.open_volume(bake.volume.as_str())?;
            let fails = |source| failed(&format!("read volume {}", bake.volume), source);
            let data = RootDir::new(open.data.try_clone().map_err(fails)?);
            let below = bake.subpath.as_deref().unwrap_or(Path::new("/"));
            trees.push(Baked {
                dir: data.open_dir(below).map_err(fails)?,
                path: bake.path.clone(),
            });
            volumes.push(open);
        }
        Ok(OpenBakes {
            trees,
            _volumes: volumes,
        })
    }
}

/// As many links as the kernel follows on one path (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// The path without links, relative to the root; what is not there is as it was typed.
fn resolve(root: &RootDir, target: &Path) -> SysResult<PathBuf> {
    let parts = |path: &Path| {
        let names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        });
        names.collect::<Vec<_>>().into_iter().rev()
    };
    let (mut so_far, mut hops) = (PathBuf::new(), 0);
    let mut rest: Vec<_> = parts(target).collect();
    while let Some(name) = rest.pop() {
        if name == ".." {
            so_far.pop();
            continue;
        }
        let link = root
            .open_dir_without_links(&so_far)
            .and_then(|dir| dir.read_symlink(&name));
        match link {
            Ok(to) => {
                hops += 1;
                if hops > LINKS_MAX {
                    let shown = target.display().to_string();
                    return Err(SysError::new("openat", shown, Errno::ELOOP));
                }
                if OsStr::as_bytes(&to).starts_with(b"/") {
                    so_far.clear();
                }
                rest.extend(parts(Path::new(&to)));
            }
            Err(error)
                if matches!(
                    error.errno(),
                    Some(Errno::EINVAL | Errno::ENOENT | Errno::ENOTDIR)
                ) =>
            {
                so_far.push(name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(so_far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_on_the_way_are_followed_inside_and_loops_end() {
        let scratch = tempfile::tempdir().unwrap();
        let root = RootDir::open(scratch.path()).unwrap();
        root.make_dirs(Path::new("var"), 0o755).unwrap();
        root.make_dirs(Path::new("run/deep"), 0o755).unwrap();
        let var = root.open_dir(Path::new("var")).unwrap();
        var.make_symlink(OsStr::new("/run"), "run").unwrap();
        var.make_symlink(OsStr::new("../../../run"), "up").unwrap();
        var.make_symlink(OsStr::new("loop"), "loop").unwrap();
        let at = |text: &str| resolve(&root, Path::new(text));
        assert_eq!(at("/var/run/x").unwrap(), Path::new("run/x"));
        assert_eq!(at("/var/up/deep/y/z").unwrap(), Path::new("run/deep/y/z"));
        assert_eq!(at("/new/dir").unwrap(), Path::new("new/dir"));
        assert!(at("/var/loop/x").is_err());
    }
}
