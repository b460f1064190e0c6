//! `cowshed volume ls`.

use std::process::ExitCode;

use clap::Args;
use cowshed::{container::Engine, volume::Volume};

use super::filter::Filter;
use crate::cli::{
    format::Format,
    report::Outcome,
    template::{Labels, Row},
};

#[derive(Debug, Args)]
pub(super) struct LsArgs {
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

pub(super) fn ls(engine: &Engine, args: &LsArgs) -> Outcome {
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
pub(crate) const HEADERS: [(&str, &str); 10] = [
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
pub(crate) fn row(volume: &Volume) -> Row {
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
