//! `cowshed images`

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::Engine,
    ident::{Reference, Timestamp},
    image::ImageRecord,
};

use crate::cli::{output, report::Outcome, text};

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
    /// All images (there are no hidden ones)
    #[arg(short, long, hide = true)]
    all: bool,
    /// Output format
    #[arg(long, value_parser = ["table", "json"])]
    format: Option<String>,
    /// Only this repository, or repository and tag
    repository: Option<String>,
}

struct Line {
    record: ImageRecord,
    name: Option<Reference>,
    created: Option<Timestamp>,
}

pub(crate) fn run(engine: &Engine, args: &ImagesArgs) -> Outcome {
    let lines = lines(engine, args.repository.as_deref())?;
    if args.quiet {
        let mut ids: Vec<_> = lines.iter().map(|line| id(line, args.no_trunc)).collect();
        ids.dedup();
        for id in ids {
            output::line(&id)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.format.as_deref() == Some("json") {
        for line in &lines {
            output::json(&object(line, args.no_trunc))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut header = vec!["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];
    if args.digests {
        header.insert(2, "DIGEST");
    }
    let row = |line: &Line| {
        let (repository, tag) = repository_and_tag(line);
        let mut row = vec![
            repository,
            tag,
            id(line, args.no_trunc),
            text::ago(line.created),
        ];
        row.push(text::size(line.record.bytes(), 3));
        if args.digests {
            row.insert(2, line.record.manifest.to_string());
        }
        row
    };
    output::table(&header, &lines.iter().map(row).collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn lines(engine: &Engine, wanted: Option<&str>) -> Result<Vec<Line>, cowshed::container::Error> {
    let images = engine.images()?;
    let names = images.names()?;
    let mut lines = Vec::new();
    for record in images.list()? {
        let created = images
            .config(&record)?
            .created
            .and_then(|created| created.parse().ok());
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

fn object(line: &Line, whole: bool) -> serde_json::Value {
    let (repository, tag) = repository_and_tag(line);
    serde_json::json!({
        "Containers": "N/A",
        "CreatedAt": line.created.map_or_else(String::new, |created| created.table()),
        "CreatedSince": text::ago(line.created),
        "Digest": line.record.manifest,
        "ID": id(line, whole),
        "Repository": repository,
        "SharedSize": "N/A",
        "Size": text::size(line.record.bytes(), 3),
        "Tag": tag,
        "UniqueSize": "N/A",
        "VirtualSize": text::size(line.record.bytes(), 3),
    })
}
