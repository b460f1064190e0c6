//! `cowshed container prune`: lists what it will remove, asks, and removes no more than that.

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Engine, PrunedContainer};

use super::{prune_filter::PruneFilter, ps_row};
use crate::cli::{busy::busy, output, report::Outcome, text};

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
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

pub(crate) fn run(engine: &Engine, args: &PruneArgs) -> Outcome {
    let filter = PruneFilter::parse(&args.filter, false)?;
    let mut chosen = engine.stopped_containers()?;
    chosen.retain(|pruned| fits(&filter, pruned));
    if args.dry_run {
        list(&chosen)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force {
        output::line("WARNING! This will remove all stopped containers.")?;
        if !chosen.is_empty() {
            list(&chosen)?;
        }
        if !output::is_agreed()? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let progress = busy("container prune");
    let removed = engine.prune_containers(chosen)?;
    drop(progress);
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

pub(super) fn fits(filter: &PruneFilter, pruned: &PrunedContainer) -> bool {
    let record = &pruned.container.record;
    filter.fits(Some(record.created), &record.labels)
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
