//! `cowshed stats`: what containers use, once or again and again.

use std::{collections::BTreeMap, io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::Args;
use cowshed::container::{Container, Engine, Error};

use super::stats_row::{HEADERS, Sample, row};
use crate::cli::{
    format::Format,
    output,
    report::{Exit, Outcome, note_damaged_containers},
};

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// All containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Look once
    #[arg(long)]
    no_stream: bool,
    /// Whole ids
    #[arg(long)]
    no_trunc: bool,
    /// table, json, or a Go template: `table {{.Name}}\t{{.CPUPerc}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Names or ids; all that run where none is given
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t\
                     {{.BlockIO}}\t{{.PIDs}}";

/// Between the two readings that the first percentages come from.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const PAUSE: Duration = Duration::from_secs(1);

/// Readings by id.
type Samples = BTreeMap<String, Sample>;

pub(crate) fn run(engine: &Engine, args: &StatsArgs) -> Outcome {
    let format = Format::new(args.format.as_deref(), TABLE, &HEADERS)?;
    // All of them are there to begin with.
    for name in &args.containers {
        engine.container(name)?;
    }
    let clears = !args.no_stream && std::io::stdout().is_terminal();
    let mut before = readings(engine, &chosen(engine, args)?)?;
    let mut pause = FIRST_PAUSE;
    loop {
        let is_idle = before.values().all(|sample| sample.usage.is_none());
        if !(is_idle && args.no_stream) {
            std::thread::sleep(pause);
        }
        let containers = chosen(engine, args)?;
        let now = readings(engine, &containers)?;
        let text = format.render(&rows(&containers, (&before, &now), args))?;
        show(&text, clears)?;
        let is_over = !args.containers.is_empty() && containers.is_empty();
        if args.no_stream || is_over {
            return Ok(ExitCode::SUCCESS);
        }
        (before, pause) = (now, PAUSE);
    }
}

/// What was given and as what; one that is gone by now is left out.
fn chosen(engine: &Engine, args: &StatsArgs) -> Result<Vec<(String, Container)>, Exit> {
    if args.containers.is_empty() {
        let (mut all, damaged) = engine.all_containers()?;
        note_damaged_containers(&damaged);
        all.retain(|one| args.all || one.status.is_live());
        let named = all.into_iter();
        let named = named.map(|one| (one.record.id.short().to_owned(), one));
        return Ok(named.collect());
    }
    let mut found = Vec::new();
    for name in &args.containers {
        match engine.container(name) {
            Ok(container) => found.push((name.clone(), container)),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn readings(engine: &Engine, containers: &[(String, Container)]) -> Result<Samples, Exit> {
    let mut samples = Samples::new();
    for (_, container) in containers {
        let id = container.record.id.to_string();
        samples.insert(id, Sample::new(engine.live_usage(container)?));
    }
    Ok(samples)
}

fn rows(
    containers: &[(String, Container)],
    (before, now): (&Samples, &Samples),
    args: &StatsArgs,
) -> Vec<crate::cli::template::Row> {
    let row = |(given, container): &(String, Container)| {
        let id = container.record.id.as_str();
        let sample = now.get(id)?;
        let shown = if args.no_trunc {
            id
        } else {
            container.record.id.short()
        };
        let names = (given.as_str(), shown, container.record.name.as_str());
        Some(row(names, before.get(id), sample))
    };
    containers.iter().filter_map(row).collect()
}

/// On a terminal each look takes the place of the one before, without flicker.
fn show(text: &str, clears: bool) -> Result<(), Exit> {
    if !clears {
        return Ok(output::bytes(text.as_bytes())?);
    }
    let lines = text.replace('\n', "\x1b[K\n");
    Ok(output::bytes(format!("\x1b[H{lines}\x1b[J").as_bytes())?)
}
