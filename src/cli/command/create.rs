//! `cowshed create`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use super::create_args::CreateArgs;
use crate::cli::{
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct CreateCommandArgs {
    #[command(flatten)]
    create: CreateArgs,
}

pub(crate) fn run(engine: &Engine, args: CreateCommandArgs) -> Outcome {
    let cidfile = args.create.cidfile().map_err(|exit| exit.or_code(1))?;
    let fetching = args.create.fetching();
    let mut request = args.create.request()?;
    request.stdin_once = true;
    // 1 where `run` has 125: only flags that cannot be read are 125 here (semantics 64).
    let attempt = |request| engine.create_container(request);
    let id = fetching
        .make(engine, request, attempt, Exit::from)
        .map_err(|exit| exit.or_code(1))?;
    cidfile.keep(&id)?;
    output::line(id.as_str())?;
    Ok(ExitCode::SUCCESS)
}
