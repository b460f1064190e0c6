//! `cowshed volume rm`.

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{
    output,
    report::{self, Outcome},
};

#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// Nothing of that name is no error
    #[arg(short, long)]
    force: bool,
    /// Names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

pub(super) fn rm(engine: &Engine, args: &RmArgs) -> Outcome {
    report::each(&args.names, |name| {
        match engine.remove_volume(name) {
            Err(cowshed::container::Error::Volume(cowshed::volume::Error::NotFound { .. }))
                if args.force => {}
            removed => drop(removed?),
        }
        Ok(output::line(name)?)
    })
}
