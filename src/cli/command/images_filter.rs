//! `--filter` of `images`, and its repository argument.

use cowshed::{
    container::Engine,
    ident::{Reference, Timestamp},
};

use super::{
    filter::{by_key, has_label, invalid, unknown},
    images::Line,
    moment_arg::moment,
    pattern,
};
use crate::cli::report::Exit;

/// All of `--filter`: what is given for one key are alternatives, but for labels.
#[derive(Debug, Default)]
pub(super) struct Filter {
    dangling: Option<bool>,
    labels: Vec<String>,
    /// Made before this image's creation, or this moment.
    before: Option<Timestamp>,
    since: Option<Timestamp>,
    references: Vec<String>,
}

impl Filter {
    /// Docker's texts. `repository` is one reference pattern more, that must fit, too.
    pub(super) fn parse(engine: &Engine, texts: &[String]) -> Result<Self, Exit> {
        let mut filter = Self::default();
        for (key, values) in by_key(texts)? {
            match key.as_str() {
                "dangling" => filter.dangling = Some(dangling(&values)?),
                "label" => filter.labels = values,
                "before" => {
                    let created = created(engine, &values)?;
                    filter.before = Some(earliest(filter.before, created));
                }
                "until" => {
                    let until = match &values[..] {
                        [until] => moment("--filter until", Some(until))?,
                        _ => None,
                    };
                    let until = until.ok_or_else(|| invalid("until", &values.join(" ")))?;
                    filter.before = Some(earliest(filter.before, until));
                }
                "since" => filter.since = Some(created(engine, &values)?),
                "reference" => filter.references = values,
                key => return Err(unknown(key)),
            }
        }
        Ok(filter)
    }

    pub(super) fn fits(&self, line: &Line) -> Result<bool, Exit> {
        let has = |wanted: &String| has_label(&line.labels, wanted);
        let is = |limit: Option<Timestamp>, fits: fn(&Timestamp, &Timestamp) -> bool| {
            limit.is_none_or(|limit| line.created.is_some_and(|created| fits(&created, &limit)))
        };
        let named = line.name.as_ref().is_some_and(|name| name.tag().is_some());
        let fits = self.dangling.is_none_or(|dangling| dangling != named)
            && self.labels.iter().all(has)
            && is(self.before, Timestamp::lt)
            && is(self.since, Timestamp::gt);
        Ok(fits && any_reference(&self.references, line.name.as_ref())?)
    }
}

fn earliest(one: Option<Timestamp>, other: Timestamp) -> Timestamp {
    one.map_or(other, |one| one.min(other))
}

fn dangling(values: &[String]) -> Result<bool, Exit> {
    match values {
        [value] => match value.as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            value => Err(invalid("dangling", &format!("[{value}]"))),
        },
        values => Err(invalid("dangling", &format!("[{}]", values.join(" ")))),
    }
}

/// When the image that is named last was made.
fn created(engine: &Engine, values: &[String]) -> Result<Timestamp, Exit> {
    let images = engine.images()?;
    let mut last = None;
    for value in values {
        let config = images.config(&images.resolve(value)?)?;
        last = config.created.as_ref().and_then(|text| text.parse().ok());
    }
    let none = || {
        let value = values.last().map(String::as_str).unwrap_or_default();
        Exit::usage(format!("image {value} does not say when it was made")).or_code(1)
    };
    last.ok_or_else(none)
}

/// Whether a name fits one of the patterns, with its tag or without; any name if there is none.
pub(super) fn any_reference(patterns: &[String], name: Option<&Reference>) -> Result<bool, Exit> {
    let bad = |_| Exit::usage("syntax error in pattern").or_code(1);
    if patterns.is_empty() {
        return Ok(true);
    }
    for text in patterns {
        let Some(name) = name else {
            pattern::fits(text, "").map_err(bad)?;
            continue;
        };
        let fits = |shown: String| pattern::fits(text, &shown).map_err(bad);
        if fits(name.familiar())? || fits(name.familiar_repository())? || is_long(text, name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// As one would name it to `run`, with Docker's own registry before it.
fn is_long(text: &str, name: &Reference) -> bool {
    let last = text.rsplit('/').next().unwrap_or_default();
    let Ok(wanted) = text.parse::<Reference>() else {
        return false;
    };
    name.familiar_repository() == wanted.familiar_repository()
        && (!last.contains(':') || name.tag() == wanted.tag())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_with_its_tag_or_without() {
        let fits = |pattern: &str, name: &str| {
            let name: Reference = name.parse().unwrap();
            any_reference(&[pattern.to_owned()], Some(&name)).unwrap()
        };
        for (pattern, name, wanted) in [
            ("base", "base:two", true),
            ("base:t*", "base:two", true),
            ("base:t*", "base:one", false),
            ("b*:*", "base:one", true),
            ("docker.io/library/base", "base:one", true),
            ("docker.io/library/base:two", "base:one", false),
            ("reg.io/*/base", "reg.io/x/base:1", true),
            ("x/base", "reg.io/x/base:1", false),
        ] {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
        assert!(any_reference(&["[".to_owned()], None).is_err());
        assert!(!any_reference(&["*".to_owned()], None).unwrap());
        assert!(any_reference(&[], None).unwrap());
    }

    #[test]
    fn dangling_is_a_truth() {
        let of = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            dangling(&texts).ok()
        };
        assert_eq!(of(&["true"]), Some(true));
        assert_eq!(of(&["0"]), Some(false));
        assert_eq!(of(&["maybe"]), None);
        assert_eq!(of(&["true", "false"]), None);
    }
}
