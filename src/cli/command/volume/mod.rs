//! `cowshed volume …`

mod backup;
mod cat;
mod cp;
mod create;
mod describe;
mod du;
mod filter;
mod history;
mod import;
mod label;
mod limits_arg;
mod lint;
mod lock_run;
mod ls;
mod ls_files;
mod ls_row;
mod place;
mod protect;
pub(super) mod prune;
mod rename;
mod restore;
mod rm;
mod trash;
mod users;
mod verify;

pub(super) use filter::Filter;
pub(super) use ls_row::{HEADERS, measured_row};

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
    /// Run a program of the host while no container has the volume
    #[command(name = "lock-run")]
    LockRun(lock_run::LockRunArgs),
    /// Remove all volumes that no container uses
    Prune(prune::PruneArgs),
    /// Give a volume another name
    Rename(rename::RenameArgs),
    /// Show and change the labels of a volume
    Label(label::LabelArgs),
    /// Say what a volume is for
    Describe(describe::DescribeArgs),
    /// Keep volumes from being removed and pruned
    Protect(protect::ProtectArgs),
    /// Let volumes be removed and pruned again
    Unprotect(protect::ProtectArgs),
    /// Show which containers use a volume
    Users(users::UsersArgs),
    /// Show who made, mounted and removed a volume
    History(history::HistoryArgs),
    /// Look whether names of volumes follow a convention
    Lint(lint::LintArgs),
    /// Have back what prune removed
    Trash(trash::TrashArgs),
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
        VolumeCommand::LockRun(args) => lock_run::run(engine, &args),
        VolumeCommand::Rm(args) => rm::rm(engine, &args),
        VolumeCommand::Prune(args) => prune::run(engine, &args),
        VolumeCommand::Rename(args) => rename::rename(engine, &args),
        VolumeCommand::Label(args) => label::label(engine, &args),
        VolumeCommand::Describe(args) => describe::describe(engine, &args),
        VolumeCommand::Protect(args) => protect::protect(engine, &args, true),
        VolumeCommand::Unprotect(args) => protect::protect(engine, &args, false),
        VolumeCommand::Users(args) => users::users(engine, &args),
        VolumeCommand::History(args) => history::history(engine, &args),
        VolumeCommand::Lint(args) => lint::lint(engine, &args),
        VolumeCommand::Trash(args) => trash::run(engine, &args),
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
