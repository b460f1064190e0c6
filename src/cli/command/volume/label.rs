//! `cowshed volume label`: shows and changes labels of an existing volume.

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::Engine,
    volume::{ANONYMOUS_LABEL, VolumeRecord},
};

use crate::cli::{
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(super) struct LabelArgs {
    /// Name
    #[arg(value_name = "VOLUME")]
    name: String,
    /// KEY=VALUE sets one, KEY- removes it; none shows all
    #[arg(value_name = "KEY=VALUE|KEY-")]
    changes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Set(String, String),
    Remove(String),
}

pub(super) fn label(engine: &Engine, args: &LabelArgs) -> Outcome {
    let volumes = engine.volumes()?;
    let record = volumes.get(&args.name)?.record;
    if args.changes.is_empty() {
        for (key, value) in record.labels.unwrap_or_default() {
            output::line(&format!("{key}={value}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let changes = args.changes.iter().map(|text| parse(text));
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    volumes.edit(&record.name, |record| apply(record, changes))?;
    output::line(record.name.as_str())?;
    Ok(ExitCode::SUCCESS)
}

fn parse(text: &str) -> Result<Change, Exit> {
    let refuse = |why: &str| Exit::usage(format!("invalid label '{text}': {why}")).or_code(1);
    let change = match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => Change::Set(key.to_owned(), value.to_owned()),
        (None, Some(key)) => Change::Remove(key.to_owned()),
        (None, None) => Change::Set(text.to_owned(), String::new()),
    };
    match &change {
        Change::Set(key, _) | Change::Remove(key) if key.is_empty() => {
            Err(refuse("it has no name"))
        }
        // It would be deleted at once by the next prune.
        Change::Set(key, _) if key == ANONYMOUS_LABEL => {
            Err(refuse("a volume with a name of its own is not anonymous"))
        }
        Change::Set(..) | Change::Remove(_) => Ok(change),
    }
}

fn apply(record: &mut VolumeRecord, changes: Vec<Change>) {
    let mut labels = record.labels.take().unwrap_or_default();
    for change in changes {
        match change {
            Change::Set(key, value) => drop(labels.insert(key, value)),
            Change::Remove(key) => drop(labels.remove(&key)),
        }
    }
    record.labels = Some(labels).filter(|labels| !labels.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_removes_and_a_value_may_end_with_one() {
        let set = |key: &str, value: &str| Change::Set(key.to_owned(), value.to_owned());
        for (text, wanted) in [
            ("a=1", set("a", "1")),
            ("a=", set("a", "")),
            ("a", set("a", "")),
            ("a=b-", set("a", "b-")),
            ("a=b=c", set("a", "b=c")),
            ("a-", Change::Remove("a".to_owned())),
            ("계층=디비", set("계층", "디비")),
        ] {
            assert_eq!(parse(text).unwrap(), wanted, "{text}");
        }
        for bad in ["", "=", "=v", "-", "com.docker.volume.anonymous="] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        // The way to keep an anonymous volume.
        assert!(parse("com.docker.volume.anonymous-").is_ok());
    }
}
