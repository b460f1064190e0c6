//! `cowshed container …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{diff, inspect, ps, rm, run};
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ContainerArgs {
    #[command(subcommand)]
    command: ContainerCommand,
}

#[derive(Debug, Subcommand)]
enum ContainerCommand {
    /// Create and run a container, in the foreground
    Run(Box<run::RunArgs>),
    /// List containers
    #[command(aliases = ["list", "ps"])]
    Ls(ps::PsArgs),
    /// Show everything about containers as JSON
    Inspect(inspect::ContainerInspectArgs),
    /// Remove containers
    #[command(alias = "remove")]
    Rm(rm::RmArgs),
    /// List what a container changed in its root
    Diff(diff::DiffArgs),
}

pub(crate) fn run(engine: &Engine, args: ContainerArgs) -> Outcome {
    match args.command {
        ContainerCommand::Run(args) => run::run(engine, *args),
        ContainerCommand::Ls(args) => ps::run(engine, &args),
        ContainerCommand::Inspect(args) => inspect::containers(engine, &args),
        ContainerCommand::Rm(args) => rm::run(engine, &args),
        ContainerCommand::Diff(args) => diff::run(engine, &args),
    }
}
