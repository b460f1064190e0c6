//! `cowshed load`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use cowshed::container::{Engine, Loaded};

use super::sync_arg::SyncArg;
use crate::cli::{
    busy::busy,
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// OCI layout (directory or tar) or docker-archive, of any compression; - is standard input
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// Only errors
    #[arg(short, long)]
    quiet: bool,
    /// What is on disk when it is reported as done
    #[arg(long, value_enum, default_value = "full")]
    sync: SyncArg,
}

pub(crate) fn run(engine: &Engine, args: &LoadArgs) -> Outcome {
    let from_terminal = args.input.as_os_str() == "-"
        && cowshed::sys::console::is_terminal(std::os::fd::AsFd::as_fd(&std::io::stdin()));
    if from_terminal {
        return Err(Exit::usage("requested load from stdin, but stdin is empty").or_code(1));
    }
    let progress = busy("load");
    let loaded = engine.load(&args.input, args.sync.into())?;
    drop(progress);
    for loaded in loaded {
        if !args.quiet {
            print(&loaded)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(loaded: &Loaded) -> std::io::Result<()> {
    for name in &loaded.moved {
        let name = name.familiar();
        output::line(&format!(
            "The image {name} already exists, it now has no name"
        ))?;
    }
    for name in &loaded.names {
        output::line(&format!("Loaded image: {}", name.familiar()))?;
    }
    if loaded.names.is_empty() {
        output::line(&format!("Loaded image ID: {}", loaded.record.id))?;
    }
    Ok(())
}
