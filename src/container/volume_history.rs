//! What was done to a volume, as far as the journal goes back.

use std::collections::BTreeMap;

use super::{Engine, Error};
use crate::{
    event::{Event, Filter, Kind, Span},
    ident::{Timestamp, VolumeName},
    mount::Access,
    volume::{self, Volume},
};

/// Something that was done to a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub time: Timestamp,
    /// `create`, `mount`, `unmount`, `rename`, `restore` or `destroy`.
    pub action: String,
    /// What the volume was called.
    pub volume: String,
    /// Id of the container that did it; `None` for a command.
    pub container: Option<String>,
    /// The container's name, where the journal tells it.
    pub container_name: Option<String>,
    /// Where it was mounted.
    pub target: Option<String>,
    /// Whether the container could write; whether it did, nobody has watched.
    pub access: Option<Access>,
    /// The other name, of `rename` and `restore`.
    pub other_name: Option<String>,
    /// It had this name and went on under the other one.
    pub went_on: bool,
}

/// What was done to a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeHistory {
    /// The earliest first.
    pub deeds: Vec<Deed>,
    /// Something may have been done before the journal begins, which is then.
    pub begins: Option<Timestamp>,
}

impl Engine {
    /// What was done to a volume under this name and those that it had before.
    pub fn volume_history(&self, name: &str) -> Result<VolumeHistory, Error> {
        let existing = match self.volumes()?.get(name) {
            Ok(volume) => Some(volume),
            Err(volume::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let since = Timestamp::from_nanosecond(0);
        let span = Span { since, until: None };
        let mut reader = self.events(span, Filter::default())?;
        let mut events = Vec::new();
        while let Some(event) = reader.read_available()? {
            if matches!(event.kind, Kind::Volume | Kind::Container) {
                events.push(event);
            }
        }
        let history = history(&events, name, existing.as_ref());
        if history.deeds.is_empty() && existing.is_none() {
            let name = name.to_owned();
            return Err(volume::Error::NotFound { name }.into());
        }
        Ok(history)
    }
}

/// Backwards from the name that it has now.
fn history(events: &[Event], name: &str, existing: Option<&Volume>) -> VolumeHistory {
    let mut names = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == Kind::Container) {
        if let Some(name) = event.actor.attributes.get("name") {
            names.insert(event.actor.id.as_str(), name.as_str());
        }
    }
    let mut name = name.to_owned();
    let mut deeds = Vec::new();
    for event in events.iter().rev() {
        if event.kind != Kind::Volume {
            continue;
        }
        let old = event.actor.attributes.get("oldName");
        if event.actor.id == name {
            deeds.push(deed(event, &names));
            if let Some(old) = old {
                old.clone_into(&mut name);
            }
        } else if old == Some(&name) && event.action == "rename" {
            // The volume of this name went on under another one.
            deeds.push(Deed {
                volume: name.clone(),
                other_name: Some(event.actor.id.clone()),
                went_on: true,
                ..deed(event, &names)
            });
        }
    }
    deeds.reverse();
    let first = existing.and_then(|volume| made(&mut deeds, volume, &names));
    if let Some(first) = first {
        deeds.insert(0, first);
    }
    let is_whole = deeds.first().is_some_and(|deed| deed.action == "create");
    let begins = events.first().map(|event| event.time);
    VolumeHistory {
        deeds,
        begins: if is_whole { None } else { begins },
    }
}

fn deed(event: &Event, names: &BTreeMap<&str, &str>) -> Deed {
    let get = |key: &str| event.actor.attributes.get(key).cloned();
    let container = get("container");
    Deed {
        time: event.time,
        action: event.action.clone(),
        volume: event.actor.id.clone(),
        container_name: name_in(names, container.as_deref()),
        container,
        target: get("destination"),
        access: get("read/write").map(|may_write| match may_write.as_str() {
            "true" => Access::ReadWrite,
            _ => Access::ReadOnly,
        }),
        other_name: get("oldName").filter(|old| *old != event.actor.id),
        went_on: false,
    }
}

fn name_in(names: &BTreeMap<&str, &str>, id: Option<&str>) -> Option<String> {
    id.and_then(|id| names.get(id))
        .map(|name| (*name).to_owned())
}

/// Completes who made the volume, which its record knows; the making itself where the journal does
/// not tell of it any more.
fn made(deeds: &mut [Deed], volume: &Volume, names: &BTreeMap<&str, &str>) -> Option<Deed> {
    let record = &volume.record;
    let origin = record.origin.as_ref();
    let container = origin.map(|origin| origin.container.clone());
    let container_name = name_in(names, container.as_deref());
    let target = origin.map(|origin| origin.target.clone());
    // The last one is the making of what is there now, and told after the record was made.
    let told = deeds.iter_mut().rev().find(|deed| deed.action == "create");
    if let Some(told) = told.filter(|told| told.time >= record.created) {
        (told.container, told.container_name) = (container, container_name);
        told.target = target;
        return None;
    }
    if deeds.first().is_some_and(|deed| deed.time < record.created) {
        return None;
    }
    Some(Deed {
        time: record.created,
        action: "create".to_owned(),
        volume: VolumeName::to_string(&record.name),
        container,
        container_name,
        target,
        access: None,
        other_name: None,
        went_on: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Actor;

    fn event(second: i64, kind: Kind, action: &str, id: &str, more: &[(&str, &str)]) -> Event {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let time = Timestamp::from_nanosecond(i128::from(second) * 1_000_000_000);
        Event {
            time: time.unwrap(),
            kind,
            action: action.to_owned(),
            actor: Actor {
                id: id.to_owned(),
                attributes: more.iter().map(pair).collect(),
            },
        }
    }

    fn volume(name: &str, second: i64) -> Volume {
        let record = serde_json::json!({
            "name": name, "driver": "local", "labels": null, "options": null,
            "created": Timestamp::from_nanosecond(i128::from(second) * 1_000_000_000),
            "origin": {"container": "c1", "target": "/data"},
        });
        Volume {
            record: serde_json::from_value(record).unwrap(),
            mountpoint: "/nowhere".into(),
        }
    }

    fn told(history: &VolumeHistory) -> Vec<String> {
        let line = |deed: &Deed| format!("{} {}", deed.action, deed.volume);
        history.deeds.iter().map(line).collect()
    }

    #[test]
    fn a_renamed_volume_keeps_its_history() {
        let mount = [
            ("container", "c1"),
            ("destination", "/data"),
            ("read/write", "true"),
        ];
        let events = [
            event(10, Kind::Volume, "create", "old", &[]),
            event(11, Kind::Container, "create", "c1", &[("name", "web")]),
            event(12, Kind::Volume, "mount", "old", &mount),
            event(13, Kind::Volume, "create", "other", &[]),
            event(14, Kind::Volume, "rename", "new", &[("oldName", "old")]),
            event(15, Kind::Volume, "create", "old", &[]),
            event(16, Kind::Volume, "unmount", "new", &[("container", "c2")]),
        ];
        let new = history(&events, "new", Some(&volume("new", 10)));
        assert_eq!(
            told(&new),
            ["create old", "mount old", "rename new", "unmount new"]
        );
        assert_eq!(new.begins, None);
        assert_eq!(new.deeds[0].container.as_deref(), Some("c1"));
        assert_eq!(new.deeds[1].container_name.as_deref(), Some("web"));
        assert_eq!(new.deeds[1].access, Some(Access::ReadWrite));
        assert_eq!(new.deeds[3].container_name, None);
        // What has the name now is another volume; what had it went on as `new`.
        let old = history(&events, "old", Some(&volume("old", 15)));
        assert_eq!(
            told(&old),
            ["create old", "mount old", "rename old", "create old"]
        );
        assert_eq!(old.deeds[2].other_name.as_deref(), Some("new"));
        assert_eq!(old.deeds[0].container, None);
    }

    #[test]
    fn what_the_journal_has_forgotten_is_said() {
        let events = [
            event(20, Kind::Volume, "create", "other", &[]),
            event(21, Kind::Volume, "mount", "data", &[]),
        ];
        let known = history(&events, "data", Some(&volume("data", 5)));
        assert_eq!(told(&known), ["create data", "mount data"]);
        assert_eq!(known.deeds[0].target.as_deref(), Some("/data"));
        let gone = history(&events, "data", None);
        assert_eq!(told(&gone), ["mount data"]);
        assert_eq!(gone.begins, Some(events[0].time));
        assert!(history(&events, "dat", None).deeds.is_empty());
    }
}
