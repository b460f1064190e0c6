//! `cowshed volume du`.

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use super::place::Place;
use crate::cli::{
    output,
    report::{Exit, Outcome},
    text::printable,
};

/// Show what the directories of a volume take on disk, in KiB
#[derive(Debug, Args)]
// -h is what du(1) calls it.
#[command(disable_help_flag = true)]
pub(super) struct DuArgs {
    /// Files, too
    #[arg(short, long, conflicts_with = "summarize")]
    all: bool,
    /// Only the sum
    #[arg(short, long)]
    summarize: bool,
    /// Sizes as 1.5M
    #[arg(short, long)]
    human_readable: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    place: Place,
}

pub(super) fn du(engine: &Engine, args: &DuArgs) -> Outcome {
    let (volume, path) = args.place.parts();
    let uses = engine.volume_use(volume, path)?;
    let last = uses.len().saturating_sub(1);
    for (at, one) in uses.iter().enumerate() {
        // What was asked for is told, directory or not.
        let is_told = at == last || !args.summarize && (args.all || one.is_directory);
        if is_told {
            let size = if args.human_readable {
                human(one.allocated)
            } else {
                one.allocated.div_ceil(1024).to_string()
            };
            let path = printable(&one.path.display().to_string());
            let written = output::raw(&format!("{size}\t{path}\n"));
            written.map_err(Exit::from)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As du(1): powers of 1024, rounded up, one decimal below ten.
fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut unit, mut scale) = (0, 1024_u64);
    while bytes.div_ceil(scale) >= 1024 && unit < 5 {
        scale *= 1024;
        unit += 1;
    }
    let letter = ["K", "M", "G", "T", "P", "E"][unit];
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(scale));
    if tenths < 100 {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    } else {
        format!("{}{letter}", tenths.div_ceil(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people_are_those_of_du() {
        for (bytes, wanted) in [
            (0, "0"),
            (4096, "4.0K"),
            (12 << 10, "12K"),
            (1_500_000, "1.5M"),
            ((1 << 20) - 1, "1.0M"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(human(bytes), wanted);
        }
    }
}
