//! `cowshed volume restore`.

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Args;
use cowshed::container::{Engine, RestoreInto};

use super::limits_arg::LimitsArg;
use crate::cli::{
    busy::busy,
    output,
    report::{self, Exit, Outcome},
    text,
};

/// Make a volume of a backup, or put one in the place of what a volume holds
///
/// Everything is compared with the backup's list first; the volume has all of it or none. A new
/// volume gets the labels and options of the one that was backed up. In a volume with driver options,
/// which is mounted for it, the entries are swapped one by one when all of them are there.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Into a volume that is there: what it holds goes
    #[arg(long, conflicts_with = "into_empty")]
    replace: bool,
    /// Into a volume that is there and empty
    #[arg(long)]
    into_empty: bool,
    /// Only errors
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    limits: LimitsArg,
    /// Backup, or - for standard input
    #[arg(value_name = "FILE")]
    archive: OsString,
    /// Name
    volume: String,
}

pub(super) fn restore(engine: &Engine, args: &RestoreArgs) -> Outcome {
    refuse_terminal(&args.archive)?;
    let into = match (args.replace, args.into_empty) {
        (true, _) => RestoreInto::Replaced,
        (false, true) => RestoreInto::Empty,
        (false, false) => RestoreInto::New,
    };
    let limits = args.limits.limits();
    let progress = busy("volume restore");
    let done = engine.restore_backup(&args.archive, &args.volume, into, &limits)?;
    drop(progress);
    output::line(&args.volume)?;
    if into == RestoreInto::New && !done.head.options.is_empty() {
        report::line(&format!(
            "cowshed: note: volume {} is a directory of the store: the driver options of volume {} \
             are left out, they would mount something over the data",
            args.volume, done.head.name
        ));
    }
    if !args.quiet {
        report::line(&format!(
            "{}: {} entries, {} of volume {} from {}",
            args.volume,
            done.tail.entries,
            text::size(done.tail.bytes, 4),
            done.head.name,
            done.head.taken.local_seconds(),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Nobody types an archive.
pub(super) fn refuse_terminal(archive: &OsString) -> Result<(), Exit> {
    if archive == "-" && io::stdin().is_terminal() {
        let error = Exit::usage("refused to read an archive from a terminal").or_code(1);
        return Err(error.with_hint("name a file, or < FILE"));
    }
    Ok(())
}
