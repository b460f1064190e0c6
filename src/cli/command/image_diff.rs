//! `cowshed image diff`: what one image's tree has otherwise than another's.

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::Engine,
    rootfs::{ChangeKind, ImageChange},
};

use crate::cli::{
    format::Format,
    output,
    report::Outcome,
    template::{Labels, Row},
    text,
};

/// Show what the second image adds, changes and deletes against the first one
#[derive(Debug, Args)]
pub(crate) struct ImageDiffArgs {
    /// table, json, or a Go template for each path: `{{.Kind}} {{.Path}} {{.After}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Name or id
    #[arg(value_name = "IMAGE")]
    old: String,
    /// Name or id
    #[arg(value_name = "IMAGE")]
    new: String,
}

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 7] = [
    ("Kind", "KIND"),
    ("Path", "PATH"),
    ("Before", "BEFORE"),
    ("After", "AFTER"),
    ("What", "WHAT"),
    ("SizeBefore", "BEFORE"),
    ("SizeAfter", "AFTER"),
];

const TABLE: &str = "{{.Kind}}\t{{.SizeBefore}}\t{{.SizeAfter}}\t{{.Path}}\t{{.What}}";

pub(crate) fn run(engine: &Engine, args: &ImageDiffArgs) -> Outcome {
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    let format = Format::new(given, TABLE, &HEADERS)?;
    let changes = engine.diff_images(&args.old, &args.new)?;
    let rows: Vec<_> = changes.iter().map(row).collect();
    if given.is_some() {
        format.print(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !rows.is_empty() {
        format.print(&rows)?;
    }
    output::line(&sum(&changes))?;
    Ok(ExitCode::SUCCESS)
}

fn row(change: &ImageChange) -> Row {
    let size = |there: bool, bytes| {
        if there {
            text::size(bytes, 3)
        } else {
            String::new()
        }
    };
    let fields = [
        ("Kind", change.kind.letter().to_string().into()),
        ("Path", text::path(&change.path).into()),
        ("Before", change.before.into()),
        ("After", change.after.into()),
        ("What", change.what.join(", ").into()),
        (
            "SizeBefore",
            size(change.kind != ChangeKind::Added, change.before).into(),
        ),
        (
            "SizeAfter",
            size(change.kind != ChangeKind::Deleted, change.after).into(),
        ),
    ];
    Row {
        fields: fields
            .map(|(name, value): (_, serde_json::Value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        labels: Labels::Of(std::collections::BTreeMap::new()),
    }
}

fn sum(changes: &[ImageChange]) -> String {
    let of = |kind| {
        let own = changes.iter().filter(move |change| change.kind == kind);
        own.fold((0_usize, 0, 0), |(count, before, after), change| {
            (count + 1, before + change.before, after + change.after)
        })
    };
    let (added, _, new) = of(ChangeKind::Added);
    let (modified, before, after) = of(ChangeKind::Modified);
    let (deleted, gone, _) = of(ChangeKind::Deleted);
    let size = |bytes| text::size(bytes, 4);
    format!(
        "{added} added ({}), {modified} changed ({} to {}), {deleted} deleted ({})",
        size(new),
        size(before),
        size(after),
        size(gone)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_of_each_kind() {
        let change = |kind, before, after| ImageChange {
            path: "/x".into(),
            kind,
            before,
            after,
            what: Vec::new(),
        };
        let changes = [
            change(ChangeKind::Added, 0, 1000),
            change(ChangeKind::Added, 0, 0),
            change(ChangeKind::Modified, 5, 7),
            change(ChangeKind::Deleted, 3, 0),
        ];
        assert_eq!(
            sum(&changes),
            "2 added (1kB), 1 changed (5B to 7B), 1 deleted (3B)"
        );
        assert_eq!(
            sum(&[]),
            "0 added (0B), 0 changed (0B to 0B), 0 deleted (0B)"
        );
    }
}
