//! `cowshed images`

use std::{
    collections::{BTreeMap, HashSet},
    process::ExitCode,
};

use clap::Args;
use cowshed::{
    container::{Engine, hidden_steps},
    error::in_a_line,
    ident::{Digest, Reference, Timestamp},
    image::{self, ImageConfig, ImageRecord, Names},
};

use super::{
    images_filter::{Filter, any_reference},
    images_tree,
};
use crate::cli::{
    format::Format,
    output,
    report::{Outcome, note_damaged},
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
    /// Show images on the layers that they share, with what each one takes alone
    #[arg(long, conflicts_with_all = ["quiet", "digests", "format"])]
    tree: bool,
    /// dangling=true|false, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=MOMENT,
    /// reference=PATTERN
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// table, json, or a Go template: `{{.Repository}}:{{.Tag}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Only this repository, or repository and tag; `*` and `?` stand for others
    repository: Option<String>,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) record: ImageRecord,
    pub(super) name: Option<Reference>,
    pub(super) created: Option<Timestamp>,
    pub(super) labels: BTreeMap<String, String>,
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
    let images = engine.images()?;
    // Where something cannot be read nothing is hidden.
    let hidden = match (images.all()?.0, images.names()) {
        (records, Ok(names)) if !args.all => hidden_steps(&records, &names),
        _ => HashSet::new(),
    };
    let filter = Filter::parse(engine, &args.filter)?;
    let repository: Vec<_> = args.repository.iter().cloned().collect();
    let mut lines = Vec::new();
    let (all, damaged) = self::lines(engine)?;
    let told = damaged.iter();
    let told = told.map(|(name, why)| (name.as_str(), why.as_str()));
    note_damaged("images", "cowshed rmi", told);
    for line in all {
        let is_hidden = hidden.contains(&line.record.manifest);
        if !is_hidden && any_reference(&repository, line.name.as_ref())? && filter.fits(&line)? {
            lines.push(line);
        }
    }
    if args.tree {
        for line in images_tree::lines(&lines) {
            output::line(&line)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    // Docker lets a format win over -q here.
    if args.quiet && given.is_none() {
        for line in &lines {
            output::line(&id(line, args.no_trunc))?;
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

/// A damaged thing: its name, and what is wrong with it.
type Told = (String, String);

/// `None` for an image that was removed since the list was read.
fn config_of(
    images: &image::Images<'_>,
    record: &ImageRecord,
    told: &mut Vec<Told>,
) -> Option<ImageConfig> {
    if record.layers.is_empty() {
        return Some(ImageConfig::default());
    }
    match images.config(record) {
        Ok(config) => Some(config),
        Err(image::Error::NotFound { .. }) => None,
        Err(error) => {
            told.push((record.id.short(), in_a_line(&error)));
            Some(ImageConfig::default())
        }
    }
}

/// Every name of every image, and the images without one, newest first; and what is damaged.
pub(super) fn lines(engine: &Engine) -> Result<(Vec<Line>, Vec<Told>), cowshed::container::Error> {
    let images = engine.images()?;
    let mut told = Vec::new();
    let names = match images.names() {
        Err(error @ image::Error::Names { .. }) => {
            told.push(("all names".to_owned(), in_a_line(&error)));
            Names::new()
        }
        names => names?,
    };
    let (mut records, damaged) = images.all()?;
    records.extend(damaged.into_iter().map(|one| {
        told.push((one.manifest.short(), one.why));
        stand_in(one.manifest)
    }));
    let is_named = |record: &ImageRecord| names.values().any(|to| *to == record.manifest);
    let have_one: HashSet<_> = records
        .iter()
        .filter(|one| is_named(one))
        .map(|one| one.id)
        .collect();
    let mut lines = Vec::new();
    for record in records {
        // The same image with another manifest, and nobody calls it by that one.
        if have_one.contains(&record.id) && !is_named(&record) {
            continue;
        }
        let Some(config) = config_of(&images, &record, &mut told) else {
            continue;
        };
        let created = config.created.and_then(|created| created.parse().ok());
        let own = names
            .iter()
            .filter(|(_, manifest)| **manifest == record.manifest);
        let mut own: Vec<_> = own.map(|(name, _)| Some(name.clone())).collect();
        // A digest is told where the repository has no tag of it.
        let tagged = own.iter().flatten().filter(|name| name.tag().is_some());
        let tagged: Vec<_> = tagged.map(Reference::familiar_repository).collect();
        own.retain(|name| {
            let is_told = |name: &Reference| {
                name.digest().is_none() || !tagged.contains(&name.familiar_repository())
            };
            name.as_ref().is_none_or(is_told)
        });
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
    lines.sort_by_key(|line| std::cmp::Reverse(line.created));
    Ok((lines, told))
}

/// In the place of a record that cannot be read: what is called by its manifest.
fn stand_in(manifest: Digest) -> ImageRecord {
    ImageRecord {
        manifest,
        id: manifest,
        layers: Vec::new(),
        imported: Timestamp::now(),
        sources: Vec::new(),
        step: None,
    }
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

/// What the repository has under the name, which may be an index; the image's own manifest where it
/// is in no registry.
fn digest(line: &Line) -> Digest {
    let repository = line.name.as_ref().map(Reference::familiar_repository);
    let mut sources = line.record.sources.iter().rev();
    let source = sources.find(|source| Some(source.familiar_repository()) == repository);
    let digest = source.and_then(Reference::digest);
    digest.unwrap_or(line.record.manifest)
}

pub(super) fn row(line: &Line, whole: bool) -> Row {
    let (repository, tag) = repository_and_tag(line);
    let size = text::size(line.record.bytes(), 3);
    let created = line.created;
    let values = [
        "N/A".to_owned(),
        created.map_or_else(String::new, |created| created.table()),
        text::ago(created),
        digest(line).to_string(),
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
