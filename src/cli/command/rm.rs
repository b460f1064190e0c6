//! `cowshed rm`

use clap::Args;
use cowshed::container::{Engine, Removal};

use crate::cli::{
    output,
    report::{self, Outcome},
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
    report::each(&args.containers, |name| {
        match engine.remove_container(name, removal) {
            Ok(_) => output::line(name)?,
            Err(cowshed::container::Error::NotFound { .. }) if args.force => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    })
}
