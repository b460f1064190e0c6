//! `cowshed rmi`

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{
    output,
    report::{self, Outcome},
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
    report::each(&args.images, |image| {
        let untagged = engine.remove_image(image, args.force)?;
        for name in untagged.names {
            output::line(&format!("Untagged: {}", name.familiar()))?;
        }
        for digest in untagged.deleted {
            output::line(&format!("Deleted: {digest}"))?;
        }
        Ok(())
    })
}
