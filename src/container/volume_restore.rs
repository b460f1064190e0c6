//! `volume restore`, `verify` and `import`: from an archive into a volume, whole or not at all.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use super::{
    CopyError, Engine, Error,
    copy_stream::{Signals, Watched},
    volume_backup::{open_archive, told},
    volume_copy::IMPORT,
};
use crate::{
    ident::VolumeName,
    layer::{self, Destination, Limits, Owner, Terms, Unledgered},
    store::sweep,
    sys::{Dir, FileKind, RootDir, metadata_of, process},
    volume::{
        self, Draft, Making, NewVolume, Volumes,
        backup::{self, Checked, Difference, Head, Tail},
    },
};

/// What a restore does with a volume that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Into {
    /// There must be none.
    #[default]
    New,
    /// It must be empty; labels and options stay.
    Empty,
    /// What it has goes; labels and options stay.
    Replaced,
}

/// An archive that went into a volume, or is what it says.
#[derive(Debug)]
pub struct RestoreReport {
    /// Which volume the archive is of, and from when.
    pub head: Head,
    /// What is in it.
    pub tail: Tail,
}

/// What those are told who are kept out meanwhile.
const RESTORE: &str = "volume restore";

/// As many differences as are told; the rest is counted.
const DIFFERENCES_MAX: usize = 20;

/// What a volume is beside an archive of it.
#[derive(Debug, Default)]
pub struct Compared {
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

impl Engine {
    /// Restores a backup into a volume. Everything is compared with the archive's own list before
    /// anybody sees it.
    ///
    /// # Errors
    ///
    /// The volume is as it was then, or is not there. Only where it has driver options, and a system
    /// call fails while entries are swapped, it is neither: what is then not in its place is beside
    /// it (`volume::Swap`).
    pub fn restore_backup(
        &self,
        archive: &OsStr,
        name: &str,
        into: Into,
        limits: &Limits,
    ) -> Result<RestoreReport, Error> {
        let parsed: VolumeName = name.parse()?;
        // What a killed one has left may be all the room there is.
        sweep(self.store())?;
        let volumes = self.volumes()?;
        let old = match into {
            Into::New if volumes.exists(&parsed)? => {
                return Err(volume::Error::Exists {
                    making: Making::Restore,
                    name: parsed,
                }
                .into());
            }
            Into::New => None,
            Into::Empty | Into::Replaced => Some(self.open_to_replace(name, RESTORE)?),
        };
        if let Some(old) = old.as_ref().filter(|_| into == Into::Empty)
            && !old.is_empty()?
        {
            return Err(volume::Error::NotEmpty { name: parsed }.into());
        }
        let archive = open_archive(archive)?;
        let signals = Signals::catch()?;
        let take = |data: &Dir| -> Result<RestoreReport, Error> {
            let root = root_of(data)?;
            let spool = self.spool()?;
            let input = Watched::shared(archive, &signals);
            let restored = process::with_umask(0, || backup::restore(input, &root, limits, spool));
            if let Some(interrupted) = signals.interrupted() {
                return Err(interrupted.into());
            }
            let place = format!("volume {name}");
            let Checked { head, tail, .. } = restored.map_err(|error| told(error, &place))?;
            Ok(RestoreReport { head, tail })
        };
        if let Some(old) = old.as_ref().filter(|old| old.record.options.is_some()) {
            let swap = old.begin_swap()?;
            let report = take(&swap.content)?;
            swap.replace()?;
            return Ok(report);
        }
        let draft = volumes.draft(NewVolume {
            name: Some(parsed.clone()),
            ..NewVolume::default()
        })?;
        let report = take(&draft.data)?;
        draft.sync()?;
        if let Some(old) = old {
            draft.replace_data_of(&old)?;
        } else {
            let draft = draft.described(described(&parsed, &report.head))?;
            self.publish(&volumes, draft, Making::Restore)?;
        }
        Ok(report)
    }

    pub(super) fn publish<'s>(
        &'s self,
        volumes: &Volumes<'s>,
        draft: Draft<'s>,
        making: Making,
    ) -> Result<(), Error> {
        let (name, driver) = (draft.record().name.clone(), draft.record().driver.clone());
        match volumes.publish(draft)? {
            Some(_) => {
                self.tell_volume("create", &name, &driver);
                Ok(())
            }
            None => Err(volume::Error::Exists { making, name }.into()),
        }
    }

    /// Compares an archive with its own list and, if that is wanted, a volume with both.
    pub fn verify_backup(
        &self,
        archive: &OsStr,
        name: Option<&str>,
        limits: &Limits,
    ) -> Result<(RestoreReport, Compared), Error> {
        let volumes = self.volumes()?;
        let volume = name.map(|name| volumes.open_volume(name)).transpose()?;
        let shown = archive.display().to_string();
        let archive = open_archive(archive)?;
        let checked = backup::check(archive, limits, self.spool()?);
        let mut checked = checked.map_err(|error| told(error, &shown))?;
        let mut compared = Compared::default();
        if let Some(volume) = volume {
            let place = format!("volume {}", volume.record.name);
            let now = backup::survey(&volume.data, self.spool()?);
            let mut now = now.map_err(|error| told(error, &place))?;
            let tell = |difference| {
                compared.count += 1;
                if compared.differences.len() < DIFFERENCES_MAX {
                    compared.differences.push(difference);
                }
            };
            let done = backup::compare(&mut checked.files, &mut now, tell);
            done.map_err(|error| told(error, &place))?;
        }
        let Checked { head, tail, .. } = checked;
        Ok((RestoreReport { head, tail }, compared))
    }

    /// Unpacks any tar, or copies a directory, into a volume, as tar(1) would with `-C` and `-p`. A
    /// volume that is not there is made, whole or not at all; in one that is there files are
    /// replaced one by one.
    pub fn import_volume(&self, source: &OsStr, name: &str, limits: &Limits) -> Result<u64, Error> {
        let parsed: VolumeName = name.parse()?;
        sweep(self.store())?;
        let volumes = self.volumes()?;
        let archive = open_archive(source)?;
        let kind = metadata_of(&archive).map(|found| found.kind());
        if kind.is_ok_and(|kind| kind == FileKind::Directory) {
            return self.import_directory(source, &parsed);
        }
        let signals = Signals::catch()?;
        let input = Watched::shared(archive, &signals);
        let import = |data: &Dir| -> Result<u64, Error> {
            let root = root_of(data)?;
            let destination = Destination {
                root: &root,
                dir: Path::new(""),
                name: None,
                owner: Owner::Archive,
                terms: Terms::Extract,
            };
            let placed = process::with_umask(0, || {
                layer::place(input, &destination, limits, &mut Unledgered)
            });
            if let Some(interrupted) = signals.interrupted() {
                return Err(interrupted.into());
            }
            let placed =
                placed.map_err(|error| CopyError::archive(&error, &format!("volume {name}")))?;
            Ok(placed.tar_bytes)
        };
        if volumes.exists(&parsed)? {
            let volume = self.open_to_write(name, IMPORT)?;
            let bytes = import(&volume.data)?;
            volume.sync()?;
            return Ok(bytes);
        }
        let draft = volumes.draft(NewVolume {
            name: Some(parsed),
            ..NewVolume::default()
        })?;
        let bytes = import(&draft.data)?;
        draft.sync()?;
        self.publish(&volumes, draft, Making::Import)?;
        Ok(bytes)
    }
}

fn root_of(data: &Dir) -> Result<RootDir, Error> {
    let own = data.try_clone();
    let own = own.map_err(|source| super::containers::failed("open volume", source))?;
    Ok(RootDir::new(own))
}

/// The volume that an archive tells of, under the name that the user wants.
fn described(name: &VolumeName, head: &Head) -> NewVolume {
    let labels: BTreeMap<_, _> = head.labels.clone();
    NewVolume {
        name: Some(name.clone()),
        driver: Some(head.driver.clone()),
        labels,
        description: head.description.clone(),
        sharing: Some(head.sharing),
        ..NewVolume::default()
    }
}
