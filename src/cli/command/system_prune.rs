//! `cowshed system prune`: what nobody needs, listed before anybody is asked (semantics 47).

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Disposal, Engine, Pruned, PrunedContainer, UnusedImage};

use super::{
    container_prune,
    filter::by_key,
    image_prune,
    prune_filter::PruneFilter,
    volume::{Filter as VolumeFilter, prune as volume_prune},
};
use crate::cli::{
    busy::busy,
    output,
    report::{Exit, Outcome},
    text,
};

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one option of the command line"
)]
pub(crate) struct PruneArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Volumes that nobody named, too
    #[arg(long)]
    volumes: bool,
    /// Only list
    #[arg(long)]
    dry_run: bool,
    /// until=MOMENT or AGE, label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &PruneArgs) -> Outcome {
    if args.volumes && by_key(&args.filter)?.contains_key("until") {
        let what = "ERROR: The \"until\" filter is not supported with \"--volumes\"";
        return Err(Exit::usage(what).or_code(1));
    }
    let filter = PruneFilter::parse(&args.filter, false)?;
    let mut containers = engine.stopped_containers()?;
    containers.retain(|pruned| container_prune::fits(&filter, pruned));
    let volumes = if args.volumes {
        anonymous(engine, &args.filter, &containers)?
    } else {
        Vec::new()
    };
    let going: Vec<_> = containers.iter().map(id).collect();
    let mut images = engine.unused_images(args.all, &going)?;
    images.retain(|image| filter.fits(image.created, &image.config.labels));
    if args.dry_run {
        list(&containers, &volumes, &images)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force && !is_agreed(args, &containers, &volumes, &images)? {
        return Ok(ExitCode::SUCCESS);
    }
    engine.expire_trash()?;
    let progress = busy("system prune");
    let containers = engine.prune_containers(containers)?;
    drop(progress);
    tell("Deleted Containers:", containers.iter().map(id))?;
    let mut bytes: u64 = containers.iter().map(|pruned| pruned.bytes).sum();
    if args.volumes {
        let progress = busy("system prune");
        let removed = engine.prune_volumes(volumes, Disposal::Delete)?;
        drop(progress);
        let names = removed
            .iter()
            .map(|pruned| pruned.volume.record.name.as_str());
        tell("Deleted Volumes:", names)?;
        bytes += removed.iter().map(|pruned| pruned.usage.bytes).sum::<u64>();
    }
    let progress = busy("system prune");
    let removed = engine.prune_images(&images)?;
    drop(progress);
    image_prune::tell(&removed)?;
    bytes += removed.iter().map(|one| one.bytes).sum::<u64>();
    output::line(&format!("Total reclaimed space: {}", text::size(bytes, 4)))?;
    Ok(ExitCode::SUCCESS)
}

fn id(pruned: &PrunedContainer) -> &str {
    pruned.container.record.id.as_str()
}

/// Those that are free when the containers are gone.
fn anonymous(
    engine: &Engine,
    filter: &[String],
    containers: &[PrunedContainer],
) -> Result<Vec<Pruned>, Exit> {
    let filters = VolumeFilter::parse_all(filter)?;
    let going: Vec<_> = containers.iter().map(id).collect();
    let mut unused = engine.unused_volumes(&going)?.prunable;
    unused.retain(|pruned| {
        let fits = |filter: &VolumeFilter| filter.fits(&volume_prune::subject(pruned));
        pruned.volume.record.is_anonymous() && filters.iter().all(fits)
    });
    Ok(unused)
}

fn is_agreed(
    args: &PruneArgs,
    containers: &[PrunedContainer],
    volumes: &[Pruned],
    images: &[UnusedImage],
) -> Result<bool, Exit> {
    output::line("WARNING! This will remove:")?;
    output::line("  - all stopped containers")?;
    if args.volumes {
        output::line("  - all anonymous volumes not used by at least one container")?;
    }
    output::line(&format!("  - {}", image_prune::what(args.all)))?;
    output::line("")?;
    list(containers, volumes, images)?;
    Ok(output::is_agreed()?)
}

fn tell<'n>(head: &str, names: impl Iterator<Item = &'n str>) -> std::io::Result<()> {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    output::line(head)?;
    for name in names {
        output::line(name)?;
    }
    output::line("")
}

fn list(
    containers: &[PrunedContainer],
    volumes: &[Pruned],
    images: &[UnusedImage],
) -> Result<(), Exit> {
    if !containers.is_empty() {
        container_prune::list(containers)?;
        output::line("")?;
    }
    if !volumes.is_empty() {
        volume_prune::list(volumes, Disposal::Delete)?;
        output::line("")?;
    }
    if !images.is_empty() {
        image_prune::list(images)?;
        output::line("")?;
    }
    Ok(())
}
