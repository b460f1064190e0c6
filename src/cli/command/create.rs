//! `cowshed create`

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use super::{attach_args::start_failed, create_args::CreateArgs};
use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(crate) struct CreateCommandArgs {
    #[command(flatten)]
    create: CreateArgs,
}

pub(crate) fn run(engine: &Engine, args: CreateCommandArgs) -> Outcome {
    let cidfile = args.create.cidfile()?;
    let mut request = args.create.request()?;
    request.stdin_once = true;
    let id = engine.create_container(request).map_err(start_failed)?;
    cidfile.keep(&id)?;
    output::line(id.as_str())?;
    Ok(ExitCode::SUCCESS)
}
