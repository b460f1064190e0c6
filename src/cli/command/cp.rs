//! `cowshed cp`

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Args;
use cowshed::container::{CopyRequest, Copying, Engine};

use crate::cli::{
    report::{self, Outcome},
    text,
};

/// Copy files and directories between a container and the host
///
/// One side is CONTAINER:PATH, the other a path of the host; `-` as the source is a tar on standard
/// input that is unpacked in a directory of the container, as the destination a tar on standard
/// output. A host path that holds a colon needs ./ in front.
#[derive(Debug, Args)]
pub(crate) struct CpArgs {
    /// Keep the owners of what comes out of a container; what goes in always keeps them
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link at the end of the source leads to
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing at the end; nothing is said either where output is no terminal
    #[arg(short, long)]
    quiet: bool,
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
    let how = Copying {
        archive: args.archive,
        follow_links: args.follow_link,
    };
    let report = engine.copy(&request, how)?;
    report::remarks(&report.remarks);
    let is_told = !args.quiet && io::stdout().is_terminal();
    if let Some(destination) = report.destination.filter(|_| is_told) {
        let size = text::size(report.tar_bytes, 3);
        report::line(&format!("Successfully copied {size} to {destination}"));
    }
    Ok(ExitCode::SUCCESS)
}
