//! `cowshed volume prune`: lists what it will remove, asks, and removes no more than that.

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Disposal, Engine, Pruned};
use serde_json::{Map, Value, json};

use super::filter::{Filter, Subject};
use crate::cli::{
    busy::busy,
    format::Format,
    output,
    report::{self, Exit, Outcome},
    template::{Labels, Row},
    text,
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct PruneArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// All unused volumes, which is the default here
    #[arg(short, long)]
    all: bool,
    /// Only volumes that nobody named
    #[arg(long, conflicts_with = "all")]
    anonymous: bool,
    /// Only list
    #[arg(long)]
    dry_run: bool,
    /// Delete named volumes at once instead of keeping them in the trash for a week
    #[arg(long)]
    no_trash: bool,
    /// label=KEY[=VALUE], label!=KEY[=VALUE], and what `volume ls` takes
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// table, json, or a Go template, for each volume; needs --force or --dry-run
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 9] = [
    ("Name", "VOLUME NAME"),
    ("Kind", "KIND"),
    ("Size", "SIZE"),
    ("SizeBytes", "BYTES"),
    ("CreatedAt", "CREATED AT"),
    ("LastUsedAt", "LAST USED AT"),
    ("LastUsed", "LAST USED"),
    ("Origin", "ORIGIN"),
    ("Removal", "REMOVAL"),
];

const TABLE: &str = "{{.Name}}\t{{.Kind}}\t{{.Size}}\t{{.LastUsed}}\t{{.Origin}}\t{{.Removal}}";

pub(crate) fn run(engine: &Engine, args: &PruneArgs) -> Outcome {
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    if given.is_some() && !args.force && !args.dry_run {
        let needs = "--format needs --force or --dry-run: there is nobody to ask";
        return Err(Exit::usage(needs).or_code(1));
    }
    let format = Format::new(given, TABLE, &HEADERS)?;
    let disposal = if args.no_trash {
        Disposal::Delete
    } else {
        Disposal::Trash
    };
    let mut filters = Filter::parse_all(&args.filter)?;
    if args.anonymous {
        filters.push(Filter::Anonymous(true));
    }
    let unused = engine.unused_volumes(&[])?;
    let mut chosen = unused.prunable;
    chosen.retain(|pruned| filters.iter().all(|filter| filter.fits(&subject(pruned))));
    let rows = |list: &[Pruned]| {
        list.iter()
            .map(|one| row(one, disposal))
            .collect::<Vec<_>>()
    };
    if !unused.protected.is_empty() {
        let names: Vec<_> = unused.protected.iter().map(ToString::to_string).collect();
        report::remarks(&[format!("protected volumes stay: {}", names.join(", "))]);
    }
    if !unused.damaged.is_empty() {
        let names: Vec<_> = unused.damaged.iter().map(ToString::to_string).collect();
        report::remarks(&[format!(
            "volumes whose records cannot be read stay: {}; cowshed volume rm removes one",
            names.join(", ")
        )]);
    }
    if args.dry_run {
        format.print(&rows(&chosen))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force && !is_agreed(args, &format.render(&rows(&chosen))?, chosen.is_empty())? {
        return Ok(ExitCode::SUCCESS);
    }
    let progress = busy("volume prune");
    engine.expire_trash()?;
    let removed = engine.prune_volumes(chosen, disposal)?;
    drop(progress);
    if given.is_some() {
        format.print(&rows(&removed))?;
    } else {
        tell(&removed, disposal)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_agreed(args: &PruneArgs, table: &str, is_empty: bool) -> std::io::Result<bool> {
    let what = if args.anonymous {
        "anonymous volumes"
    } else {
        "volumes, named ones too,"
    };
    output::line(&format!(
        "WARNING! This will remove all local {what} not used by at least one container{}",
        if is_empty { "." } else { ":" }
    ))?;
    if !is_empty {
        output::raw(table)?;
    }
    output::is_agreed()
}

/// Shows volumes as `volume prune` does.
pub(crate) fn list(chosen: &[Pruned], disposal: Disposal) -> Result<(), Exit> {
    let rows: Vec<_> = chosen.iter().map(|one| row(one, disposal)).collect();
    Format::new(None, TABLE, &HEADERS)?.print(&rows)
}

/// Docker's words (semantics 46); what is in the trash still takes its room.
fn tell(removed: &[Pruned], disposal: Disposal) -> std::io::Result<()> {
    if !removed.is_empty() {
        output::line("Deleted Volumes:")?;
        for pruned in removed {
            output::line(pruned.volume.record.name.as_str())?;
        }
        output::line("")?;
    }
    let (kept, gone): (Vec<_>, Vec<_>) = removed.iter().partition(|one| one.is_kept(disposal));
    let bytes = |list: &[&Pruned]| list.iter().map(|one| one.usage.bytes).sum();
    output::line(&format!(
        "Total reclaimed space: {}",
        text::size(bytes(&gone), 4)
    ))?;
    if !kept.is_empty() {
        report::remarks(&[format!(
            "{} of them with {} can be had back for a week: cowshed volume trash ls",
            kept.len(),
            text::size(bytes(&kept), 4)
        )]);
    }
    Ok(())
}

/// Nobody uses it.
pub(crate) fn subject(pruned: &Pruned) -> Subject<'_> {
    Subject {
        volume: &pruned.volume,
        used: false,
        live: false,
        bytes: pruned.usage.bytes,
        last_used: pruned.last_used,
    }
}

fn row(pruned: &Pruned, disposal: Disposal) -> Row {
    let record = &pruned.volume.record;
    let origin = record.origin.as_ref().map_or_else(
        || "volume create".to_owned(),
        |origin| {
            let id = &origin.container;
            format!("{} at {}", id.get(..12).unwrap_or(id), origin.target)
        },
    );
    let last_used = pruned
        .last_used
        .map_or_else(|| "never".to_owned(), |at| text::ago(Some(at)));
    let last_used_at = pruned.last_used.map_or(String::new(), |at| at.to_string());
    let values: [Value; 9] = [
        json!(record.name),
        json!(record.kind()),
        json!(text::size(pruned.usage.bytes, 4)),
        json!(pruned.usage.bytes),
        json!(record.created.to_string()),
        json!(last_used_at),
        json!(last_used),
        json!(origin),
        json!(if pruned.is_kept(disposal) {
            "to the trash"
        } else {
            "at once"
        }),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values).collect::<Map<_, _>>(),
        labels: Labels::Of(record.labels.clone().unwrap_or_default()),
    }
}
