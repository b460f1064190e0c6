//! `cowshed image prune`: lists what it will remove, asks, and removes no more than that.

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Engine, Untagged, UnusedImage},
    ident::Reference,
};

use super::{prune_filter::PruneFilter, rmi};
use crate::cli::{output, report::Outcome, text};

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
    let filter = PruneFilter::parse(&args.filter, true)?;
    let all = filter.dangling.map_or(args.all, |dangling| !dangling);
    let mut chosen = engine.unused_images(all, &[])?;
    chosen.retain(|image| filter.fits(image.created, &image.config.labels));
    if args.dry_run {
        list(&chosen)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force {
        output::line(&format!("WARNING! This will remove {}.", what(all)))?;
        if !chosen.is_empty() {
            list(&chosen)?;
        }
        if !output::is_agreed()? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let progress = crate::cli::busy::busy("image prune");
    let removed = engine.prune_images(&chosen)?;
    drop(progress);
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
