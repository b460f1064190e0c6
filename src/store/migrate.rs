//! From the format of an older version to ours, step by step, at the first command of the newer one.
//!
//! Whoever migrates has the root alone: no other command and no container of the store runs. A step
//! may be killed at any moment and is done again from its beginning, so it must find its own half-done work
//! and go on; the header tells the new format when all of a step is on disk, not before.
//!
//! Format 1 is the first one, so the table is empty; the machinery is tested with tables of its own.

use super::{Error, Store, format::Header};

/// A step from one format to a later one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) from: u64,
    pub(super) to: u64,
    /// Idempotent, and durable when it returns.
    pub(super) run: fn(&Store) -> Result<(), Error>,
}

/// Every step there is.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// The steps from one format to another, each the one that goes farthest; `None` where there is no way.
pub(super) fn way(table: &[Migration], from: u64, to: u64) -> Option<Vec<Migration>> {
    let (mut steps, mut here) = (Vec::new(), from);
    while here != to {
        let next = table
            .iter()
            .filter(|step| step.from == here && here < step.to && step.to <= to)
            .max_by_key(|step| step.to)?;
        steps.push(*next);
        here = next.to;
    }
    Some(steps)
}

/// Takes the steps of a way. The caller has the root alone.
pub(super) fn migrate(
    store: &Store,
    mut header: Header,
    steps: &[Migration],
) -> Result<Header, Error> {
    for step in steps {
        (step.run)(store)?;
        header.format = step.to;
        header.write(store)?;
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{
        super::{Durability, Place, record},
        *,
    };

    fn nothing(store: &Store) -> Result<(), Error> {
        store.open_dir(Place::Images).map(drop)
    }

    fn step(from: u64, to: u64) -> Migration {
        Migration {
            from,
            to,
            run: nothing,
        }
    }

    #[test]
    fn a_way_is_found_where_there_is_one() {
        let table = [step(1, 2), step(2, 3), step(1, 3), step(3, 5), step(4, 5)];
        let formats = |from, to| {
            way(&table, from, to).map(|way| way.iter().map(|step| step.to).collect::<Vec<_>>())
        };
        assert_eq!(formats(1, 5), Some(vec![3, 5]));
        assert_eq!(formats(1, 2), Some(vec![2]));
        assert_eq!(formats(2, 3), Some(vec![3]));
        assert_eq!(formats(5, 5), Some(vec![]));
        assert_eq!(formats(3, 4), None);
        assert_eq!(formats(0, 5), None);
        assert_eq!(formats(5, 1), None);
        assert_eq!(way(MIGRATIONS, 1, 1).map(|way| way.len()), Some(0));
    }

    static BREAKS: AtomicBool = AtomicBool::new(true);

    /// Moves a record to another name; the first time it breaks off in the middle.
    fn rename_record(store: &Store) -> Result<(), Error> {
        let images = store.open_dir(Place::Images)?;
        if let Some(text) = record::find::<String>(images, "old.json")? {
            record::replace(store, images, "new.json", &text, Durability::Synced)?;
            if BREAKS.swap(false, Ordering::Relaxed) {
                return Err(Error::NotAStore { path: store.path() });
            }
            images.remove_file("old.json").unwrap();
        }
        Ok(())
    }

    #[test]
    fn a_step_that_broke_off_is_done_again_and_the_header_is_last() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let images = store.open_dir(Place::Images).unwrap();
        record::replace(&store, images, "old.json", &"it", Durability::Synced).unwrap();
        let run = rename_record;
        let table = [
            Migration {
                from: 1,
                to: 2,
                run,
            },
            step(2, 3),
        ];
        let header = || Header::find(&store).unwrap().unwrap();
        let steps = way(&table, 1, 3).unwrap();
        assert!(migrate(&store, header(), &steps).is_err());
        assert_eq!(header().format, 1);
        assert_eq!(migrate(&store, header(), &steps).unwrap().format, 3);
        assert_eq!(header().format, 3);
        assert_eq!(images.entries().unwrap(), ["new.json"]);
        // And this version does not open it any more.
        let refused = Store::open(scratch.path()).unwrap_err();
        assert!(matches!(refused, Error::Format { found: 3, .. }));
    }
}
