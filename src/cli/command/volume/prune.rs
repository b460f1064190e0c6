//! `cowshed volume prune`: lists what it will remove, asks, and removes no more than that.

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Engine, Pruned};

use super::filter::Filter;
use crate::cli::{output, report::Outcome, text};

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
    /// label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &PruneArgs) -> Outcome {
    let mut chosen = engine.unused_volumes()?;
    for filter in Filter::parse_all(&args.filter)? {
        chosen.retain(|pruned| filter.fits(&pruned.volume, false));
    }
    if args.anonymous {
        chosen.retain(|pruned| pruned.volume.record.is_anonymous());
    }
    if args.dry_run {
        list(&chosen)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force {
        let what = if args.anonymous {
            "anonymous volumes"
        } else {
            "volumes, named ones too,"
        };
        output::line(&format!(
            "WARNING! This will remove all local {what} not used by at least one container:"
        ))?;
        list(&chosen)?;
        output::raw("Are you sure you want to continue? [y/N] ")?;
        std::io::Write::flush(&mut std::io::stdout())?;
        if !output::agreed() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let removed = engine.prune_volumes(chosen)?;
    if !removed.is_empty() {
        output::line("Deleted Volumes:")?;
        for pruned in &removed {
            output::line(pruned.volume.record.name.as_str())?;
        }
        output::line("")?;
    }
    let bytes = removed.iter().map(|pruned| pruned.usage.bytes).sum();
    output::line(&format!("Total reclaimed space: {}", text::size(bytes, 4)))?;
    Ok(ExitCode::SUCCESS)
}

fn list(chosen: &[Pruned]) -> std::io::Result<()> {
    let row = |pruned: &Pruned| {
        let record = &pruned.volume.record;
        let kind = if record.is_anonymous() {
            "anonymous"
        } else {
            "named"
        };
        let origin = record.origin.as_ref().map_or_else(
            || "volume create".to_owned(),
            |origin| format!("{} at {}", &origin.container[..12], origin.target),
        );
        let size = text::size(pruned.usage.bytes, 4);
        vec![
            record.name.to_string(),
            kind.to_owned(),
            size,
            text::ago(Some(record.created)),
            origin,
        ]
    };
    let rows: Vec<_> = chosen.iter().map(row).collect();
    output::table(&["VOLUME NAME", "KIND", "SIZE", "CREATED", "ORIGIN"], &rows)
}
