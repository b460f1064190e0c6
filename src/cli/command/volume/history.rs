//! `cowshed volume history`: who made, mounted and removed a volume, and when.

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Deed, Engine},
    mount::Access,
};
use serde_json::{Map, Value, json};

use crate::cli::{
    format::Format,
    report::{self, Outcome},
    template::{Labels, Row},
};

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Name, also of one that is gone
    #[arg(value_name = "VOLUME")]
    name: String,
}

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 9] = [
    ("Time", "TIME"),
    ("Local", "TIME"),
    ("Action", "ACTION"),
    ("Volume", "VOLUME"),
    ("Container", "CONTAINER ID"),
    ("By", "BY"),
    ("Destination", "TARGET"),
    ("Access", "ACCESS"),
    ("OtherName", "OTHER NAME"),
];

const TABLE: &str = "{{.Local}}\t{{.Action}}\t{{.By}}\t{{.Destination}}\t{{.Access}}";

pub(super) fn history(engine: &Engine, args: &HistoryArgs) -> Outcome {
    let format = Format::new(args.format.as_deref(), TABLE, &HEADERS)?;
    let history = engine.volume_history(&args.name)?;
    format.print(&history.deeds.iter().map(row).collect::<Vec<_>>())?;
    if let Some(begins) = history.begins {
        let begins = begins.local_seconds();
        report::remarks(&[format!("the journal begins at {begins}: there may be more")]);
    }
    Ok(ExitCode::SUCCESS)
}

fn row(deed: &Deed) -> Row {
    let id = deed.container.as_deref().unwrap_or_default();
    let short = id.get(..12).unwrap_or(id);
    let by = match &deed.container_name {
        Some(name) => name.as_str(),
        None if id.is_empty() => "a command",
        None => short,
    };
    // Nobody watches who writes: a container that could may have.
    let access = match deed.access {
        Some(Access::ReadWrite) => "could write",
        Some(Access::ReadOnly) => "could only read",
        None => "",
    };
    let other = deed.other_name.as_deref().unwrap_or_default();
    let action = match (deed.action.as_str(), other) {
        (action, "") => action.to_owned(),
        // Under which name it went on, or which name it had.
        ("rename", other) => format!("rename {} {other}", direction(deed)),
        (action, other) => format!("{action} of {other}"),
    };
    let values: [Value; 9] = [
        json!(deed.time.to_string()),
        json!(deed.time.local_seconds()),
        json!(action),
        json!(deed.volume),
        json!(id),
        json!(by),
        json!(deed.target.as_deref().unwrap_or_default()),
        json!(access),
        json!(other),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values).collect::<Map<_, _>>(),
        labels: Labels::Of([].into()),
    }
}

fn direction(deed: &Deed) -> &'static str {
    if deed.went_on { "to" } else { "from" }
}
