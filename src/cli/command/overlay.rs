//! `cowshed overlay …`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use crate::cli::{
    output,
    report::{self, Outcome},
};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct OverlayArgs {
    #[command(subcommand)]
    command: OverlayCommand,
}

#[derive(Debug, Subcommand)]
enum OverlayCommand {
    /// List what was changed, as `diff` does
    Diff(WhichArgs),
    /// Write the changes onto the directory below, and forget them above
    ///
    /// Not while a container has the overlay mounted. Interrupted in the middle, the same command
    /// finishes it.
    Apply(WhichArgs),
    /// Forget the changes; the directory below stays as it is
    Discard(WhichArgs),
}

#[derive(Debug, Args)]
struct WhichArgs {
    /// A container, with a target where it has several overlays; or the volume with the changes
    #[arg(value_name = "CONTAINER[:TARGET]|VOLUME")]
    overlay: String,
}

pub(crate) fn run(engine: &Engine, args: &OverlayArgs) -> Outcome {
    match &args.command {
        OverlayCommand::Diff(args) => {
            for change in engine.overlay_diff(&args.overlay)? {
                let letter = change.kind.letter();
                output::line(&format!("{letter} {}", change.path.display()))?;
            }
        }
        OverlayCommand::Apply(args) => {
            let applied = engine.overlay_apply(&args.overlay)?;
            report::remarks(&applied.remarks);
            let (entries, lower) = (applied.entries, applied.lower);
            let s = if entries == 1 { "" } else { "s" };
            output::line(&format!("Applied {entries} change{s} to {lower}"))?;
        }
        OverlayCommand::Discard(args) => {
            engine.overlay_discard(&args.overlay)?;
            output::line(&args.overlay)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
