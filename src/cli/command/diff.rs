//! `cowshed diff`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use super::diff_explain;
use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Tell why each path is in the container's upper dir, and how many bytes it cost
    #[arg(long)]
    explain: bool,
    /// With --explain: table, json, or a Go template for each path: `{{.Kind}} {{.CopiedUp}} {{.Path}}`
    #[arg(long, value_name = "FORMAT", requires = "explain")]
    format: Option<String>,
    /// Name or id
    container: String,
}

pub(crate) fn run(engine: &Engine, args: &DiffArgs) -> Outcome {
    if args.explain {
        return diff_explain::run(engine, &args.container, args.format.as_deref());
    }
    for change in engine.diff(&args.container)? {
        output::line(&format!(
            "{} {}",
            change.kind.letter(),
            change.path.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
