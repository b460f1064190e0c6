//! `cowshed cp`

use std::{ffi::OsString, process::ExitCode};

use clap::Args;
use cowshed::container::{CopyRequest, Engine};

use super::copy_args::CopyArgs;
use crate::cli::report::Outcome;

/// Copy files and directories between a container and the host
///
/// One side is CONTAINER:PATH, the other a path of the host; `-` as the source is a tar on standard
/// input that is unpacked in a directory of the container, as the destination a tar on standard
/// output. A host path that holds a colon needs ./ in front.
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    #[command(flatten)]
    flags: CopyArgs,
    /// CONTAINER:PATH, a path, or -
    #[arg(value_name = "SOURCE")]
    source: OsString,
    /// CONTAINER:PATH, a path, or -
    #[arg(value_name = "DESTINATION")]
    destination: OsString,
}

pub(crate) fn run(engine: &Engine, args: &CpArgs) -> Outcome {
    let request = CopyRequest::parse(&args.source, &args.destination)
        .map_err(cowshed::container::Error::from)?;
    args.flags.tell(engine.copy(&request, args.flags.how())?);
    Ok(ExitCode::SUCCESS)
}
