//! `cowshed volume trash …`: what prune removed and can be had back for a week.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use cowshed::{
    container::Engine,
    ident::{Timestamp, VolumeName},
    volume::Trashed,
};
use serde_json::{Map, Value, json};

use crate::cli::{
    format::Format,
    output,
    report::{Exit, Outcome, note_damaged},
    template::{Labels, Row},
    text,
};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(super) struct TrashArgs {
    #[command(subcommand)]
    command: TrashCommand,
}

#[derive(Debug, Subcommand)]
enum TrashCommand {
    /// List what can be had back
    #[command(alias = "list")]
    Ls(LsArgs),
    /// Have volumes back
    Restore(RestoreArgs),
    /// Delete volumes in the trash for good
    Empty(EmptyArgs),
}

#[derive(Debug, Args)]
struct LsArgs {
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

#[derive(Debug, Args)]
struct RestoreArgs {
    /// Under another name
    #[arg(long = "as", value_name = "NEW")]
    new: Option<String>,
    /// A name, of which the latest is meant, or an id
    #[arg(value_name = "NAME|ID")]
    name: String,
}

#[derive(Debug, Args)]
struct EmptyArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Names or ids; without any everything
    #[arg(value_name = "NAME|ID")]
    names: Vec<String>,
}

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 9] = [
    ("ID", "ID"),
    ("Name", "VOLUME NAME"),
    ("Size", "SIZE"),
    ("SizeBytes", "BYTES"),
    ("RemovedAt", "REMOVED AT"),
    ("Removed", "REMOVED"),
    ("ExpiresAt", "EXPIRES AT"),
    ("Expires", "DELETED"),
    ("Mountpoint", "DATA"),
];

const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.Size}}\t{{.Removed}}\t{{.Expires}}";

pub(super) fn run(engine: &Engine, args: &TrashArgs) -> Outcome {
    engine.expire_trash()?;
    match &args.command {
        TrashCommand::Ls(args) => ls(engine, args),
        TrashCommand::Restore(args) => restore(engine, args),
        TrashCommand::Empty(args) => empty(engine, args),
    }
}

fn ls(engine: &Engine, args: &LsArgs) -> Outcome {
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    let quiet = args.quiet.then_some("{{.ID}}");
    let format = Format::new(given.or(quiet), TABLE, &HEADERS)?;
    let all = engine.volumes()?.trash()?;
    let damaged = all.iter().filter_map(|one| {
        let why = one.damage.as_ref()?;
        Some((one.id.as_str(), why.as_str()))
    });
    note_damaged("volumes", "cowshed volume trash empty", damaged);
    format.print(&rows(engine, &all)?)?;
    Ok(ExitCode::SUCCESS)
}

fn restore(engine: &Engine, args: &RestoreArgs) -> Outcome {
    let new = args.new.as_ref().map(|new| new.parse::<VolumeName>());
    let name = engine.restore_volume(&args.name, new.transpose()?)?;
    output::line(name.as_str())?;
    Ok(ExitCode::SUCCESS)
}

fn empty(engine: &Engine, args: &EmptyArgs) -> Outcome {
    let mut chosen = engine.volumes()?.trash()?;
    for name in &args.names {
        if !chosen.iter().any(|trashed| is_meant(trashed, name)) {
            let name = name.clone();
            return Err(cowshed::volume::Error::NotInTrash { name }.into());
        }
    }
    if !args.names.is_empty() {
        let any = |trashed: &Trashed| args.names.iter().any(|name| is_meant(trashed, name));
        chosen.retain(any);
    }
    if !args.force {
        output::line("WARNING! This will delete volumes for good:")?;
        let format = Format::new(None, TABLE, &HEADERS)?;
        format.print(&rows(engine, &chosen)?)?;
        if !output::is_agreed()? {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let deleted = engine.delete_trashed(&chosen)?;
    for (trashed, _) in &deleted {
        output::line(trashed.volume.record.name.as_str())?;
    }
    let bytes = deleted.iter().map(|(_, bytes)| bytes).sum();
    output::line(&format!("Total reclaimed space: {}", text::size(bytes, 4)))?;
    Ok(ExitCode::SUCCESS)
}

/// All of a name: unlike what is had back, of which there can be one.
fn is_meant(trashed: &Trashed, text: &str) -> bool {
    trashed.volume.record.name.as_str() == text || trashed.id == text
}

fn rows(engine: &Engine, all: &[Trashed]) -> Result<Vec<Row>, Exit> {
    let volumes = engine.volumes()?;
    let row = |trashed: &Trashed| Ok(row(trashed, volumes.usage_of_trashed(trashed)?.bytes));
    all.iter().map(row).collect()
}

fn row(trashed: &Trashed, bytes: u64) -> Row {
    let volume = &trashed.volume;
    let left = trashed.expires().as_second() - Timestamp::now().as_second();
    let values: [Value; 9] = [
        json!(trashed.id),
        json!(volume.record.name),
        json!(text::size(bytes, 4)),
        json!(bytes),
        json!(trashed.removed.to_string()),
        json!(text::ago(Some(trashed.removed))),
        json!(trashed.expires().to_string()),
        json!(format!("in {}", text::duration(left))),
        json!(volume.mountpoint.display().to_string()),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values).collect::<Map<_, _>>(),
        labels: Labels::Of(volume.record.labels.clone().unwrap_or_default()),
    }
}
