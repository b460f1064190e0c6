//! `--filter` of `volume ls` and `volume prune`.

use std::{cmp::Ordering, collections::BTreeMap};

use cowshed::{
    ident::{Timestamp, Units, parse_moment, parse_size},
    volume::Volume,
};

use crate::cli::{
    command::filter::{by_key, has_label, invalid, unknown},
    report::Exit,
};

/// What filters look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'v> {
    pub(crate) volume: &'v Volume,
    /// A container has it in its record.
    pub(crate) used: bool,
    /// And runs.
    pub(crate) live: bool,
    /// In bytes; 0 where no filter asks for it.
    pub(crate) bytes: u64,
    /// `None` for never.
    pub(crate) last_used: Option<Timestamp>,
}

/// One `--filter`; several values of one key are alternatives (semantics 43, 48).
#[derive(Debug)]
pub(crate) enum Filter {
    Dangling(bool),
    Driver(Vec<String>),
    Label(Vec<String>),
    NotLabel(Vec<String>),
    Name(Vec<String>),
    Anonymous(bool),
    /// Made before.
    Until(Timestamp),
    /// Made after.
    Since(Timestamp),
    /// Neither used nor made after.
    UnusedSince(Timestamp),
    Size(Ordering, u64),
}

impl Filter {
    pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Self>, Exit> {
        let is_size = |text: &&String| size(text).is_some();
        let (sizes, texts): (Vec<_>, Vec<_>) = texts.iter().partition(is_size);
        let texts: Vec<_> = texts.into_iter().cloned().collect();
        let mut filters = Vec::new();
        for (key, values) in by_key(&texts)? {
            filters.push(Self::of(&key, values)?);
        }
        filters.extend(sizes.iter().filter_map(|text| size(text)));
        Ok(filters)
    }

    fn of(key: &str, values: Vec<String>) -> Result<Self, Exit> {
        let first = values.first().map_or("", String::as_str);
        let moment = || moment(first).ok_or_else(|| invalid(key, first));
        match key {
            "dangling" => Ok(Self::Dangling(boolean(key, first)?)),
            "anonymous" => Ok(Self::Anonymous(boolean(key, first)?)),
            // Docker's word of prune: without it only those that nobody named.
            "all" if boolean(key, first)? => Ok(Self::Name(vec![String::new()])),
            "all" => Ok(Self::Anonymous(true)),
            "driver" => Ok(Self::Driver(values)),
            "label" => Ok(Self::Label(values)),
            "label!" => Ok(Self::NotLabel(values)),
            "name" => Ok(Self::Name(values)),
            "until" => Ok(Self::Until(moment()?)),
            "since" => Ok(Self::Since(moment()?)),
            "unused-since" => Ok(Self::UnusedSince(moment()?)),
            "size" => Err(Exit::usage("a size is larger or smaller: size>10M, size<1G").or_code(1)),
            key => Err(unknown(key)),
        }
    }

    /// What the name alone, and whether it is used, says; `None` where the filter asks for more.
    pub(crate) fn fits_name(&self, name: &str, used: bool) -> Option<bool> {
        match self {
            Self::Dangling(wanted) => Some(*wanted != used),
            Self::Name(parts) => Some(parts.iter().any(|part| name.contains(part.as_str()))),
            Self::Driver(_)
            | Self::Label(_)
            | Self::NotLabel(_)
            | Self::Anonymous(_)
            | Self::Until(_)
            | Self::Since(_)
            | Self::UnusedSince(_)
            | Self::Size(..) => None,
        }
    }

    /// Whether somebody must look who uses the volumes.
    pub(crate) fn asks_for_users(&self) -> bool {
        matches!(self, Self::Dangling(_) | Self::UnusedSince(_))
    }

    /// Whether somebody must add sizes up.
    pub(crate) fn asks_for_size(&self) -> bool {
        matches!(self, Self::Size(..))
    }

    /// Whether somebody must look when volumes were used.
    pub(crate) fn asks_for_last_use(&self) -> bool {
        matches!(self, Self::UnusedSince(_))
    }

    pub(crate) fn fits(&self, subject: &Subject<'_>) -> bool {
        let record = &subject.volume.record;
        if let Some(fits) = self.fits_name(record.name.as_str(), subject.used) {
            return fits;
        }
        let none = BTreeMap::new();
        let labels = record.labels.as_ref().unwrap_or(&none);
        let labelled = |wanted: &String| has_label(labels, wanted);
        match self {
            // By its name alone, above.
            Self::Dangling(_) | Self::Name(_) => true,
            Self::Driver(names) => names.contains(&record.driver),
            Self::Label(wanted) => wanted.iter().all(labelled),
            Self::NotLabel(unwanted) => !unwanted.iter().any(labelled),
            Self::Anonymous(wanted) => *wanted == record.is_anonymous(),
            Self::Until(moment) => record.created < *moment,
            Self::Since(moment) => record.created > *moment,
            Self::UnusedSince(moment) => {
                let last = subject.last_used.unwrap_or(record.created);
                !subject.live && last.max(record.created) < *moment
            }
            Self::Size(order, limit) => subject.bytes.cmp(limit) == *order,
        }
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, Exit> {
    match value.to_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(invalid(key, value)),
    }
}

/// What Docker takes for a moment, and days and weeks before now: `30d`, `2w`.
fn moment(text: &str) -> Option<Timestamp> {
    let hours = |unit: char, hours: u64| -> Option<String> {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(format!("{}h", number.checked_mul(hours)?))
    };
    let text = hours('d', 24)
        .or_else(|| hours('w', 7 * 24))
        .unwrap_or_else(|| text.to_owned());
    parse_moment(&text, Timestamp::now()).ok()
}

/// `size>10M`, `size<1G`.
fn size(text: &str) -> Option<Filter> {
    let rest = text.trim().strip_prefix("size")?.trim_start();
    let order = match rest.chars().next()? {
        '>' => Ordering::Greater,
        '<' => Ordering::Less,
        _ => return None,
    };
    let limit = parse_size(rest[1..].trim_start(), Units::Decimal)?;
    Some(Filter::Size(order, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(created: &str, anonymous: bool) -> Volume {
        let labels = anonymous.then(|| serde_json::json!({"com.docker.volume.anonymous": ""}));
        let record = serde_json::json!({
            "name": "data", "driver": "local", "labels": labels, "options": null,
            "created": created, "origin": null,
        });
        Volume {
            record: serde_json::from_value(record).unwrap(),
            mountpoint: "/nowhere".into(),
        }
    }

    fn fits(text: &str, subject: &Subject<'_>) -> bool {
        let filters = Filter::parse_all(&[text.to_owned()]).unwrap();
        assert_eq!(filters.len(), 1, "{text}");
        filters[0].fits(subject)
    }

    #[test]
    fn ages_sizes_and_kinds() {
        let old = volume("2026-01-02T00:00:00Z", true);
        let subject = Subject {
            volume: &old,
            used: false,
            live: false,
            bytes: 5_000_000,
            last_used: Some("2026-02-01T00:00:00Z".parse().unwrap()),
        };
        for good in [
            "until=2026-01-03T00:00:00Z",
            "since=2026-01-01T00:00:00Z",
            "unused-since=2026-02-02T00:00:00Z",
            "anonymous=true",
            "all=0",
            "all=1",
            "size>4.9M",
            "size < 1G",
            "dangling=True",
        ] {
            assert!(fits(good, &subject), "{good}");
        }
        for bad in [
            "until=2026-01-01T00:00:00Z",
            "since=2026-01-03T00:00:00Z",
            "unused-since=2026-01-15T00:00:00Z",
            "anonymous=0",
            "size>5M",
            "size<5M",
        ] {
            assert!(!fits(bad, &subject), "{bad}");
        }
        let live = Subject {
            used: true,
            live: true,
            ..subject
        };
        assert!(!fits("unused-since=2026-02-02T00:00:00Z", &live));
        // Never used: what counts is when it was made.
        let never = Subject {
            last_used: None,
            ..subject
        };
        assert!(fits("unused-since=2026-01-15T00:00:00Z", &never));
    }

    #[test]
    fn days_and_weeks_are_moments() {
        let (day, week) = (moment("1d").unwrap(), moment("1w").unwrap());
        let between = day.as_second() - week.as_second();
        assert!((6 * 86400 - 5..=6 * 86400 + 5).contains(&between));
        assert!(moment("99999999999999999999d").is_none() && moment("d").is_none());
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "bogus=1",
            "size=1G",
            "size>x",
            "until=soon",
            "dangling=maybe",
            "anonymous=",
            "크기>1",
        ] {
            assert!(Filter::parse_all(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
