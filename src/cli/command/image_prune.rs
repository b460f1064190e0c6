//! `cowshed image prune`: lists what it will remove, asks, and removes no more than that.

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Engine, Untagged, UnusedImage},
    ident::{Reference, Timestamp},
};

use super::{
    filter::{by_key, has_label, invalid, unknown},
    moment_arg::moment,
    rmi,
};
use crate::cli::{
    output,
    report::{Exit, Outcome},
    text,
};

#[derive(Debug, Args)]
pub(crate) struct ImagePruneArgs {
    /// Images with a name that no container is made of, too
    #[arg(short, long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only list
    #[arg(long)]
    dry_run: bool,
    /// until=MOMENT or AGE, label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &ImagePruneArgs) -> Outcome {
    let filter = Filter::parse(&args.filter, true)?;
    let all = filter.all.unwrap_or(args.all);
    let mut chosen = engine.unused_images(all, &[])?;
    chosen.retain(|image| filter.fits(image));
    if args.dry_run {
        list(&chosen)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force {
        output::line(&format!("WARNING! This will remove {}.", what(all)))?;
        if !chosen.is_empty() {
            list(&chosen)?;
        }
        output::raw("Are you sure you want to continue? [y/N] ")?;
        std::io::Write::flush(&mut std::io::stdout())?;
        if !output::agreed() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let removed = engine.prune_images(&chosen)?;
    tell(&removed)?;
    let bytes = removed.iter().map(|one| one.bytes).sum();
    output::line(&format!("Total reclaimed space: {}", text::size(bytes, 4)))?;
    Ok(ExitCode::SUCCESS)
}

/// What a warning says will go. Docker's words.
pub(super) fn what(all: bool) -> &'static str {
    if all {
        "all images without at least one container associated to them"
    } else {
        "all dangling images"
    }
}

pub(super) fn list(chosen: &[UnusedImage]) -> std::io::Result<()> {
    let mut rows = Vec::new();
    for image in chosen {
        let none = || vec!["<none>".to_owned()];
        let names: Vec<_> = image.names.iter().map(Reference::familiar).collect();
        for name in if names.is_empty() { none() } else { names } {
            rows.push(vec![
                name,
                image.id.short(),
                text::ago(image.created),
                text::size(image.bytes, 3),
            ]);
        }
    }
    output::table(&["IMAGE", "IMAGE ID", "CREATED", "SIZE"], &rows)
}

/// In Docker's words.
pub(super) fn tell(removed: &[Untagged]) -> std::io::Result<()> {
    if removed.is_empty() {
        return Ok(());
    }
    output::line("Deleted Images:")?;
    for one in removed {
        for name in &one.names {
            output::line(&format!("untagged: {}", name.familiar()))?;
        }
        for digest in &one.deleted {
            output::line(&format!("deleted: {digest}"))?;
        }
    }
    rmi::busy(removed);
    output::line("")
}

/// All of `--filter`; labels must all be there, and none of those with `label!`.
#[derive(Debug, Default)]
pub(super) struct Filter {
    until: Option<Timestamp>,
    labels: Vec<String>,
    not_labels: Vec<String>,
    /// `dangling=false` is `--all`, and the reverse.
    all: Option<bool>,
}

impl Filter {
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
                    "true" | "1" => filter.all = Some(false),
                    "false" | "0" => filter.all = Some(true),
                    _ => return Err(invalid("dangling", value)),
                },
                (key, _) => return Err(unknown(key)),
            }
        }
        Ok(filter)
    }

    pub(super) fn fits(&self, image: &UnusedImage) -> bool {
        let labels = &image.config.labels;
        let has = |wanted: &String| has_label(labels, wanted);
        // What does not say when it was made is not known to be old.
        let is_old = |until: Timestamp| image.created.is_some_and(|created| created < until);
        self.until.is_none_or(is_old)
            && self.labels.iter().all(has)
            && !self.not_labels.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cowshed::ident::Digest;

    #[test]
    fn keys_are_anded_and_an_unknown_one_is_refused() {
        let labels = [("a", "1"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let image = |created: Option<&str>| UnusedImage {
            id: Digest::of(b""),
            names: Vec::new(),
            config: cowshed::image::ImageConfig {
                labels: labels.clone().into(),
                ..Default::default()
            },
            created: created.map(|text| text.parse().unwrap()),
            bytes: 0,
        };
        let parse = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
            Filter::parse(&texts, true)
        };
        let old = image(Some("2026-01-02T00:00:00Z"));
        for (texts, fits) in [
            (&[][..], true),
            (&["until=2026-01-03T00:00:00Z"], true),
            (&["until=2026-01-02T00:00:00Z"], false),
            (&["until=1h", "label=a=1", "label=b"], true),
            (&["label=a", "label=c"], false),
            (&["label!=a=2", "label!=c"], true),
            (&["label!=b"], false),
        ] {
            assert_eq!(parse(texts).unwrap().fits(&old), fits, "{texts:?}");
        }
        assert!(!parse(&["until=1h"]).unwrap().fits(&image(None)));
        assert!(parse(&["until="]).is_err() && parse(&["name=x"]).is_err());
        assert_eq!(parse(&["dangling=false"]).unwrap().all, Some(true));
        assert!(parse(&["dangling=maybe"]).is_err());
    }
}
