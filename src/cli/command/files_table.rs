//! Files of a volume or an image as a table.

use std::process::ExitCode;

use cowshed::{
    container::FileEntry,
    ident::Timestamp,
    sys::{FileKind, Metadata},
};

use crate::cli::{
    format::Format,
    report::Outcome,
    template::{Labels, Row},
};

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 12] = [
    ("Name", "NAME"),
    ("Type", "TYPE"),
    ("Mode", "MODE"),
    ("Links", "LINKS"),
    ("Uid", "UID"),
    ("Gid", "GID"),
    ("Size", "SIZE"),
    ("Modified", "MODIFIED"),
    ("Target", "TARGET"),
    ("Shown", "NAME"),
    ("Layer", "LAYER"),
    ("DiffID", "DIFF ID"),
];

pub(super) const LONG: &str =
    "table {{.Mode}}\t{{.Links}}\t{{.Uid}}\t{{.Gid}}\t{{.Size}}\t{{.Modified}}\t{{.Shown}}";

/// With the number of the layer that it is of.
pub(super) const LONG_WITH_LAYER: &str = "table {{.Layer}}\t{{.Mode}}\t{{.Links}}\t{{.Uid}}\t\
     {{.Gid}}\t{{.Size}}\t{{.Modified}}\t{{.Shown}}";

/// Names, one a line; with `long` the columns of `table`; or whatever `format` says.
pub(super) fn print(files: &[FileEntry], long: bool, format: Option<&str>, table: &str) -> Outcome {
    let usual = if long { table } else { "{{.Name}}" };
    let given = format.filter(|given| !given.is_empty());
    let format = Format::new(given.or(Some(usual)), table, &HEADERS)?;
    format.print(&files.iter().map(row).collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn row(file: &FileEntry) -> Row {
    let metadata = &file.metadata;
    let name = file.name.display().to_string();
    let target = file
        .target
        .as_ref()
        .map(|target| target.display().to_string());
    let label = match &target {
        Some(target) => format!("{name} -> {target}"),
        None => name.clone(),
    };
    let time = metadata.mtime();
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let modified = Timestamp::from_nanosecond(nanoseconds);
    let modified = modified
        .map(|time| time.local_seconds())
        .unwrap_or_default();
    let (letter, kind) = kind(metadata);
    let diff_id = file.layer.map(|layer| layer.diff_id.to_string());
    let mut fields = vec![
        ("Name", name.into()),
        ("Type", kind.into()),
        ("Mode", mode(letter, metadata.mode()).into()),
        ("Links", metadata.nlink().into()),
        ("Uid", metadata.uid().into()),
        ("Gid", metadata.gid().into()),
        ("Size", metadata.size().into()),
        ("Modified", modified.into()),
        ("Target", target.unwrap_or_default().into()),
        ("Shown", label.into()),
        ("Layer", file.layer.map_or(0, |layer| layer.number).into()),
        ("DiffID", diff_id.unwrap_or_default().into()),
    ];
    if file.layer.is_none() {
        // A volume has none.
        fields.truncate(fields.len() - 2);
    }
    Row {
        fields: fields
            .into_iter()
            .map(|(name, value): (&str, serde_json::Value)| (name.to_owned(), value))
            .collect(),
        labels: Labels::Of(std::collections::BTreeMap::new()),
    }
}

fn kind(metadata: &Metadata) -> (char, &'static str) {
    match metadata.kind() {
        FileKind::File => ('-', "file"),
        FileKind::Directory => ('d', "directory"),
        FileKind::Symlink => ('l', "symlink"),
        FileKind::CharDevice => ('c', "char-device"),
        FileKind::BlockDevice => ('b', "block-device"),
        FileKind::Fifo => ('p', "fifo"),
        FileKind::Socket => ('s', "socket"),
    }
}

/// As ls(1): `drwxr-xr-t`.
fn mode(letter: char, mode: u32) -> String {
    let mut text = String::from(letter);
    for (shift, special, marks) in [(6, 0o4000, "sS"), (3, 0o2000, "sS"), (0, 0o1000, "tT")] {
        let bits = mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (mode & special != 0, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, true) => marks.as_bytes()[0].into(),
            (true, false) => marks.as_bytes()[1].into(),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_ls() {
        for (bits, wanted) in [
            (0o755, "drwxr-xr-x"),
            (0o1777, "drwxrwxrwt"),
            (0o4644, "drwSr--r--"),
            (0o6111, "d--s--s--x"),
            (0, "d---------"),
        ] {
            assert_eq!(mode('d', bits), wanted);
        }
    }
}
