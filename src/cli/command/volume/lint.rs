//! `cowshed volume lint`: do names say what volumes are for?

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::Engine,
    volume::{Looked, Naming, check_name},
};
use serde_json::{Map, Value, json};

use crate::cli::{
    format::Format,
    report::Outcome,
    template::{Labels, Row},
};

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// Exit with 1 where a name follows no convention
    #[arg(long)]
    strict: bool,
    /// Only those that follow none
    #[arg(short, long)]
    quiet: bool,
    /// An environment of yours, beside prod, dev, test and their like
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// table, json, or a Go template
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Names, of existing volumes or not; without any all volumes that somebody named
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

/// Fields, and what stands above their columns.
const HEADERS: [(&str, &str); 4] = [
    ("Name", "VOLUME NAME"),
    ("Follows", "FOLLOWS"),
    ("Convention", "CONVENTION"),
    ("Says", "SAYS"),
];

const TABLE: &str = "{{.Name}}\t{{.Convention}}\t{{.Says}}";

pub(super) fn lint(engine: &Engine, args: &LintArgs) -> Outcome {
    let format = Format::new(args.format.as_deref(), TABLE, &HEADERS)?;
    let names = if args.names.is_empty() {
        let all = engine.volumes()?.list()?.into_iter();
        // A damaged one has a name all the same.
        let named =
            all.filter(|one| !matches!(one, Looked::Whole(volume) if volume.record.is_anonymous()));
        named.map(|one| one.name().to_string()).collect()
    } else {
        args.names.clone()
    };
    let mut looked: Vec<_> = names
        .iter()
        .map(|name| (name, check_name(name, &args.env)))
        .collect();
    if args.quiet {
        looked.retain(|(_, naming)| matches!(naming, Naming::Not(_)));
    }
    let rows: Vec<_> = looked
        .iter()
        .map(|(name, naming)| row(name, naming))
        .collect();
    format.print(&rows)?;
    let is_clean = looked
        .iter()
        .all(|(_, naming)| matches!(naming, Naming::Follows(..)));
    Ok(if args.strict && !is_clean {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn row(name: &str, naming: &Naming) -> Row {
    let (follows, convention, says) = match naming {
        Naming::Follows(convention, parts) => {
            let words = convention.to_string();
            let said = words.split('-').zip(parts);
            let said = said.map(|(word, part)| format!("{word} {part}"));
            (true, words.clone(), said.collect::<Vec<_>>().join(", "))
        }
        Naming::Not(why) => (false, "none".to_owned(), why.clone()),
    };
    let values: [Value; 4] = [json!(name), json!(follows), json!(convention), json!(says)];
    let names = HEADERS.iter().map(|(name, _)| (*name).to_owned());
    Row {
        fields: names.zip(values).collect::<Map<_, _>>(),
        labels: Labels::Of([].into()),
    }
}
