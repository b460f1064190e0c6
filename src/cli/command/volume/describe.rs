//! `cowshed volume describe`: says what a volume is for.

use std::process::ExitCode;

use clap::Args;
use cowshed::container::Engine;

use crate::cli::{output, report::Outcome};

#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// Name
    #[arg(value_name = "VOLUME")]
    name: String,
    /// What it is for; an empty text removes it, none shows it
    text: Option<String>,
}

pub(super) fn describe(engine: &Engine, args: &DescribeArgs) -> Outcome {
    let volumes = engine.volumes()?;
    let record = volumes.get(&args.name)?.record;
    if let Some(text) = &args.text {
        let text = Some(text.clone()).filter(|text| !text.is_empty());
        volumes.edit(&record.name, |record| record.description = text)?;
        output::line(record.name.as_str())?;
    } else if let Some(text) = &record.description {
        output::line(text)?;
    }
    Ok(ExitCode::SUCCESS)
}
