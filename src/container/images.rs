//! What a command line asks of images: load, import, tag, remove.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufWriter, Read as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use super::{Engine, Error, containers::failed};
use crate::{
    ident::{ChainId, Digest, Reference, Timestamp},
    image::{self, Bundle, ImageRecord, Offered, Synthesis, apply_change, health_change},
    layer::{self, Compression, Limits},
    rootfs::{self, Imported, LayerSource, Layers, Sync},
    store::{Blobs, NewBlob, Place, Staging, Tried, lease_place, sweep, try_lease},
    sys::{At as _, Dir, metadata_of, reopen},
};

/// An image that was taken in.
#[derive(Debug)]
pub struct Loaded {
    /// Its record.
    pub record: ImageRecord,
    /// The names it has now.
    pub names: Vec<Reference>,
    /// Names that meant another image before.
    pub moved: Vec<Reference>,
}

/// What `import` was asked to do.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// Tars or directories, lowest first; `-` is standard input.
    pub layers: Vec<PathBuf>,
    /// `-c`
    pub changes: Vec<String>,
    /// `-m`
    pub message: Option<String>,
    /// What the image shall be called.
    pub name: Option<Reference>,
}

/// What `rmi` did.
#[derive(Debug, Default)]
pub struct Untagged {
    /// Names that were taken away.
    pub names: Vec<Reference>,
    /// Image id and chains that were deleted, topmost first.
    pub deleted: Vec<Digest>,
}

impl Engine {
    /// Takes in every image of a bundle; `-` is standard input.
    ///
    /// # Errors
    ///
    /// Nothing of the image that could not be taken in stays.
    pub fn load(&self, path: &Path, durability: Sync) -> Result<Vec<Loaded>, Error> {
        self.clean_after(self.load_all(path, durability))
    }

    fn load_all(&self, path: &Path, durability: Sync) -> Result<Vec<Loaded>, Error> {
        sweep(self.store())?;
        let staging = Staging::begin_unnamed(self.store())?;
        let spool = || {
            let file = staging.dir().create_file("spool", 0o600);
            file.map_err(|source| image::Error::Open {
                what: "spool file".to_owned(),
                source,
            })
        };
        let bundle = if path == Path::new("-") {
            Bundle::from_stream(standard_input()?, spool)?
        } else {
            Bundle::open(path, spool)?
        };
        let offered = bundle.offered()?;
        offered
            .into_iter()
            .map(|image| self.take_in(&bundle, image, durability))
            .collect()
    }

    fn take_in(&self, bundle: &Bundle, image: Offered, durability: Sync) -> Result<Loaded, Error> {
        let sources = image.layers.iter().map(|layer| LayerSource {
            diff_id: layer.diff_id,
            blob: layer.blob.clone(),
            size: layer.member.size,
            open: Box::new(|| Ok(Box::new(bundle.open_member(&layer.member)?))),
        });
        let sources: Vec<_> = sources.collect();
        let Imported { layers, lease } = rootfs::import(self.store(), &sources, durability)?;
        let documents = (image.manifest.as_deref(), image.config.as_slice());
        let (record, moved) = self.images()?.commit(documents, layers, &image.names)?;
        drop(lease);
        self.tell_taken_in("load", &record, &image.names);
        Ok(Loaded {
            record,
            names: image.names,
            moved,
        })
    }

    /// Makes an image of root file system trees.
    pub fn import(&self, request: &ImportRequest, durability: Sync) -> Result<Loaded, Error> {
        self.clean_after(self.import_trees(request, durability))
    }

    fn import_trees(&self, request: &ImportRequest, durability: Sync) -> Result<Loaded, Error> {
        // One for each layer, before the import proper.
        crate::sys::process::raise_file_limit();
        sweep(self.store())?;
        let (mut config, mut health) = (oci_spec::image::Config::default(), None);
        for change in &request.changes {
            match health_change(change) {
                Some(check) => health = Some(check?),
                None => apply_change(&mut config, change)?,
            }
        }
        let blobs = Blobs::open(self.store())?;
        // As a blob each, whose digests then are what the manifest says.
        let packed = request.layers.iter().map(|path| pack(&blobs, path));
        let packed = packed.collect::<Result<Vec<_>, Error>>()?;
        let sources = packed.iter().map(|packed| LayerSource {
            diff_id: packed.digested.diff_id,
            blob: None,
            size: packed.digested.blob_size,
            open: Box::new(|| Ok(Box::new(reopen(packed.blob.file.as_fd())?))),
        });
        let sources: Vec<_> = sources.collect();
        let Imported { layers, lease } = rootfs::import(self.store(), &sources, durability)?;
        let comment = request.message.clone();
        let synthesis = Synthesis {
            diff_ids: packed
                .iter()
                .map(|packed| packed.digested.diff_id)
                .collect(),
            config,
            health,
            created: Timestamp::now(),
            comment: comment.unwrap_or_else(|| format!("imported from {}", shown(&request.layers))),
        };
        let documents = synthesis.config_bytes()?;
        let names: Vec<_> = request.name.iter().cloned().collect();
        let (record, moved) = self.images()?.commit((None, &documents), layers, &names)?;
        drop(lease);
        self.tell_taken_in("import", &record, &names);
        Ok(Loaded {
            record,
            names,
            moved,
        })
    }

    /// After a failure, removes layers and blobs that no record tells of.
    ///
    /// Not while others import: theirs look just the same. Then the next removal does it.
    pub(super) fn clean_after<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        if done.is_err()
            && let Some(layers) = Place::Layers.path().to_str()
            && let Ok(Tried::Got(_lease)) = try_lease(self.store().root(), layers)
        {
            // The first error is the one to tell.
            self.remove_orphans().ok();
        }
        done
    }

    /// The caller holds the layers' exclusive lease.
    fn remove_orphans(&self) -> Result<(), Error> {
        let (chains, needed) = self.needed()?;
        let layers = Layers::open(self.store())?;
        for chain in layers.list()?.iter().rev() {
            if !chains.contains(chain) {
                layers.remove(*chain)?;
            }
        }
        let blobs = Blobs::open(self.store())?;
        for blob in blobs.list()? {
            if !needed.contains(&blob) {
                blobs.remove(blob)?;
            }
        }
        Ok(())
    }

    /// Layers and blobs that a record of an image or container names.
    fn needed(&self) -> Result<(HashSet<ChainId>, HashSet<Digest>), Error> {
        let images = self.images()?.list()?;
        let containers = self.containers()?;
        let of_images = images.iter().flat_map(|image| &image.layers);
        let of_images = of_images.map(|layer| layer.chain);
        let of_containers = containers.iter().flat_map(|one| one.record.all_chains());
        let chains = of_images.chain(of_containers.copied()).collect();
        let blobs = images.iter().flat_map(ImageRecord::blobs).collect();
        Ok((chains, blobs))
    }

    /// Gives an image another name.
    pub fn tag(&self, image: &str, name: &Reference) -> Result<(), Error> {
        let images = self.images()?;
        let record = images.resolve(image)?;
        images.tag(&record, name)?;
        self.tell_image("tag", &record.id, Some(&name.familiar()));
        Ok(())
    }

    /// An import's names are given by it, as by `tag` afterwards; a load's come with the image.
    fn tell_taken_in(&self, action: &str, record: &ImageRecord, names: &[Reference]) {
        let first = names.first().map(Reference::familiar);
        self.tell_image(action, &record.id, first.as_deref());
        if action == "import" {
            for name in names {
                self.tell_image("tag", &record.id, Some(&name.familiar()));
            }
        }
    }

    /// Takes names of an image away, and the image itself when the last one goes.
    ///
    /// # Errors
    ///
    /// An image that a container needs; an id of an image with several names, without `force`.
    pub fn remove_image(&self, text: &str, force: bool) -> Result<Untagged, Error> {
        // Nobody who looks at layers or makes a container of them is in between.
        let _lease = lease_place(self.store(), Place::Layers, true)?;
        let images = self.images()?;
        let record = images.resolve(text)?;
        let all = images.names()?;
        let own: Vec<_> = all
            .iter()
            .filter(|(_, to)| **to == record.manifest)
            .map(|(name, _)| name.clone())
            .collect();
        let named = text
            .parse::<Reference>()
            .ok()
            .filter(|name| own.contains(name));
        let going = match named {
            Some(name) => vec![name],
            None if own.len() > 1 && !force => {
                let why = "image is referenced in multiple repositories".to_owned();
                return Err(Error::MustForce {
                    image: record.id.short(),
                    why,
                });
            }
            None => own.clone(),
        };
        let last = going.len() == own.len();
        if last {
            self.refuse_used(&record, text, force)?;
        }
        images.untag(&going)?;
        for name in &going {
            self.tell_image("untag", &record.id, Some(&name.familiar()));
        }
        let mut untagged = Untagged {
            names: going,
            deleted: Vec::new(),
        };
        // A container keeps the layers of an image whose names were taken by force.
        if last && !self.is_used(&record)? {
            images.forget(&record)?;
            untagged.deleted = self.collect_garbage(&record)?;
            self.tell_image("delete", &record.id, None);
            for step in self.forget_steps_of(&record)? {
                untagged.deleted.extend(self.collect_garbage(&step)?);
                self.tell_image("delete", &step.id, None);
            }
        }
        Ok(untagged)
    }

    pub(super) fn is_used(&self, record: &ImageRecord) -> Result<bool, Error> {
        Ok(self
            .containers()?
            .iter()
            .any(|container| container.record.uses_image(&record.id)))
    }

    fn refuse_used(&self, record: &ImageRecord, text: &str, force: bool) -> Result<(), Error> {
        let containers = self.containers()?;
        let user = containers
            .iter()
            .find(|container| container.record.uses_image(&record.id));
        let Some(user) = user else { return Ok(()) };
        let id = user.record.id.short();
        if user.status.is_live() {
            let why = format!("image is being used by running container {id}");
            return Err(Error::ImageInUse {
                image: text.to_owned(),
                why,
            });
        }
        if force {
            return Ok(());
        }
        let why = format!("image is being used by stopped container {id}");
        Err(Error::MustForce {
            image: text.to_owned(),
            why,
        })
    }

    /// Removes the layers and blobs of an image that is forgotten, as far as nobody else needs
    /// them. The caller holds the layers' exclusive lease.
    fn collect_garbage(&self, gone: &ImageRecord) -> Result<Vec<Digest>, Error> {
        let (needed, _) = self.needed()?;
        let layers = Layers::open(self.store())?;
        let mut deleted = vec![gone.id];
        for chain in gone.layers.iter().rev().map(|layer| layer.chain) {
            if !needed.contains(&chain) && layers.find(chain)?.is_some() {
                layers.remove(chain)?;
                deleted.push(chain.0);
            }
        }
        // Its blobs, and what imports left that were killed.
        self.remove_orphans()?;
        Ok(deleted)
    }
}

fn standard_input() -> Result<File, Error> {
    let stdin = std::io::stdin();
    let fd = stdin.as_fd().try_clone_to_owned();
    fd.map(File::from)
        .at("dup", || "0")
        .map_err(|source| failed("open standard input", source))
}

fn shown(layers: &[PathBuf]) -> String {
    let shown: Vec<_> = layers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}

/// A layer's tar in `tmp/`.
struct Packed<'s> {
    blob: NewBlob<'s>,
    digested: layer::Digested,
}

fn pack<'s>(blobs: &Blobs<'s>, path: &Path) -> Result<Packed<'s>, Error> {
    let unpack_failed = |source| image::Error::Tar {
        what: path.display().to_string(),
        source,
    };
    let open_failed = |source| image::Error::Open {
        what: path.display().to_string(),
        source,
    };
    let blob = blobs.begin()?;
    let input = if path == Path::new("-") {
        standard_input()?
    } else {
        File::open(path)
            .at("open", || path.display().to_string())
            .map_err(open_failed)?
    };
    if metadata_of(&input).map_err(open_failed)?.is_dir() {
        let dir = Dir::open(path).map_err(open_failed)?;
        layer::pack(&dir, BufWriter::with_capacity(1 << 18, &blob.file)).map_err(unpack_failed)?;
    } else {
        copy(input, &blob.file).map_err(open_failed)?;
    }
    let again = || reopen(blob.file.as_fd()).map_err(open_failed);
    let mut head = Vec::new();
    again()?
        .take(512)
        .read_to_end(&mut head)
        .at("read", || path.display().to_string())
        .map_err(open_failed)?;
    let compression = Compression::detect(&head);
    let digested =
        layer::digest(again()?, compression, &Limits::default(), None).map_err(unpack_failed)?;
    Ok(Packed { blob, digested })
}

fn copy(mut input: File, mut output: &File) -> crate::sys::Result<()> {
    std::io::copy(&mut input, &mut output)
        .map(drop)
        .at("copy_file_range", || "layer")
}
