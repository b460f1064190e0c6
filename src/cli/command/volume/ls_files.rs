//! `cowshed volume ls-files`.

use clap::Args;
use cowshed::container::Engine;

use super::{super::files_table, place::Place};
use crate::cli::report::Outcome;

/// List the files of a volume
#[derive(Debug, Args)]
pub(super) struct LsFilesArgs {
    /// Type, mode, owner, size and time, too
    #[arg(short = 'l')]
    long: bool,
    /// table, json, or a Go template: `{{.Name}} {{.Size}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn ls_files(engine: &Engine, args: &LsFilesArgs) -> Outcome {
    let (volume, path) = args.place.parts();
    let files = engine.volume_files(volume, path)?;
    files_table::print(&files, args.long, args.format.as_deref(), files_table::LONG)
}
