//! `Held`: layers and blobs that an import found and relies on. Removals need not wait for it, and
//! take none of them.

use std::sync::{Mutex, PoisonError};

use super::{Error, Layers};
use crate::{
    ident::{ChainId, Digest},
    store::{Blobs, Lease},
    sys::lock::Lock,
};

/// Given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    layers: Mutex<Vec<Lease>>,
    blobs: Mutex<Vec<Lock>>,
}

impl Held {
    /// Whether a layer is there, and stays from now on.
    pub(super) fn layer(&self, layers: &Layers<'_>, chain: ChainId) -> Result<bool, Error> {
        let lease = layers.hold(chain)?;
        let found = lease.is_some();
        let all = self.layers.lock();
        all.unwrap_or_else(PoisonError::into_inner).extend(lease);
        Ok(found)
    }

    /// The size of a blob that is there, and stays from now on.
    pub(super) fn blob(&self, blobs: &Blobs<'_>, digest: Digest) -> Result<Option<u64>, Error> {
        let Some((size, lock)) = blobs.hold(digest)? else {
            return Ok(None);
        };
        let all = self.blobs.lock();
        all.unwrap_or_else(PoisonError::into_inner).push(lock);
        Ok(Some(size))
    }
}
