//! `cowshed volume create`.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use cowshed::{
    container::{self, Engine, Mismatch},
    ident::VolumeName,
    mount::Sharing,
    volume::{self, Difference, NewVolume, Owner},
};

use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Driver [default: local]
    #[arg(short, long)]
    driver: Option<String>,
    /// Label
    #[arg(long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Who may have it mounted at the same time: shared, readers (many, or one that writes) or
    /// exclusive
    #[arg(long, value_name = "MODE")]
    sharing: Option<Sharing>,
    /// Whom its root belongs to, whatever an image says
    #[arg(long, value_name = "NUMBER")]
    uid: Option<u32>,
    /// Which group its root belongs to
    #[arg(long, value_name = "NUMBER")]
    gid: Option<u32>,
    /// Permissions of its root, in octal: 0750
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<u32>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Take an existing volume as it is, also where it is not what is asked for
    #[arg(long)]
    exist_ok: bool,
    /// What is mounted while it is in use: type=tmpfs, device=tmpfs, o=size=100m
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// Do not look whether this machine can mount it now
    #[arg(long)]
    no_check: bool,
    /// Name; made up where it is missing
    name: Option<String>,
}

pub(super) fn create(engine: &Engine, args: CreateArgs) -> Outcome {
    let name = args
        .name
        .filter(|name| !name.is_empty())
        .map(|name| name.parse::<VolumeName>());
    let new = NewVolume {
        name: name.transpose()?,
        driver: args.driver,
        options: pairs(args.opt),
        labels: pairs(args.label),
        sharing: args.sharing,
        owner: Owner {
            uid: args.uid,
            gid: args.gid,
            mode: args.mode,
        },
        description: args.description.filter(|text| !text.is_empty()),
        unchecked: args.no_check,
        ..NewVolume::default()
    };
    let mismatch = if args.exist_ok {
        Mismatch::Accept
    } else {
        Mismatch::Refuse
    };
    match engine.create_volume(new, mismatch) {
        Ok(volume) => output::line(volume.record.name.as_str())?,
        Err(error) => return Err(explained(error)),
    }
    Ok(ExitCode::SUCCESS)
}

/// What differs goes below the error, as a table.
fn explained(error: container::Error) -> Exit {
    let container::Error::Volume(volume::Error::Differs { differences, .. }) = &error else {
        return error.into();
    };
    let table = table(differences);
    report::print(&error.into());
    table.lines().for_each(report::line);
    Exit::said()
}

fn table(differences: &[Difference]) -> String {
    let shown = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.replace(['\t', '\n'], " ")
        }
    };
    let rows = differences.iter().map(|one| {
        let (wanted, existing) = (shown(&one.wanted), shown(&one.existing));
        format!("{}\t{wanted}\t{existing}\n", shown(&one.field))
    });
    let head = "FIELD\tWANTED\tEXISTING\n".to_owned();
    output::tabulate(&std::iter::once(head).chain(rows).collect::<String>())
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err("it must be octal, at most 7777".to_owned()),
    }
}

/// `KEY=VALUE`; the value may be missing.
pub(super) fn pairs(texts: Vec<String>) -> BTreeMap<String, String> {
    let pair = |text: String| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (text, String::new()),
    };
    texts.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_two_columns() {
        let one = |field: &str, wanted: &str, existing: &str| Difference {
            field: field.to_owned(),
            wanted: wanted.to_owned(),
            existing: existing.to_owned(),
        };
        let text = table(&[one("label tier", "web", "db"), one("label new", "1\t2", "")]);
        assert_eq!(
            text,
            "FIELD        WANTED    EXISTING\nlabel tier   web       db\nlabel new    1 2       -\n"
        );
    }

    #[test]
    fn a_mode_is_octal() {
        assert_eq!(mode("0750"), Ok(0o750));
        assert_eq!(mode("1777"), Ok(0o1777));
        for bad in ["", "8", "u+x", "17777", "-1"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }
}
