//! What a command line asks of images: load, import, tag.

use std::{
    fs::File,
    io::{BufWriter, Read as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use super::{Engine, Error, containers::failed};
use crate::{
    ident::{Reference, Timestamp},
    image::{self, Bundle, ImageRecord, Offered, Synthesis, apply_change, health_change},
    layer::{self, Compression, Limits},
    rootfs::{self, Imported, LayerSource, Sync},
    store::{Blobs, NewBlob, Staging, sweep},
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
        let diff_ids: Vec<_> = sources.iter().map(|source| source.diff_id).collect();
        self.clear_broken(&diff_ids)?;
        let Imported { layers, lease } = rootfs::import(self.store(), &sources, durability)?;
        let documents = (image.manifest.as_deref(), image.config.as_slice());
        let (record, moved) = self
            .images()?
            .commit(documents, layers, &image.names, None)?;
        drop(lease);
        self.mend_touched(&record)?;
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
        let (record, moved) = self
            .images()?
            .commit((None, &documents), layers, &names, None)?;
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
        if done.is_err() {
            self.try_remove_orphans();
        }
        done
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
