//! `cowshed volume lock-run`: a program of the host has a volume to itself.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command, time::Duration};

use clap::Args;
use cowshed::{container::Engine, ident::parse_duration, mount::Access, sys::process};

use crate::cli::report::{Exit, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
COWSHED_VOLUME is the path of the data. As long as the program runs, and whatever it has started, no \
container gets the volume; with --read only those that do not write. Its exit code is ours; 125, 126 \
and 127 are as with run.")]
pub(crate) struct LockRunArgs {
    /// Only read: containers that only read may have it, too
    #[arg(long)]
    read: bool,
    /// Wait so long for containers that use it, such as 30s; without a time for ever
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    wait: Option<String>,
    /// Volume
    volume: String,
    /// Program and arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

pub(crate) fn run(engine: &Engine, args: &LockRunArgs) -> Outcome {
    match replace_us(engine, args) {
        Err(exit) => Err(exit),
        Ok(never) => match never {},
    }
}

fn replace_us(engine: &Engine, args: &LockRunArgs) -> Result<std::convert::Infallible, Exit> {
    let access = if args.read {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let [program, rest @ ..] = args.command.as_slice() else {
        return Err(Exit::usage("lock-run needs a command"));
    };
    let who = format!(
        "process {} ({})",
        std::process::id(),
        program.to_string_lossy()
    );
    let locked = engine.lock_volume((&args.volume, access), &who, patience(args)?);
    let locked = locked.map_err(|error| Exit::from(error).or_code(125))?;
    // The program holds them from here on, and so does whatever it starts.
    process::pass_on(locked.lease.lock().file())
        .and_then(|()| process::pass_on(locked.admission.file()))
        .map_err(|error| Exit::usage(format!("run {}: {error}", program.to_string_lossy())))?;
    let error = Command::new(program)
        .args(rest)
        .env("COWSHED_VOLUME", &locked.mountpoint)
        .exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    let message = format!("run {}: {error}", program.to_string_lossy());
    let hint = "name a program of the host, by its path or as the shell would find it";
    Err(Exit::usage(message).or_code(code).with_hint(hint))
}

fn patience(args: &LockRunArgs) -> Result<Option<Duration>, Exit> {
    match args.wait.as_deref() {
        None => Ok(None),
        // A century is for ever.
        Some("") => Ok(Some(Duration::from_hours(24 * 36_525))),
        Some(text) => {
            let nanoseconds = parse_duration(text)?;
            Ok(Some(Duration::from_nanos(nanoseconds.unsigned_abs())))
        }
    }
}
