//! `image ls-files`, `cat` and `diff`: looking into images without a container.

use std::{ffi::OsStr, fs::File, path::Path};

use super::{
    CopyError, Engine, Error, FileEntry, FileLayer,
    containers::failed,
    copy::inside,
    copy_find,
    look::{self, entry},
};
use crate::{
    ident::ChainId,
    image::ImageRecord,
    layer::Subject,
    rootfs::{self, Explained, ImageChange, Layers, Merged, Seen},
    store::{Blobs, Lease, Place, lease_place},
    sys::{Result as SysResult, lock::Lock, process},
};

fn chains(image: &ImageRecord) -> Vec<ChainId> {
    image.layers.iter().map(|layer| layer.chain).collect()
}

/// An image that nobody can take the layers and blobs of away.
#[derive(Debug)]
pub(super) struct HeldImage {
    pub(super) record: ImageRecord,
    _leases: Vec<Lease>,
    _locks: Vec<Lock>,
}

impl Engine {
    /// An image whose layers and blobs stay as long as the answer lives; removals need not wait.
    pub(super) fn held_image(&self, name: &str) -> Result<HeldImage, Error> {
        process::raise_file_limit();
        let _lease = lease_place(self.store(), Place::Layers, false)?;
        let record = self.images()?.resolve(name)?;
        // While we hold none of them: whoever renews a layer has it alone.
        rootfs::renew(self.store(), &chains(&record))?;
        self.held_record(record)
    }

    /// The same with its layers as they are: for whoever finds out how that is.
    pub(super) fn held_as_it_is(&self, name: &str) -> Result<HeldImage, Error> {
        process::raise_file_limit();
        let _lease = lease_place(self.store(), Place::Layers, false)?;
        self.held_record(self.images()?.resolve(name)?)
    }

    /// The same of a known record. The caller holds the layers' lease until it has the answer.
    pub(super) fn held_record(&self, record: ImageRecord) -> Result<HeldImage, Error> {
        let (layers, blobs) = (Layers::open(self.store())?, Blobs::open(self.store())?);
        let held = record.layers.iter().map(|layer| layers.hold(layer.chain));
        let leases = held.collect::<Result<Vec<_>, _>>()?;
        let held = record.blobs().map(|digest| blobs.hold(digest));
        let locks = held.collect::<Result<Vec<_>, _>>()?;
        Ok(HeldImage {
            record,
            _leases: leases.into_iter().flatten().collect(),
            _locks: locks.into_iter().flatten().map(|(_, lock)| lock).collect(),
        })
    }

    /// Lets go. What removals met meanwhile could not take is garbage now.
    pub(super) fn release(&self, held: Vec<HeldImage>) -> Result<(), Error> {
        let manifests: Vec<_> = held.iter().map(|one| one.record.manifest).collect();
        drop(held);
        let images = self.images()?;
        for manifest in manifests {
            // Its blobs stayed: only the record tells.
            if images.find(manifest)?.is_none() {
                self.try_remove_orphans();
                break;
            }
        }
        Ok(())
    }

    /// Opens a regular file of an image; links are followed inside it.
    pub fn open_image_file(&self, name: &str, path: &OsStr) -> Result<File, Error> {
        let held = self.held_image(name)?;
        let image = &held.record;
        let root = rootfs::image_root(self.store(), &chains(image))?;
        look::open_file(&root, path, &format!("image {name}"), |path| {
            let image = name.to_owned();
            CopyError::NotInImage { path, image }
        })
    }

    /// What a directory of an image has, by name, or one file; each with the layer that it is of.
    /// Links on the way, and the last one of a path that ends in a slash, are followed inside it.
    pub fn image_files(&self, name: &str, path: &OsStr) -> Result<Vec<FileEntry>, Error> {
        let held = self.held_image(name)?;
        let image = &held.record;
        let chains = chains(image);
        let root = rootfs::image_root(self.store(), &chains)?;
        let typed = inside(path);
        let found = copy_find::source(&root, &typed, false).map_err(|miss| {
            if copy_find::is_absent(&miss.source) {
                let (image, path) = (name.to_owned(), typed.shown());
                return Error::from(CopyError::NotInImage { path, image });
            }
            failed(&format!("find {}", miss.path.display()), miss.source)
        })?;
        let layers = Layers::open(self.store())?;
        let top = Merged::new(rootfs::open_stack(&layers, &chains)?);
        let layer = |place: usize| FileLayer {
            number: place + 1,
            diff_id: image.layers[place].diff_id,
        };
        let list = || -> SysResult<Vec<FileEntry>> {
            let (above, names, as_typed) = match found.node.subject() {
                Subject::Tree(dir) => (dir, dir.sorted_entries()?, None),
                Subject::Name(dir, one) => (dir, vec![one.to_owned()], Some(path.to_owned())),
            };
            // The union is mounted nowhere: its root is the first thing that a path can name.
            let above = process::real_path_of(above)?;
            let Some(here) = descend(top, &above)? else {
                return Ok(Vec::new());
            };
            let mut files = Vec::new();
            for one in names {
                let (place, file) = match here.find(&one)? {
                    Seen::Nothing => continue,
                    Seen::Leaf(leaf) => (leaf.layer, entry(&leaf.dir, &one)?),
                    Seen::Directory(dir, metadata) => {
                        let place = dir.layers().first().copied().unwrap_or(0);
                        let directory = FileEntry {
                            name: one.clone(),
                            metadata,
                            target: None,
                            layer: None,
                        };
                        (place, Some(directory))
                    }
                };
                files.extend(file.map(|file| FileEntry {
                    layer: Some(layer(place)),
                    name: as_typed.clone().unwrap_or(file.name.clone()),
                    ..file
                }));
            }
            Ok(files)
        };
        list().map_err(|source| failed(&format!("list image {name}"), source))
    }

    /// What the second image's tree has otherwise than the first one's.
    pub fn diff_images(&self, old: &str, new: &str) -> Result<Vec<ImageChange>, Error> {
        let (old, new) = (self.held_image(old)?, self.held_image(new)?);
        let (old, new) = (chains(&old.record), chains(&new.record));
        Ok(rootfs::image_diff(self.store(), &old, &new)?)
    }

    /// Why each path is in a container's upper dir, and what it cost.
    pub fn explain_diff(&self, text: &str) -> Result<Vec<Explained>, Error> {
        let record = self.container(text)?.record;
        super::unkept::refuse_ephemeral("explain changes of", &record)?;
        let snapshot = self.snapshot(&record)?;
        let targets = record
            .mounts
            .iter()
            .map(|mount| mount.request.target.clone());
        Ok(rootfs::explain(&snapshot, &targets.collect::<Vec<_>>())?)
    }
}

/// The directory at a path without links; `None` where there is none.
fn descend(top: Merged, path: &Path) -> SysResult<Option<Merged>> {
    let mut here = top;
    for part in path.strip_prefix("/").unwrap_or(path) {
        match here.find(part)? {
            Seen::Directory(below, _) => here = below,
            Seen::Nothing | Seen::Leaf(_) => return Ok(None),
        }
    }
    Ok(Some(here))
}
