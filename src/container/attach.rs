//! Volumes, binds and tmpfs of a container become mounts.

use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

use super::{
    AttachedMount, ContainerRecord, Engine, Error, containers::failed, create_volumes::Leases,
    notices, sharing::Admissions,
};
use crate::{
    mount::{
        Access, Bind, BindKind, BindRecursive, BindRequest, IdMap, ImageTree, MissingSource, Mount,
        MountPlan, Origin, OverlayTree, Propagation, ReadOnly, RequestKind, Source, Stored,
        VolumeRequest,
    },
    process,
    rootfs::{self, Layers, Snapshot},
    sys::{
        RootDir,
        lock::Lock,
        mount::{Depth, PropagationType},
        mountinfo, open_handle,
    },
    volume::{self, Hold, Volumes},
};

/// What a container holds of its volumes while it runs.
#[derive(Debug, Default)]
pub(super) struct Attached {
    pub(super) holds: Vec<Hold>,
    admissions: Admissions,
    /// The upper dirs of its overlays.
    uppers: Vec<Lock>,
}

impl Attached {
    /// Gives everything back; somebody has used it until now.
    pub(super) fn let_go(self) {
        for hold in &self.holds {
            volume::touch(&hold.dir);
        }
    }
}

impl Engine {
    /// The mounts of a record, in its order. Nothing is made.
    pub(super) fn mounts(&self, record: &ContainerRecord) -> Result<Vec<Mount>, Error> {
        let volumes = self.volumes()?;
        let mount = |(number, attached): (usize, &AttachedMount)| {
            Ok(Mount {
                target: attached.request.target.clone(),
                source: self.source(record, (number, attached), &volumes)?,
                origin: Origin::User,
            })
        };
        record.mounts.iter().enumerate().map(mount).collect()
    }

    fn source(
        &self,
        record: &ContainerRecord,
        (number, attached): (usize, &AttachedMount),
        volumes: &Volumes<'_>,
    ) -> Result<Source, Error> {
        let request = &attached.request;
        Ok(match &request.kind {
            RequestKind::Tmpfs(options) => Source::Tmpfs(options.clone()),
            RequestKind::Bind(bind) => Source::Bind(host_bind(bind, request.access, &record.user)),
            RequestKind::Volume(volume) => {
                let name = attached.volume.as_ref();
                let mountpoint = name.map(|name| volumes.mountpoint(name));
                Source::Bind(volume_bind(
                    volume,
                    mountpoint.unwrap_or_default(),
                    request.access,
                ))
            }
            RequestKind::Image(image) => {
                let chains = attached.image.as_ref();
                let chains = chains.map_or(&[][..], |image| &image.chains);
                Source::Image(ImageTree {
                    image: image.image.clone(),
                    base: self.store().path(),
                    lowers: rootfs::stack(&Layers::open(self.store())?, chains)?,
                    subpath: image.subpath.clone(),
                })
            }
            RequestKind::Overlay(overlay) => {
                let (lower, kind) = match &overlay.lower {
                    Stored::Path(path) => (path.clone(), BindKind::Host),
                    Stored::Volume(name) => (volumes.mountpoint(&name.parse()?), BindKind::Volume),
                };
                Source::Overlay(OverlayTree {
                    lower,
                    kind,
                    place: self.overlay_place(record, number)?,
                    access: request.access,
                })
            }
        })
    }
}

fn volume_bind(volume: &VolumeRequest, source: PathBuf, access: Access) -> Bind {
    Bind {
        source,
        subpath: volume.subpath.clone(),
        kind: BindKind::Volume,
        depth: Depth::Recursive,
        read_only: match access {
            Access::ReadWrite => ReadOnly::No,
            Access::ReadOnly => ReadOnly::Recursive,
        },
        propagation: Propagation::RPrivate,
        create_subpath: volume.create_subpath,
        idmap: None,
    }
}

fn host_bind(bind: &BindRequest, access: Access, user: &str) -> Bind {
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
        create_subpath: false,
        idmap: match &bind.idmap {
            Some(IdMap::MatchUser { user: Some(user) }) => Some(user.clone()),
            Some(IdMap::MatchUser { user: None }) => Some(user.to_owned()),
            // Refused when the container was made.
            Some(IdMap::UserNamespace) | None => None,
        },
    }
}

fn binds(record: &ContainerRecord) -> impl Iterator<Item = &BindRequest> {
    record
        .mounts
        .iter()
        .filter_map(|mount| match &mount.request.kind {
            RequestKind::Bind(bind) => Some(bind),
            RequestKind::Volume(_)
            | RequestKind::Tmpfs(_)
            | RequestKind::Image(_)
            | RequestKind::Overlay(_) => None,
        })
}

/// Host paths that a mount wants: binds and the lowers of overlays.
fn host_paths(
    record: &ContainerRecord,
) -> impl Iterator<Item = (&Path, MissingSource, Option<&BindRequest>)> {
    record
        .mounts
        .iter()
        .filter_map(|mount| match &mount.request.kind {
            RequestKind::Bind(bind) => Some((bind.source.as_path(), bind.missing, Some(bind))),
            RequestKind::Overlay(overlay) => match &overlay.lower {
                Stored::Path(path) => Some((path.as_path(), overlay.missing, None)),
                Stored::Volume(_) => None,
            },
            RequestKind::Volume(_) | RequestKind::Tmpfs(_) | RequestKind::Image(_) => None,
        })
}

/// Host paths that would be made at start.
pub(super) fn missing_sources(record: &ContainerRecord) -> Result<Vec<&Path>, Error> {
    let mut missing = Vec::new();
    for (path, what, _) in host_paths(record) {
        match open_handle(path) {
            Ok(_) => {}
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                if what == MissingSource::Create {
                    missing.push(path);
                }
            }
            Err(source) => return Err(failed("open bind source", source)),
        }
    }
    Ok(missing)
}

/// No container has a user namespace of its own in this version.
pub(super) fn check_idmaps(record: &ContainerRecord) -> Result<(), Error> {
    match binds(record).find(|bind| bind.idmap == Some(IdMap::UserNamespace)) {
        Some(bind) => Err(Error::Usage {
            what: format!(
                "mount {}: bind-idmap=userns needs a container with a user namespace of its own, \
                 which there is none of yet: use bind-idmap=match-user",
                bind.source.display()
            ),
        }),
        None => Ok(()),
    }
}

/// Sources that must be there are, and can propagate as asked (semantics 16, 20). Nothing is made.
pub(super) fn check_sources(record: &ContainerRecord) -> Result<(), Error> {
    for (path, missing, bind) in host_paths(record) {
        match open_handle(path) {
            Ok(handle) => {
                if let Some(bind) = bind {
                    check_propagation(bind, &handle)?;
                }
            }
            Err(error) if error.errno() == Some(Errno::ENOENT) => {
                if missing == MissingSource::Refuse {
                    let path = path.to_owned();
                    return Err(Error::NoSource { path });
                }
            }
            Err(source) => return Err(failed("open bind source", source)),
        }
    }
    super::overlays::check_lowers(record)
}

fn check_propagation(bind: &BindRequest, source: impl AsFd) -> Result<(), Error> {
    let (kind, _) = bind.propagation.to_kernel();
    let wanted = match kind {
        PropagationType::Shared => "shared",
        PropagationType::Slave => "shared or slave",
        PropagationType::Private | PropagationType::Unbindable => return Ok(()),
    };
    let real = crate::sys::process::path_of(source);
    let mounts = mountinfo::read().map_err(|source| failed("read mounts", source))?;
    let Some(mount) = mountinfo::holding(&mounts, Path::new(&real)) else {
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
        let creates = |what| what == MissingSource::Create;
        for (path, ..) in host_paths(record).filter(|(_, what, _)| creates(*what)) {
            // A look is enough: the mount opens it.
            if path.exists() {
                continue;
            }
            let note = notices::new_directory(path);
            if self.is_strict() {
                self.note(&note)?;
            }
            let root = RootDir::open(Path::new("/"));
            root.and_then(|root| root.make_dirs(path, 0o755))
                .map_err(|source| failed("make bind source", source))?;
            self.note(&note)?;
        }
        Ok(())
    }

    /// Leases every volume of a container, but for those in `leases`, takes a place among its users, and fills the empty ones
    /// from its image.
    ///
    /// The leases are the truth about "in use": the container keeps them as long as it runs. Volumes
    /// with driver options are mounted by that, and unmounted when the last one goes.
    pub(super) fn attach_volumes(
        &self,
        record: &ContainerRecord,
        snapshot: &Snapshot,
        mut leases: Leases,
    ) -> Result<Attached, Error> {
        let volumes = self.volumes()?;
        let mut attached = Attached::default();
        let mut volume_records = BTreeMap::new();
        let named = record.mounts.iter();
        let named = named.flat_map(|mount| mount.volumes().map(move |name| (mount, name)));
        for (mount, name) in named {
            let claimed = leases.iter().position(|(of, _)| of == name);
            let hold = match claimed {
                Some(place) => volumes.attach_leased(name, leases.swap_remove(place).1),
                None => volumes.attach(name),
            };
            let hold = match hold {
                // Pruned between its making and ours becoming visible as its user.
                Err(volume::Error::NotFound { .. }) if !mount.inherited => {
                    let _all = self.create_volumes(record)?;
                    volumes.attach(name)?
                }
                hold => hold?,
            };
            if !attached.admissions.contains_key(name) {
                let known = match hold.record() {
                    Some(record) => record.clone(),
                    None => volumes.get(name.as_str())?.record,
                };
                let admission = self.admit(record, (name, known.sharing), &hold)?;
                attached.admissions.insert(name.clone(), admission);
                volume_records.insert(name, known);
            }
            volume::touch(&hold.dir);
            volume::finish(&hold.dir, name.as_str())?;
            let empty = mount.is_filled()
                && hold
                    .wants_filling()
                    .map_err(|source| failed("look into volume", source))?;
            if empty {
                let known = volume_records.get(name);
                self.fill(record, snapshot, (mount, known), &hold)?;
            }
            attached.holds.push(hold);
        }
        attached.uppers = self.prepare_overlays(record)?;
        Ok(attached)
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
