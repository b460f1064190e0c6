//! `cowshed system df`: what everything takes on disk, as Docker shows it (semantics 72).

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{DamagedRecords, DiskUsage, Engine};

use super::{system_df_details as details, system_df_store as store};
use crate::cli::{
    format::Format,
    report::{self, Outcome},
    template::{Labels, Row},
    text,
};

#[derive(Debug, Args)]
pub(crate) struct DfArgs {
    /// Every image, container and volume
    #[arg(short, long)]
    verbose: bool,
    /// Every byte of the store's root by what it is for, as du -x adds it up
    #[arg(short, long, conflicts_with = "verbose")]
    all: bool,
    /// With -v or --all: walk layers whose size is known, too
    #[arg(long)]
    no_cache: bool,
    /// table, json, or a Go template: `{{.Type}} {{.Reclaimable}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

/// Fields in the order of Docker's JSON, and what stands above their columns.
const HEADERS: [(&str, &str); 5] = [
    ("Active", "ACTIVE"),
    ("Reclaimable", "RECLAIMABLE"),
    ("Size", "SIZE"),
    ("TotalCount", "TOTAL"),
    ("Type", "TYPE"),
];

const TABLE: &str = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

pub(crate) fn run(engine: &Engine, args: &DfArgs) -> Outcome {
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    if args.all {
        return store::run(engine, given, args.no_cache);
    }
    let format = Format::new(given, TABLE, &HEADERS);
    let usage = engine.disk_usage()?;
    tell_damaged(&usage.damaged);
    // Docker has no row for it.
    if let (volumes @ 1.., bytes) = usage.trash {
        report::note(&format!(
            "{volumes} volumes in the trash take {}: cowshed volume trash ls",
            text::size(bytes, 4)
        ));
    }
    if args.verbose {
        let space = engine.store_space(args.no_cache)?;
        store::tell(&space);
        details::print(engine, (&usage, &space), given)?;
        return Ok(ExitCode::SUCCESS);
    }
    format?.print(&rows(&usage))?;
    Ok(ExitCode::SUCCESS)
}

fn tell_damaged(damaged: &DamagedRecords) {
    let images = damaged.images.iter();
    let images: Vec<_> = images.map(|one| (one.manifest.short(), &one.why)).collect();
    let images = images.iter().map(|(id, why)| (id.as_str(), why.as_str()));
    report::note_damaged("images", "cowshed rmi", images);
    report::note_damaged_containers(&damaged.containers);
    let volumes = damaged.volumes.iter();
    let volumes = volumes.map(|one| (one.volume.record.name.as_str(), one.why.as_str()));
    report::note_damaged("volumes", "cowshed volume rm", volumes);
}

/// One kind of thing.
struct Kind {
    name: &'static str,
    total: usize,
    active: usize,
    bytes: u64,
    reclaimable: u64,
}

fn rows(usage: &DiskUsage) -> Vec<Row> {
    let containers = &usage.containers;
    let idle = containers
        .iter()
        .filter(|(container, _)| !container.status.is_live());
    let unused = usage.volumes.iter().filter(|volume| volume.links == 0);
    let kinds = [
        Kind {
            name: "Images",
            total: usage.images.len(),
            active: count(&usage.images, |image| image.containers > 0),
            bytes: usage.layers,
            reclaimable: usage.reclaimable_images(),
        },
        Kind {
            name: "Containers",
            total: containers.len(),
            active: count(containers, |(container, _)| container.status.is_live()),
            bytes: containers.iter().map(|(_, size)| size.written).sum(),
            reclaimable: idle.map(|(_, size)| size.written).sum(),
        },
        Kind {
            name: "Local Volumes",
            total: usage.volumes.len(),
            active: count(&usage.volumes, |volume| volume.links > 0),
            bytes: usage.volumes.iter().map(|volume| volume.size).sum(),
            reclaimable: unused.map(|volume| volume.size).sum(),
        },
        // We build nothing; scripts look for the line.
        Kind {
            name: "Build Cache",
            total: 0,
            active: 0,
            bytes: 0,
            reclaimable: 0,
        },
    ];
    kinds.iter().map(row).collect()
}

fn count<T>(things: &[T], fits: impl Fn(&T) -> bool) -> usize {
    things.iter().filter(|thing| fits(thing)).count()
}

fn row(kind: &Kind) -> Row {
    let values = [
        kind.active.to_string(),
        reclaimable(kind.reclaimable, kind.bytes),
        text::size(kind.bytes, 4),
        kind.total.to_string(),
        kind.name.to_owned(),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values.map(Into::into)).collect(),
        labels: Labels::Of(std::collections::BTreeMap::new()),
    }
}

/// `851.6MB (100%)`; a share of nothing is not told.
fn reclaimable(bytes: u64, of: u64) -> String {
    let size = text::size(bytes, 4);
    match (bytes * 100).checked_div(of) {
        Some(percent) => format!("{size} ({percent}%)"),
        None => size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_72_the_share_is_whole_percents_and_missing_of_nothing() {
        assert_eq!(reclaimable(851_600_000, 851_600_000), "851.6MB (100%)");
        assert_eq!(reclaimable(1, 3), "1B (33%)");
        assert_eq!(reclaimable(0, 10), "0B (0%)");
        assert_eq!(reclaimable(0, 0), "0B");
    }
}
