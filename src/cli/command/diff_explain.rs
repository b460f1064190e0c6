//! `cowshed diff --explain`: why each path is in the upper dir.

use std::{collections::BTreeMap, process::ExitCode};

use cowshed::{
    container::Engine,
    rootfs::{CopyOnWrite, Explained},
};

use crate::cli::{
    format::Format,
    output,
    report::Outcome,
    template::{Labels, Row},
    text,
};

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 10] = [
    ("Kind", "KIND"),
    ("Path", "PATH"),
    ("CopiedUp", "COPIED UP"),
    ("Written", "WRITTEN"),
    ("Hidden", "HIDDEN"),
    ("From", "FROM"),
    ("What", "WHAT"),
    ("CopiedSize", "COPIED UP"),
    ("WrittenSize", "WRITTEN"),
    ("Shown", "PATH"),
];

const TABLE: &str = "{{.Kind}}\t{{.CopiedSize}}\t{{.WrittenSize}}\t{{.Shown}}";

pub(super) fn run(engine: &Engine, container: &str, format: Option<&str>) -> Outcome {
    let given = format.filter(|given| !given.is_empty());
    let format = Format::new(given, TABLE, &HEADERS)?;
    let all = engine.explain_diff(container)?;
    let rows: Vec<_> = all.iter().map(row).collect();
    if given.is_some() {
        format.print(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !rows.is_empty() {
        format.print(&rows)?;
    }
    output::line(&sum(&all))?;
    Ok(ExitCode::SUCCESS)
}

fn row(one: &Explained) -> Row {
    let path = text::path(&one.path);
    let from = one
        .from
        .as_ref()
        .map(|from| text::path(from))
        .unwrap_or_default();
    let what = one.what.join(", ");
    let mut notes = Vec::new();
    if !from.is_empty() {
        notes.push(format!("from {from}"));
    }
    if !what.is_empty() {
        notes.push(format!("changed: {what}"));
    }
    if one.hidden > 0 {
        notes.push(format!("hides {}", text::size(one.hidden, 3)));
    }
    let shown = if notes.is_empty() {
        path.clone()
    } else {
        format!("{path} ({})", notes.join("; "))
    };
    let fields = [
        ("Kind", one.kind.word().into()),
        ("Path", path.into()),
        ("CopiedUp", one.copied.into()),
        ("Written", one.written.into()),
        ("Hidden", one.hidden.into()),
        ("From", from.into()),
        ("What", what.into()),
        ("CopiedSize", text::size(one.copied, 3).into()),
        ("WrittenSize", text::size(one.written, 3).into()),
        ("Shown", shown.into()),
    ];
    Row {
        fields: fields
            .map(|(name, value): (_, serde_json::Value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        labels: Labels::Of(BTreeMap::new()),
    }
}

fn sum(all: &[Explained]) -> String {
    let mut kinds = BTreeMap::<CopyOnWrite, usize>::new();
    for one in all {
        *kinds.entry(one.kind).or_default() += 1;
    }
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind.word()))
        .collect();
    let total = |bytes: fn(&Explained) -> u64| text::size(all.iter().map(bytes).sum(), 4);
    let paths = if all.len() == 1 { "path" } else { "paths" };
    let kinds = if kinds.is_empty() {
        String::new()
    } else {
        format!(" ({})", kinds.join(", "))
    };
    format!(
        "{} {paths}{kinds}: {} copied up, {} written, {} hidden",
        all.len(),
        total(|one| one.copied),
        total(|one| one.written),
        total(|one| one.hidden)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_tells_kinds_and_bytes() {
        let one = |kind, copied, written| Explained {
            path: "/한국".into(),
            kind,
            copied,
            written,
            hidden: 1,
            from: None,
            what: Vec::new(),
        };
        let all = [
            one(CopyOnWrite::Modified, 1000, 4),
            one(CopyOnWrite::Created, 0, 6),
            one(CopyOnWrite::Created, 0, 0),
        ];
        assert_eq!(
            sum(&all),
            "3 paths (2 created, 1 modified): 1kB copied up, 10B written, 3B hidden"
        );
        assert_eq!(sum(&[]), "0 paths: 0B copied up, 0B written, 0B hidden");
    }
}
