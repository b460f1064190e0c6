//! store.json: which version of the layout this is, and who may open it.

use serde::{Deserialize, Serialize};

use super::{Error, Store, record};

/// The layout this version reads and writes. Raised when a field or file is added that an older
/// version would lose.
pub const FORMAT: u64 = 1;

/// The only storage driver so far.
pub const DRIVER: &str = "overlay2";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    format: u64,
    driver: String,
    /// Features that a version must know to open the store at all.
    #[serde(default)]
    incompatible: Vec<String>,
}

pub(super) const FILE: &str = "store.json";

/// Refuses a store of another format.
pub(super) fn check(store: &Store) -> Result<(), Error> {
    let header: Header = record::read(store.root(), FILE)?;
    let path = store.path();
    if header.format != FORMAT {
        let found = header.format;
        return Err(Error::Format { path, found });
    }
    match header.incompatible.first() {
        None => Ok(()),
        Some(feature) => {
            let feature = feature.clone();
            Err(Error::Feature { path, feature })
        }
    }
}

pub(super) fn header() -> Header {
    Header {
        format: FORMAT,
        driver: DRIVER.to_owned(),
        incompatible: Vec::new(),
    }
}
