//! A container as a line of `ps`.

use cowshed::{
    container::{AttachedMount, Container, ContainerSize, DamagedContainer, HealthStatus, Status},
    ident::Timestamp,
    mount::RequestKind,
};
use serde_json::{Value, json};

use crate::cli::{
    template::{Labels, Row, quote},
    text,
};

/// Fields in the order of Docker's JSON, and what stands above their columns.
pub(crate) const HEADERS: [(&str, &str); 14] = [
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Labels", "LABELS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Mounts", "MOUNTS"),
    ("Names", "NAMES"),
    ("Networks", "NETWORKS"),
    ("Ports", "PORTS"),
    ("RunningFor", "CREATED"),
    ("Size", "SIZE"),
    ("State", "STATE"),
    ("Status", "STATUS"),
];

/// `whole` is `--no-trunc`.
pub(crate) fn row(container: &Container, size: Option<ContainerSize>, whole: bool) -> Row {
    let record = &container.record;
    let cut = |text: &str, columns| {
        if whole {
            text.to_owned()
        } else {
            text::ellipsis(text, columns)
        }
    };
    let id = if whole {
        record.id.as_str()
    } else {
        record.id.short()
    };
    let labels = record.labels.iter();
    let labels: Vec<_> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mounts = record.mounts.iter().filter_map(mount);
    let mounts: Vec<_> = mounts.map(|mount| cut(&mount, 15)).collect();
    let values: [Value; 14] = [
        json!(quote(&cut(&command(&record.args), 20), false)),
        json!(record.created.table()),
        json!(id),
        json!(record.image),
        json!(labels.join(",")),
        json!(record.volumes().count().to_string()),
        json!(mounts.join(",")),
        json!(record.name),
        json!(record.network),
        json!(""),
        json!(text::ago(Some(record.created))),
        json!(size.map_or_else(|| "N/A".to_owned(), shown)),
        json!(container.status.word()),
        json!(status(container)),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values).collect(),
        labels: Labels::Of(record.labels.clone()),
    }
}

/// One whose record cannot be read: its name, and Docker's word for what is no container any more.
pub(crate) fn damaged_row(damaged: &DamagedContainer, whole: bool) -> Row {
    let id = if whole {
        damaged.id.as_str()
    } else {
        damaged.id.short()
    };
    let name = damaged.name.as_ref().map_or("", |name| name.as_str());
    let value = |field: &str| match field {
        "ID" => id,
        "Names" => name,
        "State" => "dead",
        "Status" => "Dead",
        "LocalVolumes" => "0",
        "CreatedAt" | "RunningFor" | "Size" => "N/A",
        _ => "",
    };
    let fields = HEADERS.iter();
    let fields = fields.map(|(field, _)| ((*field).to_owned(), json!(value(field))));
    Row {
        fields: fields.collect(),
        labels: Labels::Of(std::collections::BTreeMap::new()),
    }
}

/// Arguments with spaces in them are held together by quotes.
fn command(args: &[String]) -> String {
    let held = args.iter().enumerate().map(|(number, arg)| {
        if number > 0 && arg.contains(' ') {
            format!("'{arg}'")
        } else {
            arg.clone()
        }
    });
    held.collect::<Vec<_>>().join(" ")
}

/// The volume's name, or the bind's source.
fn mount(mount: &AttachedMount) -> Option<String> {
    match &mount.request.kind {
        RequestKind::Bind(bind) => Some(bind.source.display().to_string()),
        RequestKind::Volume(_) => mount.volume.as_ref().map(ToString::to_string),
        RequestKind::Tmpfs(_) => None,
        RequestKind::Image(image) => Some(image.image.clone()),
        RequestKind::Overlay(overlay) => Some(overlay.lower.to_string()),
    }
}

/// `330B (virtual 7.8MB)` (semantics 68).
fn shown(size: ContainerSize) -> String {
    let written = text::size(size.written, 3);
    if size.root == 0 {
        return written;
    }
    format!("{written} (virtual {})", text::size(size.root, 3))
}

/// `Up 2 minutes`, `Exited (0) 3 seconds ago`, `Created`.
pub(crate) fn status(container: &Container) -> String {
    let state = container.state.as_ref();
    let since = |then: Timestamp| Timestamp::now().as_second() - then.as_second();
    match (container.status, state) {
        (Status::Restarting, Some(state)) => {
            format!(
                "Restarting ({}) {}",
                state.exit_code,
                text::ago(state.finished)
            )
        }
        (Status::Running | Status::Paused | Status::Restarting, state) => {
            let started = state.and_then(|state| state.started);
            let started = started.unwrap_or(container.record.created);
            let health = container.health.as_ref().map(|health| health.status);
            let more = match (container.status, health) {
                (Status::Paused, _) => " (Paused)",
                (_, Some(HealthStatus::Starting)) => " (health: starting)",
                (_, Some(HealthStatus::Healthy)) => " (healthy)",
                (_, Some(HealthStatus::Unhealthy)) => " (unhealthy)",
                (_, None) => "",
            };
            format!("Up {}{more}", text::duration(since(started)))
        }
        (Status::Exited, Some(state)) => {
            format!("Exited ({}) {}", state.exit_code, text::ago(state.finished))
        }
        (Status::Created | Status::Exited, _) => "Created".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_with_spaces_are_held_together() {
        let args = ["sh", "-c", "echo \"a b\"", "it is"].map(str::to_owned);
        assert_eq!(command(&args), "sh -c 'echo \"a b\"' 'it is'");
        assert_eq!(command(&["a b".to_owned()]), "a b");
    }

    #[test]
    fn sizes_are_dockers() {
        let size = |written, root| shown(ContainerSize { written, root });
        assert_eq!(size(330, 7_800_000), "330B (virtual 7.8MB)");
        assert_eq!(size(0, 0), "0B");
    }
}
