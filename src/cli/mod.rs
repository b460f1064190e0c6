//! The command line: Docker's words, one file a subcommand, nothing decided here.

mod busy;
mod command;
mod completion;
mod completion_names;
mod format;
mod interrupt;
mod output;
mod report;
mod template;
mod text;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};
use cowshed::container::Engine;

use command::system::Unopened;
use command::{history, image, images, import, info, inspect, life, load, ps, rmi, tag, volume};
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
    /// Tell no notes about what was made, ignored or left out
    #[arg(long, global = true)]
    no_notes: bool,
    #[command(subcommand)]
    command: Command,
}

/// The same for `run` alone: to describe all commands takes longer than to read one, and `run` is
/// in a hurry.
#[derive(Debug, Parser)]
#[command(name = "cowshed", version, disable_help_subcommand = true)]
struct RunOnly {
    /// Directory that holds everything; made where it is missing
    #[arg(long, global = true, env = "COWSHED_ROOT", value_name = "DIR", default_value = DEFAULT_ROOT)]
    root: PathBuf,
    /// Tell no notes about what was made, ignored or left out
    #[arg(long, global = true)]
    no_notes: bool,
    #[command(subcommand)]
    command: RunCommand,
}

#[derive(Debug, Subcommand)]
enum RunCommand {
    /// Create and run a container
    Run(Box<command::run::RunArgs>),
}

impl RunOnly {
    /// `try_parse`, but nothing of the description is freed: memory that is used again lies all over the heap then, and
    /// after a fork each page of it that is written to is copied.
    fn read() -> Result<Self, clap::Error> {
        let mut described = Self::command();
        let mut matches = described.try_get_matches_from_mut(std::env::args_os())?;
        let read = Self::from_arg_matches_mut(&mut matches);
        let read = read.map_err(|error| error.format(&mut described));
        std::mem::forget((described, matches));
        read
    }
}

impl Cli {
    /// The command line of this process.
    fn read() -> Result<Self, clap::Error> {
        let words: Vec<_> = std::env::args_os().skip(1).collect();
        if !begins_with_run(&words) {
            return Self::try_parse();
        }
        let RunOnly {
            root,
            no_notes,
            command: RunCommand::Run(args),
        } = RunOnly::read()?;
        let command = Command::Life(life::LifeCommand::Run(args));
        Ok(Self {
            root,
            no_notes,
            command,
        })
    }
}

/// Whether the command is `run`, with nothing but `--root` before it.
fn begins_with_run(words: &[OsString]) -> bool {
    match words {
        [word, ..] if word == "run" => true,
        [flag, _, word, ..] if flag == "--root" => word == "run",
        [flag, word, ..] if flag.as_encoded_bytes().starts_with(b"--root=") => word == "run",
        _ => false,
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Life(life::LifeCommand),
    /// List containers
    Ps(ps::PsArgs),
    /// Show everything about containers, images or volumes as JSON
    Inspect(inspect::InspectArgs),
    /// Take in images from an OCI layout or a docker-archive
    Load(load::LoadArgs),
    /// Make an image of a root file system: a tar or a directory
    Import(import::ImportArgs),
    /// Make an image of a Dockerfile
    Build(Box<command::build::BuildArgs>),
    /// List images
    Images(images::ImagesArgs),
    /// Give an image another name
    Tag(tag::TagArgs),
    /// Remove images
    Rmi(rmi::RmiArgs),
    /// Show the layers of an image and how they came to be
    History(history::HistoryArgs),
    /// Fetch images from a registry
    Pull(command::pull::PullArgs),
    /// Send images to a registry
    Push(command::push::PushArgs),
    /// Keep a name and a password for a registry
    Login(command::login::LoginArgs),
    /// Forget the password of a registry
    Logout(command::login::LogoutArgs),
    /// Write images as an archive that other engines read
    Save(command::save::SaveArgs),
    /// Manage images
    Image(image::ImageArgs),
    /// Manage containers
    Container(command::container::ContainerArgs),
    /// Manage volumes
    Volume(volume::VolumeArgs),
    /// Look at, apply or discard what containers changed over directories and volumes
    Overlay(command::overlay::OverlayArgs),
    /// Show what is done to containers, images and volumes
    Events(command::events::EventsArgs),
    /// Write files for other programs
    Generate(command::generate::GenerateArgs),
    /// Manage the store
    System(command::system::SystemArgs),
    /// Show what this machine and this store can do
    Info(info::InfoArgs),
    /// Print the script that lets a shell complete command lines of cowshed
    Completion(command::completion::CompletionArgs),
    /// Write man pages of all commands into a directory
    #[command(hide = true)]
    Man(command::man::ManArgs),
    /// Show the version
    Version(command::version::VersionArgs),
}

/// Parses, dispatches and reports.
pub(crate) fn main() -> ExitCode {
    // Directories that we make for others, volumes and bind sources, must not depend on the caller.
    cowshed::sys::process::set_umask(0o022);
    if completion::answer(Cli::command, DEFAULT_ROOT) {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = dispatch(cli);
    report::finish(done)
}

fn dispatch(cli: Cli) -> Outcome {
    if cli.no_notes {
        report::silence_notes();
    }
    let open = || -> Result<Engine, Exit> {
        require_root()?;
        let strict = report::is_on(std::env::var_os("COWSHED_STRICT_MOUNTS"));
        let engine = Engine::open(&cli.root)?.with_notes(report::note);
        Ok(engine.with_strict_mounts(strict))
    };
    // What a killed command left is put away by the next one, but for `run`, which is in a hurry.
    let open_tidy = || -> Result<Engine, Exit> {
        let engine = open()?;
        // A record that cannot be read is told by whoever needs it.
        engine.tidy().ok();
        Ok(engine)
    };
    if is_put_away(&cli.command) {
        interrupt::prepare(&cli.root);
    }
    match cli.command {
        Command::Life(command) if command.is_in_a_hurry() => {
            let engine = open().map_err(|exit| exit.or_code(125))?;
            life::run(&engine, command)
        }
        Command::Life(command) => life::run(&open_tidy()?, command),
        Command::Ps(args) => ps::run(&open_tidy()?, &args),
        Command::Inspect(args) => inspect::run(&open_tidy()?, &args),
        Command::Load(args) => load::run(&open_tidy()?, &args),
        Command::Import(args) => import::run(&open_tidy()?, args),
        Command::Build(args) => command::build::run(&open_tidy()?, &args),
        Command::Images(args) => images::run(&open_tidy()?, &args),
        Command::Tag(args) => tag::run(&open_tidy()?, &args),
        Command::Rmi(args) => rmi::run(&open_tidy()?, &args),
        Command::History(args) => history::run(&open_tidy()?, &args),
        Command::Pull(args) => command::pull::run(&open_tidy()?, &args),
        Command::Push(args) => command::push::run(&open_tidy()?, &args),
        Command::Login(args) => command::login::run(&args),
        Command::Logout(args) => command::login::logout(&args),
        Command::Save(args) => command::save::run(&open_tidy()?, args),
        Command::Image(args) => image::run(&open_tidy()?, args),
        Command::Container(args) => command::container::run(&open_tidy()?, args),
        Command::Volume(args) => volume::run(&open_tidy()?, args),
        Command::Overlay(args) => command::overlay::run(&open_tidy()?, &args),
        Command::Events(args) => command::events::run(&open_tidy()?, &args),
        Command::Generate(args) => command::generate::run(&open_tidy()?, &args, DEFAULT_ROOT),
        Command::System(args) => match args.unopened() {
            Some(Unopened::Destroy(args)) => {
                require_root()?;
                command::system::destroy(&cli.root, args)
            }
            Some(Unopened::Check(args)) => {
                require_root()?;
                command::system::check(&cli.root, args)
            }
            Some(Unopened::Tidy(args)) => interrupt::tidy(&cli.root, args),
            None => command::system::run(&open_tidy()?, &args),
        },
        Command::Info(args) => info::run(&open_tidy()?, &args),
        Command::Completion(args) => command::completion::run(&args),
        Command::Man(args) => command::man::run(&args, Cli::command()),
        Command::Version(args) => command::version::run(&args),
    }
}

/// Commands that a signal ends by putting away what they began. Those about a container's life have ways
/// of their own, and so has a build.
fn is_put_away(command: &Command) -> bool {
    match command {
        Command::Load(_)
        | Command::Import(_)
        | Command::Tag(_)
        | Command::Rmi(_)
        | Command::Pull(_)
        | Command::Push(_)
        | Command::Save(_)
        | Command::Image(_)
        | Command::Volume(_) => true,
        Command::Life(life) => life.is_put_away(),
        Command::Container(args) => args.is_put_away(),
        Command::System(args) => args.is_put_away(),
        Command::Ps(_)
        | Command::Inspect(_)
        | Command::Build(_)
        | Command::Images(_)
        | Command::History(_)
        | Command::Login(_)
        | Command::Logout(_)
        | Command::Overlay(_)
        | Command::Events(_)
        | Command::Generate(_)
        | Command::Info(_)
        | Command::Completion(_)
        | Command::Man(_)
        | Command::Version(_) => false,
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
        <RunOnly as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn run_is_found_behind_the_root_and_nowhere_else() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in ["run x", "--root /x run x", "--root=/x run", "run"] {
            assert!(begins_with_run(&words(line)), "{line}");
        }
        for line in [
            "ps run",
            "--root run",
            "--root run ps",
            "--help run",
            "container run x",
        ] {
            assert!(!begins_with_run(&words(line)), "{line}");
        }
    }
}
