//! `cowshed volume …`

mod create;
mod filter;
mod lock_run;
mod ls;
mod prune;
mod rm;

use clap::{Args, Subcommand};
use cowshed::container::Engine;

pub(crate) use ls::{HEADERS, row};

use super::inspect;
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct VolumeArgs {
    #[command(subcommand)]
    command: VolumeCommand,
}

#[derive(Debug, Subcommand)]
enum VolumeCommand {
    /// Create a volume
    Create(create::CreateArgs),
    /// List volumes
    #[command(alias = "list")]
    Ls(ls::LsArgs),
    /// Show everything about volumes as JSON
    Inspect(inspect::VolumeInspectArgs),
    /// Remove volumes that no container uses
    #[command(alias = "remove")]
    Rm(rm::RmArgs),
    /// Run a program of the host while no container has the volume
    #[command(name = "lock-run")]
    LockRun(lock_run::LockRunArgs),
    /// Remove all volumes that no container uses
    Prune(prune::PruneArgs),
}

pub(crate) fn run(engine: &Engine, args: VolumeArgs) -> Outcome {
    match args.command {
        VolumeCommand::Create(args) => create::create(engine, args),
        VolumeCommand::Ls(args) => ls::ls(engine, &args),
        VolumeCommand::Inspect(args) => inspect::volumes(engine, &args),
        VolumeCommand::LockRun(args) => lock_run::run(engine, &args),
        VolumeCommand::Rm(args) => rm::rm(engine, &args),
        VolumeCommand::Prune(args) => prune::run(engine, &args),
    }
}
