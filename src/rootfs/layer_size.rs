//! What an unpacked layer takes on disk: walked once, and known from then on.
//!
//! A layer never changes, so its size is kept in `overlay2/<chain>/size.json`: beside the record and
//! not in it, because a record must survive a power cut, and this may go. It is written without a
//! sync, and one that cannot be read is not there.
//!
//! It carries the stamp of the tree it was taken of: inode and time of change of `diff`. A layer that was
//! unpacked again has another one. What somebody changed by hand deeper in the tree does not show here,
//! only in `image verify`, which reads everything.

use serde::{Deserialize, Serialize};

use super::{
    Error, Layers,
    layers::{DIFF, LayerRecord, failed},
};
use crate::{
    ident::ChainId,
    store::{Durability, Store, record},
    sys::{Dir, Metadata, Result as SysResult, Taken, Tally, lock::Lock},
};

/// The file beside the layer's record.
const SIZE: &str = "size.json";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownSize {
    allocated: u64,
    inodes: u64,
    /// Of `diff`: inode, and when it changed, in seconds and nanoseconds.
    stamp: (u64, i64, i64),
}

fn stamp(diff: &Metadata) -> (u64, i64, i64) {
    let changed = diff.changed_at();
    (diff.ino(), changed.seconds, changed.nanoseconds)
}

impl Layers<'_> {
    /// What the tree of a layer takes, its top directory too. `None` where there is no tree, or where
    /// an inode has a name outside: the caller has to count it together with the rest.
    pub fn taken(
        &self,
        store: &Store,
        chain: ChainId,
        is_fresh: bool,
    ) -> Result<Option<Taken>, Error> {
        let of = |source| failed("measure", chain, source);
        let look = || -> SysResult<_> {
            let own = self.dir.open_dir(chain.0.hex())?;
            let diff = own.open_dir(DIFF)?.own_metadata()?;
            Ok((own, diff))
        };
        let (own, diff) = match look() {
            Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => return Ok(None),
            found => found.map_err(of)?,
        };
        let stamp = stamp(&diff);
        // One that cannot be read is as good as none.
        let known: Option<KnownSize> = record::find(&own, SIZE).ok().flatten();
        if let Some(known) = known.filter(|known| known.stamp == stamp && !is_fresh) {
            return Ok(Some(Taken {
                allocated: known.allocated,
                inodes: known.inodes,
            }));
        }
        let mut tally = Tally::new(&own).map_err(of)?;
        let taken = tally.tree(&own, DIFF.as_ref()).map_err(of)?;
        if !tally.is_closed() || tally.mounted() > 0 {
            return Ok(None);
        }
        if is_settled(&own) {
            let known = KnownSize {
                allocated: taken.allocated,
                inodes: taken.inodes,
                stamp,
            };
            keep(store, &own, &known);
        }
        Ok(Some(taken))
    }
}

/// Whether all of the layer is on disk: until then a file system may allocate less, or more.
fn is_settled(own: &Dir) -> bool {
    let layer = record::find::<LayerRecord>(own, super::layers::RECORD);
    layer.ok().flatten().is_some_and(|layer| layer.is_synced())
}

/// Held for the moment of writing: nobody removes the directory meanwhile. Whoever holds it alone
/// removes it, so there is nothing to be kept.
fn keep(store: &Store, own: &Dir, known: &KnownSize) {
    let lock = own
        .reopen()
        .and_then(|dir| Lock::try_shared(dir.into_fd().into()));
    if let Ok(Some(_lock)) = lock {
        // A full or read-only store tells the size all the same.
        record::replace(store, own, SIZE, known, Durability::Volatile).ok();
    }
}
