//! `cowshed volume create`.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use cowshed::{container::Engine, ident::VolumeName, volume::NewVolume};

use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Driver
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// Label
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// What is mounted while it is in use: type=tmpfs, device=tmpfs, o=size=100m
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Do not look whether this machine can mount it now
    #[arg(long)]
    no_check: bool,
    /// Name; made up where it is missing
    name: Option<String>,
}

pub(super) fn create(engine: &Engine, args: CreateArgs) -> Outcome {
    let name = args
        .name
        .filter(|name| !name.is_empty())
        .map(|name| name.parse::<VolumeName>());
    let new = NewVolume {
        name: name.transpose()?,
        driver: Some(args.driver),
        options: pairs(args.opt),
        labels: pairs(args.label),
        unchecked: args.no_check,
        ..NewVolume::default()
    };
    let volume = engine.create_volume(new)?;
    output::line(volume.record.name.as_str())?;
    Ok(ExitCode::SUCCESS)
}

fn pairs(texts: Vec<String>) -> BTreeMap<String, String> {
    let pair = |text: String| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (text, String::new()),
    };
    texts.into_iter().map(pair).collect()
}
