//! `--filter` of what removes containers and images that nobody uses.

use std::collections::BTreeMap;

use cowshed::ident::Timestamp;

use super::{
    filter::{by_key, has_label, invalid, unknown},
    moment_arg::moment,
};
use crate::cli::report::Exit;

/// All of `--filter`; labels must all be there, and none of those with `label!`.
#[derive(Debug, Default)]
pub(super) struct PruneFilter {
    until: Option<Timestamp>,
    labels: Vec<String>,
    not_labels: Vec<String>,
    /// Of images alone: whether only those without a name are meant.
    pub(super) dangling: Option<bool>,
}

impl PruneFilter {
    /// Docker's texts. `dangling` is one of `image prune` alone.
    pub(super) fn parse(texts: &[String], with_dangling: bool) -> Result<Self, Exit> {
        let mut filter = Self::default();
        for (key, values) in by_key(texts)? {
            match (key.as_str(), &values[..]) {
                ("until", [until]) => {
                    let until = moment("--filter until", Some(until))?;
                    filter.until = Some(until.ok_or_else(|| invalid("until", ""))?);
                }
                ("until", _) => {
                    let what = "more than one until filter specified";
                    return Err(Exit::usage(what).or_code(1));
                }
                ("label", _) => filter.labels = values,
                ("label!", _) => filter.not_labels = values,
                ("dangling", [value]) if with_dangling => match value.as_str() {
                    "true" | "1" => filter.dangling = Some(true),
                    "false" | "0" => filter.dangling = Some(false),
                    _ => return Err(invalid("dangling", value)),
                },
                (key, _) => return Err(unknown(key)),
            }
        }
        Ok(filter)
    }

    /// What does not say when it was made is not known to be old.
    pub(super) fn fits(
        &self,
        created: Option<Timestamp>,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        let has = |wanted: &String| has_label(labels, wanted);
        let is_old = |until: Timestamp| created.is_some_and(|created| created < until);
        self.until.is_none_or(is_old)
            && self.labels.iter().all(has)
            && !self.not_labels.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<PruneFilter, Exit> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        PruneFilter::parse(&texts, true)
    }

    #[test]
    fn keys_are_anded_and_an_unknown_one_is_refused() {
        let labels = [("a", "1"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = BTreeMap::from(labels);
        let created = Some("2026-01-02T00:00:00Z".parse().unwrap());
        for (texts, fits) in [
            (&[][..], true),
            (&["until=2026-01-03T00:00:00Z"], true),
            (&["until=2026-01-02T00:00:00Z"], false),
            (&["until=1h", "label=a=1", "label=b"], true),
            (&["label=a", "label=c"], false),
            (&["label!=a=2", "label!=c"], true),
            (&["label!=b"], false),
            (&["label!=a=2", "label!=b"], false),
        ] {
            let filter = parse(texts).unwrap();
            assert_eq!(filter.fits(created, &labels), fits, "{texts:?}");
        }
        assert!(!parse(&["until=1h"]).unwrap().fits(None, &labels));
        // An empty moment is no reason to remove everything.
        for text in [
            "until=",
            "until=soon",
            "name=x",
            "status=x",
            "dangling=maybe",
        ] {
            assert!(parse(&[text]).is_err(), "{text}");
        }
        assert_eq!(parse(&["dangling=false"]).unwrap().dangling, Some(false));
        assert!(PruneFilter::parse(&["dangling=true".to_owned()], false).is_err());
    }
}
