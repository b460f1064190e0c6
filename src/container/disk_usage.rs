//! What everything of a store takes on disk: `system df`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Container, ContainerSize, DamagedContainer, Engine, Error};
use crate::{
    ident::{ChainId, Digest},
    image::{DamagedImage, ImageRecord},
    volume::{self, DamagedVolume, Looked, Volume},
};

/// What everything takes. Nothing is locked while it is added up: each figure is of its own moment.
#[derive(Debug, Default)]
pub struct DiskUsage {
    /// Images.
    pub images: Vec<ImageUsage>,
    /// Bytes of all layers of images, each counted once.
    pub layers: u64,
    /// Containers.
    pub containers: Vec<(Container, ContainerSize)>,
    /// Volumes without driver options, as Docker's (semantics 45).
    pub volumes: Vec<VolumeUsage>,
    /// What is there and cannot be read.
    pub damaged: Damaged,
    /// How many volumes are in the trash, and their bytes.
    pub trash: (usize, u64),
}

/// What has a record that cannot be read. Such volumes are among the others; of the rest nothing is
/// known.
#[derive(Debug, Default)]
pub struct Damaged {
    /// Images.
    pub images: Vec<DamagedImage>,
    /// Containers.
    pub containers: Vec<DamagedContainer>,
    /// Volumes.
    pub volumes: Vec<DamagedVolume>,
}

/// What an image takes.
#[derive(Debug, Clone)]
pub struct ImageUsage {
    /// Which one.
    pub record: ImageRecord,
    /// Bytes of all its layers.
    pub size: u64,
    /// Bytes of those layers that other images have, too.
    pub shared: u64,
    /// How many containers are made of it.
    pub containers: usize,
}

/// What a volume takes.
#[derive(Debug, Clone)]
pub struct VolumeUsage {
    /// Which one.
    pub volume: Volume,
    /// Bytes as Docker counts them.
    pub size: u64,
    /// How many containers mount it, running or not.
    pub links: usize,
}

impl DiskUsage {
    /// Bytes of images that go when every image that no container is made of does; Docker's way to
    /// add up: what is shared counts as reclaimable.
    pub fn reclaimable_images(&self) -> u64 {
        let used = self.images.iter().filter(|image| image.containers > 0);
        let used: u64 = used.map(|image| image.size - image.shared).sum();
        self.layers.saturating_sub(used)
    }
}

impl Engine {
    /// Adds everything up.
    ///
    /// What goes while we look is left out.
    pub fn disk_usage(&self) -> Result<DiskUsage, Error> {
        let (containers, damaged_containers) = self.all_containers()?;
        let (records, damaged_images) = self.images()?.all()?;
        let (images, layers) = image_usage(records, &containers);
        let (volumes, damaged_volumes) = self.volume_usage(&containers)?;
        let mut sized = Vec::new();
        for container in containers {
            let id = &container.record.id;
            let size = self.size_of(&container.record);
            match self.unless_removed((id.as_str(), id), size) {
                Err(Error::NotFound { .. }) => {}
                size => sized.push((container, size?)),
            }
        }
        let damaged = Damaged {
            images: damaged_images,
            containers: damaged_containers,
            volumes: damaged_volumes,
        };
        Ok(DiskUsage {
            images,
            layers,
            containers: sized,
            volumes,
            damaged,
            trash: self.trash_usage()?,
        })
    }

    fn trash_usage(&self) -> Result<(usize, u64), Error> {
        let volumes = self.volumes()?;
        let trashed = volumes.trash()?;
        let mut bytes = 0;
        for one in &trashed {
            bytes += volumes.usage_of_trashed(one)?.bytes;
        }
        Ok((trashed.len(), bytes))
    }

    fn volume_usage(
        &self,
        containers: &[Container],
    ) -> Result<(Vec<VolumeUsage>, Vec<DamagedVolume>), Error> {
        let mut links = BTreeMap::<_, usize>::new();
        for container in containers {
            // Twice in one container is once.
            let names: BTreeSet<_> = container.record.volumes().collect();
            for name in names {
                *links.entry(name).or_default() += 1;
            }
        }
        let volumes = self.volumes()?;
        let (mut usages, mut damaged) = (Vec::new(), Vec::new());
        for looked in volumes.list()? {
            let volume = match looked {
                Looked::Whole(volume) => volume,
                Looked::Damaged(one) => {
                    damaged.push(one.clone());
                    one.volume
                }
            };
            let record = &volume.record;
            if record.options.is_some() {
                continue;
            }
            let size = match volumes.usage(&record.name) {
                Ok(usage) => usage.bytes,
                Err(volume::Error::NotFound { .. }) => continue,
                // Who knows what was done to it.
                Err(_)
                    if damaged
                        .iter()
                        .any(|one| one.volume.record.name == record.name) =>
                {
                    0
                }
                Err(error) => return Err(error.into()),
            };
            let links = links.get(&record.name).copied().unwrap_or_default();
            usages.push(VolumeUsage {
                volume,
                size,
                links,
            });
        }
        Ok((usages, damaged))
    }
}

fn image_usage(images: Vec<ImageRecord>, containers: &[Container]) -> (Vec<ImageUsage>, u64) {
    let mut made = BTreeMap::<Digest, usize>::new();
    for container in containers {
        *made.entry(container.record.image_id).or_default() += 1;
    }
    let mut layers = BTreeMap::<ChainId, (u64, usize)>::new();
    for image in &images {
        for layer in &image.layers {
            layers.entry(layer.chain).or_insert((layer.bytes, 0)).1 += 1;
        }
    }
    let usage = |record: ImageRecord| {
        let shared = record.layers.iter().filter(|layer| {
            layers
                .get(&layer.chain)
                .is_some_and(|(_, users)| *users > 1)
        });
        ImageUsage {
            size: record.bytes(),
            shared: shared.map(|layer| layer.bytes).sum(),
            containers: made.get(&record.id).copied().unwrap_or_default(),
            record,
        }
    };
    let usages = images.into_iter().map(usage).collect();
    (usages, layers.values().map(|(bytes, _)| bytes).sum())
}
