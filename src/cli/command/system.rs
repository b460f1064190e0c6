//! `cowshed system …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{events, info, system_check, system_destroy, system_df, system_prune};
use crate::cli::{
    interrupt::{self, TidyArgs},
    report::Outcome,
};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct SystemArgs {
    #[command(subcommand)]
    command: SystemCommand,
}

#[derive(Debug, Subcommand)]
enum SystemCommand {
    Check(system_check::CheckArgs),
    /// Remove the store with everything in it: containers, images, volumes, mounts, the directory
    Destroy(system_destroy::DestroyArgs),
    /// Show what images, containers and volumes take on disk
    Df(system_df::DfArgs),
    /// Show what is done to containers, images and volumes
    Events(events::EventsArgs),
    /// Show what this machine and this store can do
    Info(info::InfoArgs),
    /// Put away what an interrupted command began
    #[command(hide = true)]
    Tidy(TidyArgs),
    /// Remove what nobody needs: stopped containers, images and, where asked for, anonymous volumes
    Prune(system_prune::PruneArgs),
}

/// What needs no store that can be opened.
#[derive(Debug)]
pub(crate) enum Unopened<'a> {
    /// Looks at a store that may not be whole.
    Check(&'a system_check::CheckArgs),
    Destroy(&'a system_destroy::DestroyArgs),
    Tidy(&'a TidyArgs),
}

impl SystemArgs {
    /// Whether a signal ends it by putting away what it began: not what somebody watches.
    pub(crate) fn is_put_away(&self) -> bool {
        match &self.command {
            SystemCommand::Check(_)
            | SystemCommand::Destroy(_)
            | SystemCommand::Df(_)
            | SystemCommand::Prune(_) => true,
            SystemCommand::Events(_) | SystemCommand::Info(_) | SystemCommand::Tidy(_) => false,
        }
    }

    pub(crate) fn unopened(&self) -> Option<Unopened<'_>> {
        match &self.command {
            SystemCommand::Check(args) => Some(Unopened::Check(args)),
            SystemCommand::Destroy(args) => Some(Unopened::Destroy(args)),
            SystemCommand::Tidy(args) => Some(Unopened::Tidy(args)),
            SystemCommand::Df(_)
            | SystemCommand::Events(_)
            | SystemCommand::Info(_)
            | SystemCommand::Prune(_) => None,
        }
    }
}

pub(crate) use system_check::run as check;
pub(crate) use system_destroy::run as destroy;

pub(crate) fn run(engine: &Engine, args: &SystemArgs) -> Outcome {
    match &args.command {
        SystemCommand::Check(args) => check(&engine.store().path(), args),
        SystemCommand::Destroy(args) => destroy(&engine.store().path(), args),
        SystemCommand::Tidy(args) => interrupt::tidy(&engine.store().path(), args),
        SystemCommand::Df(args) => system_df::run(engine, args),
        SystemCommand::Events(args) => events::run(engine, args),
        SystemCommand::Info(args) => info::run(engine, args),
        SystemCommand::Prune(args) => system_prune::run(engine, args),
    }
}
