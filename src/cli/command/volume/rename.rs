//! `cowshed volume rename`.

use std::process::ExitCode;

use clap::Args;
use cowshed::{container::Engine, ident::VolumeName};

use crate::cli::report::Outcome;

#[derive(Debug, Args)]
pub(super) struct RenameArgs {
    /// Its name; containers that use it and do not run follow
    #[arg(value_name = "VOLUME")]
    old: String,
    /// Its new name
    #[arg(value_name = "NEW")]
    new: String,
}

/// Silent, as the `rename` of containers is in Docker.
pub(super) fn rename(engine: &Engine, args: &RenameArgs) -> Outcome {
    let new: VolumeName = args.new.parse()?;
    engine.rename_volume(&args.old, &new)?;
    Ok(ExitCode::SUCCESS)
}
