//! `cowshed export`

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Args;
use cowshed::container::Engine;

use crate::cli::report::{self, Exit, Outcome};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Write to a file in place of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<OsString>,
    /// Name or id
    container: String,
}

pub(crate) fn run(engine: &Engine, args: &ExportArgs) -> Outcome {
    let remarks = match &args.output {
        Some(path) => engine.export_to(&args.container, path)?,
        None if io::stdout().is_terminal() => {
            let message = "cowardly refusing to save to a terminal. Use the -o flag or redirect";
            return Err(Exit::usage(message).or_code(1));
        }
        None => engine.export(&args.container)?,
    };
    report::remarks(&remarks);
    Ok(ExitCode::SUCCESS)
}
