//! `cowshed history`: the layers of an image and how they came to be.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use cowshed::{
    container::{Engine, Error},
    ident::{Digest, Timestamp},
    image::{History, ImageConfig, ImageRecord},
};

use crate::cli::{
    format::Format,
    output,
    report::Outcome,
    template::{Labels, Row},
    text,
};

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// Sizes and ages for people; --human=false for exact ones
    #[arg(
        short = 'H',
        long,
        value_name = "BOOL",
        default_value_t = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    human: bool,
    /// Whole ids and instructions
    #[arg(long)]
    no_trunc: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// table, json, or a Go template: `{{.CreatedBy}} {{.Size}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Name or id
    image: String,
}

/// Fields in the order of Docker's JSON, and what stands above their columns.
const HEADERS: [(&str, &str); 6] = [
    ("Comment", "COMMENT"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("CreatedSince", "CREATED"),
    ("ID", "IMAGE"),
    ("Size", "SIZE"),
];

const HUMAN: &str = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
const EXACT: &str = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

/// As many columns as an instruction gets.
const CREATED_BY: usize = 45;

pub(crate) fn run(engine: &Engine, args: &HistoryArgs) -> Outcome {
    let images = engine.images()?;
    let record = images.resolve(&args.image)?;
    let config = images.config(&record)?;
    let mut steps = steps(&record, &config);
    for (length, id) in ancestors(engine, &record)? {
        let place = config.history.len().checked_sub(length);
        // What the history does not know stands before all that it does.
        let place = place.map(|place| place + steps.len() - config.history.len());
        if let Some(step) = place.and_then(|place| steps.get_mut(place)) {
            step.id.get_or_insert(id);
        }
    }
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    // Docker lets a format win over -q here.
    if args.quiet && given.is_none() {
        for step in &steps {
            output::line(&id(step, args.no_trunc))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let default = if args.human { HUMAN } else { EXACT };
    let rows: Vec<_> = steps.iter().map(|step| row(step, args)).collect();
    Format::new(given, default, &HEADERS)?.print(&rows)?;
    Ok(ExitCode::SUCCESS)
}

/// The images of this store that an image was built on, nearest first: how long the history of each
/// is, and its id.
fn ancestors(engine: &Engine, record: &ImageRecord) -> Result<Vec<(usize, Digest)>, Error> {
    let images = engine.images()?;
    let parent = |record: &ImageRecord| record.step.as_ref()?.parent;
    let (mut next, mut found) = (parent(record), Vec::new());
    if next.is_none() {
        return Ok(found);
    }
    let all = images.all()?.0;
    while let Some(id) = next {
        let Some(record) = all.iter().find(|image| image.id == id) else {
            break;
        };
        // Shorter each time, so that no circle of records holds us.
        let length = images.config(record)?.history.len();
        if found.last().is_some_and(|(longer, _)| *longer <= length) {
            break;
        }
        found.push((length, id));
        next = parent(record);
    }
    Ok(found)
}

/// One line: an instruction, and what its layer holds.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    /// Of the whole image, and of the images of this store that it was built on.
    id: Option<Digest>,
    history: History,
    bytes: u64,
}

/// Newest first. A layer that the history does not know has a line, too.
fn steps(record: &ImageRecord, config: &ImageConfig) -> Vec<Step> {
    let mut layers = record.layers.iter();
    let mut steps = Vec::new();
    for line in &config.history {
        let layer = if line.empty_layer {
            None
        } else {
            layers.next()
        };
        steps.push(Step {
            id: None,
            history: line.clone(),
            bytes: layer.map_or(0, |layer| layer.bytes),
        });
    }
    steps.extend(layers.map(|layer| Step {
        id: None,
        history: History::default(),
        bytes: layer.bytes,
    }));
    steps.reverse();
    if let Some(newest) = steps.first_mut() {
        newest.id = Some(record.id);
    }
    steps
}

fn id(step: &Step, whole: bool) -> String {
    match step.id {
        None => "<missing>".to_owned(),
        Some(id) if whole => id.to_string(),
        Some(id) => id.short(),
    }
}

fn row(step: &Step, args: &HistoryArgs) -> Row {
    let line = &step.history;
    let text_of = |text: &Option<String>| text.clone().unwrap_or_default();
    let created: Option<Timestamp> = line.created.as_ref().and_then(|text| text.parse().ok());
    let created_by = text_of(&line.created_by).replace('\t', " ");
    let values = [
        text_of(&line.comment),
        created.map_or_else(String::new, |created| created.local_seconds()),
        if args.no_trunc {
            created_by
        } else {
            text::ellipsis(&created_by, CREATED_BY)
        },
        if args.human {
            text::ago(created)
        } else {
            created.map_or_else(String::new, |created| created.local_seconds())
        },
        id(step, args.no_trunc),
        if args.human {
            text::size(step.bytes, 3)
        } else {
            step.bytes.to_string()
        },
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values.map(Into::into)).collect(),
        labels: Labels::Of(BTreeMap::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cowshed::{
        ident::{ChainId, DiffId},
        image::{BlobRef, LayerRef},
    };

    fn record(sizes: &[u64]) -> ImageRecord {
        let digest = Digest::of(b"");
        let layer = |bytes: &u64| LayerRef {
            chain: ChainId(digest),
            diff_id: DiffId(digest),
            blob: BlobRef {
                digest,
                size: 1,
                media_type: String::new(),
            },
            bytes: *bytes,
        };
        ImageRecord {
            manifest: digest,
            id: digest,
            layers: sizes.iter().map(layer).collect(),
            imported: Timestamp::now(),
            sources: Vec::new(),
            step: None,
        }
    }

    #[test]
    fn layers_go_to_the_instructions_that_made_them() {
        let line = |text: &str, empty_layer| History {
            created_by: Some(text.to_owned()),
            empty_layer,
            ..History::default()
        };
        let config = ImageConfig {
            history: vec![line("from", false), line("env", true), line("run", false)],
            ..ImageConfig::default()
        };
        let shown = |sizes: &[u64]| {
            let steps = steps(&record(sizes), &config).into_iter();
            let shown = steps.map(|step| {
                let by = step.history.created_by.unwrap_or_default();
                format!("{} {by} {}", step.id.is_some(), step.bytes)
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&[5, 7]),
            ["true run 7", "false env 0", "false from 5"]
        );
        assert_eq!(
            shown(&[5, 7, 9]),
            ["true  9", "false run 7", "false env 0", "false from 5"]
        );
        assert_eq!(shown(&[]), ["true run 0", "false env 0", "false from 0"]);
        let nothing = ImageConfig::default();
        assert_eq!(steps(&record(&[]), &nothing), []);
    }
}
