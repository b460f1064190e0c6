//! `cowshed volume …`

use std::{collections::BTreeMap, process::ExitCode};

use clap::{Args, Subcommand};
use cowshed::{
    container::Engine,
    ident::VolumeName,
    volume::{NewVolume, Volume},
};

use super::{inspect, volume_prune};
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
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
    Inspect(NamesArgs),
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
    /// Output format
    #[arg(long, value_parser = ["table", "json"])]
    format: Option<String>,
}

#[derive(Debug, Args)]
struct NamesArgs {
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
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
        VolumeCommand::Inspect(args) => inspect::volumes(engine, &args.names),
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
    if args.quiet {
        for volume in &volumes {
            output::line(volume.record.name.as_str())?;
        }
    } else if args.format.as_deref() == Some("json") {
        for volume in &volumes {
            output::json(&object(volume))?;
        }
    } else {
        let row =
            |volume: &Volume| vec![volume.record.driver.clone(), volume.record.name.to_string()];
        output::table(
            &["DRIVER", "VOLUME NAME"],
            &volumes.iter().map(row).collect::<Vec<_>>(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Keys and placeholders of Docker (semantics 43).
fn object(volume: &Volume) -> serde_json::Value {
    let record = &volume.record;
    let labels = record
        .labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"));
    serde_json::json!({
        "Availability": "N/A",
        "Driver": record.driver,
        "Group": "N/A",
        "Labels": labels.collect::<Vec<_>>().join(","),
        "Links": "N/A",
        "Mountpoint": volume.mountpoint.display().to_string(),
        "Name": record.name,
        "Scope": "local",
        "Size": "N/A",
        "Status": "N/A",
    })
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
        let mut keys: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for text in texts {
            let bad = || Exit::usage(format!("invalid filter '{text}': it must be KEY=VALUE"));
            let (key, value) = text.split_once('=').ok_or_else(bad)?;
            keys.entry(key).or_default().push(value.to_owned());
        }
        keys.into_iter()
            .map(|(key, values)| Self::of(key, values))
            .collect()
    }

    fn of(key: &str, values: Vec<String>) -> Result<Self, Exit> {
        match (key, values.first().map(String::as_str)) {
            ("dangling", Some("true" | "1")) => Ok(Self::Dangling(true)),
            ("dangling", Some("false" | "0")) => Ok(Self::Dangling(false)),
            ("driver", _) => Ok(Self::Driver(values)),
            ("label", _) => Ok(Self::Label(values)),
            ("label!", _) => Ok(Self::NotLabel(values)),
            ("name", _) => Ok(Self::Name(values)),
            (key, _) => Err(Exit::usage(format!("Invalid filter '{key}'")).or_code(1)),
        }
    }

    pub(crate) fn fits(&self, volume: &Volume, used: bool) -> bool {
        let record = &volume.record;
        let labelled = |wanted: &String| {
            let (key, value) = wanted
                .split_once('=')
                .map_or((wanted.as_str(), None), |(k, v)| (k, Some(v)));
            let label = record.labels.as_ref().and_then(|labels| labels.get(key));
            label.is_some_and(|label| value.is_none_or(|value| value == label))
        };
        match self {
            Self::Dangling(wanted) => *wanted != used,
            Self::Driver(names) => names.contains(&record.driver),
            Self::Label(labels) => labels.iter().all(labelled),
            Self::NotLabel(labels) => !labels.iter().any(labelled),
            Self::Name(parts) => parts
                .iter()
                .any(|part| record.name.as_str().contains(part.as_str())),
        }
    }
}
