//! `cowshed rmi`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct RmiArgs {
    /// Also with several names, or with stopped containers
    #[arg(short, long)]
    force: bool,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &RmiArgs) -> Outcome {
    let mut failed = false;
    for image in &args.images {
        match engine.remove_image(image, args.force) {
            Ok(untagged) => {
                for name in untagged.names {
                    output::line(&format!("Untagged: {}", name.familiar()))?;
                }
                for digest in untagged.deleted {
                    output::line(&format!("Deleted: {digest}"))?;
                }
            }
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
