//! The store as a pure value: what each command makes of it, or why it is refused.

use std::collections::{BTreeMap, BTreeSet};

/// A command; names are chosen without a look at what there is, so that parts of a sequence mean
/// the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Create {
        name: usize,
        image: usize,
        volume: usize,
        label: bool,
    },
    RunBackground {
        name: usize,
        image: usize,
        volume: usize,
        anonymous: bool,
    },
    /// Writes the number into the volume.
    RunOnce {
        image: usize,
        volume: usize,
        mark: u32,
    },
    Start {
        name: usize,
    },
    Stop {
        name: usize,
    },
    Kill {
        name: usize,
    },
    Remove {
        name: usize,
        force: bool,
        volumes: bool,
    },
    Rename {
        name: usize,
        to: usize,
    },
    VolumeCreate {
        volume: usize,
        label: bool,
    },
    VolumeRemove {
        volume: usize,
    },
    VolumeRename {
        volume: usize,
        to: usize,
    },
    VolumeCopy {
        volume: usize,
        to: usize,
    },
    Protect {
        volume: usize,
    },
    Unprotect {
        volume: usize,
    },
    Tag {
        image: usize,
        to: usize,
    },
    RemoveImage {
        image: usize,
        force: bool,
    },
    Commit {
        name: usize,
        image: usize,
    },
    Load {
        archive: usize,
    },
    ContainerPrune {
        label: bool,
    },
    ImagePrune {
        all: bool,
    },
    VolumePrune {
        label: bool,
    },
    SystemPrune {
        volumes: bool,
    },
}

pub(crate) const CONTAINERS: [&str; 3] = ["one", "two", "three"];
pub(crate) const VOLUMES: [&str; 3] = ["va", "vb", "vc"];
pub(crate) const IMAGES: [&str; 4] = ["base:latest", "im:1", "im:2", "im:3"];

/// Archives there are, of the images with these numbers.
pub(crate) const ARCHIVES: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) image: usize,
    pub(crate) volume: usize,
    pub(crate) status: &'static str,
    label: bool,
    /// Tells it from another one of the name.
    number: usize,
    /// It has an anonymous volume, and so has whatever is made of an image of it.
    asks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Volume {
    pub(crate) mark: Option<u32>,
    protected: bool,
    label: bool,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct World {
    pub(crate) containers: BTreeMap<usize, Container>,
    pub(crate) volumes: BTreeMap<usize, Volume>,
    /// Names of images, with the image's number.
    pub(crate) names: BTreeMap<usize, usize>,
    /// All images: those of the archives have the archive's number.
    pub(crate) images: BTreeSet<usize>,
    /// Those of them that ask for an anonymous volume: committed from a container that has one.
    asking: BTreeSet<usize>,
    /// Anonymous volumes, with the number of the container that they were made for.
    pub(crate) anonymous: Vec<usize>,
    made: usize,
}

pub(crate) type Outcome = Result<(), &'static str>;

const NO_CONTAINER: &str = "No such container";
const NO_IMAGE: &str = "No such image";
const NO_VOLUME: &str = "no such volume";
const TAKEN: &str = "is already in use by container";
const SAME: &str = "same name as its current name";

fn must(holds: bool, why: &'static str) -> Outcome {
    if holds { Ok(()) } else { Err(why) }
}

impl World {
    #[expect(clippy::too_many_lines, reason = "a few lines for each command")]
    /// Does it, or says why not; nothing has changed then.
    pub(crate) fn apply(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::Create {
                name,
                image,
                volume,
                label,
            } => self.create((name, image, volume), label).map(drop),
            Step::RunBackground {
                name,
                image,
                volume,
                anonymous,
            } => {
                let number = self.create((name, image, volume), false)?;
                let made = self.containers.get_mut(&name).unwrap();
                made.status = "running";
                made.asks |= anonymous;
                // The one that the image asks for is at the same place.
                if anonymous && !self.anonymous.contains(&number) {
                    self.anonymous.push(number);
                }
                Ok(())
            }
            Step::RunOnce {
                image,
                volume,
                mark,
            } => {
                must(self.names.contains_key(&image), NO_IMAGE)?;
                self.volumes.entry(volume).or_default().mark = Some(mark);
                Ok(())
            }
            Step::Start { name } => self.end(name, "running"),
            Step::Stop { name } => {
                if self.status(name)? == "running" {
                    self.end(name, "exited")?;
                }
                Ok(())
            }
            Step::Kill { name } => {
                must(self.status(name)? == "running", "is not running")?;
                self.end(name, "exited")
            }
            Step::Remove {
                name,
                force,
                volumes,
            } => self.remove(name, (force, volumes)),
            Step::Rename { name, to } => {
                self.status(name)?;
                must(name != to, SAME)?;
                must(!self.containers.contains_key(&to), TAKEN)?;
                let container = self.containers.remove(&name).unwrap();
                self.containers.insert(to, container);
                Ok(())
            }
            Step::Tag { image, to } => {
                let number = *self.names.get(&image).ok_or(NO_IMAGE)?;
                self.names.insert(to, number);
                Ok(())
            }
            Step::RemoveImage { image, force } => self.remove_image(image, force),
            Step::Commit { name, image } => {
                self.status(name)?;
                let Container {
                    image: parent,
                    asks,
                    ..
                } = self.containers[&name];
                must(self.images.contains(&parent), NO_IMAGE)?;
                self.made += 1;
                self.images.insert(ARCHIVES + self.made);
                if asks {
                    self.asking.insert(ARCHIVES + self.made);
                }
                self.names.insert(image, ARCHIVES + self.made);
                Ok(())
            }
            Step::Load { archive } => {
                self.images.insert(archive);
                self.names.insert(archive, archive);
                Ok(())
            }
            Step::VolumeCreate { .. }
            | Step::VolumeRemove { .. }
            | Step::VolumeRename { .. }
            | Step::VolumeCopy { .. }
            | Step::Protect { .. }
            | Step::Unprotect { .. }
            | Step::ContainerPrune { .. }
            | Step::ImagePrune { .. }
            | Step::VolumePrune { .. }
            | Step::SystemPrune { .. } => self.apply_to_volumes(step),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a few lines for each command")]
    fn apply_to_volumes(&mut self, step: &Step) -> Outcome {
        match *step {
            Step::VolumeCreate { volume, label } => {
                let new = Volume {
                    label,
                    ..Volume::default()
                };
                self.volumes.entry(volume).or_insert(new);
            }
            Step::VolumeRemove { volume } => {
                let protected = self.volume(volume)?.protected;
                must(self.links(volume) == 0, "volume is in use")?;
                must(!protected, "is protected")?;
                self.volumes.remove(&volume);
            }
            Step::VolumeRename { volume, to } => {
                self.volume(volume)?;
                must(volume != to, SAME)?;
                let mut users = self.containers.values().filter(|one| one.volume == volume);
                must(
                    users.all(|one| one.status != "running"),
                    "volume is mounted",
                )?;
                must(
                    !self.volumes.contains_key(&to),
                    "a volume of this name exists",
                )?;
                let moved = self.volumes.remove(&volume).unwrap();
                self.volumes.insert(to, moved);
                for container in self.containers.values_mut() {
                    if container.volume == volume {
                        container.volume = to;
                    }
                }
            }
            Step::VolumeCopy { volume, to } => {
                must(
                    !self.volumes.contains_key(&to),
                    "a volume of this name exists",
                )?;
                let copy = Volume {
                    protected: false,
                    ..self.volume(volume)?.clone()
                };
                self.volumes.insert(to, copy);
            }
            Step::Protect { volume } => self.volume(volume)?.protected = true,
            Step::Unprotect { volume } => self.volume(volume)?.protected = false,
            Step::ContainerPrune { label } => self.prune_containers(label),
            Step::ImagePrune { all } => self.prune_images(all),
            Step::VolumePrune { label } => {
                let used: BTreeSet<_> = self.containers.values().map(|one| one.volume).collect();
                self.volumes.retain(|name, volume| {
                    used.contains(name) || volume.protected || label && !volume.label
                });
                if !label {
                    self.prune_anonymous();
                }
            }
            Step::SystemPrune { volumes } => {
                self.prune_containers(false);
                self.prune_images(false);
                if volumes {
                    self.prune_anonymous();
                }
            }
            Step::Create { .. }
            | Step::RunBackground { .. }
            | Step::RunOnce { .. }
            | Step::Start { .. }
            | Step::Stop { .. }
            | Step::Kill { .. }
            | Step::Remove { .. }
            | Step::Rename { .. }
            | Step::Tag { .. }
            | Step::RemoveImage { .. }
            | Step::Commit { .. }
            | Step::Load { .. } => unreachable!("of containers and images"),
        }
        Ok(())
    }

    /// The number of the new one.
    fn create(
        &mut self,
        (name, image, volume): (usize, usize, usize),
        label: bool,
    ) -> Result<usize, &'static str> {
        let image = *self.names.get(&image).ok_or(NO_IMAGE)?;
        must(!self.containers.contains_key(&name), TAKEN)?;
        self.volumes.entry(volume).or_default();
        self.made += 1;
        let (status, number) = ("created", self.made);
        let asks = self.asking.contains(&image);
        if asks {
            self.anonymous.push(number);
        }
        self.containers.insert(
            name,
            Container {
                image,
                volume,
                status,
                label,
                number,
                asks,
            },
        );
        Ok(number)
    }

    fn status(&self, name: usize) -> Result<&'static str, &'static str> {
        let found = self.containers.get(&name);
        found.map(|one| one.status).ok_or(NO_CONTAINER)
    }

    fn end(&mut self, name: usize, status: &'static str) -> Outcome {
        self.status(name)?;
        self.containers.get_mut(&name).unwrap().status = status;
        Ok(())
    }

    fn volume(&mut self, volume: usize) -> Result<&mut Volume, &'static str> {
        self.volumes.get_mut(&volume).ok_or(NO_VOLUME)
    }

    /// How many containers have a volume.
    pub(crate) fn links(&self, volume: usize) -> usize {
        self.containers
            .values()
            .filter(|one| one.volume == volume)
            .count()
    }

    fn remove(&mut self, name: usize, (force, volumes): (bool, bool)) -> Outcome {
        match self.status(name) {
            Err(_) if force => return Ok(()),
            Ok("running") if !force => return Err("is running: stop the container before"),
            status => drop(status?),
        }
        let gone = self.containers.remove(&name).unwrap();
        if volumes {
            self.anonymous.retain(|number| *number != gone.number);
        }
        Ok(())
    }

    fn remove_image(&mut self, name: usize, force: bool) -> Outcome {
        let image = match self.names.get(&name) {
            // Docker says so, and is content.
            None if force => return Ok(()),
            found => *found.ok_or(NO_IMAGE)?,
        };
        let is_last = self.names.values().filter(|other| **other == image).count() == 1;
        let used = |status: &str| {
            let mut all = self.containers.values();
            all.any(|one| one.image == image && (status.is_empty() || one.status == status))
        };
        if is_last {
            must(force || !used(""), "is using its referenced image")?;
            if !used("running") {
                self.images.remove(&image);
            }
        }
        self.names.remove(&name);
        Ok(())
    }

    fn prune_containers(&mut self, label: bool) {
        self.containers
            .retain(|_, one| one.status == "running" || label && !one.label);
    }

    fn prune_images(&mut self, all: bool) {
        let used: BTreeSet<_> = self.containers.values().map(|one| one.image).collect();
        let named: BTreeSet<_> = self.names.values().copied().collect();
        self.images
            .retain(|image| used.contains(image) || named.contains(image) && !all);
        let left = &self.images;
        self.names.retain(|_, image| left.contains(image));
    }

    fn prune_anonymous(&mut self) {
        let owners: BTreeSet<_> = self.containers.values().map(|one| one.number).collect();
        self.anonymous.retain(|number| owners.contains(number));
    }
}
