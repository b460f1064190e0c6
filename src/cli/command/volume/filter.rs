//! `--filter` of `volume ls` and `volume prune`.

use std::collections::BTreeMap;

use cowshed::volume::Volume;

use crate::cli::{
    command::filter::{by_key, has_label, invalid, unknown},
    report::Exit,
};

/// One `--filter`; several values of one key are alternatives (semantics 43, 48).
pub(crate) enum Filter {
    Dangling(bool),
    Driver(Vec<String>),
    Label(Vec<String>),
    NotLabel(Vec<String>),
    Name(Vec<String>),
}

impl Filter {
    pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Self>, Exit> {
        let keys = by_key(texts)?.into_iter();
        keys.map(|(key, values)| Self::of(&key, values)).collect()
    }

    fn of(key: &str, values: Vec<String>) -> Result<Self, Exit> {
        match (key, values.first().map(String::as_str)) {
            ("dangling", Some("true" | "1")) => Ok(Self::Dangling(true)),
            ("dangling", Some("false" | "0")) => Ok(Self::Dangling(false)),
            ("driver", _) => Ok(Self::Driver(values)),
            ("label", _) => Ok(Self::Label(values)),
            ("label!", _) => Ok(Self::NotLabel(values)),
            ("name", _) => Ok(Self::Name(values)),
            ("dangling", value) => Err(invalid(key, value.unwrap_or_default())),
            (key, _) => Err(unknown(key)),
        }
    }

    pub(crate) fn fits(&self, volume: &Volume, used: bool) -> bool {
        let record = &volume.record;
        let none = BTreeMap::new();
        let labels = record.labels.as_ref().unwrap_or(&none);
        let labelled = |wanted: &String| has_label(labels, wanted);
        match self {
            Self::Dangling(wanted) => *wanted != used,
            Self::Driver(names) => names.contains(&record.driver),
            Self::Label(wanted) => wanted.iter().all(labelled),
            Self::NotLabel(unwanted) => !unwanted.iter().any(labelled),
            Self::Name(parts) => parts
                .iter()
                .any(|part| record.name.as_str().contains(part.as_str())),
        }
    }
}
