//! Volumes whose record cannot be read: what can be told of them all the same.
//!
//! A list goes on past one, prune leaves it alone, and whoever names it can remove it.

use super::{
    Error, Volume, VolumeRecord,
    local::{LOCAL, RECORD, Volumes, failed},
};
use crate::{
    error::in_a_line,
    ident::{Timestamp, VolumeName},
    mount::Sharing,
    store::record,
};

/// A volume whose record cannot be read.
#[derive(Debug, Clone)]
pub struct DamagedVolume {
    /// What it is called, what drives it, and nothing else: a record that stands in for its own.
    pub volume: Volume,
    /// What is wrong with its record, in a line.
    pub why: String,
}

/// What there is of a name.
#[derive(Debug, Clone)]
pub enum Looked {
    /// A volume.
    Whole(Volume),
    /// One whose record cannot be read.
    Damaged(DamagedVolume),
}

impl Looked {
    /// Its name.
    pub fn name(&self) -> &VolumeName {
        match self {
            Self::Whole(volume) => &volume.record.name,
            Self::Damaged(damaged) => &damaged.volume.record.name,
        }
    }
}

/// Stands in for a record that cannot be read.
pub(super) fn stand_in(name: VolumeName, driver: String, created: Timestamp) -> VolumeRecord {
    VolumeRecord {
        name,
        driver,
        created,
        labels: None,
        options: None,
        origin: None,
        filled: None,
        sharing: Sharing::default(),
        owner: super::Owner::default(),
        description: None,
        protected: false,
    }
}

impl Volumes<'_> {
    /// [`Volumes::find`] for whoever goes on where a record is damaged.
    pub fn look(&self, name: &VolumeName) -> Result<Option<Looked>, Error> {
        match self.find(name) {
            Ok(found) => Ok(found.map(Looked::Whole)),
            Err(Error::Damaged { source, .. }) => {
                let driver = self
                    .driver_of(name)
                    .unwrap_or_else(|_unreadable| LOCAL.to_owned());
                let changed = self.dir.find(name.as_str()).ok().flatten();
                let changed = changed.map_or(0, |found| i128::from(found.changed()));
                let changed = Timestamp::from_nanosecond(changed * 1_000_000_000);
                let changed = changed.unwrap_or_else(Timestamp::now);
                let record = stand_in(name.clone(), driver, changed);
                let mountpoint = self.mountpoint(name);
                Ok(Some(Looked::Damaged(DamagedVolume {
                    volume: Volume { record, mountpoint },
                    why: in_a_line(&source),
                })))
            }
            Err(error) => Err(error),
        }
    }

    /// [`Volumes::look`] for one that must be there.
    pub fn look_at(&self, text: &str) -> Result<Looked, Error> {
        let missing = || Error::NotFound {
            name: text.to_owned(),
        };
        let name = text.parse().map_err(|_| missing())?;
        self.look(&name)?.ok_or_else(missing)
    }

    /// Reads a record that its directory names; `None` where there is no volume of this name.
    pub(super) fn read_record(&self, name: &VolumeName) -> Result<Option<VolumeRecord>, Error> {
        let text = name.as_str();
        let mut tried = 0;
        loop {
            match record::find_in(self.dir, text, RECORD) {
                Ok(Some(record)) => return Ok(Some(record)),
                Ok(None) => {}
                Err(error) if error.is_damage() => return Err(self.damaged(name, error)),
                Err(error) => return Err(error.into()),
            }
            let found = self.dir.find(text);
            let found = found.map_err(|source| failed("look up", text, source))?;
            if found.is_none() {
                return Ok(None);
            }
            // Made between the two looks, mostly; a volume gets its name with its record in it.
            tried += 1;
            if tried == 3 {
                let opened = self.dir.open_file_in(text, RECORD);
                let Err(source) = opened else { continue };
                let source = crate::store::Error::Read {
                    name: format!("{text}/{RECORD}"),
                    source,
                };
                return Err(self.damaged(name, source));
            }
        }
    }

    fn damaged(&self, name: &VolumeName, source: crate::store::Error) -> Error {
        Error::Damaged {
            name: name.to_string(),
            data: self.mountpoint(name),
            source: Box::new(source),
        }
    }
}
