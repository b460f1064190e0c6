//! `commit`: an image of a container's changes and of how it was run.

use std::time::Duration;

use super::{
    Container, ContainerRecord, CopyError, Engine, Error, ImageStep, Loaded, Status, bake::Bake,
    environment, pause::NO_FREEZER, signal, stopped::Stopped, volume_quiesce::Held,
};
use crate::{
    ident::{Reference, Timestamp},
    image::{ImageConfig, ImageRecord, RunConfig},
    mount::RequestKind,
    rootfs::Sync,
    store::sweep,
};

/// What `commit` was asked to do.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// Name or id.
    pub container: String,
    /// `-a`
    pub author: Option<String>,
    /// `-m`
    pub message: Option<String>,
    /// `-c`
    pub changes: Vec<String>,
    /// Freezes it meanwhile, if it runs.
    pub pause: bool,
    /// What the image shall be called.
    pub name: Option<Reference>,
    /// Volumes, by name or mount point, whose content becomes a part of the image.
    pub baked: Vec<String>,
}

/// Keeps a container as it is while it is read.
#[derive(Debug)]
enum Still {
    /// Frozen by us.
    Frozen(Held),
    /// It does not run.
    Stopped(#[expect(dead_code, reason = "held until it is dropped")] Stopped),
    /// It does what it likes, or somebody else has frozen it.
    AsItIs,
}

/// 2 s in all: a start and an end take less.
const RETRIES: usize = 1000;

impl Engine {
    /// Makes an image of a container: its changes as a layer, its configuration as the image's.
    /// The calling process must have one thread.
    ///
    /// # Errors
    ///
    /// Then nothing of the image stays.
    pub fn commit(&self, request: &CommitRequest, durability: Sync) -> Result<Loaded, Error> {
        // What is wrong with the request is said before a container stands still for it.
        sweep(self.store())?;
        let container = self.container(&request.container)?;
        super::unkept::refuse_ephemeral("commit", &container.record)?;
        let parent = self.image_of(&container.record)?;
        let config = self.config_of(&container.record, &parent, &request.changes)?;
        let bakes = self.find_baked(&container.record, &request.baked)?;
        let (container, still) = self.hold(container.record.id.as_str(), request.pause)?;
        for note in left_out(&container.record, &bakes) {
            self.remark(&note);
        }
        let mut released = Ok(());
        let packed = || {
            if let Still::Frozen(held) = still {
                released = held.release();
            }
        };
        let open = self.open_baked(&bakes)?;
        let layer = self.make_layer(&container.record, &open.trees, packed, durability);
        let layer = self.unless_removed((&request.container, &container.record.id), layer)?;
        drop(open);
        for line in layer.remarks.clone().into_lines() {
            self.remark(&line);
        }
        let step = ImageStep {
            parent: Some(&parent),
            config,
            created: Timestamp::now(),
            created_by: container.record.args[container.record.entrypoint_length..].join(" "),
            author: request.author.clone(),
            comment: request.message.clone(),
            names: request.name.iter().cloned().collect(),
            build: None,
        };
        let made = self.make_image(&step, Some(layer))?;
        released?;
        self.tell_committed(&container.record, &made);
        Ok(made)
    }

    /// The image that a container was made of; it is there as long as the container.
    fn image_of(&self, record: &ContainerRecord) -> Result<ImageRecord, Error> {
        let images = self.images()?.list()?;
        let is_it = |image: &ImageRecord| {
            let chains = image.layers.iter().map(|layer| layer.chain);
            image.id == record.image_id && chains.eq(record.chains.iter().copied())
        };
        let found = images.into_iter().find(is_it);
        found.ok_or_else(|| {
            let name = record.image_id.to_string();
            crate::image::Error::NotFound { name }.into()
        })
    }

    /// What the image says, as the container was told otherwise, and the changes of the request.
    fn config_of(
        &self,
        record: &ContainerRecord,
        parent: &ImageRecord,
        changes: &[String],
    ) -> Result<RunConfig, Error> {
        let document = self.images()?.config_bytes(parent)?;
        let image = ImageConfig::parse(&document)?;
        let mut config = RunConfig::of_document(&document)?;
        run_as(&mut config, record, &image)?;
        config.change_all(changes)?;
        Ok(config)
    }

    fn hold(&self, id: &str, pause: bool) -> Result<(Container, Still), Error> {
        for _ in 0..RETRIES {
            let container = self.container(id)?;
            let still = match container.status {
                Status::Running if pause => match self.hold_still(&container.record) {
                    Ok(held) => Some(Still::Frozen(held)),
                    // It has ended, or somebody else has frozen it; he may have let it go by now.
                    Err(Error::State { what, .. }) if what != NO_FREEZER => None,
                    Err(error) => return Err(error),
                },
                Status::Running | Status::Paused | Status::Restarting => Some(Still::AsItIs),
                Status::Created | Status::Exited => {
                    self.keep_stopped(&container.record)?.map(Still::Stopped)
                }
            };
            if let Some(still) = still {
                return Ok((container, still));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let container = id.to_owned();
        Err(CopyError::Unsettled { container }.into())
    }

    fn tell_committed(&self, record: &ContainerRecord, made: &Loaded) {
        let name = made.names.first().map(Reference::familiar);
        let id = made.record.id.to_string();
        let comment = [
            ("comment", name.as_deref().unwrap_or_default()),
            ("imageID", &id),
        ];
        self.tell_container(record, "commit", &comment);
        if let Some(name) = &name {
            self.tell_image("tag", &made.record.id, Some(name));
        }
    }
}

/// One note for each mount, whose content is not part of the image.
fn left_out(record: &ContainerRecord, bakes: &[Bake]) -> Vec<String> {
    let is_left = |mount: &&super::AttachedMount| {
        let target = &mount.request.target;
        !bakes.iter().any(|bake| bake.target == *target)
    };
    let note = |mount: &super::AttachedMount| {
        let target = mount.request.target.display();
        let what = match (&mount.request.kind, &mount.volume) {
            (RequestKind::Volume(_), Some(name)) if mount.anonymous => {
                format!("anonymous volume {name}")
            }
            (RequestKind::Volume(_), Some(name)) => format!("volume {name}"),
            (RequestKind::Volume(_), None) => "a volume".to_owned(),
            (RequestKind::Bind(bind), _) => format!("bind mount of {}", bind.source.display()),
            (RequestKind::Tmpfs(_), _) => "tmpfs".to_owned(),
            (RequestKind::Image(image), _) => format!("image {}", image.image),
            (RequestKind::Overlay(_), _) => "overlay".to_owned(),
        };
        format!("left out {target}: {what}")
    };
    record.mounts.iter().filter(is_left).map(note).collect()
}

/// What the container was told at its start becomes what the image says.
fn run_as(
    config: &mut RunConfig,
    record: &ContainerRecord,
    image: &ImageConfig,
) -> Result<(), Error> {
    let known = &mut config.known;
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let (entrypoint, command) = record.args.split_at(record.entrypoint_length);
    known.set_entrypoint(some(entrypoint));
    known.set_cmd(some(command));
    known.set_env(some(&environment::told(record, &image.env)));
    if record.user != image.user {
        known.set_user(Some(record.user.clone()));
    }
    if std::path::Path::new("/").join(&image.working_dir) != std::path::Path::new(&record.cwd) {
        known.set_working_dir(Some(record.cwd.clone()));
    }
    if record.labels != image.labels {
        known.set_labels(Some(record.labels.clone().into_iter().collect()));
    }
    let image_signal = image.stop_signal.as_deref().unwrap_or("SIGTERM");
    if signal::parse(image_signal).ok() != Some(record.stop_signal) {
        known.set_stop_signal(Some(signal::name(record.stop_signal)));
    }
    let anonymous = record.mounts.iter().filter(|mount| mount.anonymous);
    let targets = anonymous.map(|mount| mount.request.target.display().to_string());
    let mut volumes = image.volumes.clone();
    volumes.extend(targets.filter(|target| !image.volumes.contains(target)));
    volumes.sort();
    known.set_volumes(some(&volumes));
    if record.health != image.health
        && let Some(health) = &record.health
    {
        config.set_health(health)?;
    }
    Ok(())
}
