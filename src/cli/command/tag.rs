//! `cowshed tag`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use crate::cli::report::{Exit, Outcome};

#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// Name or id of an image
    source: String,
    /// Another name for it
    target: String,
}

pub(crate) fn run(engine: &Engine, args: &TagArgs) -> Outcome {
    let target = args
        .target
        .parse()
        .map_err(|error: cowshed::ident::Error| Exit::from(error))?;
    engine.tag(&args.source, &target)?;
    Ok(ExitCode::SUCCESS)
}
