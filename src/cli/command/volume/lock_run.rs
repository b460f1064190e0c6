//! `cowshed volume lock-run`: a program of the host has a volume to itself.

use std::{
    ffi::OsString,
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Command, ExitCode},
    time::Duration,
};

use clap::Args;
use cowshed::{
    container::{Engine, LockedVolume},
    ident::parse_duration,
    mount::Access,
    sys::{
        SysError,
        fork::{self, Namespaces, Side},
        process,
    },
};
use nix::sys::signal::Signal;

use crate::cli::report::{self, Exit, Outcome};

/// What a program may be sent through us; the rest stops us as it stops any job of a shell.
const FORWARDED: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGWINCH,
];

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
    let failed = |error: SysError| {
        Exit::usage(format!("run {}: {error}", program.to_string_lossy())).or_code(125)
    };
    process::pass_on(locked.admission.file()).map_err(failed)?;
    let mut command = Command::new(program);
    command.args(rest).env("COWSHED_VOLUME", &locked.mountpoint);
    if locked.lease.is_mounted() {
        return stay(engine, locked, command).map_err(failed);
    }
    // The program holds them from here on, and so does whatever it starts.
    process::pass_on(locked.lease.lock().file()).map_err(failed)?;
    Err(replace_us(command).1)
}

/// Becomes the program; only returns on failure: with an exit code, and the error that has it.
fn replace_us(mut command: Command) -> (u8, Exit) {
    let error = command.exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    let message = format!("run {}: {error}", command.get_program().to_string_lossy());
    let hint = "name a program of the host, by its path or as the shell would find it";
    (code, Exit::usage(message).or_code(code).with_hint(hint))
}

/// A volume with a file system of its own needs somebody who unmounts it: the program is our child,
/// and dies with us. What it leaves running holds the volume on, and then whoever tidies up next
/// unmounts.
fn stay(engine: &Engine, locked: LockedVolume, command: Command) -> Result<ExitCode, SysError> {
    let signals = process::catch_signals(&FORWARDED)?;
    // A lease of its own: ours is given back when the program has ended.
    let lease = engine.volumes().ok();
    let lease = lease.and_then(|volumes| volumes.lease(&locked.name).ok().flatten());
    if let Some(lease) = &lease {
        process::pass_on(lease.lock().file())?;
    }
    let us = std::process::id();
    match fork::clone_into(Namespaces::NONE)? {
        Side::Child => {
            let bound = process::die_with_parent().and_then(|()| process::unblock_signals());
            if bound.is_err() || std::os::unix::process::parent_id() != us {
                fork::exit_now(125);
            }
            let (code, exit) = replace_us(command);
            report::print(&exit);
            // Nothing of ours is given back here: it is our parent's.
            fork::exit_now(code.into())
        }
        Side::Parent { pidfd, .. } => {
            let LockedVolume {
                lease: ours,
                admission,
                ..
            } = locked;
            drop((lease, admission));
            let ended = process::wait_forwarding(pidfd.as_fd(), &signals)?;
            drop(ours);
            Ok(ExitCode::from(u8::try_from(ended.code()).unwrap_or(255)))
        }
    }
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
