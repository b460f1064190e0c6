//! Telling the journal what was done, in Docker's words (semantics 49).

use std::collections::BTreeMap;

use super::{ContainerRecord, Engine, Error};
use crate::{
    event::{Actor, Event, EventReader, Filter, Journal, Kind, Span},
    ident::{Digest, Timestamp, VolumeName},
    mount::{Access, RequestKind},
};

/// The journal, opened with the first event.
pub(super) type LazyJournal = std::sync::OnceLock<Option<Journal>>;

impl Engine {
    /// Reads the journal.
    pub fn events(&self, span: Span, filter: Filter) -> Result<EventReader, Error> {
        Ok(EventReader::open(self.store(), span, filter)?)
    }

    /// Writes down what was done; never fails, since it is done.
    pub fn tell(&self, kind: Kind, action: &str, id: &str, attributes: &[(&str, &str)]) {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        self.emit(kind, action, id, attributes.iter().map(pair).collect());
    }

    /// The same for a container, whose image, name and labels go with it.
    pub fn tell_container(
        &self,
        record: &ContainerRecord,
        action: &str,
        attributes: &[(&str, &str)],
    ) {
        let mut all = record.labels.clone();
        all.insert("image".to_owned(), record.image.clone());
        all.insert("name".to_owned(), record.name.to_string());
        for (key, value) in attributes {
            all.insert((*key).to_owned(), (*value).to_owned());
        }
        self.emit(Kind::Container, action, record.id.as_str(), all);
    }

    /// That the volumes of a container are in use from now on, or no more: `mount`, `unmount`.
    pub(super) fn tell_use(&self, action: &str, record: &ContainerRecord) {
        let mounts = record.mounts.iter();
        for (mount, name) in mounts.flat_map(|mount| mount.volumes().map(move |name| (mount, name)))
        {
            let mut attributes = vec![("container", record.id.as_str()), ("driver", "local")];
            let target = mount.request.target.display().to_string();
            // What is below an overlay is only read.
            let is_lower = mount.volume.as_ref() == Some(name)
                && matches!(mount.request.kind, RequestKind::Overlay(_));
            let writable = mount.request.access == Access::ReadWrite && !is_lower;
            let writable = writable.to_string();
            if action == "mount" {
                attributes.push(("destination", &target));
                attributes.push(("propagation", ""));
                attributes.push(("read/write", &writable));
            }
            self.tell(Kind::Volume, action, name.as_str(), &attributes);
        }
    }

    /// What was done to a volume: `create`, `destroy`.
    pub(super) fn tell_volume(&self, action: &str, name: &VolumeName, driver: &str) {
        self.tell(Kind::Volume, action, name.as_str(), &[("driver", driver)]);
    }

    /// What was done to an image, under a name of its where it has one.
    pub(super) fn tell_image(&self, action: &str, id: &Digest, name: Option<&str>) {
        let id = id.to_string();
        self.tell(Kind::Image, action, &id, &[("name", name.unwrap_or(&id))]);
    }

    fn emit(&self, kind: Kind, action: &str, id: &str, attributes: BTreeMap<String, String>) {
        let event = Event {
            time: Timestamp::now(),
            kind,
            action: action.to_owned(),
            actor: Actor {
                id: id.to_owned(),
                attributes,
            },
        };
        let journal = self.lazy_journal();
        let journal = journal.get_or_init(|| Journal::of(self.store()).ok());
        if let Some(journal) = journal {
            journal.emit(&event);
        }
    }
}
