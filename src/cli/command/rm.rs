//! `cowshed rm`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Engine, Removal};

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Kill what runs; nothing of that name is no error
    #[arg(short, long)]
    force: bool,
    /// Remove anonymous volumes, too
    #[arg(short, long)]
    volumes: bool,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &RmArgs) -> Outcome {
    let removal = Removal {
        force: args.force,
        volumes: args.volumes,
    };
    let mut failed = false;
    for name in &args.containers {
        match engine.remove_container(name, removal) {
            Ok(_) => output::line(name)?,
            Err(cowshed::container::Error::NotFound { .. }) if args.force => {}
            Err(error) => {
                report::say(error);
                failed = true;
            }
        }
    }
    if failed {
        Err(Exit::said())
    } else {
        Ok(ExitCode::SUCCESS)
    }
}
