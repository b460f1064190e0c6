//! `cowshed man`: a man page for each command, for whoever packages this program.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::cli::report::{Exit, Outcome};

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to; it must be there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &ManArgs, command: clap::Command) -> Outcome {
    clap_mangen::generate_to(command, &args.dir).map_err(|error| {
        let message = format!("write man pages to {}: {error}", args.dir.display());
        Exit::usage(message).or_code(1)
    })?;
    Ok(ExitCode::SUCCESS)
}
