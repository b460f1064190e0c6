//! The commands of a container's life, as they stand alone and below `container`.

use clap::Subcommand;
use cowshed::container::Engine;

use super::{
    attach, commit, cp, create, diff, each_container, exec, export, logs, rm, run, start, stats,
    stop, top,
};
use crate::cli::report::Outcome;

#[derive(Debug, Subcommand)]
pub(crate) enum LifeCommand {
    /// Create and run a container
    Run(Box<run::RunArgs>),
    /// Create a container without starting it
    Create(Box<create::CreateCommandArgs>),
    /// Start containers
    Start(start::StartArgs),
    /// Ask containers to end, and kill them after a while
    Stop(stop::StopArgs),
    /// Stop containers and start them again
    Restart(stop::StopArgs),
    /// Send containers a signal
    Kill(each_container::KillArgs),
    /// Freeze containers
    Pause(each_container::NamesArgs),
    /// Let frozen containers go on
    Unpause(each_container::NamesArgs),
    /// Wait until containers have ended and print their codes
    Wait(each_container::NamesArgs),
    /// Attach to a container that runs
    Attach(attach::AttachCommandArgs),
    /// Run another program in a container that runs
    Exec(Box<exec::ExecArgs>),
    /// Give a container another name
    Rename(each_container::RenameArgs),
    /// Remove containers
    #[command(visible_alias = "remove")]
    Rm(rm::RmArgs),
    /// List what a container changed in its root
    Diff(diff::DiffArgs),
    /// Show what a container wrote
    Logs(logs::LogsArgs),
    /// List the processes of a container
    Top(top::TopArgs),
    /// Show what containers use, again and again
    Stats(stats::StatsArgs),
    /// Copy files and directories between a container and the host
    Cp(cp::CpArgs),
    /// Write a container's root as a tar
    Export(export::ExportArgs),
    /// Make an image of what a container changed
    Commit(commit::CommitArgs),
}

impl LifeCommand {
    /// Those that are in a hurry leave tidying up to others.
    pub(crate) fn is_in_a_hurry(&self) -> bool {
        matches!(self, LifeCommand::Run(_))
    }

    /// Those that a signal ends by putting away what they began; the others have ways of their own.
    pub(crate) fn is_put_away(&self) -> bool {
        matches!(
            self,
            LifeCommand::Create(_) | LifeCommand::Rm(_) | LifeCommand::Commit(_)
        )
    }
}

pub(crate) fn run(engine: &Engine, command: LifeCommand) -> Outcome {
    match command {
        LifeCommand::Run(args) => run::run(engine, *args),
        LifeCommand::Create(args) => create::run(engine, *args),
        LifeCommand::Start(args) => start::run(engine, &args),
        LifeCommand::Stop(args) => stop::stop(engine, &args),
        LifeCommand::Restart(args) => stop::restart(engine, &args),
        LifeCommand::Kill(args) => each_container::kill(engine, &args),
        LifeCommand::Pause(args) => each_container::pause(engine, &args),
        LifeCommand::Unpause(args) => each_container::unpause(engine, &args),
        LifeCommand::Wait(args) => each_container::wait(engine, &args),
        LifeCommand::Attach(args) => attach::run(engine, &args),
        LifeCommand::Exec(args) => exec::run(engine, *args),
        LifeCommand::Rename(args) => each_container::rename(engine, &args),
        LifeCommand::Rm(args) => rm::run(engine, &args),
        LifeCommand::Diff(args) => diff::run(engine, &args),
        LifeCommand::Logs(args) => logs::run(engine, &args),
        LifeCommand::Top(args) => top::run(engine, &args),
        LifeCommand::Stats(args) => stats::run(engine, &args),
        LifeCommand::Cp(args) => cp::run(engine, &args),
        LifeCommand::Export(args) => export::run(engine, &args),
        LifeCommand::Commit(args) => commit::run(engine, args),
    }
}
