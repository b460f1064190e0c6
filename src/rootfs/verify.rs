//! Whether a layer is what it was when it came: its blob, its tar, and the tree on disk.
//!
//! The blob is unpacked once more, by the code that unpacked it, into `tmp/`, two threads as always;
//! then the two trees are compared. So everything that unpacking decides is decided the same way.

use std::{fs::File, io::Read as _};

use super::{
    Error, Layers,
    layers::DIFF,
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
    let mut faults = Vec::new();
    let layers = Layers::open(store)?;
    let record = match layers.find(layer.chain) {
        Ok(Some(record)) => Some(record),
        Ok(None) => {
            faults.push(LayerFault::Tree("is not unpacked".to_owned()));
            None
        }
        Err(error) => {
            faults.push(LayerFault::Tree(in_one_line(&error)));
            None
        }
    };
    let blobs = Blobs::open(store)?;
    if blobs.size(layer.blob.digest)?.is_none() {
        let digest = layer.blob.digest;
        faults.push(LayerFault::Blob(format!("{digest} is missing")));
        return Ok(faults);
    }
    let staging = Staging::begin_unnamed(store)?;
    let made = staging.dir().make_dir(DIFF, 0o755);
    let fresh = made
        .and_then(|()| staging.dir().open_dir(DIFF))
        .map_err(failed)?;
    let blob = blobs.open_blob(layer.blob.digest)?;
    let size = metadata_of(&blob).map_err(failed)?.size();
    if size != layer.blob.size {
        let what = format!("has {size} bytes, not {}", layer.blob.size);
        faults.push(LayerFault::Blob(what));
    }
    let unpacked = match unpack(blob, &fresh) {
        Ok(unpacked) => unpacked,
        Err(error) if is_ours(&error) => {
            return Err(Error::Verify {
                chain: layer.chain,
                source: error,
            });
        }
        Err(error) => {
            let found = digest_of(blobs.open_blob(layer.blob.digest)?).map_err(failed)?;
            if found != layer.blob.digest {
                let what = format!("has digest {found}, not {}", layer.blob.digest);
                faults.push(LayerFault::Blob(what));
            }
            faults.push(LayerFault::Blob(in_one_line(&error)));
            return Ok(faults);
        }
    };
    if unpacked.blob != layer.blob.digest {
        let what = format!("has digest {}, not {}", unpacked.blob, layer.blob.digest);
        faults.push(LayerFault::Blob(what));
    }
    if unpacked.diff_id != layer.diff_id {
        let what = format!("holds the tar {}, not {}", unpacked.diff_id, layer.diff_id);
        faults.push(LayerFault::Blob(what));
        return Ok(faults);
    }
    let Some(record) = record else {
        return Ok(faults);
    };
    if (record.bytes, record.entries, record.opaque_root)
        != (
            unpacked.notes.bytes,
            unpacked.notes.entries,
            unpacked.notes.opaque_root,
        )
        || record.diff_id != layer.diff_id
    {
        faults.push(LayerFault::Tree(
            "its record says something else than its tar".to_owned(),
        ));
    }
    let settled = layer::settle(&fresh, &unpacked.notes, lowers);
    settled.map_err(|source| Error::Verify {
        chain: layer.chain,
        source,
    })?;
    match layers.open_diff(layer.chain) {
        Ok(found) => {
            let differences = tree_compare::compare(&fresh, &found).map_err(failed)?;
            faults.extend(differences.into_iter().map(LayerFault::Path));
        }
        Err(error) => faults.push(LayerFault::Tree(in_one_line(&error))),
    }
    Ok(faults)
}

fn unpack(mut blob: File, fresh: &Dir) -> Result<Unpacked, layer::Error> {
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

fn digest_of(mut blob: File) -> crate::sys::Result<Digest> {
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
