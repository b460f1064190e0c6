//! One directory of a group: `/cowshed/<id>` in one hierarchy.

use std::path::Path;

use nix::errno::Errno;

use super::{Error, Hierarchies, Hierarchy, Setting};
use crate::sys::{self, Dir, SysError, control};

/// The parent of all groups, in every hierarchy.
pub(super) const PARENT: &str = "cowshed";

/// A group's directory in one hierarchy.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) hierarchy: Hierarchy,
    parent: Dir,
    pub(super) dir: Dir,
}

/// How often a parent may vanish under our feet, removed by somebody who found it empty.
const ATTEMPTS: u32 = 16;

impl Place {
    /// Makes the directory, and the parent where it is missing.
    pub(super) fn make(
        hierarchies: &Hierarchies,
        hierarchy: Hierarchy,
        id: &str,
    ) -> Result<Self, Error> {
        let failed = |source| Error::System {
            what: format!("create control group {id}"),
            source,
        };
        let mount = mount_point(hierarchies, hierarchy);
        let mut left = ATTEMPTS;
        loop {
            let made = make_in_parent(mount, id);
            match made.as_ref().err().and_then(SysError::errno) {
                Some(Errno::EEXIST) => return Err(Error::Exists { id: id.to_owned() }),
                Some(Errno::ENOENT | Errno::ENODEV) if left > 0 => left -= 1,
                _ => {
                    let (parent, dir) = made.map_err(failed)?;
                    return Ok(Self {
                        hierarchy,
                        parent,
                        dir,
                    });
                }
            }
        }
    }

    /// Opens the directory; `None` where there is none.
    pub(super) fn find(
        hierarchies: &Hierarchies,
        hierarchy: Hierarchy,
        id: &str,
    ) -> Result<Option<Self>, Error> {
        let failed = |source| Error::System {
            what: format!("open control group {id}"),
            source,
        };
        let parent = mount_point(hierarchies, hierarchy).join(PARENT);
        let Some(parent) = existing(Dir::open(&parent)).map_err(failed)? else {
            return Ok(None);
        };
        let dir = existing(parent.open_dir(id)).map_err(failed)?;
        Ok(dir.map(|dir| Self {
            hierarchy,
            parent,
            dir,
        }))
    }

    /// Removes the directory; whether it is gone.
    pub(super) fn remove(&self, id: &str) -> sys::Result<bool> {
        gone(self.parent.remove_dir(id))
    }

    /// Writes a setting; whether the kernel wants another one first (EINVAL).
    pub(super) fn set(&self, setting: &Setting) -> Result<bool, Error> {
        for (file, value) in &setting.choices {
            let done = control::write(&self.dir, file, value);
            let errno = done.as_ref().err().and_then(SysError::errno);
            match (done, errno) {
                (Ok(()), _) => return Ok(true),
                (Err(error), Some(Errno::ENOENT)) if error.call() == "openat" => {}
                (_, Some(Errno::EINVAL)) => return Ok(false),
                (Err(source), _) => return Err(refused(setting, source)),
            }
        }
        match setting.flag {
            None => Ok(true),
            Some(flag) => Err(Error::Unsupported {
                flag,
                missing: format!("the kernel has no {}", files(setting).join(" or ")),
            }),
        }
    }

    /// Passes a controller of version 2 on to the group.
    pub(super) fn enable(&self, mount: &Path, controller: &str) -> Result<(), Error> {
        const FILE: &str = "cgroup.subtree_control";
        let failed = |source| Error::System {
            what: format!("enable the {controller} controller for control groups"),
            source,
        };
        let is_on = |dir: &Dir| -> sys::Result<bool> {
            let text = control::read(dir, FILE)?;
            Ok(text.split_whitespace().any(|one| one == controller))
        };
        if is_on(&self.parent).map_err(failed)? {
            return Ok(());
        }
        let root = Dir::open(mount).map_err(failed)?;
        let order = format!("+{controller}");
        if !is_on(&root).map_err(failed)? {
            control::write(&root, FILE, &order).map_err(failed)?;
        }
        control::write(&self.parent, FILE, &order).map_err(failed)
    }

    /// A cpuset of version 1 begins empty, and nothing can run in it: it gets its parent's.
    pub(super) fn inherit_cpuset(&self, mount: &Path) -> Result<(), Error> {
        let inherit = || -> sys::Result<()> {
            let root = Dir::open(mount)?;
            fill_cpuset(&root, &self.parent)?;
            fill_cpuset(&self.parent, &self.dir)
        };
        inherit().map_err(|source| Error::System {
            what: "give the control group CPUs and memory nodes".to_owned(),
            source,
        })
    }
}

fn mount_point(hierarchies: &Hierarchies, hierarchy: Hierarchy) -> &Path {
    let mount = hierarchies.mount_point(hierarchy);
    mount.expect("a hierarchy is only named by those who found it in the same list")
}

pub(super) fn refused(setting: &Setting, source: SysError) -> Error {
    let (file, value) = setting.choices.first().cloned().unwrap_or_default();
    Error::Refused {
        flag: setting.flag.unwrap_or("--memory"),
        file,
        value,
        source,
    }
}

fn files(setting: &Setting) -> Vec<&'static str> {
    setting.choices.iter().map(|(file, _)| *file).collect()
}

fn make_in_parent(mount: &Path, id: &str) -> sys::Result<(Dir, Dir)> {
    let parent = open_or_make_parent(mount)?;
    parent.make_dir(id, 0o755)?;
    let dir = parent.open_dir(id)?;
    Ok((parent, dir))
}

fn open_or_make_parent(mount: &Path) -> sys::Result<Dir> {
    let path = mount.join(PARENT);
    if let Some(parent) = existing(Dir::open(&path))? {
        return Ok(parent);
    }
    Dir::open(mount)?.ensure_dir(PARENT, 0o755)?;
    Dir::open(&path)
}

fn fill_cpuset(from: &Dir, to: &Dir) -> sys::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if control::read(to, file)?.trim().is_empty() {
            control::write(to, file, control::read(from, file)?.trim())?;
        }
    }
    Ok(())
}

/// `None` for what is not there, or was removed at this moment.
pub(super) fn existing<T>(found: sys::Result<T>) -> sys::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::ENODEV)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a directory is removed: not while it is in use.
pub(super) fn gone(removed: sys::Result<()>) -> sys::Result<bool> {
    match existing(removed) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.errno(), Some(Errno::EBUSY | Errno::ENOTEMPTY)) => Ok(false),
        Err(error) => Err(error),
    }
}
