//! `cowshed import`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use cowshed::container::{Engine, ImportRequest};

use super::sync_arg::SyncArg;
use crate::cli::{
    busy::busy,
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A layer, lowest first: tar or directory, whiteouts as .wh. files
    #[arg(long, value_name = "PATH")]
    layer: Vec<PathBuf>,
    /// Dockerfile instruction for the config
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Comment for the image's history
    #[arg(short, long)]
    message: Option<String>,
    /// What is on disk when it is reported as done
    #[arg(long, value_enum, default_value = "full")]
    sync: SyncArg,
    /// Tar, directory or - for standard input; left out with --layer. Then the image's name
    #[arg(required = true, num_args = 1..=2, value_name = "SOURCE|- [NAME]")]
    words: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: ImportArgs) -> Outcome {
    let (layers, name) = match (args.layer.is_empty(), args.words.as_slice()) {
        (true, [source]) => (vec![PathBuf::from(source)], None),
        (true, [source, name]) => (vec![PathBuf::from(source)], Some(name)),
        (false, [name]) => (args.layer, Some(name)),
        (false, [source, name]) => {
            let layers = args
                .layer
                .into_iter()
                .chain([PathBuf::from(source)])
                .collect();
            (layers, Some(name))
        }
        (_, _) => return Err(Exit::usage("import takes one source and one name")),
    };
    let name = name
        .map(|name| name.parse())
        .transpose()
        .map_err(|error: cowshed::ident::Error| Exit::from(error))?;
    let request = ImportRequest {
        layers,
        changes: args.change,
        message: args.message,
        name,
    };
    let progress = busy("import");
    let loaded = engine.import(&request, args.sync.into())?;
    drop(progress);
    output::line(&loaded.record.id.to_string())?;
    Ok(ExitCode::SUCCESS)
}
