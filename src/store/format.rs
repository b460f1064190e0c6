//! store.json: which version of the layout this is, and who may open it.
//!
//! ```json
//! {"format": 1, "driver": "overlay2", "incompatible": [], "compatible": []}
//! ```
//!
//! | field | who may open a store that has something in it that he does not know |
//! |---|---|
//! | `format` | a newer version migrates an older store, at its first command; an older version refuses a newer store |
//! | `incompatible` | nobody: what is there would be misread, or lost |
//! | `compatible` | everybody: what an older version does not know it leaves alone, and nothing breaks |
//!
//! An optional field of a record that means nothing when it is missing needs neither. Records refuse fields
//! that they do not know, so an older version says of such a record that it cannot read it; it never
//! writes it back without the field.
//!
//! | feature | kind | since | what it says |
//! |---|---|---|---|
//! | `destroying` | incompatible | format 1 | `system destroy` is at work, or was killed: only it may open the store |
//!
//! Fields that are unknown here stay when the header is written again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Durability, Error, Store, record};

/// The layout this version reads and writes. Raised when a field or file is added that an older
/// version would lose.
pub const FORMAT: u64 = 1;

/// The only storage driver so far.
pub const DRIVER: &str = "overlay2";

/// A store that is being destroyed.
pub(super) const DOOMED: &str = "destroying";

/// What store.json holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: u64,
    driver: String,
    /// Features that a version must know to open the store at all.
    #[serde(default)]
    incompatible: Vec<String>,
    /// Features that an older version may leave alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    compatible: Vec<String>,
    /// What a newer version says besides.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

pub(super) const FILE: &str = "store.json";

impl Header {
    pub(super) fn new() -> Self {
        Self {
            format: FORMAT,
            driver: DRIVER.to_owned(),
            incompatible: Vec::new(),
            compatible: Vec::new(),
            rest: Map::new(),
        }
    }

    /// `None` where there is none.
    pub(super) fn find(store: &Store) -> Result<Option<Self>, Error> {
        record::find(store.root(), FILE)
    }

    /// Durable when it returns.
    pub(super) fn write(&self, store: &Store) -> Result<(), Error> {
        record::replace(store, store.root(), FILE, self, Durability::Synced)
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.incompatible.iter().any(|feature| feature == DOOMED)
    }

    pub(super) fn doomed(mut self) -> Self {
        if !self.is_doomed() {
            self.incompatible.push(DOOMED.to_owned());
        }
        self
    }

    /// Refuses a store that this version, or anybody, must not open. An older format is another
    /// question: see [`super::migrate`].
    pub(super) fn check(&self, store: &Store) -> Result<(), Error> {
        let path = store.path();
        if self.format > FORMAT {
            let found = self.format;
            return Err(Error::Format { path, found });
        }
        if self.is_doomed() {
            return Err(Error::Doomed { path });
        }
        match self.incompatible.first() {
            None => Ok(()),
            Some(feature) => {
                let feature = feature.clone();
                Err(Error::Feature { path, feature })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_says_stays_in_the_header() {
        let text = serde_json::json!({
            "format": 1, "driver": "overlay2", "compatible": ["summaries"], "shards": 4
        });
        let header: Header = serde_json::from_value(text).unwrap();
        let doomed = serde_json::to_value(header.doomed().doomed()).unwrap();
        assert_eq!(
            doomed,
            serde_json::json!({
                "format": 1, "driver": "overlay2", "incompatible": ["destroying"],
                "compatible": ["summaries"], "shards": 4
            })
        );
    }
}
