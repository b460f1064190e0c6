//! `--name=value` before the arguments of an instruction.

use super::Problem;

/// Flags of one instruction, taken one by one.
#[derive(Debug)]
pub(super) struct Flags<'a> {
    given: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Flags<'a> {
    /// Splits flags off; the rest follows.
    pub(super) fn split(text: &'a str) -> (Self, &'a str) {
        let (mut given, mut rest) = (Vec::new(), text.trim_start());
        while let Some(flag) = rest.strip_prefix("--") {
            let (word, tail) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            rest = tail.trim_start();
            if word.is_empty() {
                break;
            }
            given.push(match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            });
        }
        (Self { given }, rest)
    }

    /// The value of a flag.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = Vec::new();
        self.given.retain(|(given, value)| {
            let is_it = *given == name;
            if is_it {
                values.push(*value);
            }
            !is_it
        });
        match values[..] {
            [] => Ok(None),
            [Some(value)] => Ok(Some(value.to_owned())),
            [None] => Err(format!("Missing a value on flag: {name}").into()),
            _ => Err(format!("Duplicate flag specified: {name}").into()),
        }
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.given.first() else {
            return Ok(());
        };
        let problem = Problem::from(format!("Unknown flag: {name}"));
        let of_others = [
            "mount",
            "network",
            "security",
            "link",
            "parents",
            "exclude",
            "checksum",
            "keep-git-dir",
        ];
        Err(if of_others.contains(name) {
            problem.with_hint(
                "that flag is BuildKit's, and is not there in the classic builder either",
            )
        } else {
            problem
        })
    }
}
