//! `cowshed image cat` and `ls-files`.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use cowshed::container::Engine;

use super::files_table;
use crate::cli::report::Outcome;

/// Write a file of an image to standard output
#[derive(Debug, Args)]
pub(crate) struct ImageCatArgs {
    /// Name or id
    image: String,
    /// In the image
    path: OsString,
}

/// List the files of an image
#[derive(Debug, Args)]
pub(crate) struct ImageLsFilesArgs {
    /// Layer, type, mode, owner, size and time, too
    #[arg(short = 'l')]
    long: bool,
    /// table, json, or a Go template: `{{.Layer}} {{.Name}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Name or id
    image: String,
    /// In the image; its top where it is left out
    path: Option<OsString>,
}

pub(crate) fn cat(engine: &Engine, args: &ImageCatArgs) -> Outcome {
    let mut file = engine.open_image_file(&args.image, &args.path)?;
    let mut out = io::stdout().lock();
    io::copy(&mut file, &mut out)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn ls_files(engine: &Engine, args: &ImageLsFilesArgs) -> Outcome {
    let path = args.path.as_deref().unwrap_or(OsStr::new("/"));
    let files = engine.image_files(&args.image, path)?;
    let long = files_table::LONG_WITH_LAYER;
    files_table::print(&files, args.long, args.format.as_deref(), long)
}
