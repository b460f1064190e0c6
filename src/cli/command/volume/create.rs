//! `cowshed volume create`.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use cowshed::{container::Engine, ident::VolumeName, mount::Sharing, volume::NewVolume};

use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Driver
    #[arg(short, long, default_value = "local")]
    driver: String,
    /// Label
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Who may have it mounted at the same time: shared, readers (many, or one that writes) or
    /// exclusive
    #[arg(long, value_name = "MODE", default_value = "shared")]
    sharing: Sharing,
    /// Driver option
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
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
        sharing: args.sharing,
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
