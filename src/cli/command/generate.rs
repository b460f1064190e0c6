//! `cowshed generate systemd`: units that bring containers back after a boot.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};
use cowshed::container::{Container, Engine, RestartPolicy};

use super::systemd_unit::{Restart, Unit, What};
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    command: GenerateCommand,
}

#[derive(Debug, Subcommand)]
enum GenerateCommand {
    /// Print a systemd unit: for one container, or for all that their restart policies want back
    Systemd(SystemdArgs),
}

#[derive(Debug, Args)]
struct SystemdArgs {
    /// What the unit is called, without `.service`
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// When systemd starts the container again
    #[arg(
        long,
        value_enum,
        value_name = "POLICY",
        default_value = "on-failure",
        requires = "container"
    )]
    restart_policy: RestartArg,
    /// Name or id; without it, all that shall come back
    container: Option<String>,
}

/// systemd.service(5), `Restart=`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RestartArg {
    No,
    OnSuccess,
    OnFailure,
    OnAbnormal,
    OnWatchdog,
    OnAbort,
    Always,
}

impl RestartArg {
    fn word(self) -> Restart {
        Restart(match self {
            Self::No => "no",
            Self::OnSuccess => "on-success",
            Self::OnFailure => "on-failure",
            Self::OnAbnormal => "on-abnormal",
            Self::OnWatchdog => "on-watchdog",
            Self::OnAbort => "on-abort",
            Self::Always => "always",
        })
    }
}

pub(crate) fn run(engine: &Engine, args: &GenerateArgs, default_root: &str) -> Outcome {
    let GenerateCommand::Systemd(args) = &args.command;
    let root = engine.store().path();
    let container = args.container.as_deref().map(|name| engine.container(name));
    let container = container.transpose()?;
    let name = match (&args.name, &container) {
        (Some(name), _) => checked(name)?,
        (None, Some(container)) => format!("cowshed-{}", container.record.name),
        (None, None) => "cowshed".to_owned(),
    };
    let what = match &container {
        Some(container) => {
            warn(container);
            What::One {
                container: container.record.name.to_string(),
                restart: args.restart_policy.word(),
            }
        }
        None => What::All,
    };
    let unit = Unit {
        name,
        program: program()?,
        root: (root != Path::new(default_root)).then_some(root.clone()),
        store: root,
        patience: patience(&container.map_or_else(|| engine.containers(), |one| Ok(vec![one]))?),
        what,
    };
    output::raw(&unit.text())?;
    Ok(ExitCode::SUCCESS)
}

/// systemd.unit(5): what a unit may be called.
fn checked(name: &str) -> Result<String, Exit> {
    let name = name.strip_suffix(".service").unwrap_or(name);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\".contains(&byte);
    if name.is_empty() || name.len() > 200 || !name.bytes().all(fits) {
        let what = format!("invalid unit name {name:?}: only \"[a-zA-Z0-9:_.\\-]\" are allowed");
        return Err(Exit::usage(what).or_code(1));
    }
    Ok(name.to_owned())
}

/// This program, wherever it was called from.
fn program() -> Result<PathBuf, Exit> {
    let program = std::env::current_exe().ok().filter(|path| path.exists());
    let missing = || Exit::usage("find this program's own file: it was moved or replaced");
    program.ok_or_else(|| missing().or_code(1))
}

/// Seconds that the slowest of them may take to stop; `None` is for ever.
fn patience(containers: &[Container]) -> Option<u32> {
    let own = containers.iter().map(|one| one.record.stop_timeout);
    own.reduce(|one, other| Some(one?.max(other?)))
        .unwrap_or(Some(cowshed::container::DEFAULT_STOP_TIMEOUT))
}

/// One who starts it again is enough.
fn warn(container: &Container) {
    let record = &container.record;
    let policy = record.restart;
    if policy != RestartPolicy::No {
        report::remarks(&[format!(
            "container {} has the restart policy {policy} of its own; systemd starts it again only \
             where that gives up",
            record.name
        )]);
    }
}
