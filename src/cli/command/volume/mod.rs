//! `cowshed volume …`

mod backup;
mod cat;
mod cp;
mod create;
mod du;
mod filter;
mod import;
mod limits_arg;
mod ls;
mod ls_files;
mod place;
mod prune;
mod restore;
mod rm;
mod verify;

use clap::{Args, Subcommand};
use cowshed::container::Engine;

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
    /// Remove all volumes that no container uses
    Prune(prune::PruneArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Verify(verify::VerifyArgs),
    Import(import::ImportArgs),
    Cp(cp::CpArgs),
    LsFiles(ls_files::LsFilesArgs),
    Cat(cat::CatArgs),
    Du(du::DuArgs),
}

pub(crate) fn run(engine: &Engine, args: VolumeArgs) -> Outcome {
    match args.command {
        VolumeCommand::Create(args) => create::create(engine, args),
        VolumeCommand::Ls(args) => ls::ls(engine, &args),
        VolumeCommand::Inspect(args) => inspect::volumes(engine, &args),
        VolumeCommand::Rm(args) => rm::rm(engine, &args),
        VolumeCommand::Prune(args) => prune::run(engine, &args),
        VolumeCommand::Backup(args) => backup::backup(engine, args),
        VolumeCommand::Restore(args) => restore::restore(engine, &args),
        VolumeCommand::Verify(args) => verify::verify(engine, &args),
        VolumeCommand::Import(args) => import::import(engine, &args),
        VolumeCommand::Cp(args) => cp::cp(engine, &args),
        VolumeCommand::LsFiles(args) => ls_files::ls_files(engine, &args),
        VolumeCommand::Cat(args) => cat::cat(engine, &args),
        VolumeCommand::Du(args) => du::du(engine, &args),
    }
}
