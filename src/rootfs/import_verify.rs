//! Whether a layer is what manifest and config say.

use super::{Error, LayerSource};
use crate::layer::Unpacked;

/// Compares digests and size with what was computed; `number` is counted from 1.
pub(super) fn verify(
    number: usize,
    source: &LayerSource<'_>,
    unpacked: &Unpacked,
) -> Result<(), Error> {
    if let Some(wanted) = &source.blob {
        if wanted.digest != unpacked.blob {
            let (wanted, found) = (wanted.digest, unpacked.blob);
            return Err(Error::BlobDigest {
                number,
                wanted,
                found,
            });
        }
        if wanted.size != unpacked.blob_size {
            let (wanted, found) = (wanted.size, unpacked.blob_size);
            return Err(Error::BlobSize {
                number,
                wanted,
                found,
            });
        }
    }
    if source.diff_id != unpacked.diff_id {
        let (wanted, found) = (source.diff_id, unpacked.diff_id);
        return Err(Error::DiffId {
            number,
            wanted,
            found,
        });
    }
    Ok(())
}
