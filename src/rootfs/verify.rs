//! Whether a layer is what it was when it came: its blob, its tar, and the tree on disk.
//!
//! The blob is unpacked once more, by the code that unpacked it, into `tmp/`, two threads as always;
//! then the two trees are compared. So everything that unpacking decides is decided the same way.

use std::{fs::File, io::Read as _};

use super::{
    Error, Layers,
    layers::{DIFF, LayerRecord},
    tree_compare::{self, Difference},
};
use crate::{
    ident::{Digest, Hasher},
    image::LayerRef,
    layer::{self, Compression, Limits, Unpacked},
    store::{Blobs, Staging, Store},
    sys::{At as _, Dir, SysError, metadata_of},
};

/// What is wrong with a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerFault {
    /// Its blob, in words.
    Blob(String),
    /// Its directory or the record in it, in words.
    Tree(String),
    /// A path of its tree.
    Path(Difference),
}

/// Verifies a layer; `lowers` are the trees of the layers below, topmost first, cut after the first
/// one whose root is opaque. The caller holds the layer and its blob.
///
/// # Errors
///
/// Where it could not be found out: a full disk, for example.
pub fn verify_layer(
    store: &Store,
    layer: &LayerRef,
    lowers: &[Dir],
) -> Result<Vec<LayerFault>, Error> {
    let mut check = Check {
        layer,
        layers: Layers::open(store)?,
        blobs: Blobs::open(store)?,
        faults: Vec::new(),
    };
    let record = check.record();
    let staging = Staging::begin_unnamed(store)?;
    let made = staging.dir().make_dir(DIFF, 0o755);
    let fresh = made
        .and_then(|()| staging.dir().open_dir(DIFF))
        .map_err(failed)?;
    let unpacked = check.unpack(&fresh)?;
    if let (Some(record), Some(unpacked)) = (record, unpacked) {
        check.tree(&record, &unpacked, (&fresh, lowers))?;
    }
    Ok(check.faults)
}

struct Check<'s> {
    layer: &'s LayerRef,
    layers: Layers<'s>,
    blobs: Blobs<'s>,
    faults: Vec<LayerFault>,
}

impl Check<'_> {
    fn blob_is(&mut self, what: impl Into<String>) {
        self.faults.push(LayerFault::Blob(what.into()));
    }

    fn tree_is(&mut self, what: impl Into<String>) {
        self.faults.push(LayerFault::Tree(what.into()));
    }

    /// What the store knows about the tree, where it has one.
    fn record(&mut self) -> Option<LayerRecord> {
        match self.layers.find(self.layer.chain) {
            Ok(None) => self.tree_is("is not unpacked"),
            Ok(record) => return record,
            Err(error) => self.tree_is(in_one_line(&error)),
        }
        None
    }

    /// Unpacks the blob; `None` where it does not hold the layer.
    fn unpack(&mut self, fresh: &Dir) -> Result<Option<Unpacked>, Error> {
        let wanted = &self.layer.blob;
        if self.blobs.size(wanted.digest)?.is_none() {
            self.blob_is(format!("{} is missing", wanted.digest));
            return Ok(None);
        }
        let blob = self.blobs.open_blob(wanted.digest)?;
        let size = metadata_of(&blob).map_err(failed)?.size();
        if size != wanted.size {
            self.blob_is(format!("has {size} bytes, not {}", wanted.size));
        }
        match unpack(blob, fresh) {
            Ok(unpacked) => {
                self.digest_is(unpacked.blob);
                let (found, wanted) = (unpacked.diff_id, self.layer.diff_id);
                if found == wanted {
                    return Ok(Some(unpacked));
                }
                self.blob_is(format!("holds the tar {found}, not {wanted}"));
            }
            Err(error) if is_ours(&error) => return Err(self.unknown(error)),
            Err(error) => {
                let blob = self.blobs.open_blob(wanted.digest)?;
                self.digest_is(digest_of(blob).map_err(failed)?);
                self.blob_is(in_one_line(&error));
            }
        }
        Ok(None)
    }

    fn digest_is(&mut self, found: Digest) {
        let wanted = self.layer.blob.digest;
        if found != wanted {
            self.blob_is(format!("has digest {found}, not {wanted}"));
        }
    }

    fn tree(
        &mut self,
        record: &LayerRecord,
        unpacked: &Unpacked,
        (fresh, lowers): (&Dir, &[Dir]),
    ) -> Result<(), Error> {
        let notes = &unpacked.notes;
        let own = (notes.bytes, notes.entries, notes.opaque_root);
        let known = (record.bytes, record.entries, record.opaque_root);
        if own != known || record.diff_id != self.layer.diff_id {
            self.tree_is("has a record that says something else than its tar");
        }
        layer::settle(fresh, notes, lowers).map_err(|source| self.unknown(source))?;
        match self.layers.open_diff(self.layer.chain) {
            Ok(found) => {
                let differences = tree_compare::compare(fresh, &found).map_err(failed)?;
                self.faults
                    .extend(differences.into_iter().map(LayerFault::Path));
            }
            Err(error) => self.tree_is(in_one_line(&error)),
        }
        Ok(())
    }

    fn unknown(&self, source: layer::Error) -> Error {
        let chain = self.layer.chain;
        Error::Verify { chain, source }
    }
}

pub(super) fn unpack(mut blob: File, fresh: &Dir) -> Result<Unpacked, layer::Error> {
    let failed = |source| layer::Error::Blob {
        operation: "read",
        source,
    };
    let mut head = Vec::new();
    let read = blob.by_ref().take(512).read_to_end(&mut head);
    read.at("read", || "blob").map_err(failed)?;
    let compression = Compression::detect(&head);
    let whole = std::io::Cursor::new(head).chain(blob);
    layer::unpack(whole, compression, fresh, &Limits::default(), None)
}

/// Whether it is our disk that failed, and not the layer.
fn is_ours(error: &layer::Error) -> bool {
    matches!(
        error,
        layer::Error::Entry { .. } | layer::Error::Blob { .. }
    )
}

pub(super) fn digest_of(mut blob: File) -> crate::sys::Result<Digest> {
    let mut hasher = Hasher::new();
    std::io::copy(&mut blob, &mut hasher).at("read", || "blob")?;
    Ok(hasher.finish())
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn failed(source: SysError) -> Error {
    Error::System {
        what: "verify layer".to_owned(),
        source,
    }
}
