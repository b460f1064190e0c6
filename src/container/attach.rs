//! Volumes, binds and tmpfs of a container become mounts.

use std::path::Path;

use nix::errno::Errno;

use super::{
    AttachedMount, ContainerRecord, Engine, Error, containers::failed, sharing::Admissions,
};
use crate::{
    mount::{
        Access, Bind, BindKind, BindRecursive, BindRequest, MissingSource, Mount, MountPlan,
        Origin, Propagation, ReadOnly, RequestKind, Source,
    },
    process,
    rootfs::{self, Snapshot},
    sys::{
        FileKind, RootDir, metadata_of,
        mount::{Depth, PropagationType},
        mountinfo, open_handle,
    },
    volume::{self, Fill, Filled, Hold, Volumes},
};

/// What the filling child answers when there was something to copy.
const COPIED: &[u8] = b"copied";

/// What a container holds of its volumes while it runs.
#[derive(Debug, Default)]
pub(super) struct Attached {
    pub(super) holds: Vec<Hold>,
    admissions: Admissions,
}

impl Attached {
    /// Gives everything back; somebody has used it until now.
    pub(super) fn let_go(self) {
        for hold in &self.holds {
            volume::touch(&hold.dir);
        }
    }
}

/// The mounts of a record, in its order; pure.
pub(super) fn mounts(record: &ContainerRecord, volumes: &Volumes<'_>) -> Vec<Mount> {
    let mount = |attached: &AttachedMount| Mount {
        target: attached.request.target.clone(),
        source: source(attached, volumes),
        origin: Origin::User,
    };
    record.mounts.iter().map(mount).collect()
}

fn source(attached: &AttachedMount, volumes: &Volumes<'_>) -> Source {
    let request = &attached.request;
    match (&request.kind, &attached.volume) {
        (RequestKind::Tmpfs(options), _) => Source::Tmpfs(options.clone()),
        (RequestKind::Bind(bind), _) => Source::Bind(host_bind(bind, request.access)),
        (RequestKind::Volume(volume), name) => {
            let mountpoint = name.as_ref().map(|name| volumes.mountpoint(name));
            let read_only = match request.access {
                Access::ReadWrite => ReadOnly::No,
                Access::ReadOnly => ReadOnly::Recursive,
            };
            Source::Bind(Bind {
                source: mountpoint.unwrap_or_default(),
                subpath: volume.subpath.clone(),
                kind: BindKind::Volume,
                depth: Depth::Recursive,
                read_only,
                propagation: Propagation::RPrivate,
            })
        }
    }
}

fn host_bind(bind: &BindRequest, access: Access) -> Bind {
    let read_only = match (access, bind.recursive) {
        (Access::ReadWrite, _) => ReadOnly::No,
        (Access::ReadOnly, BindRecursive::Disabled | BindRecursive::Writable) => ReadOnly::Top,
        (Access::ReadOnly, BindRecursive::Enabled | BindRecursive::ReadOnly) => ReadOnly::Recursive,
    };
    let depth = match bind.recursive {
        BindRecursive::Disabled => Depth::Top,
        BindRecursive::Enabled | BindRecursive::Writable | BindRecursive::ReadOnly => {
            Depth::Recursive
        }
    };
    let (source, propagation) = (bind.source.clone(), bind.propagation);
    Bind {
        source,
        subpath: None,
        kind: BindKind::Host,
        depth,
        read_only,
        propagation,
    }
}

fn binds(record: &ContainerRecord) -> impl Iterator<Item = &BindRequest> {
    record
        .mounts
        .iter()
        .filter_map(|mount| match &mount.request.kind {
            RequestKind::Bind(bind) => Some(bind),
            RequestKind::Volume(_) | RequestKind::Tmpfs(_) => None,
        })
}

/// Sources that must be there are, and can propagate as asked (semantics 16, 20). Nothing is made.
pub(super) fn check_sources(record: &ContainerRecord) -> Result<(), Error> {
    for bind in binds(record) {
        match open_handle(&bind.source) {
            Ok(handle) => check_propagation(bind, &crate::sys::process::path_of(&handle))?,
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                if bind.missing == MissingSource::Refuse {
                    return Err(Error::NoSource {
                        path: bind.source.clone(),
                    });
                }
            }
            Err(source) => return Err(failed("open bind source", source)),
        }
    }
    Ok(())
}

fn check_propagation(bind: &BindRequest, real: &str) -> Result<(), Error> {
    let (kind, _) = bind.propagation.to_kernel();
    let wanted = match kind {
        PropagationType::Shared => "shared",
        PropagationType::Slave => "shared or slave",
        PropagationType::Private | PropagationType::Unbindable => return Ok(()),
    };
    let mounts = mountinfo::read().map_err(|source| failed("read mounts", source))?;
    let Some(mount) = mountinfo::holding(&mounts, Path::new(real)) else {
        return Ok(());
    };
    let fits = mount.shared.is_some() || kind == PropagationType::Slave && mount.slave;
    if fits {
        return Ok(());
    }
    let (path, mount) = (bind.source.clone(), mount.mount_point.clone());
    Err(Error::NotShared {
        path,
        mount,
        wanted,
    })
}

impl Engine {
    /// Makes missing bind sources (semantics 15), at start like Docker.
    pub(super) fn make_sources(&self, record: &ContainerRecord) -> Result<(), Error> {
        for bind in binds(record).filter(|bind| bind.missing == MissingSource::Create) {
            if open_handle(&bind.source).is_ok() {
                continue;
            }
            let root = RootDir::open(Path::new("/"));
            root.and_then(|root| root.make_dirs(&bind.source, 0o755))
                .map_err(|source| failed("make bind source", source))?;
            self.note(&format!("created host directory {}", bind.source.display()));
        }
        Ok(())
    }

    /// Leases every volume of a container, takes a place among its users, and fills the empty ones
    /// from its image.
    ///
    /// The leases are the truth about "in use": the container keeps them as long as it runs. Volumes
    /// with driver options are mounted by that, and unmounted when the last one goes.
    pub(super) fn attach_volumes(
        &self,
        record: &ContainerRecord,
        snapshot: &Snapshot,
    ) -> Result<Attached, Error> {
        let volumes = self.volumes()?;
        let mut attached = Attached::default();
        for mount in &record.mounts {
            let Some(name) = &mount.volume else {
                continue;
            };
            let hold = match volumes.attach(name) {
                // Pruned between its making and ours becoming visible as its user.
                Err(volume::Error::NotFound { .. }) if !mount.inherited => {
                    let _all = self.create_volumes(record)?;
                    volumes.attach(name)?
                }
                hold => hold?,
            };
            if !attached.admissions.contains_key(name) {
                let admission = self.admit(record, (name, &hold))?;
                attached.admissions.insert(name.clone(), admission);
            }
            volume::touch(&hold.dir);
            volume::finish(&hold.dir, name.as_str())?;
            let empty = mount.is_filled()
                && hold
                    .wants_filling()
                    .map_err(|source| failed("look into volume", source))?;
            if empty {
                self.fill(record, snapshot, mount, &hold)?;
            }
            attached.holds.push(hold);
        }
        Ok(attached)
    }

    fn fill(
        &self,
        record: &ContainerRecord,
        snapshot: &Snapshot,
        mount: &AttachedMount,
        hold: &Hold,
    ) -> Result<(), Error> {
        let target = mount.request.target.clone();
        let Some(name) = &mount.volume else {
            return Ok(());
        };
        if !rootfs::has_directory(snapshot, &target)? {
            return Ok(());
        }
        let volumes = self.volumes()?;
        let volume = volumes.get(name.as_str())?.record;
        let chain = record
            .chains
            .last()
            .map(ToString::to_string)
            .unwrap_or_default();
        let this = Fill {
            chain,
            target: target.display().to_string(),
        };
        if volume.filled.as_ref() == Some(&this) && !hold.is_mounted() {
            // An empty directory of the same image: copied before.
            return Ok(());
        }
        let copied = rootfs::with_view(snapshot, |root| {
            crate::sys::process::raise_file_limit();
            // A file or nothing there: nothing to copy (semantics 28, as the newer engine).
            let Ok(handle) = root.locate(&target) else {
                return Ok(Vec::new());
            };
            if metadata_of(&handle)?.kind() != FileKind::Directory {
                return Ok(Vec::new());
            }
            let from = root.open_dir(&target)?;
            let filled = if hold.is_mounted() {
                volume::fill_mounted(&hold.dir, name.as_str(), &from)
            } else {
                volume::fill(&hold.dir, name.as_str(), &from)
            };
            match filled {
                Ok(Filled::Copied(report)) if report.entries > 0 => Ok(COPIED.to_vec()),
                Ok(_) => Ok(Vec::new()),
                Err(error) => Err(error.into_system()),
            }
        });
        let copied = copied.map_err(|error| {
            if let (rootfs::Error::System { source, .. }, true) = (&error, hold.is_mounted()) {
                // A server that does not let us give files away, mostly.
                let what = format!(
                    "fill volume {name} with the image's files; -v {name}:{}:nocopy leaves it as it is",
                    target.display()
                );
                return failed(&what, source.clone());
            }
            error.into()
        })?;
        // Only an empty directory needs to be remembered: a volume that was emptied later is filled
        // again (semantics 26).
        if hold.is_mounted() {
            return Ok(());
        }
        if copied != COPIED {
            volumes.edit(name, |record| record.filled = Some(this))?;
        }
        volume::apply_owner(&hold.dir, volume.owner)
            .map_err(|source| failed("set owner of volume", source))
    }
}

/// Says it in Docker's words when a file meets a directory (semantics 21).
pub(super) fn wrong_type(error: process::Error, plan: &MountPlan) -> Error {
    let process::Error::Step { source, .. } = &error else {
        return error.into();
    };
    let mixed = source.call() == "move_mount" && source.errno() == Some(Errno::ENOTDIR)
        || source.call() == "openat2"
            && matches!(source.errno(), Some(Errno::ENOTDIR | Errno::EISDIR));
    let bind = plan
        .binds()
        .filter(|(target, _)| source.detail().starts_with(&*target.to_string_lossy()))
        .max_by_key(|(target, _)| target.as_os_str().len());
    match bind {
        Some((target, bind)) if mixed => Error::WrongType {
            source_path: bind.source.clone(),
            target: target.to_owned(),
            source: Box::new(error),
        },
        _ => error.into(),
    }
}
