//! `cowshed rmi`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::{Engine, Error, Untagged};

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct RmiArgs {
    /// Also with several names, or with stopped containers
    #[arg(short, long)]
    force: bool,
    /// Do not delete untagged parents (there are none)
    #[arg(long)]
    no_prune: bool,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: &RmiArgs) -> Outcome {
    let mut failed = false;
    for image in &args.images {
        let progress = crate::cli::busy::busy("rmi");
        let removed = engine.remove_image(image, args.force);
        drop(progress);
        match removed {
            Ok(untagged) => print(&untagged)?,
            Err(error) => {
                // What is not there any more is what `-f` wants.
                let missing = matches!(error, Error::Image(cowshed::image::Error::NotFound { .. }));
                failed |= !(missing && args.force);
                report::print(&Exit::from(error));
            }
        }
    }
    if failed {
        return Err(Exit::said());
    }
    Ok(ExitCode::SUCCESS)
}

fn print(untagged: &Untagged) -> std::io::Result<()> {
    for name in &untagged.names {
        output::line(&format!("Untagged: {}", name.familiar()))?;
    }
    for digest in &untagged.deleted {
        output::line(&format!("Deleted: {digest}"))?;
    }
    busy(std::slice::from_ref(untagged));
    Ok(())
}

/// Tells of layers that stay for now.
pub(super) fn busy(removed: &[Untagged]) {
    let busy: usize = removed.iter().map(|one| one.busy).sum();
    if busy > 0 {
        let layers = if busy == 1 {
            "1 layer is"
        } else {
            &format!("{busy} layers are")
        };
        report::note(&format!(
            "{layers} still read by another command and will go with the next rmi or prune"
        ));
    }
}
