//! `--ulimit`: resource limits of a process (getrlimit(2)) as Docker types them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    error::{ErrorKind, Failure},
    ident::parse_integer,
    sys::rlimit,
};

/// One limit; -1 is without limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ulimit {
    /// What is limited, such as `nofile`.
    pub name: String,
    /// What holds at first.
    pub soft: i64,
    /// How far a process may raise it.
    pub hard: i64,
}

/// A text that is no limit; the texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum UlimitError {
    /// No `=`.
    #[error("invalid ulimit argument: {text}")]
    Argument { text: String },
    /// No such limit.
    #[error("invalid ulimit type: {name}")]
    Name { name: String },
    /// Not a number.
    #[error("strconv.ParseInt: parsing {text:?}: {why}")]
    Number { text: String, why: &'static str },
    /// Less than nothing, and not -1.
    #[error("invalid ulimit value: {number}")]
    Negative { number: i64 },
    /// Three numbers or more.
    #[error("too many limit value arguments - {text}, can only have up to two, `soft[:hard]`")]
    TooMany { text: String },
    /// The soft limit above the hard one.
    #[error("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")]
    SoftAboveHard { soft: i64, hard: i64 },
    /// No soft limit below a hard one.
    #[error(
        "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: \
         {hard}"
    )]
    SoftUnlimited { hard: i64 },
}

impl Failure for UlimitError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn hint(&self) -> Option<String> {
        match self {
            UlimitError::Name { .. } => {
                let names: Vec<_> = rlimit::names().collect();
                Some(format!("one of {}", names.join(", ")))
            }
            UlimitError::Argument { .. }
            | UlimitError::Number { .. }
            | UlimitError::Negative { .. }
            | UlimitError::TooMany { .. } => {
                Some("NAME=SOFT[:HARD], such as nofile=1024:2048; -1 is unlimited".to_owned())
            }
            UlimitError::SoftAboveHard { .. } | UlimitError::SoftUnlimited { .. } => None,
        }
    }
}

impl FromStr for Ulimit {
    type Err = UlimitError;

    /// `nofile=1024:2048`, `nproc=64`, `core=-1`.
    fn from_str(text: &str) -> Result<Self, UlimitError> {
        let (name, values) = text.split_once('=').ok_or_else(|| UlimitError::Argument {
            text: text.to_owned(),
        })?;
        if !rlimit::names().any(|known| known == name) {
            let name = name.to_owned();
            return Err(UlimitError::Name { name });
        }
        let (soft, hard) = match values.split(':').collect::<Vec<_>>()[..] {
            [both] => (both, both),
            [soft, hard] => (soft, hard),
            _ => {
                let text = values.to_owned();
                return Err(UlimitError::TooMany { text });
            }
        };
        let (hard, soft) = (number(hard)?, number(soft)?);
        match (soft, hard) {
            (_, -1) => {}
            (-1, hard) => return Err(UlimitError::SoftUnlimited { hard }),
            (soft, hard) if soft > hard => return Err(UlimitError::SoftAboveHard { soft, hard }),
            _ => {}
        }
        let name = name.to_owned();
        Ok(Self { name, soft, hard })
    }
}

/// The words are newer Docker's and the shell's.
fn number(text: &str) -> Result<i64, UlimitError> {
    if text == "unlimited" || text == "infinity" {
        return Ok(-1);
    }
    let number = parse_integer(text).map_err(|why| UlimitError::Number {
        text: text.to_owned(),
        why,
    })?;
    if number < -1 {
        return Err(UlimitError::Negative { number });
    }
    Ok(number)
}

impl fmt::Display for Ulimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.name, self.soft, self.hard)
    }
}

/// Sets the limits of this process and of what it executes; returns warnings.
///
/// To raise a hard limit takes CAP_SYS_RESOURCE: without it the limit stays where it is, as
/// containers that need less than they ask for are many.
pub fn apply(ulimits: &[Ulimit]) -> Vec<String> {
    ulimits.iter().filter_map(apply_one).collect()
}

fn apply_one(ulimit: &Ulimit) -> Option<String> {
    let wanted = [ulimit.soft, ulimit.hard];
    let [soft, hard] = wanted.map(|limit| u64::try_from(limit).unwrap_or(rlimit::UNLIMITED));
    let error = rlimit::set(&ulimit.name, soft, hard).err()?;
    let (clamped_soft, clamped_hard) = match rlimit::get(&ulimit.name) {
        Ok((_, most)) => (soft.min(most), hard.min(most)),
        Err(error) => return Some(format!("ulimit {ulimit} is not set: {error}")),
    };
    match rlimit::set(&ulimit.name, clamped_soft, clamped_hard) {
        Ok(()) => Some(format!(
            "ulimit {ulimit} is lowered to {}:{}: {error}",
            shown(clamped_soft),
            shown(clamped_hard)
        )),
        Err(error) => Some(format!("ulimit {ulimit} is not set: {error}")),
    }
}

fn shown(limit: u64) -> String {
    if limit == rlimit::UNLIMITED {
        "unlimited".to_owned()
    } else {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_docker_reads_them() {
        for (text, shown) in [
            ("nofile=1024:2048", "nofile=1024:2048"),
            ("nproc=64", "nproc=64:64"),
            ("core=-1", "core=-1:-1"),
            ("core=unlimited", "core=-1:-1"),
            ("stack=5:infinity", "stack=5:-1"),
            ("rtprio=0:0", "rtprio=0:0"),
        ] {
            let ulimit: Ulimit = text.parse().unwrap();
            assert_eq!(ulimit.to_string(), shown);
            assert_eq!(shown.parse(), Ok(ulimit));
        }
    }

    #[test]
    fn what_is_no_limit_has_dockers_texts() {
        for (text, wanted) in [
            ("nofile", "invalid ulimit argument: nofile"),
            ("foo=1", "invalid ulimit type: foo"),
            ("=1", "invalid ulimit type: "),
            ("as=1", "invalid ulimit type: as"),
            (
                "nofile=a",
                "strconv.ParseInt: parsing \"a\": invalid syntax",
            ),
            ("nofile=", "strconv.ParseInt: parsing \"\": invalid syntax"),
            (
                "nofile=99999999999999999999",
                "strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
            ),
            (
                "nofile=1:2:3",
                "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`",
            ),
            (
                "nofile=5:3",
                "ulimit soft limit must be less than or equal to hard limit: 5 > 3",
            ),
            (
                "nofile=-1:3",
                "ulimit soft limit must be less than or equal to hard limit: soft: -1 \
                 (unlimited), hard: 3",
            ),
            ("nofile=-2", "invalid ulimit value: -2"),
        ] {
            assert_eq!(text.parse::<Ulimit>().unwrap_err().to_string(), wanted);
        }
    }

    #[test]
    fn records_know_no_other_fields() {
        let ulimit: Ulimit = "nofile=1:2".parse().unwrap();
        let text = serde_json::to_string(&ulimit).unwrap();
        assert_eq!(text, r#"{"name":"nofile","soft":1,"hard":2}"#);
        assert_eq!(serde_json::from_str::<Ulimit>(&text).unwrap(), ulimit);
        assert!(
            serde_json::from_str::<Ulimit>(r#"{"name":"nofile","soft":1,"hard":2,"x":3}"#).is_err()
        );
    }

    #[test]
    fn a_limit_is_set_and_what_is_no_limit_is_a_warning() {
        // msgqueue: no test of this process minds.
        let (_, hard) = rlimit::get("msgqueue").unwrap();
        let half = i64::try_from(hard.min(1 << 40) / 2).unwrap();
        let set: Ulimit = format!("msgqueue={half}:{half}").parse().unwrap();
        assert_eq!(apply(std::slice::from_ref(&set)), [""; 0]);
        let now = u64::try_from(half).unwrap();
        assert_eq!(rlimit::get("msgqueue").unwrap(), (now, now));
        let unknown = Ulimit {
            name: "한".to_owned(),
            ..set
        };
        assert!(apply(&[unknown])[0].contains("is not set"));
    }

    #[test]
    fn a_hard_limit_out_of_reach_is_lowered_with_a_warning() {
        let (_, hard) = rlimit::get("sigpending").unwrap();
        let above = i64::try_from(hard).unwrap() + 1;
        let asked: Ulimit = format!("sigpending={above}").parse().unwrap();
        let warnings = apply(&[asked]);
        let (soft, now) = rlimit::get("sigpending").unwrap();
        // With CAP_SYS_RESOURCE there is nothing out of reach.
        if warnings.is_empty() {
            assert_eq!((soft, now), (hard + 1, hard + 1));
        } else {
            assert!(warnings[0].contains("is lowered to"), "{warnings:?}");
            assert_eq!((soft, now), (hard, hard));
        }
    }
}
