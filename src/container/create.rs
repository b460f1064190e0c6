//! From a request to a container on disk.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::{
    AttachedMount, ContainerRecord, DEFAULT_STOP_TIMEOUT, Engine, Error, ImageVolumes,
    MountedImage, RunRequest, containers, create_volumes::Leases, environment, notices, signal,
};
use crate::{
    ident::{ContainerId, Timestamp, VolumeName},
    image::{HealthCheck, ImageConfig, ImageRecord},
    mount::{
        self, Access, MissingSource, MountRequest, RequestKind, Stored, TmpfsOptions, Upper,
        VolumeRequest, VolumesFrom, check_duplicates,
    },
    process::Network,
    rootfs::Snapshot,
    store::{Lease, Place, Staging, lease_place, record},
    sys::{Dir, random_bytes, sync},
};

/// A container whose directory is in place and whose lease is held.
#[derive(Debug)]
pub(super) struct CreatedContainer {
    pub record: ContainerRecord,
    pub snapshot: Snapshot,
    pub lease: Lease,
    /// Of its volumes.
    pub volumes: Leases,
}

/// A container that is decided and not made.
#[derive(Debug)]
pub(super) struct Draft {
    pub record: ContainerRecord,
    pub snapshot: Snapshot,
    /// What the user must know about its mounts.
    pub notes: Vec<String>,
}

impl Engine {
    /// Decides everything that can be decided without changing anything.
    ///
    /// Volumes that would be made have a name already; anonymous ones a random one.
    pub(super) fn draft(&self, request: RunRequest) -> Result<Draft, Error> {
        let images = self.images()?;
        let image = images.resolve(&request.image)?;
        let config = images.config(&image)?;
        let id = ContainerId::from_random(
            random_bytes().map_err(|source| containers::failed("name container", source))?,
        );
        let (mounts, mut notes) = self.collect_mounts(&request, &config)?;
        let record = decide(request, (&image, config), id, mounts)?;
        super::attach::check_idmaps(&record)?;
        notes.extend(self.mount_notes(&record)?);
        let snapshot = self.snapshot(&record)?;
        Ok(Draft {
            record,
            snapshot,
            notes,
        })
    }

    /// The user's mounts, those of other containers, and the image's volumes that nothing covers;
    /// and what is to be told about them.
    fn collect_mounts(
        &self,
        request: &RunRequest,
        config: &ImageConfig,
    ) -> Result<(Vec<AttachedMount>, Vec<String>), Error> {
        check_duplicates(&request.mounts)?;
        if !request.mounts.is_empty() || !request.volumes_from.is_empty() {
            // A volume may be half-way to another name, and records with it.
            self.finish_volume_renaming()?;
        }
        let mut notes = Vec::new();
        let own = request
            .mounts
            .iter()
            .cloned()
            .map(|request| self.name_volume(request));
        let mut mounts = own.collect::<Result<Vec<_>, _>>()?;
        for from in &request.volumes_from {
            for inherited in self.mounts_of(from, &mut notes)? {
                let target = &inherited.request.target;
                // The user's own mount wins over an inherited one.
                if mounts.iter().all(|mount| mount.request.target != *target) {
                    mounts.push(inherited);
                }
            }
        }
        for volume in &config.volumes {
            let target = mount::inside_volume(volume)?;
            if mounts.iter().all(|mount| mount.request.target != target) {
                // A build says what it does about them.
                if request.changes_to.is_none() {
                    notes.push(notices::image_volume(
                        &target,
                        request.image_volumes,
                        &mounts,
                    ));
                }
                if let Some(wanted) = image_volume(target, request.image_volumes) {
                    mounts.push(self.name_volume(wanted)?);
                }
            }
        }
        Ok((mounts, notes))
    }

    fn name_volume(&self, request: MountRequest) -> Result<AttachedMount, Error> {
        let RequestKind::Volume(volume) = &request.kind else {
            return self.name_parts(request);
        };
        let (name, anonymous) = if let Some(name) = &volume.name {
            (name.parse::<VolumeName>()?, false)
        } else {
            let random = random_bytes();
            let random = random.map_err(|source| containers::failed("name volume", source))?;
            (VolumeName::from_random(random), true)
        };
        if volume.no_create && self.volumes()?.find(&name)?.is_none() {
            return Err(Error::NoCreate {
                name: name.to_string(),
            });
        }
        Ok(AttachedMount {
            request,
            volume: Some(name),
            anonymous,
            inherited: false,
            image: None,
            upper: None,
        })
    }

    /// What a mount that is no volume names: an image, or volumes below or above an overlay.
    fn name_parts(&self, request: MountRequest) -> Result<AttachedMount, Error> {
        let (mut volume, mut upper, mut image) = (None, None, None);
        match &request.kind {
            RequestKind::Bind(_) | RequestKind::Volume(_) | RequestKind::Tmpfs(_) => {}
            RequestKind::Image(wanted) => {
                let record = self.images()?.resolve(&wanted.image)?;
                image = Some(MountedImage {
                    id: record.id,
                    chains: record.layers.iter().map(|layer| layer.chain).collect(),
                });
            }
            RequestKind::Overlay(wanted) => {
                if let Stored::Volume(name) = &wanted.lower {
                    let name: VolumeName = name.parse()?;
                    let refused = wanted.missing == MissingSource::Refuse;
                    if refused && self.volumes()?.find(&name)?.is_none() {
                        let name = name.to_string();
                        return Err(Error::NoCreate { name });
                    }
                    volume = Some(name);
                }
                if let Upper::Volume(name) = &wanted.upper {
                    upper = Some(name.parse()?);
                }
            }
        }
        Ok(AttachedMount {
            request,
            volume,
            anonymous: false,
            inherited: false,
            image,
            upper,
        })
    }

    fn mounts_of(
        &self,
        from: &VolumesFrom,
        notes: &mut Vec<String>,
    ) -> Result<Vec<AttachedMount>, Error> {
        let other = self.container(&from.container)?.record;
        // tmpfs is a container's own (semantics 29), and so are the changes of an overlay.
        let own = |mount: &AttachedMount| {
            matches!(
                mount.request.kind,
                RequestKind::Tmpfs(_) | RequestKind::Overlay(_)
            )
        };
        let (left, shared): (Vec<_>, Vec<_>) = other.mounts.into_iter().partition(own);
        notes.extend(left.iter().map(|mount| notices::left_out(mount, from)));
        let shared = shared.into_iter();
        let inherit = |mut mount: AttachedMount| {
            if from.access == Some(Access::ReadOnly) {
                mount.request.access = Access::ReadOnly;
                "ro".clone_into(&mut mount.request.mode);
            }
            AttachedMount {
                inherited: true,
                anonymous: false,
                ..mount
            }
        };
        Ok(shared.map(inherit).collect())
    }

    /// Makes the container: its volumes, its directory, its name.
    ///
    /// The layers are leased from the look at the image to the record that names them, so that no
    /// removal comes in between.
    pub(super) fn create(&self, request: RunRequest) -> Result<CreatedContainer, Error> {
        let layers = lease_place(self.store(), Place::Layers, false)?;
        let Draft {
            record,
            snapshot,
            notes,
        } = self.draft(request)?;
        super::attach::check_sources(&record)?;
        self.tell_notes(&record, &notes)?;
        let staging = Staging::begin(self.store(), record.id.as_str())?;
        snapshot.make_dirs(staging.dir())?;
        record::create_as(
            staging.dir(),
            containers::CONFIG,
            &record,
            record.durability(),
        )?;
        if record.name_chosen {
            self.claim_name(&record.name, &record.id)?;
        }
        // What goes by itself need not survive a power cut.
        let is_kept = !record.auto_remove;
        if is_kept {
            sync_container(staging.dir())?;
        }
        let made = self.create_volumes(&record);
        let published = made.and_then(|volumes| {
            let dir = self.containers_dir()?;
            let published = staging.publish(dir, record.id.as_str())?;
            if is_kept {
                self.store().sync_names(Place::Containers)?;
            }
            if is_kept && record.name_chosen {
                self.store().sync_names(Place::ContainerNames)?;
            }
            Ok(published.map(|published| (published, volumes)))
        });
        drop(layers);
        match published {
            Ok(Some(((dir, lock), volumes))) => Ok(CreatedContainer {
                record,
                snapshot,
                lease: Lease::from_parts(dir, lock),
                volumes,
            }),
            Ok(None) => Err(Error::NotFound {
                name: record.id.to_string(),
            }),
            Err(error) => {
                // It may be there and not on disk: nobody is told of it.
                let dir = self.containers_dir()?;
                self.store().discard(dir, record.id.as_str()).ok();
                self.release_name(&record.name, &record.id)?;
                // Nobody else knows of those that were made so far; the first error is the one to tell.
                self.remove_anonymous(&record).ok();
                Err(error)
            }
        }
    }
}

/// Its record and the names of its directories are on disk before it has its final name.
fn sync_container(own: &Dir) -> Result<(), Error> {
    let synced = own.open_file(containers::CONFIG).and_then(sync::data);
    synced
        .and_then(|()| sync::directory(own))
        .map_err(|source| containers::failed("sync container", source))
}

/// Everything about a container but its mounts follows from request and image.
fn decide(
    request: RunRequest,
    (image, config): (&ImageRecord, ImageConfig),
    id: ContainerId,
    mounts: Vec<AttachedMount>,
) -> Result<ContainerRecord, Error> {
    let (args, entrypoint_length) = command(&request, &config)?;
    let hostname = match (&request.hostname, request.network) {
        (Some(name), _) => name.clone(),
        (None, Network::Host) => host_name(),
        (None, Network::None) => id.short().to_owned(),
    };
    let mut labels = config.labels.clone();
    labels.extend(request.labels);
    let env = environment::variables(&hostname, request.terminal, &config.env, &request.env);
    let cwd = working_directory(request.workdir.as_deref(), &config.working_dir)?;
    let stop_signal = match (request.stop_signal, &config.stop_signal) {
        (Some(signal), _) => signal,
        (None, Some(text)) if !text.is_empty() => signal::parse(text)?,
        (None, _) => Signal::SIGTERM as i32,
    };
    let name_chosen = request.name.is_some();
    let name = request
        .name
        .unwrap_or_else(|| super::plan::made_up_name(&id));
    Ok(ContainerRecord {
        name,
        name_chosen,
        created: Timestamp::now(),
        image: request.image,
        image_id: image.id,
        chains: image.layers.iter().map(|layer| layer.chain).collect(),
        args,
        entrypoint_length,
        env,
        cwd,
        user: request.user.unwrap_or(config.user),
        hostname,
        labels,
        root: request.root,
        network: request.network,
        reaper: request.reaper,
        terminal: request.terminal,
        interactive: request.interactive,
        stdin_once: request.interactive && request.stdin_once,
        restart: request.restart,
        limits: request.limits,
        ulimits: request.ulimits,
        security: request.security,
        stop_signal,
        stop_timeout: match request.stop_timeout {
            None => Some(DEFAULT_STOP_TIMEOUT),
            Some(seconds) => u32::try_from(seconds).ok(),
        },
        auto_remove: request.auto_remove,
        shm_bytes: request.shm_bytes,
        log: request.log,
        health: health(request.health, config.health)?,
        shell: config.shell,
        mounts,
        union: request.union,
        changes_to: request.changes_to,
        id,
    })
}

/// Rules are for what the user said; an image may say what it likes.
fn health(
    user: Option<HealthCheck>,
    image: Option<HealthCheck>,
) -> Result<Option<HealthCheck>, Error> {
    let Some(user) = user else { return Ok(image) };
    match user.broken_rule() {
        Some(what) => Err(Error::Usage { what }),
        None => Ok(Some(user.or(&image.unwrap_or_default()))),
    }
}

fn image_volume(target: PathBuf, wanted: ImageVolumes) -> Option<MountRequest> {
    let kind = match wanted {
        ImageVolumes::Ignore => return None,
        ImageVolumes::Anonymous => RequestKind::Volume(VolumeRequest::default()),
        ImageVolumes::Tmpfs => RequestKind::Tmpfs(TmpfsOptions {
            exec: true,
            copy_up: true,
            ..TmpfsOptions::default()
        }),
    };
    Some(MountRequest {
        target,
        access: Access::ReadWrite,
        kind,
        mode: String::new(),
        from_tmpfs_flag: false,
        from_mount_flag: false,
        ignored: Vec::new(),
    })
}

/// Docker's rules: a new entrypoint drops the image's command.
fn command(request: &RunRequest, config: &ImageConfig) -> Result<(Vec<String>, usize), Error> {
    let (entrypoint, default) = match &request.entrypoint {
        Some(program) if program.is_empty() => (Vec::new(), &[][..]),
        Some(program) => (vec![program.clone()], &[][..]),
        None => (config.entrypoint.clone(), &config.cmd[..]),
    };
    let length = entrypoint.len();
    let rest = if request.args.is_empty() {
        default
    } else {
        &request.args
    };
    let args: Vec<_> = entrypoint.into_iter().chain(rest.iter().cloned()).collect();
    if args.first().is_none_or(String::is_empty) {
        return Err(Error::NoCommand);
    }
    Ok((args, length))
}

/// `-w` must be absolute; an image's may be relative to `/`.
fn working_directory(asked: Option<&str>, image: &str) -> Result<String, Error> {
    match asked {
        Some(path) if !path.starts_with('/') => Err(Error::WorkingDirectory {
            path: path.to_owned(),
        }),
        Some(path) => Ok(path.to_owned()),
        None => Ok(Path::new("/").join(image).display().to_string()),
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn entrypoint_and_command_combine_as_in_docker() {
        let config = ImageConfig {
            entrypoint: texts(&["/entry"]),
            cmd: texts(&["default"]),
            ..ImageConfig::default()
        };
        let with = |entrypoint: Option<&str>, args: &[&str]| {
            let entrypoint = entrypoint.map(str::to_owned);
            let request = RunRequest {
                entrypoint,
                args: texts(args),
                ..RunRequest::new("x")
            };
            command(&request, &config).map(|(args, _)| args)
        };
        assert_eq!(with(None, &[]).unwrap(), ["/entry", "default"]);
        assert_eq!(with(None, &["a"]).unwrap(), ["/entry", "a"]);
        assert_eq!(with(Some("sh"), &["-c"]).unwrap(), ["sh", "-c"]);
        assert_eq!(with(Some("sh"), &[]).unwrap(), ["sh"]);
        assert_eq!(with(Some(""), &["a"]).unwrap(), ["a"]);
        assert!(matches!(with(Some(""), &[]), Err(Error::NoCommand)));
    }

    #[test]
    fn the_working_directory_is_absolute() {
        assert_eq!(working_directory(None, "").unwrap(), "/");
        assert_eq!(working_directory(None, "app").unwrap(), "/app");
        assert_eq!(working_directory(Some("/x"), "app").unwrap(), "/x");
        assert!(working_directory(Some("x"), "").is_err());
    }
}
