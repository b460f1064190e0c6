//! `cowshed system destroy`: the store goes, with everything in it.

use std::{path::Path, process::ExitCode};

use clap::Args;
use cowshed::{container::Engine, store::Razed};

use crate::cli::{
    busy::busy,
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Protected volumes, too
    #[arg(long)]
    protected: bool,
}

pub(crate) fn run(root: &Path, args: &DestroyArgs) -> Outcome {
    let engine = Engine::open_to_destroy(root)?.with_notes(report::note);
    let protected = engine.protected_volumes();
    if !protected.is_empty() && !args.protected {
        let what = format!(
            "destroy store {}: volumes are protected: {}",
            root.display(),
            protected.join(", ")
        );
        let hint = "cowshed volume unprotect them, or give --protected";
        return Err(Exit::usage(what).with_hint(hint).or_code(1));
    }
    if !args.force && !is_agreed(&engine, root)? {
        return Ok(ExitCode::SUCCESS);
    }
    let progress = busy("system destroy");
    let razed = engine.destroy()?;
    drop(progress);
    if razed == Razed::MountPoint {
        report::note(&format!(
            "{} is empty and stays: it is a mount point",
            root.display()
        ));
    }
    output::line(&format!("Destroyed {}", root.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn is_agreed(engine: &Engine, root: &Path) -> Result<bool, Exit> {
    let going = engine.doomed();
    let (containers, running) = going.containers;
    output::line(&format!(
        "WARNING! This will remove the store {} for good:",
        root.display()
    ))?;
    output::line(&format!(
        "  - {containers} containers, of which {running} run"
    ))?;
    output::line(&format!("  - {} images", going.images))?;
    output::line(&format!("  - {} volumes, with their data", going.volumes))?;
    output::line("  - its logs, its trash, and the directory itself")?;
    output::line("")?;
    Ok(output::is_agreed()?)
}
