//! `cowshed volume cp`.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{command::copy_args::CopyArgs, report::Outcome};

/// Copy into, out of or between volumes, without a container
///
/// One side or both are VOLUME:PATH, the other a path of the host; `-` as the source is a tar on
/// standard input that is unpacked in a directory of the volume, as the destination a tar on
/// standard output. Two names without a colon copy a whole volume to a new one.
#[derive(Debug, Args)]
pub(super) struct CpArgs {
    #[command(flatten)]
    flags: CopyArgs,
    /// VOLUME:PATH, a path, -, or a volume
    #[arg(value_name = "FROM")]
    source: OsString,
    /// VOLUME:PATH, a path, -, or a new volume
    #[arg(value_name = "TO")]
    destination: OsString,
}

pub(super) fn cp(engine: &Engine, args: &CpArgs) -> Outcome {
    let how = args.flags.how();
    args.flags
        .tell(engine.copy_volume(&args.source, &args.destination, how)?);
    Ok(ExitCode::SUCCESS)
}
