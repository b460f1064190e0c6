//! Another name for a volume, in steps of which each can be the last before a crash.
//!
//! ```text
//! volumes/.renaming     {"from": "old", "to": "new"}: somebody is at it, or was killed
//! volumes/old -> new    one rename; from now on it is called `new`, though its record says `old`
//!                       then the containers' records, which is not ours to do
//! volume.json           says `new`, too
//! volumes/.renaming     removed
//! ```

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::{
    Error, Making, VolumeRecord,
    edit::edit_in,
    local::{RECORD, Volumes, failed},
};
use crate::{
    ident::VolumeName,
    store::{Durability, record},
    sys::sync,
};

/// Among the volumes, what somebody renames. No volume's name begins with a dot.
pub const RENAMING: &str = ".renaming";

/// From one name to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renaming {
    /// The old name.
    pub from: VolumeName,
    /// The new one.
    pub to: VolumeName,
}

impl Volumes<'_> {
    /// What somebody is renaming, or was when he was killed. One call where there is nothing.
    pub fn unfinished_renaming(&self) -> Result<Option<Renaming>, Error> {
        Ok(record::find(self.dir, RENAMING)?)
    }

    /// Writes down what will be done. The caller holds the lease on all volumes.
    pub fn begin_renaming(&self, renaming: &Renaming) -> Result<(), Error> {
        let synced = Durability::Synced;
        Ok(record::replace(
            self.store, self.dir, RENAMING, renaming, synced,
        )?)
    }

    /// Gives the volume its new name. The caller has claimed it.
    pub fn move_renamed(&self, renaming: &Renaming) -> Result<(), Error> {
        let (from, to) = (renaming.from.as_str(), renaming.to.as_str());
        match self.dir.rename_new(from, self.dir, to) {
            Ok(()) => sync::directory(self.dir).map_err(|source| failed("rename", from, source)),
            Err(error) if error.errno() == Some(Errno::EEXIST) => Err(Error::Exists {
                making: Making::Rename,
                name: renaming.to.clone(),
            }),
            Err(source) => Err(failed("rename", from, source)),
        }
    }

    /// Whether the volume got its new name before its renamer was killed.
    pub fn was_moved(&self, renaming: &Renaming) -> Result<bool, Error> {
        if self.exists(&renaming.from)? {
            return Ok(false);
        }
        let record: Option<VolumeRecord> = record::find_in(self.dir, renaming.to.as_str(), RECORD)?;
        Ok(record.is_some_and(|record| record.name == renaming.from))
    }

    /// Nothing is left to do.
    pub fn end_renaming(&self, renaming: &Renaming, moved: bool) -> Result<(), Error> {
        let to = renaming.to.as_str();
        if moved {
            edit_in(self.store, &self.dir_of(&renaming.to)?, to, |record| {
                record.name = renaming.to.clone();
                Ok(())
            })?;
        }
        let ended = self.dir.remove_file(RENAMING);
        ended
            .and_then(|()| sync::directory(self.dir))
            .map_err(|source| failed("rename", to, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::Store, volume::NewVolume};

    fn renaming() -> Renaming {
        Renaming {
            from: "old".parse().unwrap(),
            to: "new".parse().unwrap(),
        }
    }

    fn make(volumes: &Volumes<'_>, name: &str) {
        let name = Some(name.parse().unwrap());
        let wanted = NewVolume {
            name,
            ..NewVolume::default()
        };
        volumes.create(wanted).unwrap();
    }

    #[test]
    fn a_crash_before_the_move_leaves_the_old_name() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        make(&volumes, "old");
        volumes.begin_renaming(&renaming()).unwrap();
        assert_eq!(volumes.unfinished_renaming().unwrap(), Some(renaming()));
        assert!(!volumes.was_moved(&renaming()).unwrap());
        volumes.end_renaming(&renaming(), false).unwrap();
        assert_eq!(volumes.unfinished_renaming().unwrap(), None);
        assert!(volumes.get("old").is_ok());
    }

    #[test]
    fn a_crash_after_the_move_is_seen_and_the_directory_says_the_name() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        make(&volumes, "old");
        volumes.begin_renaming(&renaming()).unwrap();
        volumes.move_renamed(&renaming()).unwrap();
        assert!(volumes.was_moved(&renaming()).unwrap());
        assert_eq!(volumes.get("new").unwrap().record.name.as_str(), "new");
        volumes.end_renaming(&renaming(), true).unwrap();
        assert!(!volumes.was_moved(&renaming()).unwrap());
        assert!(volumes.get("old").is_err());
    }

    #[test]
    fn a_name_that_is_taken_stays_whose_it_is() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        let volumes = Volumes::open(&store).unwrap();
        make(&volumes, "old");
        make(&volumes, "new");
        let refused = volumes.move_renamed(&renaming());
        assert!(matches!(refused, Err(Error::Exists { .. })));
        assert!(volumes.get("old").is_ok() && volumes.get("new").is_ok());
    }
}
