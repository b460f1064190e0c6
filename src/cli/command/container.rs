//! `cowshed container …`

use clap::{Args, Subcommand};
use cowshed::container::Engine;

use super::{cp, diff, export, inspect, ps, rm, run};
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
    Inspect(ContainerInspectArgs),
    /// Remove containers
    #[command(alias = "remove")]
    Rm(rm::RmArgs),
    /// List what a container changed in its root
    Diff(diff::DiffArgs),
    /// Copy files and directories between a container and the host
    Cp(cp::CpArgs),
    /// Write a container's root as a tar
    Export(export::ExportArgs),
}

#[derive(Debug, Args)]
struct ContainerInspectArgs {
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub(crate) fn run(engine: &Engine, args: ContainerArgs) -> Outcome {
    match args.command {
        ContainerCommand::Run(args) => run::run(engine, *args),
        ContainerCommand::Ls(args) => ps::run(engine, &args),
        ContainerCommand::Inspect(args) => inspect::containers(engine, &args.containers),
        ContainerCommand::Rm(args) => rm::run(engine, &args),
        ContainerCommand::Diff(args) => diff::run(engine, &args),
        ContainerCommand::Cp(args) => cp::run(engine, &args),
        ContainerCommand::Export(args) => export::run(engine, &args),
    }
}
