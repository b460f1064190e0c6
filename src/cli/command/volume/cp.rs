//! `cowshed volume cp`.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Args;
use cowshed::container::{Copying, Engine};

use crate::cli::{
    report::{self, Outcome},
    text,
};

/// Copy into, out of or between volumes, without a container
///
/// One side or both are VOLUME:PATH, the other a path of the host; `-` as the source is a tar on
/// standard input that is unpacked in a directory of the volume, as the destination a tar on
/// standard output. Two names without a colon copy a whole volume to a new one.
#[derive(Debug, Args)]
pub(super) struct CpArgs {
    /// Keep the owners of what comes out of a volume; what goes in always keeps them
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link at the end of the source leads to
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing at the end; nothing is said either where output is no terminal
    #[arg(short, long)]
    quiet: bool,
    /// VOLUME:PATH, a path, -, or a volume
    #[arg(value_name = "FROM")]
    source: OsString,
    /// VOLUME:PATH, a path, -, or a new volume
    #[arg(value_name = "TO")]
    destination: OsString,
}

pub(super) fn cp(engine: &Engine, args: &CpArgs) -> Outcome {
    let how = Copying {
        archive: args.archive,
        follow_links: args.follow_link,
    };
    let done = engine.copy_volume(&args.source, &args.destination, how)?;
    report::remarks(&done.remarks);
    let is_told = !args.quiet && io::stdout().is_terminal();
    if let Some(destination) = done.destination.filter(|_| is_told) {
        let size = text::size(done.tar_bytes, 3);
        report::line(&format!("Successfully copied {size} to {destination}"));
    }
    Ok(ExitCode::SUCCESS)
}
