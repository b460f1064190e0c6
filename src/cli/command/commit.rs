//! `cowshed commit`

use std::process::ExitCode;

use clap::{ArgAction, Args};
use cowshed::{
    container::{CommitRequest, Engine},
    ident::Reference,
};

use super::sync_arg::SyncArg;
use crate::cli::{
    busy::busy,
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct CommitArgs {
    /// Who made the image
    #[arg(short, long, value_name = "NAME")]
    author: Option<String>,
    /// Comment for the image's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Dockerfile instruction for the image's config
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Freeze a container that runs meanwhile
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value = "true",
        default_missing_value = "true", action = ArgAction::Set, value_name = "BOOL")]
    pause: bool,
    /// Do not freeze it: what it writes meanwhile may be taken in half
    #[arg(long, overrides_with = "pause")]
    no_pause: bool,
    /// Take a volume's content into the image, at its mount point; by name or mount point
    #[arg(long, value_name = "VOLUME")]
    bake_volume: Vec<String>,
    /// What is on disk when it is reported as done
    #[arg(long, value_enum, default_value = "full")]
    sync: SyncArg,
    /// Name or id
    container: String,
    /// What the image shall be called
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

pub(crate) fn run(engine: &Engine, args: CommitArgs) -> Outcome {
    let name = args.name.as_deref().map(str::parse::<Reference>);
    let name = name.transpose().map_err(Exit::from)?;
    if name.as_ref().is_some_and(|name| name.digest().is_some()) {
        // Docker's text.
        let what = "refusing to create a tag with a digest reference";
        return Err(Exit::usage(what).or_code(1));
    }
    let request = CommitRequest {
        container: args.container,
        author: args.author,
        message: args.message,
        changes: args.change,
        pause: args.pause && !args.no_pause,
        name,
        baked: args.bake_volume,
    };
    let progress = busy("commit");
    let made = engine.commit(&request, args.sync.into())?;
    drop(progress);
    output::line(&made.record.id.to_string())?;
    Ok(ExitCode::SUCCESS)
}
