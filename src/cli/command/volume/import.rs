//! `cowshed volume import`.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;
use cowshed::container::Engine;

use super::{limits_arg::LimitsArg, restore::refuse_terminal};
use crate::cli::{
    output,
    report::{self, Outcome},
    text,
};

/// Unpack a tar, or copy a directory, into a volume
///
/// The tar may be plain or compressed with gzip, zstd, xz or bzip2. A volume that is not there is
/// made; in one that is there, files of the same names are replaced.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Only errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    limits: LimitsArg,
    /// Name
    volume: String,
    /// Tar, directory, or - for a tar on standard input
    #[arg(value_name = "FILE")]
    source: OsString,
}

pub(super) fn import(engine: &Engine, args: &ImportArgs) -> Outcome {
    refuse_terminal(&args.source)?;
    let limits = args.limits.limits();
    let bytes = engine.import_volume(&args.source, &args.volume, &limits)?;
    output::line(&args.volume)?;
    if !args.quiet {
        let size = text::size(bytes, 4);
        report::line(&format!("{}: {size} of tar unpacked", args.volume));
    }
    Ok(ExitCode::SUCCESS)
}
