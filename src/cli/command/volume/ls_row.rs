//! A volume as a line of `volume ls`: Docker's fields, and those that Docker does not have.

use cowshed::volume::Volume;
use serde_json::{Map, Value, json};

use super::ls::Listed;
use crate::cli::{
    template::{Labels, Row},
    text,
};

/// Fields in the order of Docker's JSON, and what stands above their columns; then ours.
pub(in crate::cli::command) const HEADERS: [(&str, &str); 20] = [
    ("Availability", "AVAILABILITY"),
    ("Driver", "DRIVER"),
    ("Group", "GROUP"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Name", "VOLUME NAME"),
    ("Scope", "SCOPE"),
    ("Size", "SIZE"),
    ("Status", "STATUS"),
    ("Kind", "KIND"),
    ("SizeBytes", "BYTES"),
    ("UsedBy", "USED BY"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedSince", "CREATED"),
    ("LastUsedAt", "LAST USED AT"),
    ("LastUsed", "LAST USED"),
    ("Description", "DESCRIPTION"),
    ("Protected", "PROTECTED"),
    ("Notes", "NOTES"),
];

/// How many of them are Docker's.
const DOCKERS: usize = 10;

/// Docker's table.
pub(super) const PLAIN: &str = "{{.Driver}}\t{{.Name}}";

/// The table of `--long`.
pub(super) const LONG: &str = "{{.Name}}\t{{.Kind}}\t{{.Size}}\t{{.UsedBy}}\t{{.CreatedSince}}\t\
                               {{.LastUsed}}\t{{.Notes}}";

/// Whether Docker does not have a field.
pub(super) fn is_extra(field: &str) -> bool {
    HEADERS[DOCKERS..].iter().any(|(extra, _)| *extra == field)
}

/// As `system df -v` shows it: Docker's fields with figures.
pub(in crate::cli::command) fn measured_row(volume: &Volume, links: usize, bytes: u64) -> Row {
    let listed = Listed {
        volume: volume.clone(),
        damage: None,
        users: &[],
        bytes,
        last_used: None,
    };
    let mut row = row(&listed, (false, false));
    for (field, text) in [("Links", links.to_string()), ("Size", text::size(bytes, 3))] {
        row.fields.insert(field.to_owned(), text.into());
    }
    row
}

/// Placeholders of Docker (semantics 43) where `long` and `sized` do not ask for more.
pub(super) fn row(listed: &Listed<'_>, (long, sized): (bool, bool)) -> Row {
    let volume = &listed.volume;
    let record = &volume.record;
    let labels = record.labels.clone().unwrap_or_default();
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    let (pairs, mountpoint) = (pairs.collect::<Vec<_>>().join(","), &volume.mountpoint);
    let none = || "N/A".to_owned();
    let size = if sized && long {
        text::size(listed.bytes, 4)
    } else {
        none()
    };
    let links = if long {
        users(listed).len().to_string()
    } else {
        none()
    };
    let dockers: [String; DOCKERS] = [
        none(),
        record.driver.clone(),
        none(),
        pairs,
        links,
        mountpoint.display().to_string(),
        record.name.to_string(),
        "local".to_owned(),
        size,
        none(),
    ];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    let mut fields: Map<_, _> = names.clone().zip(dockers.map(Value::from)).collect();
    if long {
        fields.extend(names.skip(DOCKERS).zip(extras(listed)));
    }
    Row {
        fields,
        labels: Labels::Of(labels),
    }
}

fn extras(listed: &Listed<'_>) -> [Value; 10] {
    let record = &listed.volume.record;
    let description = record.description.as_deref().unwrap_or_default();
    let last_used = match listed.last_used {
        _ if listed.is_live() => "in use".to_owned(),
        None => "never".to_owned(),
        some => text::ago(some),
    };
    let mut notes: Vec<&str> = Vec::new();
    let is_damaged = listed.damage.is_some();
    if is_damaged {
        notes.push("its record cannot be read");
    }
    if record.protected {
        notes.push("protected");
    }
    if !description.is_empty() {
        notes.push(description);
    }
    [
        json!(if is_damaged { "damaged" } else { record.kind() }),
        json!(listed.bytes),
        json!(users(listed).join(",")),
        json!(if is_damaged {
            String::new()
        } else {
            record.created.to_string()
        }),
        json!(text::ago(Some(record.created).filter(|_| !is_damaged))),
        json!(listed.last_used.map_or(String::new(), |at| at.to_string())),
        json!(last_used),
        json!(description),
        json!(record.protected),
        json!(notes.join("; ")),
    ]
}

/// Names of the containers that use it, each once.
fn users<'l>(listed: &'l Listed<'_>) -> Vec<&'l str> {
    let mut names: Vec<_> = listed.users.iter().map(|user| user.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
