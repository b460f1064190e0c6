//! `image mount`: an image's root on a directory of the host, for whoever looks at it from there.
//!
//! The mount is the truth: it carries the name of its record, and a record without a mount in any
//! namespace is what a crash, a reboot or umount(8) left. Records are written before the mount, under the
//! layers' lease, so whoever has that alone never meets one without the other.

use std::{
    collections::HashSet,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{Engine, Error, containers::failed};
use crate::{
    ident::{ChainId, Digest},
    rootfs::{self, MOUNTED},
    store::{Durability, Place, lease_place, record},
    sys::{
        Dir, Result as SysResult, SysError, mount, mountinfo, open_handle, process, random_bytes,
    },
};

/// What the sources of our mounts begin with.
const LABEL: &str = "cowshed-image:";

/// An image that was mounted on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageMount {
    /// Names the record, and the mount in tables of mounts.
    pub id: String,
    /// The image's id.
    pub image: Digest,
    /// As it was asked for.
    pub name: String,
    /// Lowest first; keeps the layers alive.
    pub chains: Vec<ChainId>,
    /// Where it was mounted.
    pub target: PathBuf,
    /// The directory is the store's own, and goes with the mount.
    pub own_directory: bool,
    /// The boot that it was mounted in.
    pub boot: String,
}

/// One that is still mounted.
#[derive(Debug, Clone)]
pub struct MountedView {
    /// Its record.
    pub mount: ImageMount,
    /// Where in this mount namespace, the latest last; nowhere if only in others.
    pub here: Vec<PathBuf>,
}

impl MountedView {
    /// Where it is, for a message.
    pub(super) fn shown(&self) -> String {
        match self.here.last() {
            Some(place) => place.display().to_string(),
            None => format!("{} in another mount namespace", self.mount.target.display()),
        }
    }
}

impl Engine {
    /// Mounts an image read-only on a directory in this process's mount namespace, or on one below
    /// the store; answers where.
    ///
    /// An image that is mounted below the store already is not mounted there again.
    pub fn mount_image(&self, name: &str, target: Option<&Path>) -> Result<PathBuf, Error> {
        let _lease = lease_place(self.store(), Place::Layers, false)?;
        let image = self.images()?.resolve(name)?;
        let chains: Vec<_> = image.layers.iter().map(|layer| layer.chain).collect();
        if target.is_none() {
            let there = self.image_mounts()?.into_iter().find(|view| {
                view.mount.own_directory && view.mount.image == image.id && !view.here.is_empty()
            });
            if let Some(view) = there {
                return Ok(view.mount.target);
            }
        }
        let random = random_bytes().map_err(|source| failed("name the mount", source))?;
        let id = Digest::of(&random).short();
        let target = match target {
            Some(target) => real_path(target)
                .map_err(|source| failed(&format!("mount image {name}"), source))?,
            None => self.store().path_in(Place::Images, MOUNTED).join(&id),
        };
        let mount = ImageMount {
            own_directory: target.starts_with(self.store().path_in(Place::Images, MOUNTED)),
            image: image.id,
            name: name.to_owned(),
            chains,
            boot: process::boot_id(),
            target,
            id,
        };
        let dir = self.mounted_dir()?;
        if mount.own_directory {
            let made = dir.make_dir(&mount.id, 0o755);
            made.map_err(|source| failed("make mount point", source))?;
        }
        let file = file_of(&mount);
        record::replace(self.store(), &dir, &file, &mount, Durability::Synced)?;
        let attached = self.attach_view(&mount);
        if attached.is_err() {
            forget_mount(&dir, &mount);
        }
        attached?;
        Ok(mount.target)
    }

    fn attach_view(&self, mount: &ImageMount) -> Result<(), Error> {
        let label = format!("{LABEL}{}", mount.id);
        let union = rootfs::image_view(self.store(), &mount.chains, &label)?;
        let attach = || {
            let place = open_handle(&mount.target)?;
            if !crate::sys::metadata_of(&place)?.is_dir() {
                let shown = mount.target.display().to_string();
                return Err(SysError::new("move_mount", shown, Errno::ENOTDIR));
            }
            mount::attach(&union, place.as_fd(), &mount.target)
        };
        attach().map_err(|source| failed(&format!("mount image {}", mount.name), source))
    }

    /// Takes an image's views off the directories of this mount namespace, or the one that is on a
    /// directory; answers from where.
    ///
    /// # Errors
    ///
    /// EBUSY where somebody still uses one.
    pub fn unmount_image(&self, text: &str) -> Result<Vec<PathBuf>, Error> {
        let views = self.image_mounts()?;
        let directory = real_path(Path::new(text)).ok();
        let on_top = directory.as_deref().map(topmost).transpose()?.flatten();
        let is_it = |view: &&MountedView| on_top.as_ref() == Some(&view.mount.id);
        let chosen: Vec<_> = match views.iter().find(is_it) {
            Some(view) => vec![view],
            None if text.contains('/') && directory.is_some() => Vec::new(),
            None => {
                let image = self.images()?.resolve(text)?.id;
                let own = views.iter().filter(|view| view.mount.image == image);
                own.filter(|view| !view.here.is_empty()).collect()
            }
        };
        if chosen.is_empty() {
            return Err(Error::NotMounted {
                name: text.to_owned(),
            });
        }
        let mut done = Vec::new();
        for view in chosen {
            self.unmount_view(view)?;
            done.extend(view.here.last().cloned());
        }
        Ok(done)
    }

    /// [`Engine::unmount_image`] of all views in this mount namespace.
    pub fn unmount_images(&self) -> Result<Vec<PathBuf>, Error> {
        let mut done = Vec::new();
        for view in self.image_mounts()? {
            if !view.here.is_empty() {
                self.unmount_view(&view)?;
                done.extend(view.here.last().cloned());
            }
        }
        Ok(done)
    }

    fn unmount_view(&self, view: &MountedView) -> Result<(), Error> {
        for place in view.here.iter().rev() {
            let on_top = topmost(place)?.as_ref() == Some(&view.mount.id);
            let done = if on_top {
                mount::unmount(place)
            } else {
                let shown = format!("{}: something is mounted over it", place.display());
                Err(SysError::new("umount2", shown, Errno::EBUSY))
            };
            done.map_err(|source| failed(&format!("unmount image {}", view.mount.name), source))?;
        }
        // A copy of the namespace may have it, too.
        if live(std::slice::from_ref(&view.mount))?.is_empty() {
            forget_mount(&self.mounted_dir()?, &view.mount);
        }
        Ok(())
    }

    /// The images that are mounted on the host, in any mount namespace.
    pub fn image_mounts(&self) -> Result<Vec<MountedView>, Error> {
        live(&self.mount_records()?)
    }

    /// Forgets what is not mounted any more. The caller holds the layers' exclusive lease.
    pub(super) fn tidy_image_mounts(&self) -> Result<(), Error> {
        let records = self.mount_records()?;
        if records.is_empty() {
            return Ok(());
        }
        let alive: HashSet<_> = live(&records)?
            .into_iter()
            .map(|view| view.mount.id)
            .collect();
        let dir = self.mounted_dir()?;
        for mount in records.iter().filter(|mount| !alive.contains(&mount.id)) {
            forget_mount(&dir, mount);
        }
        Ok(())
    }

    fn mounted_dir(&self) -> Result<Dir, Error> {
        let images = self.store().open_dir(Place::Images)?;
        let made = images.ensure_dir(MOUNTED, 0o700);
        made.and_then(|()| images.open_dir(MOUNTED))
            .map_err(|source| failed("open mounted images", source))
    }

    fn mount_records(&self) -> Result<Vec<ImageMount>, Error> {
        let images = self.store().open_dir(Place::Images)?;
        let dir = match images.open_dir(MOUNTED) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(Vec::new()),
            dir => dir.map_err(|source| failed("open mounted images", source))?,
        };
        let names = dir
            .sorted_entries()
            .map_err(|source| failed("list mounted images", source))?;
        let names = names.iter().filter_map(|name| name.to_str());
        let found = names
            .filter(|name| Path::new(name).extension() == Some("json".as_ref()))
            .map(|name| record::find(&dir, name));
        Ok(found
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?)
    }
}

/// Never fails: a record without a mount says nothing, and the next removal tidies.
fn forget_mount(dir: &Dir, mount: &ImageMount) {
    if mount.own_directory {
        dir.remove_dir(&mount.id).ok();
    }
    dir.remove_file(file_of(mount)).ok();
}

/// Of a directory that the user named, links followed.
fn real_path(path: &Path) -> SysResult<PathBuf> {
    process::real_path_of(&open_handle(path)?)
}

fn file_of(mount: &ImageMount) -> String {
    format!("{}.json", mount.id)
}

/// The name of the record of what lies uppermost on a directory; `None` if that is not ours.
fn topmost(place: &Path) -> Result<Option<String>, Error> {
    let mounts = mountinfo::read().map_err(|source| failed("list mounts", source))?;
    // In the order in which they were made.
    let last = mounts.iter().rfind(|info| info.mount_point == place);
    Ok(last
        .and_then(|info| info.source.strip_prefix(LABEL))
        .map(str::to_owned))
}

/// As long as one waits for namespaces that are about to go: a start takes less.
const TRANSIENT: (usize, Duration) = (20, Duration::from_millis(5));

/// Those of `records` that a mount tells of.
pub(super) fn live(records: &[ImageMount]) -> Result<Vec<MountedView>, Error> {
    let boot = process::boot_id();
    let records: Vec<_> = records.iter().filter(|mount| mount.boot == boot).collect();
    // Most stores have none: no table is read.
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let (most, pause) = TRANSIENT;
    for _ in 0..most {
        let views = views(&records)?;
        // A container that is being started has a copy of our mounts until it has its own root.
        if views.iter().all(|view| !view.here.is_empty()) {
            return Ok(views);
        }
        std::thread::sleep(pause);
    }
    views(&records)
}

fn views(records: &[&ImageMount]) -> Result<Vec<MountedView>, Error> {
    let read = |read: SysResult<_>| read.map_err(|source| failed("list mounts", source));
    let (all, own) = (read(mountinfo::read_all())?, read(mountinfo::read())?);
    let is_of = |info: &mountinfo::MountInfo, mount: &ImageMount| {
        info.kind == "overlay" && info.source.strip_prefix(LABEL) == Some(&mount.id)
    };
    let is_there = |mount: &&ImageMount| all.iter().chain(&own).any(|info| is_of(info, mount));
    let view = |mount: &ImageMount| MountedView {
        here: own
            .iter()
            .filter(|info| is_of(info, mount))
            .map(|info| info.mount_point.clone())
            .collect(),
        mount: mount.clone(),
    };
    let there = records.iter().copied().filter(is_there);
    Ok(there.map(view).collect())
}
