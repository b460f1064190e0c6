//! In what an existing volume is not the one that was asked for. Docker drops the difference.

use std::collections::BTreeMap;

use super::{NewVolume, VolumeRecord, redacted};
use crate::sys::Metadata;

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As its flag is called: `label tier`, `opt size`, `uid`.
    pub field: String,
    /// What was asked for.
    pub wanted: String,
    /// What is there; empty where there is nothing.
    pub existing: String,
}

/// Compares what was asked for, and only that. `root` is the root of the existing volume's data.
pub fn differences(
    wanted: &NewVolume,
    existing: &VolumeRecord,
    root: Option<&Metadata>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |field: String, wanted: String, existing: String| {
        if wanted != existing {
            found.push(Difference {
                field,
                wanted,
                existing,
            });
        }
    };
    if let Some(driver) = &wanted.driver {
        compare("driver".to_owned(), driver.clone(), existing.driver.clone());
    }
    for (flag, wanted, existing) in [
        ("label", &wanted.labels, &existing.labels),
        ("opt", &wanted.options, &existing.options),
    ] {
        for (key, value) in wanted {
            compare(
                format!("{flag} {key}"),
                value.clone(),
                value_of(existing.as_ref(), key),
            );
        }
    }
    let owner = wanted.owner;
    let numbers = [
        ("uid", owner.uid, root.map(Metadata::uid), 10),
        ("gid", owner.gid, root.map(Metadata::gid), 10),
        ("mode", owner.mode, root.map(Metadata::mode), 8),
    ];
    for (field, wanted, existing, base) in numbers {
        let show = |number: u32| match base {
            8 => format!("{number:04o}"),
            _ => number.to_string(),
        };
        if let Some(wanted) = wanted {
            let existing = existing.map(show).unwrap_or_default();
            compare(field.to_owned(), show(wanted), existing);
        }
    }
    if let Some(description) = &wanted.description {
        let existing = existing.description.clone().unwrap_or_default();
        compare("description".to_owned(), description.clone(), existing);
    }
    if let Some(sharing) = wanted.sharing {
        let [wanted, existing] = [sharing, existing.sharing].map(|one| one.word().to_owned());
        compare("sharing".to_owned(), wanted, existing);
    }
    for difference in &mut found {
        if difference.field == "opt o" {
            difference.wanted = without_secrets(&difference.wanted);
            difference.existing = without_secrets(&difference.existing);
        }
    }
    found
}

fn without_secrets(options: &str) -> String {
    let shown = redacted(&BTreeMap::from([("o".to_owned(), options.to_owned())]));
    value_of(Some(&shown), "o")
}

fn value_of(map: Option<&BTreeMap<String, String>>, key: &str) -> String {
    let value = map.and_then(|map| map.get(key));
    value.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    fn existing() -> VolumeRecord {
        serde_json::from_value(serde_json::json!({
            "name": "data", "driver": "local", "created": "2026-01-02T03:04:05Z",
            "labels": {"tier": "db", "kept": ""}, "options": null, "origin": null,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_was_asked_for_is_compared() {
        assert_eq!(differences(&NewVolume::default(), &existing(), None), []);
        let same = NewVolume {
            driver: Some("local".to_owned()),
            labels: map(&[("tier", "db")]),
            ..NewVolume::default()
        };
        assert_eq!(differences(&same, &existing(), None), []);
    }

    #[test]
    fn every_field_that_differs_is_named() {
        let other = NewVolume {
            driver: Some("nfs".to_owned()),
            labels: map(&[("tier", "web"), ("new", "1")]),
            options: map(&[("size", "1g")]),
            description: Some("mine".to_owned()),
            ..NewVolume::default()
        };
        let found = differences(&other, &existing(), None);
        let texts: Vec<_> = found
            .iter()
            .map(|one| format!("{}|{}|{}", one.field, one.wanted, one.existing))
            .collect();
        assert_eq!(
            texts,
            [
                "driver|nfs|local",
                "label new|1|",
                "label tier|web|db",
                "opt size|1g|",
                "description|mine|"
            ]
        );
    }

    #[test]
    fn owners_are_those_on_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let root = crate::sys::metadata_at(scratch.path()).unwrap();
        let mut other = NewVolume::default();
        other.owner.uid = Some(root.uid());
        other.owner.mode = Some(root.mode() ^ 0o070);
        let found = differences(&other, &existing(), Some(&root));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].existing, format!("{:04o}", root.mode()));
    }
}
