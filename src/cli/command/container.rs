//! `cowshed container …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{container_prune, inspect, life, ps};
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ContainerArgs {
    #[command(subcommand)]
    command: ContainerCommand,
}

#[derive(Debug, Subcommand)]
enum ContainerCommand {
    #[command(flatten)]
    Life(life::LifeCommand),
    /// List containers
    #[command(aliases = ["list", "ps"])]
    Ls(ps::PsArgs),
    /// Show everything about containers as JSON
    Inspect(inspect::ContainerInspectArgs),
    /// Remove all containers that do not run
    Prune(container_prune::PruneArgs),
}

impl ContainerArgs {
    /// See [`life::LifeCommand::is_put_away`].
    pub(crate) fn is_put_away(&self) -> bool {
        match &self.command {
            ContainerCommand::Life(command) => command.is_put_away(),
            ContainerCommand::Prune(_) => true,
            ContainerCommand::Ls(_) | ContainerCommand::Inspect(_) => false,
        }
    }
}

pub(crate) fn run(engine: &Engine, args: ContainerArgs) -> Outcome {
    match args.command {
        ContainerCommand::Life(command) => life::run(engine, command),
        ContainerCommand::Ls(args) => ps::run(engine, &args),
        ContainerCommand::Inspect(args) => inspect::containers(engine, &args),
        ContainerCommand::Prune(args) => container_prune::run(engine, &args),
    }
}
