//! `cowshed ps`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Container, DamagedContainer, Engine};

use super::{
    ps_filter::Filters,
    ps_row::{HEADERS, damaged_row, row},
};
use crate::cli::{
    format::Format,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct PsArgs {
    /// All containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// What they wrote, and what their whole roots take
    #[arg(short, long)]
    size: bool,
    /// The last N that were created, whatever became of them
    #[arg(short = 'n', long, value_name = "N", default_value_t = -1, allow_negative_numbers = true, hide_default_value = true)]
    last: i64,
    /// The last one that was created, whatever became of it
    #[arg(short, long)]
    latest: bool,
    /// id, name, label, label!, exited, status, health, ancestor, before, since, volume or
    /// network, and what it shall be
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Whole ids, commands and mounts
    #[arg(long)]
    no_trunc: bool,
    /// table, json, or a Go template: `table {{.Names}}\t{{.Status}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

const TABLE: &str =
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

pub(crate) fn run(engine: &Engine, args: &PsArgs) -> Outcome {
    let format = format(args)?;
    let size = args.size || format.mentions("Size");
    let mut rows = Vec::new();
    let (chosen, damaged) = chosen(engine, args)?;
    for container in chosen {
        let size = size.then(|| engine.size_of(&container.record)).transpose();
        match size {
            Ok(size) => rows.push(row(&container, size, args.no_trunc)),
            // Removed while we looked.
            Err(_) if is_gone(engine, &container) => {}
            Err(error) => return Err(error.into()),
        }
    }
    report::note_damaged_containers(&damaged);
    rows.extend(damaged.iter().map(|one| damaged_row(one, args.no_trunc)));
    format.print(&rows)?;
    Ok(ExitCode::SUCCESS)
}

fn is_gone(engine: &Engine, container: &Container) -> bool {
    let found = engine.container(container.record.id.as_str());
    matches!(found, Err(cowshed::container::Error::NotFound { .. }))
}

fn format(args: &PsArgs) -> Result<Format, Exit> {
    let given = args.format.as_deref();
    if args.quiet {
        if given.is_some_and(|given| !given.is_empty()) {
            report::line(
                "WARNING: Ignoring custom format, because both --format and --quiet are set.",
            );
        }
        return Format::new(Some("{{.ID}}"), TABLE, &HEADERS);
    }
    let with_size = format!("{TABLE}\t{{{{.Size}}}}");
    Format::new(given, if args.size { &with_size } else { TABLE }, &HEADERS)
}

/// Newest first; and those that cannot be read, which come last.
fn chosen(engine: &Engine, args: &PsArgs) -> Result<(Vec<Container>, Vec<DamagedContainer>), Exit> {
    let (containers, mut damaged) = engine.all_containers()?;
    let filters = Filters::parse(engine, &args.filter, &containers)?;
    let last = if args.latest && args.last < 0 {
        1
    } else {
        args.last
    };
    let limit = usize::try_from(last).ok().filter(|limit| *limit > 0);
    let all = args.all || limit.is_some() || filters.ask_for_status();
    let chosen = containers.into_iter().enumerate();
    let chosen = chosen
        .filter(|(place, one)| (all || one.status.is_live()) && filters.fit(*place, one))
        .map(|(_, one)| one);
    damaged.retain(|one| all && limit.is_none() && filters.fit_damaged(one));
    Ok((chosen.take(limit.unwrap_or(usize::MAX)).collect(), damaged))
}
