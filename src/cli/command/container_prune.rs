//! `cowshed container prune`: lists what it will remove, asks, and removes no more than that.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use cowshed::{
    container::{Container, Engine, PrunedContainer},
    ident::Timestamp,
};

use super::{
    filter::{by_key, has_label, invalid, unknown},
    moment_arg::moment,
    ps_row,
};
use crate::cli::{
    output,
    report::{Exit, Outcome},
    text,
};

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// until=MOMENT or AGE, label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &PruneArgs) -> Outcome {
    let filter = Filter::parse(&args.filter)?;
    let mut chosen = engine.stopped_containers()?;
    chosen.retain(|pruned| filter.fits(&pruned.container));
    if !args.force {
        output::line("WARNING! This will remove all stopped containers.")?;
        if !chosen.is_empty() {
            list(&chosen)?;
        }
        output::raw("Are you sure you want to continue? [y/N] ")?;
        std::io::Write::flush(&mut std::io::stdout())?;
        if !output::agreed() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let removed = engine.prune_containers(chosen)?;
    if !removed.is_empty() {
        output::line("Deleted Containers:")?;
        for pruned in &removed {
            output::line(pruned.container.record.id.as_str())?;
        }
        output::line("")?;
    }
    let bytes = removed.iter().map(|pruned| pruned.bytes).sum();
    output::line(&format!("Total reclaimed space: {}", text::size(bytes, 4)))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(chosen: &[PrunedContainer]) -> std::io::Result<()> {
    let row = |pruned: &PrunedContainer| {
        let record = &pruned.container.record;
        vec![
            record.id.short().to_owned(),
            record.image.clone(),
            ps_row::status(&pruned.container),
            text::size(pruned.bytes, 4),
            record.name.to_string(),
        ]
    };
    let rows: Vec<_> = chosen.iter().map(row).collect();
    output::table(&["CONTAINER ID", "IMAGE", "STATUS", "SIZE", "NAMES"], &rows)
}

/// All of `--filter`; labels must all be there, and none of those with `label!`.
#[derive(Debug, Default)]
pub(super) struct Filter {
    until: Option<Timestamp>,
    labels: Vec<String>,
    not_labels: Vec<String>,
}

impl Filter {
    pub(super) fn parse(texts: &[String]) -> Result<Self, Exit> {
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
                (key, _) => return Err(unknown(key)),
            }
        }
        Ok(filter)
    }

    pub(super) fn fits(&self, container: &Container) -> bool {
        self.fit(container.record.created, &container.record.labels)
    }

    fn fit(&self, created: Timestamp, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &String| has_label(labels, wanted);
        self.until.is_none_or(|until| created < until)
            && self.labels.iter().all(has)
            && !self.not_labels.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(texts: &[&str]) -> bool {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        let labels = [("a", "1"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let created = "2026-01-02T00:00:00Z".parse().unwrap();
        Filter::parse(&texts).unwrap().fit(created, &labels.into())
    }

    #[test]
    fn keys_are_anded() {
        assert!(fits(&[]));
        assert!(fits(&["until=2026-01-03T00:00:00Z"]));
        assert!(!fits(&["until=2026-01-02T00:00:00Z"]));
        assert!(fits(&["until=1h", "label=a=1", "label=b"]));
        assert!(!fits(&["label=a", "label=c"]));
        assert!(fits(&["label!=a=2", "label!=c"]));
        assert!(!fits(&["label!=a=2", "label!=b"]));
        // An empty moment is no reason to remove everything.
        let refused = |text: &str| Filter::parse(&[text.to_owned()]).is_err();
        assert!(refused("until=") && refused("until=soon") && refused("status=x"));
    }
}
