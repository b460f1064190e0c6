//! What a store stands on: its header, its directories, who may enter them.

use std::ffi::OsString;

use super::{Error, Finding, Remedy};
use crate::{
    error::in_a_line,
    store::{Place, Store},
    sys::{FileKind, Metadata},
};

/// Nobody else enters, or writes into the root.
const OTHERS: u32 = 0o077;
const WRITE: u32 = 0o022;

#[derive(Debug, Default)]
pub(super) struct Ground {
    /// Why store.json says nothing.
    header: Option<String>,
    /// Of the root.
    mode: u32,
    places: Vec<(Place, Found)>,
    strangers: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Directory { mode: u32 },
    SomethingElse,
}

impl Ground {
    pub(super) fn gather(store: &Store) -> Result<Self, Error> {
        let root = store.root();
        let names = root.entries()?.into_iter();
        let mut places = Vec::new();
        for place in Place::ALL {
            places.push((place, find(store, place)?));
        }
        Ok(Self {
            header: store.header_fault().map(|error| in_a_line(&error)),
            mode: root.own_metadata()?.mode(),
            places,
            strangers: names.filter(|name| !Store::is_own_name(name)).collect(),
        })
    }

    /// Whether there is something to look at: what a killed first command left has no header yet,
    /// and the next one goes on with it.
    pub(super) fn is_begun(&self) -> bool {
        let is_missing = |place: Place| self.places.contains(&(place, Found::Nothing));
        // The last one that is made.
        self.header.is_none() || !is_missing(Place::Merged)
    }

    /// Whether the rest can be looked at.
    pub(super) fn is_firm(&self) -> bool {
        let is_there = |(_, found): &(Place, Found)| matches!(found, Found::Directory { .. });
        self.places.iter().all(is_there)
    }

    pub(super) fn decide(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(why) = &self.header {
            findings.push(Finding::damage("store.json", why, Remedy::Header));
        }
        if self.mode & WRITE != 0 {
            let what = format!("others may write into it: its mode is {:04o}", self.mode);
            let remedy = Remedy::Protect(".".into(), self.mode & !WRITE);
            findings.push(Finding::damage("the root of the store", what, remedy));
        }
        for (place, found) in &self.places {
            let path = place.path();
            let object = path.display().to_string();
            match found {
                Found::Nothing => {
                    let remedy = Remedy::MakePlace(*place);
                    findings.push(Finding::damage(object, "is missing", remedy));
                }
                Found::SomethingElse => {
                    let remedy = Remedy::Quarantine(path.to_owned());
                    findings.push(Finding::damage(object, "is no directory", remedy));
                }
                Found::Directory { mode } if mode & OTHERS != 0 => {
                    let what = format!("others may enter it: its mode is {mode:04o}");
                    let remedy = Remedy::Protect(path.to_owned(), mode & !OTHERS);
                    findings.push(Finding::damage(object, what, remedy));
                }
                Found::Directory { .. } => {}
            }
        }
        for name in &self.strangers {
            let remedy = Remedy::Quarantine(name.into());
            let object = name.to_string_lossy();
            findings.push(Finding::leftover(object, "is not the store's", remedy));
        }
        findings
    }
}

fn find(store: &Store, place: Place) -> Result<Found, Error> {
    let (mut dir, mut found) = (store.root().try_clone()?, None);
    for part in place.path() {
        found = dir.find(part)?;
        if !found.as_ref().is_some_and(Metadata::is_dir) {
            break;
        }
        dir = dir.open_dir(part)?;
    }
    Ok(match found {
        None => Found::Nothing,
        Some(found) if found.kind() == FileKind::Directory => {
            Found::Directory { mode: found.mode() }
        }
        Some(_) => Found::SomethingElse,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Ground {
        let found = Found::Directory { mode: 0o700 };
        Ground {
            header: None,
            mode: 0o711,
            places: Place::ALL.map(|place| (place, found)).to_vec(),
            strangers: Vec::new(),
        }
    }

    #[test]
    fn a_new_store_stands() {
        assert_eq!(whole().decide(), []);
        assert!(whole().is_firm());
    }

    #[test]
    fn whatever_is_amiss_is_told() {
        let mut ground = whole();
        ground.header = Some("parse record store.json".to_owned());
        ground.mode = 0o777;
        ground.places[0].1 = Found::Nothing;
        ground.places[1].1 = Found::SomethingElse;
        ground.places[2].1 = Found::Directory { mode: 0o755 };
        ground.strangers = vec!["낯선 것".into()];
        let told: Vec<_> = ground
            .decide()
            .into_iter()
            .map(|one| format!("{}: {}: {}", one.object, one.what, one.remedy))
            .collect();
        assert_eq!(
            told,
            [
                "store.json: parse record store.json: write it again",
                "the root of the store: others may write into it: its mode is 0777: set its mode to 0755",
                "blobs/sha256: is missing: make it again",
                "images: is no directory: put it into quarantine",
                "overlay2: others may enter it: its mode is 0755: set its mode to 0700",
                "낯선 것: is not the store's: put it into quarantine",
            ]
        );
        assert!(!ground.is_firm());
    }

    #[test]
    fn a_store_whose_maker_was_killed_is_not_begun() {
        let mut ground = whole();
        ground.header = Some(String::new());
        ground.places[8].1 = Found::Nothing;
        assert!(!ground.is_begun());
        ground.header = None;
        assert!(ground.is_begun());
    }
}
