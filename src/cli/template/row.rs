//! A line of a list: its fields, and its labels by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

/// Fields in the order of `{{json .}}`.
#[derive(Debug)]
pub(crate) struct Row {
    /// By name.
    pub(crate) fields: Map<String, Json>,
    /// What `{{.Label "name"}}` gives.
    pub(crate) labels: Labels,
}

/// What `{{.Label "name"}}` gives.
#[derive(Debug)]
pub(crate) enum Labels {
    /// The label's value, empty where there is none.
    Of(BTreeMap<String, String>),
    /// The header of a column of labels.
    Header,
}

impl Labels {
    pub(super) fn get(&self, name: &str) -> String {
        match self {
            Self::Of(labels) => labels.get(name).cloned().unwrap_or_default(),
            Self::Header => name
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .replace(['-', '_'], " "),
        }
    }
}
