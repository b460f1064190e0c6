//! `cowshed volume cat`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use cowshed::container::Engine;

use super::place::Place;
use crate::cli::report::Outcome;

/// Write a file of a volume to standard output
#[derive(Debug, Args)]
pub(super) struct CatArgs {
    #[command(flatten)]
    place: Place,
}

pub(super) fn cat(engine: &Engine, args: &CatArgs) -> Outcome {
    let (volume, path) = args.place.parts();
    let (_volume, mut file) = engine.open_volume_file(volume, path)?;
    let mut out = io::stdout().lock();
    io::copy(&mut file, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
