//! `cowshed system …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{events, info, system_check, system_df, system_prune};
use crate::cli::report::Outcome;

pub(crate) use super::system_check::run as check;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct SystemArgs {
    #[command(subcommand)]
    command: SystemCommand,
}

#[derive(Debug, Subcommand)]
enum SystemCommand {
    Check(system_check::CheckArgs),
    /// Show what images, containers and volumes take on disk
    Df(system_df::DfArgs),
    /// Show what is done to containers, images and volumes
    Events(events::EventsArgs),
    /// Show what this machine and this store can do
    Info(info::InfoArgs),
    /// Remove what nobody needs: stopped containers and, where asked for, anonymous volumes
    Prune(system_prune::PruneArgs),
}

impl SystemArgs {
    /// What looks at a store that may not be whole, and leaves it as it is.
    pub(crate) fn as_check(&self) -> Option<&system_check::CheckArgs> {
        match &self.command {
            SystemCommand::Check(args) => Some(args),
            SystemCommand::Df(_)
            | SystemCommand::Events(_)
            | SystemCommand::Info(_)
            | SystemCommand::Prune(_) => None,
        }
    }
}

pub(crate) fn run(engine: &Engine, args: &SystemArgs) -> Outcome {
    match &args.command {
        SystemCommand::Check(args) => system_check::run(&engine.store().path(), args),
        SystemCommand::Df(args) => system_df::run(engine, args),
        SystemCommand::Events(args) => events::run(engine, args),
        SystemCommand::Info(args) => info::run(engine, args),
        SystemCommand::Prune(args) => system_prune::run(engine, args),
    }
}
