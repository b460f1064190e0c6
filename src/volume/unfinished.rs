//! What of a volume is not there, or was begun and not ended, for whoever looks without mending it.

use nix::errno::Errno;

use super::{
    Error, Looked,
    edit::edit_in,
    local::{DATA, RECORD, Volumes, failed},
    mounting, populate,
};
use crate::{
    ident::VolumeName,
    store::{Durability, record},
    sys::{Metadata, remove_tree},
};

/// What a volume's directory says beside its record.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished {
    /// There is no directory for its data.
    pub data_missing: bool,
    /// Something is mounted on it while it is in use.
    pub mounts: bool,
    /// Somebody was killed while he filled it.
    pub filling: bool,
}

impl Volumes<'_> {
    /// Looks into a volume's directory; `None` where there is none.
    pub fn unfinished(&self, name: &VolumeName) -> Result<Option<Unfinished>, Error> {
        let of = |source| failed("look into", name.as_str(), source);
        let dir = match self.dir.open_dir(name.as_str()) {
            Err(error) if error.errno() == Some(Errno::ENOENT) => return Ok(None),
            dir => dir.map_err(of)?,
        };
        let data = dir.find(DATA).map_err(of)?;
        Ok(Some(Unfinished {
            data_missing: !data.as_ref().is_some_and(Metadata::is_dir),
            mounts: dir.find(mounting::LOCK).map_err(of)?.is_some(),
            filling: populate::is_left(&dir).map_err(of)?,
        }))
    }

    /// Ends what was begun with a volume that nobody else uses, and says in its record how it is called.
    pub fn finish_left(&self, name: &VolumeName) -> Result<(), Error> {
        let dir = self.dir_of(name)?;
        populate::end_left(&dir).map_err(|source| failed("populate", name.as_str(), source))?;
        let named = edit_in(self.store, &dir, name.as_str(), |record| {
            record.name = name.clone();
            Ok(())
        });
        named.map(drop)
    }

    /// Makes an empty directory where a volume's data was.
    pub fn make_data(&self, name: &VolumeName) -> Result<(), Error> {
        let of = |source| failed("make data of", name.as_str(), source);
        let dir = self.dir_of(name)?;
        dir.make_dir(DATA, 0o755).map_err(of)?;
        let owner = self
            .find(name)
            .ok()
            .flatten()
            .map(|volume| volume.record.owner);
        super::owner::apply(&dir, owner.unwrap_or_default()).map_err(of)
    }

    /// Writes a record that says no more than a volume's name, in the place of one that cannot be
    /// read. The old one is kept by the caller.
    pub fn write_plain_record(&self, name: &VolumeName) -> Result<(), Error> {
        let dir = self.dir_of(name)?;
        let Some(Looked::Damaged(damaged)) = self.look(name)? else {
            return Ok(());
        };
        let record = damaged.volume.record;
        if dir.metadata(RECORD).is_ok_and(|found| found.is_dir()) {
            let removed = remove_tree(&dir, RECORD);
            removed.map_err(|source| failed("remove record of", name.as_str(), source))?;
        }
        Ok(record::replace(
            self.store,
            &dir,
            RECORD,
            &record,
            Durability::Synced,
        )?)
    }
}
