//! Removes what dead commands left in `tmp/` and `trash/`.

use std::{ffi::OsStr, fs::File};

use super::{Error, Place, Store};
use crate::{
    ident::Timestamp,
    sys::{Dir, Result as SysResult, lock::Lock, remove_tree},
};

/// Between making a file and locking it lie microseconds; between moving something to the trash
/// and deleting it, seconds. Nothing younger is touched.
const YOUNG: i64 = 60;

/// Sweeps both. What somebody is filling is locked and stays.
pub fn sweep(store: &Store) -> Result<(), Error> {
    sweep_older(store, YOUNG)
}

fn sweep_older(store: &Store, seconds: i64) -> Result<(), Error> {
    for place in [Place::Tmp, Place::Trash] {
        let dir = store.open_dir(place)?;
        let what = || format!("sweep {}", place.path().display());
        let failed = |source| Error::System {
            what: what(),
            source,
        };
        for name in dir.entries().map_err(failed)? {
            sweep_one(dir, &name, seconds).map_err(failed)?;
        }
    }
    Ok(())
}

fn sweep_one(dir: &Dir, name: &OsStr, seconds: i64) -> SysResult<()> {
    let Some(metadata) = dir.find(name)? else {
        return Ok(());
    };
    if Timestamp::now().as_second() - metadata.changed() < seconds {
        return Ok(());
    }
    let open = if metadata.is_dir() {
        dir.open_dir(name).map(|own| File::from(own.into_fd()))
    } else {
        dir.open_file(name)
    };
    let Ok(file) = open else { return Ok(()) };
    // Held while it is removed, so that of two sweepers one goes on to the next.
    let Some(_lock) = Lock::try_exclusive(file)? else {
        return Ok(());
    };
    remove_tree(dir, name)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Blobs, Staging},
        *,
    };

    #[test]
    fn what_is_being_filled_stays_and_the_rest_goes() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let tmp = store.open_dir(Place::Tmp).unwrap();
        let busy = Staging::begin(&store, "busy").unwrap();
        let blobs = Blobs::open(&store).unwrap();
        let blob = blobs.begin().unwrap();
        let living = tmp.sorted_entries().unwrap();
        tmp.make_dir("dead", 0o700).unwrap();
        tmp.create_file("blob-dead", 0o600).unwrap();
        store
            .open_dir(Place::Trash)
            .unwrap()
            .make_dir("half-removed", 0o700)
            .unwrap();
        sweep(&store).unwrap();
        assert_eq!(tmp.entries().unwrap().len(), 4, "all are young");
        sweep_older(&store, 0).unwrap();
        assert_eq!(tmp.sorted_entries().unwrap(), living);
        assert!(
            store
                .open_dir(Place::Trash)
                .unwrap()
                .entries()
                .unwrap()
                .is_empty()
        );
        drop((busy, blob));
    }
}
