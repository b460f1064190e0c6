//! `cowshed images`

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use cowshed::{
    container::{Engine, hidden_steps},
    ident::{Reference, Timestamp},
    image::ImageRecord,
};

use crate::cli::{
    format::Format,
    output,
    report::Outcome,
    template::{Labels, Row},
    text,
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct ImagesArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Show digests of manifests
    #[arg(long)]
    digests: bool,
    /// Also the images of steps that others were built on
    #[arg(short, long)]
    all: bool,
    /// table, json, or a Go template: `{{.Repository}}:{{.Tag}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only this repository, or repository and tag
    repository: Option<String>,
}

pub(super) struct Line {
    pub(super) record: ImageRecord,
    name: Option<Reference>,
    created: Option<Timestamp>,
    labels: BTreeMap<String, String>,
}

/// Fields in the order of Docker's JSON, and what stands above their columns.
pub(super) const HEADERS: [(&str, &str); 11] = [
    ("Containers", "CONTAINERS"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedSince", "CREATED"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("Repository", "REPOSITORY"),
    ("SharedSize", "SHARED SIZE"),
    ("Size", "SIZE"),
    ("Tag", "TAG"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("VirtualSize", "SIZE"),
];

const TABLE: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const TABLE_WITH_DIGESTS: &str =
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

pub(crate) fn run(engine: &Engine, args: &ImagesArgs) -> Outcome {
    let mut lines = lines(engine, args.repository.as_deref())?;
    if !args.all {
        let images = engine.images()?;
        let hidden = hidden_steps(&images.list()?, &images.names()?);
        lines.retain(|line| !hidden.contains(&line.record.manifest));
    }
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    // Docker lets a format win over -q here.
    if args.quiet && given.is_none() {
        let mut ids: Vec<_> = lines.iter().map(|line| id(line, args.no_trunc)).collect();
        ids.dedup();
        for id in ids {
            output::line(&id)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let default = if args.digests {
        TABLE_WITH_DIGESTS
    } else {
        TABLE
    };
    let rows: Vec<_> = lines.iter().map(|line| row(line, args.no_trunc)).collect();
    Format::new(given, default, &HEADERS)?.print(&rows)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn lines(
    engine: &Engine,
    wanted: Option<&str>,
) -> Result<Vec<Line>, cowshed::container::Error> {
    let images = engine.images()?;
    let names = images.names()?;
    let mut lines = Vec::new();
    for record in images.list()? {
        let config = images.config(&record)?;
        let created = config.created.and_then(|created| created.parse().ok());
        let own = names
            .iter()
            .filter(|(_, manifest)| **manifest == record.manifest);
        let mut own: Vec<_> = own.map(|(name, _)| Some(name.clone())).collect();
        if own.is_empty() {
            own.push(None);
        }
        lines.extend(own.into_iter().map(|name| Line {
            record: record.clone(),
            name,
            created,
            labels: config.labels.clone(),
        }));
    }
    if let Some(wanted) = wanted {
        let has_tag = wanted
            .rsplit('/')
            .next()
            .is_some_and(|last| last.contains(':'));
        // As one would name it to `run`: with or without Docker's own registry before it.
        let wanted: Reference = wanted.parse()?;
        let fits = |name: &Reference| {
            name.familiar_repository() == wanted.familiar_repository()
                && (!has_tag || name.tag() == wanted.tag())
        };
        lines.retain(|line| line.name.as_ref().is_some_and(fits));
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.created));
    Ok(lines)
}

fn repository_and_tag(line: &Line) -> (String, String) {
    let none = || "<none>".to_owned();
    let repository = line.name.as_ref().map(Reference::familiar_repository);
    let tag = line
        .name
        .as_ref()
        .and_then(|name| name.tag())
        .map(str::to_owned);
    (repository.unwrap_or_else(none), tag.unwrap_or_else(none))
}

fn id(line: &Line, whole: bool) -> String {
    if whole {
        line.record.id.to_string()
    } else {
        line.record.id.short()
    }
}

pub(super) fn row(line: &Line, whole: bool) -> Row {
    let (repository, tag) = repository_and_tag(line);
    let size = text::size(line.record.bytes(), 3);
    let created = line.created;
    let values = [
        "N/A".to_owned(),
        created.map_or_else(String::new, |created| created.table()),
        text::ago(created),
        line.record.manifest.to_string(),
        id(line, whole),
        repository,
        "N/A".to_owned(),
        size.clone(),
        tag,
        "N/A".to_owned(),
        size,
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values.map(Into::into)).collect(),
        labels: Labels::Of(line.labels.clone()),
    }
}
