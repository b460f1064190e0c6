//! `cowshed volume users`: who uses a volume, running or not.

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Engine, VolumeUse},
    mount::Access,
};
use serde_json::{Map, Value, json};

use crate::cli::{
    format::Format,
    report::{self, Outcome},
    template::{Labels, Row},
};

#[derive(Debug, Args)]
pub(super) struct UsersArgs {
    /// table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Name
    #[arg(value_name = "VOLUME")]
    name: String,
}

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 6] = [
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("State", "STATE"),
    ("Pid", "PID"),
    ("Destination", "TARGET"),
    ("Access", "ACCESS"),
];

const TABLE: &str =
    "{{truncate .ID 12}}\t{{.Name}}\t{{.State}}\t{{.Pid}}\t{{.Destination}}\t{{.Access}}";

pub(super) fn users(engine: &Engine, args: &UsersArgs) -> Outcome {
    let format = Format::new(args.format.as_deref(), TABLE, &HEADERS)?;
    let name = engine.volumes()?.get(&args.name)?.record.name;
    let mut users = {
        let (mut users, damaged) = engine.known_volume_users()?;
        report::note_damaged_containers(&damaged);
        users.remove(&name).unwrap_or_default()
    };
    // Those that run first, then by name.
    users.sort_by(|a, b| (a.pid == 0, &a.name).cmp(&(b.pid == 0, &b.name)));
    format.print(&users.iter().map(row).collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn row(user: &VolumeUse) -> Row {
    let pid = if user.pid > 0 {
        user.pid.to_string()
    } else {
        "-".to_owned()
    };
    let values: [Value; 6] = [
        json!(user.id),
        json!(user.name),
        json!(user.status.word()),
        json!(pid),
        json!(user.target),
        json!(match user.access {
            Access::ReadWrite => "rw",
            Access::ReadOnly => "ro",
        }),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values).collect::<Map<_, _>>(),
        labels: Labels::Of([].into()),
    }
}
