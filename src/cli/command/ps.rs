//! `cowshed ps`

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Container, Engine, Status},
    ident::Timestamp,
};

use crate::cli::{output, report::Outcome, text};

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// All containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Only ids
    #[arg(short, long)]
    quiet: bool,
    /// Whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Output format
    #[arg(long, value_parser = ["table", "json"])]
    format: Option<String>,
}

pub(crate) fn run(engine: &Engine, args: &PsArgs) -> Outcome {
    let mut containers = engine.containers()?;
    containers.retain(|container| args.all || container.status.is_live());
    if args.quiet {
        for container in &containers {
            output::line(&id(container, args.no_trunc))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.format.as_deref() == Some("json") {
        for container in &containers {
            output::json(&object(container))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let header = [
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ];
    let rows: Vec<_> = containers
        .iter()
        .map(|container| row(container, args.no_trunc))
        .collect();
    output::table(&header, &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn id(container: &Container, whole: bool) -> String {
    let id = &container.record.id;
    if whole {
        id.to_string()
    } else {
        id.short().to_owned()
    }
}

fn row(container: &Container, whole: bool) -> Vec<String> {
    let record = &container.record;
    vec![
        id(container, whole),
        record.image.clone(),
        format!("\"{}\"", command(container, whole)),
        text::ago(Some(record.created)),
        status(container),
        String::new(),
        record.name.to_string(),
    ]
}

fn command(container: &Container, whole: bool) -> String {
    let command = container.record.args.join(" ");
    if whole || command.chars().count() <= 20 {
        return command;
    }
    command.chars().take(19).chain(['…']).collect()
}

/// `Up 2 minutes`, `Exited (0) 3 seconds ago`, `Created`.
pub(crate) fn status(container: &Container) -> String {
    let state = container.state.as_ref();
    let since = |then: Timestamp| Timestamp::now().as_second() - then.as_second();
    match (container.status, state) {
        (Status::Running | Status::Paused | Status::Restarting, state) => {
            let started = state.and_then(|state| state.started);
            let started = started.unwrap_or(container.record.created);
            format!("Up {}", text::duration(since(started)))
        }
        (Status::Exited, Some(state)) => {
            format!("Exited ({}) {}", state.exit_code, text::ago(state.finished))
        }
        (Status::Created | Status::Exited, _) => "Created".to_owned(),
    }
}

fn object(container: &Container) -> serde_json::Value {
    let record = &container.record;
    let labels: Vec<_> = record
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mounts: Vec<_> = record
        .mounts
        .iter()
        .map(|mount| mount.request.target.display().to_string())
        .collect();
    serde_json::json!({
        "Command": format!("\"{}\"", command(container, false)),
        "CreatedAt": record.created.table(),
        "ID": record.id.short(),
        "Image": record.image,
        "Labels": labels.join(","),
        "LocalVolumes": record.volumes().count().to_string(),
        "Mounts": mounts.join(","),
        "Names": record.name,
        "Networks": record.network,
        "Ports": "",
        "RunningFor": text::ago(Some(record.created)),
        "Size": "N/A",
        "State": container.status.word(),
        "Status": status(container),
    })
}
