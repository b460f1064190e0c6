//! `cowshed diff`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Name or id
    container: String,
}

pub(crate) fn run(engine: &Engine, args: &DiffArgs) -> Outcome {
    for change in engine.diff(&args.container)? {
        output::line(&format!(
            "{} {}",
            change.kind.letter(),
            change.path.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
