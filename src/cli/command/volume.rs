//! `cowshed volume …`

use std::{collections::BTreeMap, process::ExitCode};

use clap::{Args, Subcommand};
use cowshed::{
    container::Engine,
    ident::VolumeName,
    volume::{NewVolume, Volume},
};

use super::{
    filter::{by_key, has_label, invalid, unknown},
    inspect, volume_prune,
};
use crate::cli::{
    format::Format,
    output,
    report::{self, Exit, Outcome},
    template::{Labels, Row},
};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct VolumeArgs {
    #[command(subcommand)]
    command: VolumeCommand,
}

#[derive(Debug, Subcommand)]
enum VolumeCommand {
    /// Create a volume
    Create(CreateArgs),
    /// List volumes
    #[command(alias = "list")]
    Ls(LsArgs),
    /// Show everything about volumes as JSON
    Inspect(inspect::VolumeInspectArgs),
    /// Remove volumes that no container uses
    #[command(alias = "remove")]
    Rm(RmArgs),
    /// Remove all volumes that no container uses
    Prune(volume_prune::PruneArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Driver
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// Label
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Driver option
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Name; made up where it is missing
    name: Option<String>,
}

#[derive(Debug, Args)]
struct LsArgs {
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// dangling=BOOL, driver=NAME, label=KEY[=VALUE] or name=PART
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// table, json, or a Go template: `table {{.Name}}\t{{.Mountpoint}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

#[derive(Debug, Args)]
struct RmArgs {
    /// Nothing of that name is no error
    #[arg(short, long)]
    force: bool,
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: VolumeArgs) -> Outcome {
    match args.command {
        VolumeCommand::Create(args) => create(engine, args),
        VolumeCommand::Ls(args) => ls(engine, &args),
        VolumeCommand::Inspect(args) => inspect::volumes(engine, &args),
        VolumeCommand::Rm(args) => rm(engine, &args),
        VolumeCommand::Prune(args) => volume_prune::run(engine, &args),
    }
}

fn pairs(texts: Vec<String>) -> BTreeMap<String, String> {
    let pair = |text: String| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (text, String::new()),
    };
    texts.into_iter().map(pair).collect()
}

fn create(engine: &Engine, args: CreateArgs) -> Outcome {
    let name = args
        .name
        .filter(|name| !name.is_empty())
        .map(|name| name.parse::<VolumeName>());
    let new = NewVolume {
        name: name.transpose()?,
        driver: Some(args.driver),
        options: pairs(args.opt),
        labels: pairs(args.label),
        ..NewVolume::default()
    };
    let volume = engine.create_volume(new)?;
    output::line(volume.record.name.as_str())?;
    Ok(ExitCode::SUCCESS)
}

fn ls(engine: &Engine, args: &LsArgs) -> Outcome {
    let mut volumes = engine.volumes()?.list()?;
    let users = engine.volume_users()?;
    for filter in Filter::parse_all(&args.filter)? {
        volumes.retain(|volume| filter.fits(volume, users.contains_key(&volume.record.name)));
    }
    // Docker lets a format win over -q here.
    let quiet = args.quiet.then_some("{{.Name}}");
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    let format = Format::new(given.or(quiet), "{{.Driver}}\t{{.Name}}", &HEADERS)?;
    format.print(&volumes.iter().map(row).collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

/// Fields in the order of Docker's JSON, and what stands above their columns.
const HEADERS: [(&str, &str); 10] = [
    ("Availability", "AVAILABILITY"),
    ("Driver", "DRIVER"),
    ("Group", "GROUP"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
];

/// Placeholders of Docker (semantics 43).
fn row(volume: &Volume) -> Row {
    let record = &volume.record;
    let labels = record.labels.clone().unwrap_or_default();
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    let (pairs, mountpoint) = (pairs.collect::<Vec<_>>().join(","), &volume.mountpoint);
    let values = [
        "N/A".to_owned(),
        record.driver.clone(),
        "N/A".to_owned(),
        pairs,
        "N/A".to_owned(),
        mountpoint.display().to_string(),
        record.name.to_string(),
        "local".to_owned(),
        "N/A".to_owned(),
        "N/A".to_owned(),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values.map(Into::into)).collect(),
        labels: Labels::Of(labels),
    }
}

fn rm(engine: &Engine, args: &RmArgs) -> Outcome {
    report::each(&args.names, |name| {
        match engine.remove_volume(name) {
            Err(cowshed::container::Error::Volume(cowshed::volume::Error::NotFound { .. }))
                if args.force => {}
            removed => drop(removed?),
        }
        Ok(output::line(name)?)
    })
}

/// One `--filter`; several values of one key are alternatives (semantics 43, 48).
pub(crate) enum Filter {
    Dangling(bool),
    Driver(Vec<String>),
    Label(Vec<String>),
    NotLabel(Vec<String>),
    Name(Vec<String>),
}

impl Filter {
    pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Self>, Exit> {
        let keys = by_key(texts)?.into_iter();
        keys.map(|(key, values)| Self::of(&key, values)).collect()
    }

    fn of(key: &str, values: Vec<String>) -> Result<Self, Exit> {
        match (key, values.first().map(String::as_str)) {
            ("dangling", Some("true" | "1")) => Ok(Self::Dangling(true)),
            ("dangling", Some("false" | "0")) => Ok(Self::Dangling(false)),
            ("driver", _) => Ok(Self::Driver(values)),
            ("label", _) => Ok(Self::Label(values)),
            ("label!", _) => Ok(Self::NotLabel(values)),
            ("name", _) => Ok(Self::Name(values)),
            ("dangling", value) => Err(invalid(key, value.unwrap_or_default())),
            (key, _) => Err(unknown(key)),
        }
    }

    pub(crate) fn fits(&self, volume: &Volume, used: bool) -> bool {
        let record = &volume.record;
        let none = BTreeMap::new();
        let labels = record.labels.as_ref().unwrap_or(&none);
        let labelled = |wanted: &String| has_label(labels, wanted);
        match self {
            Self::Dangling(wanted) => *wanted != used,
            Self::Driver(names) => names.contains(&record.driver),
            Self::Label(wanted) => wanted.iter().all(labelled),
            Self::NotLabel(unwanted) => !unwanted.iter().any(labelled),
            Self::Name(parts) => parts
                .iter()
                .any(|part| record.name.as_str().contains(part.as_str())),
        }
    }
}
