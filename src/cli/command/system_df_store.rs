//! `cowshed system df --all`: every byte of the store's root, by what it is for.

use std::process::ExitCode;

use cowshed::{
    container::{Engine, SpaceKind, StoreSpace},
    sys::Taken,
};

use crate::cli::{
    format::Format,
    output,
    report::{self, Exit, Outcome},
    template::{Labels, Row},
    text,
};

/// Fields in the order of the JSON, and what stands above their columns.
const HEADERS: [(&str, &str); 4] = [
    ("Bytes", "BYTES"),
    ("Inodes", "INODES"),
    ("Size", "SIZE"),
    ("Type", "TYPE"),
];

const TABLE: &str = "{{.Type}}\t{{.Inodes}}\t{{.Size}}\t{{.Bytes}}";

/// The whole answer of `--all`.
pub(super) fn run(engine: &Engine, given: Option<&str>, is_fresh: bool) -> Outcome {
    let format = Format::new(given, TABLE, &HEADERS)?;
    let space = engine.store_space(is_fresh)?;
    tell(&space);
    format.print(&rows(&space))?;
    Ok(ExitCode::SUCCESS)
}

/// The table below Docker's.
pub(super) fn print_table(space: &StoreSpace) -> Result<(), Exit> {
    let table = Format::new(None, TABLE, &HEADERS)?.render(&rows(space))?;
    output::raw(&format!("\nStore usage on disk:\n\n{table}"))?;
    Ok(())
}

/// What is told beside the figures.
pub(super) fn tell(space: &StoreSpace) {
    if space.unsure {
        report::note(
            "records cannot be read, so nothing is called an orphan: cowshed system check tells more",
        );
    }
    if space.mounted > 0 {
        let systems = match space.mounted {
            1 => "1 other file system is".to_owned(),
            count => format!("{count} other file systems are"),
        };
        report::note(&format!(
            "{systems} mounted below the root: not counted, as du -x does"
        ));
    }
}

/// One for each kind, and the total.
pub(super) fn rows(space: &StoreSpace) -> Vec<Row> {
    let kinds = SpaceKind::ALL.iter();
    let kinds = kinds.map(|kind| row(kind.name(), space.of(*kind)));
    kinds.chain([row("Total", space.total())]).collect()
}

fn row(name: &str, taken: Taken) -> Row {
    let fields = [
        ("Bytes", taken.allocated.into()),
        ("Inodes", taken.inodes.into()),
        ("Size", text::size(taken.allocated, 4).into()),
        ("Type", name.into()),
    ];
    let fields = fields.into_iter();
    Row {
        fields: fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        labels: Labels::Of(std::collections::BTreeMap::new()),
    }
}
