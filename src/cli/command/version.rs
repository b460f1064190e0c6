//! `cowshed version`

use std::process::ExitCode;

use clap::Args;

use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// Output format
    #[arg(short, long, value_parser = ["text", "json"])]
    format: Option<String>,
}

pub(crate) fn run(args: &VersionArgs) -> Outcome {
    let (version, format) = (env!("CARGO_PKG_VERSION"), cowshed::store::FORMAT);
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    if args.format.as_deref() == Some("json") {
        output::json(&serde_json::json!({
            "Version": version, "StoreFormat": format, "Platform": platform,
        }))?;
    } else {
        output::raw(&format!(
            "cowshed\n Version:      {version}\n Store format: {format}\n OS/Arch:      {platform}\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
