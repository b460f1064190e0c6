//! Containers: records against directories, names, layers and volumes.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};

use super::{Error, Finding, Remedy};
use crate::{
    container::{ContainerRecord, Engine, Leftovers},
    ident::{ChainId, ContainerId, ContainerName, VolumeName},
    store::Place,
    sys::Metadata,
};

/// What the store knows of containers.
#[derive(Debug, Default)]
pub(super) struct ContainerFacts {
    pub(super) containers: Vec<Facts>,
    /// Why they cannot be read.
    pub(super) damaged: Vec<(ContainerId, String)>,
    names: Vec<(OsString, Link)>,
    strangers: Vec<PathBuf>,
}

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) record: ContainerRecord,
    has_upper: bool,
    has_work: bool,
    /// What its supervisor has left, if that is dead.
    left: Leftovers,
}

/// What lies among the names.
#[derive(Debug, PartialEq, Eq)]
enum Link {
    /// To a container that is being made.
    Begun,
    To(ContainerId),
    Elsewhere,
}

impl ContainerFacts {
    pub(super) fn gather(engine: &Engine) -> Result<Self, Error> {
        let (all, damaged) = engine.all_containers()?;
        let dir = engine.store().open_dir(Place::Containers)?;
        let mut containers = Vec::new();
        for container in all {
            let Ok(own) = dir.open_dir(container.record.id.as_str()) else {
                continue;
            };
            let is_dir = |found: Option<Metadata>| found.is_some_and(|found| found.is_dir());
            containers.push(Facts {
                has_upper: is_dir(own.find("upper")?),
                has_work: is_dir(own.find("work")?),
                left: engine.leftovers_of(&container)?,
                record: container.record,
            });
        }
        let by_name = Place::ContainerNames.path().file_name();
        let is_ours = |name: &OsString| {
            let id = name.to_str().map(str::parse::<ContainerId>);
            Some(name.as_os_str()) == by_name || matches!(id, Some(Ok(_)))
        };
        let strangers = dir.sorted_entries()?.into_iter();
        let strangers = strangers.filter(|name| !is_ours(name));
        Ok(Self {
            containers,
            damaged: damaged.into_iter().map(|one| (one.id, one.why)).collect(),
            names: names(engine)?,
            strangers: strangers
                .map(|name| Place::Containers.path().join(name))
                .collect(),
        })
    }

    fn has(&self, id: &ContainerId) -> bool {
        let known = self.containers.iter().map(|one| &one.record.id);
        let damaged = self.damaged.iter().map(|(damaged, _)| damaged);
        known.chain(damaged).any(|one| one == id)
    }

    pub(super) fn decide(
        &self,
        is_unpacked: impl Fn(ChainId) -> bool,
        volumes: &BTreeSet<VolumeName>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (id, why) in &self.damaged {
            let remedy = Remedy::PutContainerAside(id.clone());
            findings.push(Finding::damage(
                format!("container {}", id.short()),
                why,
                remedy,
            ));
        }
        for facts in &self.containers {
            let object = format!("container {}", facts.record.name);
            findings.extend(facts.own(&object));
            findings.extend(facts.needs(&object, &is_unpacked, volumes));
            findings.extend(self.reserved(&facts.record, &object));
        }
        findings.extend(self.names_of_nothing());
        for path in &self.strangers {
            let remedy = Remedy::Quarantine(path.clone());
            let object = path.display().to_string();
            findings.push(Finding::leftover(object, "is not the store's", remedy));
        }
        findings
    }

    /// A name that somebody chose is nobody else's.
    fn reserved(&self, record: &ContainerRecord, object: &str) -> Option<Finding> {
        let to = |name: &ContainerName| {
            let found = self.names.iter().find(|(own, _)| own == name.as_str());
            found.map(|(_, link)| link)
        };
        match to(&record.name) {
            _ if !record.name_chosen => None,
            Some(Link::To(id)) if *id == record.id => None,
            Some(Link::Begun) => None,
            Some(Link::To(id)) if self.has(id) => {
                let what = format!("its name leads to another container: {}", id.short());
                let remedy = format!("cowshed rename {} NAME", record.id.short());
                Some(Finding::damage(object, what, Remedy::Type(remedy)))
            }
            _ => {
                let remedy = Remedy::Claim(record.name.clone(), record.id.clone());
                Some(Finding::damage(object, "its name is not reserved", remedy))
            }
        }
    }

    fn names_of_nothing(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, link) in &self.names {
            let shown = name.to_string_lossy();
            let object = format!("container name {shown}");
            let path = Place::ContainerNames.path().join(name);
            let own = name
                .to_str()
                .and_then(|text| text.parse::<ContainerName>().ok());
            let (Some(own), Link::To(id)) = (own, link) else {
                if *link != Link::Begun {
                    let remedy = Remedy::Quarantine(path);
                    findings.push(Finding::leftover(object, "is not the store's", remedy));
                }
                continue;
            };
            let holder = self.containers.iter().find(|one| one.record.id == *id);
            let what = match holder {
                Some(holder) if holder.record.name == own => continue,
                Some(holder) => format!("its container is called {}", holder.record.name),
                None if self.has(id) => continue,
                None => format!("its container is gone: {}", id.short()),
            };
            let remedy = Remedy::Release(own, id.clone());
            findings.push(Finding::leftover(object, what, remedy));
        }
        findings
    }
}

impl Facts {
    fn own(&self, object: &str) -> Vec<Finding> {
        let id = &self.record.id;
        let mut findings = Vec::new();
        if !self.has_upper {
            let what = "the directory of its changes is missing";
            let remedy = Remedy::PutContainerAside(id.clone());
            findings.push(Finding::damage(object, what, remedy));
        } else if !self.has_work {
            let what = "the work directory of its union is missing";
            findings.push(Finding::damage(object, what, Remedy::MakeWork(id.clone())));
        }
        let left = &self.left;
        if left.state_damaged {
            let what = "its state cannot be read: it counts as ended";
            findings.push(Finding::damage(object, what, Remedy::Settle(id.clone())));
        }
        if left.program {
            let what = "its program runs on without a supervisor";
            findings.push(Finding::leftover(object, what, Remedy::Tidy));
        }
        if left.group {
            let what = "its control group is left behind";
            findings.push(Finding::leftover(object, what, Remedy::Tidy));
        }
        if left.is_over {
            let what = "has ended and was to be removed then (--rm)";
            findings.push(Finding::leftover(object, what, Remedy::Tidy));
        } else if left.socket {
            let what = "the socket of its supervisor is left behind";
            let remedy = Remedy::Unlink(id.clone(), "control");
            findings.push(Finding::leftover(object, what, remedy));
        }
        findings
    }

    fn needs(
        &self,
        object: &str,
        is_unpacked: impl Fn(ChainId) -> bool,
        volumes: &BTreeSet<VolumeName>,
    ) -> Vec<Finding> {
        let chains: BTreeSet<_> = self.record.all_chains().collect();
        let gone = chains.into_iter().filter(|chain| !is_unpacked(**chain));
        let gone = gone.map(|chain| {
            let what = format!("a layer that it needs is missing: {}", chain.0.short());
            Finding::damage(object, what, Remedy::Unpack(*chain))
        });
        let lost: BTreeSet<_> = self.record.volumes().collect();
        let lost = lost.into_iter().filter(|name| !volumes.contains(name));
        let lost = lost.map(|name| {
            let what = format!("a volume that it uses is missing: {name}");
            let remedy = format!(
                "cowshed volume trash ls shows whether it was pruned; cowshed volume create {name} \
                 makes an empty one"
            );
            Finding::damage(object, what, Remedy::Type(remedy))
        });
        gone.chain(lost).collect()
    }
}

fn names(engine: &Engine) -> Result<Vec<(OsString, Link)>, Error> {
    let dir = engine.store().open_dir(Place::ContainerNames)?;
    let mut names = Vec::new();
    for name in dir.sorted_entries()? {
        let Ok(target) = dir.read_symlink(&name) else {
            if dir.find(&name)?.is_some() {
                names.push((name, Link::Elsewhere));
            }
            continue;
        };
        let last = std::path::Path::new(&target).file_name();
        let id = last.and_then(|last| last.to_str()?.parse::<ContainerId>().ok());
        let link = match id {
            None => Link::Elsewhere,
            Some(id) if engine.is_being_made(&id)? => Link::Begun,
            Some(id) => Link::To(id),
        };
        names.push((name, link));
    }
    Ok(names)
}
