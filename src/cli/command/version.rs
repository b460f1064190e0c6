//! `cowshed version`

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::inspect::FormatArg;
use crate::cli::report::Outcome;

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    format: FormatArg,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn run(args: &VersionArgs) -> Outcome {
    let show = args.format.show()?;
    show.record(&object(), page)?;
    Ok(ExitCode::SUCCESS)
}

fn platform() -> String {
    format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH)
}

fn page() -> String {
    let (platform, format) = (platform(), cowshed::store::FORMAT);
    format!(
        "cowshed\n Version:      {VERSION}\n Store format: {format}\n OS/Arch:      {platform}\n"
    )
}

/// There is one program where Docker has two; scripts ask for either.
fn object() -> Value {
    let both = json!({
        "Version": VERSION,
        "Os": std::env::consts::OS,
        "Arch": std::env::consts::ARCH,
    });
    json!({
        "Version": VERSION,
        "StoreFormat": cowshed::store::FORMAT,
        "Platform": platform(),
        "Client": both,
        "Server": both,
    })
}
