//! `cowshed volume verify`.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;
use cowshed::{
    container::{Compared, Engine},
    volume::backup::Difference,
};

use super::{limits_arg::LimitsArg, restore::refuse_terminal};
use crate::cli::{
    output,
    report::{Exit, Outcome},
    text,
};

/// Compare a backup with its own list of files, and a volume with the backup
///
/// Exits with 1 where something differs.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    limits: LimitsArg,
    /// Backup, or - for standard input
    #[arg(value_name = "FILE")]
    archive: OsString,
    /// A volume that shall be as the backup says
    volume: Option<String>,
}

pub(super) fn verify(engine: &Engine, args: &VerifyArgs) -> Outcome {
    refuse_terminal(&args.archive)?;
    let limits = args.limits.limits();
    let (report, compared) =
        engine.verify_backup(&args.archive, args.volume.as_deref(), &limits)?;
    let shown = args.archive.display();
    output::line(&format!(
        "{shown}: good, {} entries, {} of volume {} from {}",
        report.tail.entries,
        text::size(report.tail.bytes, 4),
        report.head.name,
        report.head.taken.local_seconds(),
    ))?;
    if report.tail.changed > 0 {
        output::line(&format!(
            "{shown}: {} files changed while they were read",
            report.tail.changed
        ))?;
    }
    match &args.volume {
        Some(volume) => tell(volume, &compared),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn tell(volume: &str, compared: &Compared) -> Outcome {
    for difference in &compared.differences {
        let (path, what) = match difference {
            Difference::Missing(path) => (path, "only in the backup".to_owned()),
            Difference::New(path) => (path, "only in the volume".to_owned()),
            Difference::Changed { path, what } => (path, format!("another {what}")),
        };
        let path = if path.is_root() {
            ".".to_owned()
        } else {
            path.to_string()
        };
        output::line(&format!("{path}: {what}"))?;
    }
    let told = compared.differences.len() as u64;
    if compared.count > told {
        output::line(&format!("and {} more", compared.count - told))?;
    }
    if compared.count == 0 {
        output::line(&format!("volume {volume}: the same"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("volume {volume} differs from the backup");
    Err(Exit::usage(what).or_code(1))
}
