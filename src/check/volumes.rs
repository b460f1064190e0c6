//! Volumes: records against directories, and what killed commands began with them.

use std::{collections::BTreeSet, path::PathBuf};

use super::{Error, Finding, Remedy};
use crate::{
    container::Engine,
    ident::VolumeName,
    store::{Place, Tried, record, try_lease},
    volume::{Looked, Unfinished, VolumeRecord},
};

/// What the store knows of volumes.
#[derive(Debug, Default)]
pub(super) struct VolumeFacts {
    pub(super) volumes: Vec<Facts>,
    /// Somebody who renamed a volume is dead.
    renaming: bool,
    /// What he noted says nothing.
    renaming_damaged: bool,
    strangers: Vec<PathBuf>,
}

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) name: VolumeName,
    pub(super) record: Result<VolumeRecord, String>,
    left: Unfinished,
}

impl VolumeFacts {
    pub(super) fn gather(engine: &Engine) -> Result<Self, Error> {
        let (volumes, dir) = (engine.volumes()?, engine.store().open_dir(Place::Volumes)?);
        let mut facts = Self::default();
        for name in dir.sorted_entries()? {
            let Some(name) = name.to_str().and_then(|text| text.parse().ok()) else {
                if name != crate::volume::RENAMING {
                    facts.strangers.push(Place::Volumes.path().join(name));
                }
                continue;
            };
            let Some(left) = volumes.unfinished(&name)? else {
                continue;
            };
            let record =
                match volumes.look(&name)? {
                    None => continue,
                    // As it is, not as its directory says.
                    Some(Looked::Whole(volume)) => {
                        Ok(record::find_in(dir, name.as_str(), "volume.json")?
                            .unwrap_or(volume.record))
                    }
                    Some(Looked::Damaged(damaged)) => Err(damaged.why),
                };
            facts.volumes.push(Facts { name, record, left });
        }
        if dir.find(crate::volume::RENAMING)?.is_some() {
            let volumes_dir = Place::Volumes.path().to_string_lossy().into_owned();
            let is_dead = matches!(
                try_lease(engine.store().root(), &volumes_dir)?,
                Tried::Got(_)
            );
            match volumes.unfinished_renaming() {
                Ok(found) => facts.renaming = is_dead && found.is_some(),
                Err(_) => facts.renaming_damaged = is_dead,
            }
        }
        Ok(facts)
    }

    pub(super) fn names(&self) -> BTreeSet<VolumeName> {
        self.volumes.iter().map(|one| one.name.clone()).collect()
    }

    /// `used`: by a container.
    pub(super) fn decide(&self, used: &BTreeSet<VolumeName>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for facts in &self.volumes {
            findings.extend(facts.decide(self.renaming));
        }
        if self.renaming {
            let what = "somebody was killed in the midst of it";
            findings.push(Finding::leftover(
                "the renaming of a volume",
                what,
                Remedy::Tidy,
            ));
        }
        if self.renaming_damaged {
            let path = Place::Volumes.path().join(crate::volume::RENAMING);
            let what = "somebody was killed in the midst of it, and his note cannot be read";
            let object = "the renaming of a volume";
            findings.push(Finding::damage(object, what, Remedy::Quarantine(path)));
        }
        let unowned = self.volumes.iter().filter(|one| {
            let record = one.record.as_ref();
            record.is_ok_and(VolumeRecord::is_anonymous) && !used.contains(&one.name)
        });
        let unowned = unowned.count();
        if unowned > 0 {
            let what = format!("no container uses {unowned} of them");
            let remedy = "cowshed volume prune puts them into the trash";
            findings.push(Finding::note("anonymous volumes", what, remedy));
        }
        for path in &self.strangers {
            let remedy = Remedy::Quarantine(path.clone());
            let object = path.display().to_string();
            findings.push(Finding::leftover(object, "is not the store's", remedy));
        }
        findings
    }
}

impl Facts {
    fn decide(&self, renaming: bool) -> Vec<Finding> {
        let object = format!("volume {}", self.name);
        let mut findings = Vec::new();
        let name = || self.name.clone();
        match &self.record {
            Err(why) => {
                // One that mounted something cannot be made again: nobody knows what.
                let remedy = if self.left.mounts {
                    Remedy::PutVolumeAside(name())
                } else {
                    Remedy::VolumeRecord(name())
                };
                findings.push(Finding::damage(&object, why, remedy));
            }
            Ok(record) if record.name != self.name && !renaming => {
                let what = format!("its record is of another one: {}", record.name);
                let remedy = Remedy::FinishVolume(name());
                findings.push(Finding::damage(&object, what, remedy));
            }
            Ok(_) => {}
        }
        if self.left.data_missing {
            let what = "its data is missing";
            findings.push(Finding::damage(&object, what, Remedy::MakeData(name())));
        } else if self.left.filling {
            let what = "somebody was killed while it was filled from an image";
            findings.push(Finding::leftover(
                &object,
                what,
                Remedy::FinishVolume(name()),
            ));
        }
        findings
    }
}
