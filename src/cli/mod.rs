//! The command line: Docker's words, one file a subcommand, nothing decided here.

mod command;
mod output;
mod report;
mod text;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use cowshed::container::Engine;

use command::{
    cp, diff, export, image, images, import, info, inspect, load, ps, rm, rmi, run, tag, volume,
};
use report::{Exit, Outcome};

const DEFAULT_ROOT: &str = "/var/lib/cowshed";

/// A container storage runtime you can see through: layers, copy-on-write, volumes, no daemon.
#[derive(Debug, Parser)]
#[command(
    name = "cowshed",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Cli {
    /// Directory that holds everything; made where it is missing
    #[arg(long, global = true, env = "COWSHED_ROOT", value_name = "DIR", default_value = DEFAULT_ROOT)]
    root: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create and run a container, in the foreground
    Run(Box<run::RunArgs>),
    /// List containers
    Ps(ps::PsArgs),
    /// Show everything about containers, images or volumes as JSON
    Inspect(inspect::InspectArgs),
    /// Remove containers
    Rm(rm::RmArgs),
    /// List what a container changed in its root
    Diff(diff::DiffArgs),
    /// Copy files and directories between a container and the host
    Cp(cp::CpArgs),
    /// Write a container's root as a tar
    Export(export::ExportArgs),
    /// Take in images from an OCI layout or a docker-archive
    Load(load::LoadArgs),
    /// Make an image of a root file system: a tar or a directory
    Import(import::ImportArgs),
    /// List images
    Images(images::ImagesArgs),
    /// Give an image another name
    Tag(tag::TagArgs),
    /// Remove images
    Rmi(rmi::RmiArgs),
    /// Manage images
    Image(image::ImageArgs),
    /// Manage containers
    Container(command::container::ContainerArgs),
    /// Manage volumes
    Volume(volume::VolumeArgs),
    /// Show what this machine and this store can do
    Info(info::InfoArgs),
    /// Show the version
    Version(command::version::VersionArgs),
}

/// Parses, dispatches and reports.
pub(crate) fn main() -> ExitCode {
    // Directories that we make for others, volumes and bind sources, must not depend on the caller.
    cowshed::sys::process::set_umask(0o022);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = dispatch(cli);
    report::finish(done)
}

fn dispatch(cli: Cli) -> Outcome {
    let open = || -> Result<Engine, Exit> {
        require_root()?;
        Ok(Engine::open(&cli.root)?.with_notes(report::note))
    };
    // What a killed command left is put away by the next one, but for `run`, which is in a hurry.
    let open_tidy = || -> Result<Engine, Exit> {
        let engine = open()?;
        // A record that cannot be read is told by whoever needs it.
        engine.tidy().ok();
        Ok(engine)
    };
    match cli.command {
        Command::Run(args) => {
            let engine = open().map_err(|exit| exit.or_code(125))?;
            run::run(&engine, *args)
        }
        Command::Ps(args) => ps::run(&open_tidy()?, &args),
        Command::Inspect(args) => inspect::run(&open_tidy()?, &args),
        Command::Rm(args) => rm::run(&open_tidy()?, &args),
        Command::Diff(args) => diff::run(&open_tidy()?, &args),
        Command::Cp(args) => cp::run(&open_tidy()?, &args),
        Command::Export(args) => export::run(&open_tidy()?, &args),
        Command::Load(args) => load::run(&open_tidy()?, &args),
        Command::Import(args) => import::run(&open_tidy()?, args),
        Command::Images(args) => images::run(&open_tidy()?, &args),
        Command::Tag(args) => tag::run(&open_tidy()?, &args),
        Command::Rmi(args) => rmi::run(&open_tidy()?, &args),
        Command::Image(args) => image::run(&open_tidy()?, args),
        Command::Container(args) => command::container::run(&open_tidy()?, args),
        Command::Volume(args) => volume::run(&open_tidy()?, args),
        Command::Info(args) => info::run(&open_tidy()?, &args),
        Command::Version(args) => command::version::run(&args),
    }
}

fn require_root() -> Result<(), Exit> {
    if cowshed::sys::process::is_root() {
        Ok(())
    } else {
        Err(Exit::not_root())
    }
}

/// Docker answers a flag it does not know with 125, and a bare management command with its help.
fn usage(error: &clap::Error) -> ExitCode {
    let help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    // With COWSHED_ROOT or --root clap does not take the command for a bare one.
    if error.kind() == ErrorKind::MissingSubcommand {
        help_of_bare_command().print_help().ok();
        return ExitCode::SUCCESS;
    }
    // Nothing can be done about a terminal that has gone.
    error.print().ok();
    if help {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(125)
    }
}

/// The command that the words of the command line lead to.
fn help_of_bare_command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    for word in std::env::args().skip(1) {
        if let Some(sub) = command.find_subcommand(&word) {
            command = sub.clone();
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_definitions_are_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
