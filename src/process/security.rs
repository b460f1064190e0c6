//! `--cap-add`, `--cap-drop` and `--security-opt`: what a container's processes may do to the kernel.

use serde::{Deserialize, Serialize};

use super::Rights;
use crate::{
    error::{ErrorKind, Failure},
    sys::capability::Capabilities,
};

/// Stands for every capability.
const ALL: &str = "ALL";

/// What was asked for, in the form that Docker 20.10 keeps it in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// Capabilities besides the default ones, sorted: `CAP_NET_ADMIN`, or `ALL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Default ones that are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// `--security-opt` as typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A text that means nothing; the texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecurityError {
    /// No such capability.
    #[error("invalid {field}: unknown capability: {name:?}")]
    Capability {
        /// `CapAdd` or `CapDrop`.
        field: &'static str,
        /// In the normal form.
        name: String,
    },
    /// No such option, or none that can be had here.
    #[error("invalid --security-opt: {text:?}")]
    Option {
        /// As typed.
        text: String,
    },
}

impl Failure for SecurityError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Capability { .. } => "names are those of capabilities(7), or ALL".to_owned(),
            Self::Option { .. } => {
                "no-new-privileges, and seccomp=unconfined, apparmor=unconfined and label=disable, which hold \
                 already"
                    .to_owned()
            }
        })
    }
}

impl Security {
    /// Reads what was typed.
    pub fn parse(
        add: &[String],
        drop: &[String],
        options: &[String],
    ) -> Result<Self, SecurityError> {
        let add = normal("CapAdd", add)?;
        let mut drop = normal("CapDrop", drop)?;
        // Who adds and drops one adds it.
        drop.retain(|name| !add.contains(name));
        for text in options {
            no_new_privileges(text)?;
        }
        Ok(Self {
            cap_add: add,
            cap_drop: drop,
            options: options.to_vec(),
        })
    }

    /// Nothing was said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What holds.
    pub fn rights(&self) -> Rights {
        let named = |names: &[String]| {
            let sets = names.iter().filter_map(|name| Capabilities::named(name));
            sets.fold(Capabilities::NONE, Capabilities::with)
        };
        let (add, drop) = (named(&self.cap_add), named(&self.cap_drop));
        let is_all = |names: &[String]| names.iter().any(|name| name == ALL);
        let capabilities = if is_all(&self.cap_add) {
            Capabilities::ALL.without(drop)
        } else if is_all(&self.cap_drop) {
            add
        } else {
            Capabilities::DEFAULT.without(drop).with(add)
        };
        let said = self.options.iter().rev();
        let mut said = said.filter_map(|text| no_new_privileges(text).ok().flatten());
        Rights {
            capabilities,
            no_new_privileges: said.next().unwrap_or(false),
        }
    }
}

/// Capitals with `CAP_`, each once, sorted; `ALL` leaves no others.
fn normal(field: &'static str, names: &[String]) -> Result<Vec<String>, SecurityError> {
    let mut all = Vec::new();
    for name in names {
        let name = name.trim().to_ascii_uppercase();
        let name = match name.as_str() {
            "" => continue,
            ALL | "CAP_ALL" => return Ok(vec![ALL.to_owned()]),
            short if !short.starts_with("CAP_") => format!("CAP_{short}"),
            _ => name,
        };
        if Capabilities::named(&name).is_none() {
            return Err(SecurityError::Capability { field, name });
        }
        all.push(name);
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// Whether an option is about new privileges, and then what it says; others must ask for what holds.
fn no_new_privileges(text: &str) -> Result<Option<bool>, SecurityError> {
    let invalid = || SecurityError::Option {
        text: text.to_owned(),
    };
    // Docker takes a colon for an equals sign, too.
    let (key, value) = match text.split_once(['=', ':']) {
        Some((key, value)) => (key, Some(value)),
        None => (text, None),
    };
    match (key, value) {
        ("no-new-privileges", None) => Ok(Some(true)),
        ("no-new-privileges", Some(value)) => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
            _ => Err(invalid()),
        },
        ("seccomp" | "apparmor", Some("unconfined")) | ("label", Some("disable")) => Ok(None),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn parse(add: &[&str], drop: &[&str]) -> Security {
        Security::parse(&texts(add), &texts(drop), &[]).unwrap()
    }

    #[test]
    fn names_are_normal_and_adding_wins() {
        let security = parse(
            &["net_admin", "CAP_SYS_PTRACE", "NET_ADMIN"],
            &["chown", "net_admin"],
        );
        assert_eq!(security.cap_add, ["CAP_NET_ADMIN", "CAP_SYS_PTRACE"]);
        assert_eq!(security.cap_drop, ["CAP_CHOWN"]);
        assert_eq!(parse(&["kill", "all"], &[]).cap_add, ["ALL"]);
        let error = Security::parse(&texts(&["nope"]), &[], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid CapAdd: unknown capability: \"CAP_NOPE\""
        );
    }

    #[test]
    fn what_holds_is_dockers_arithmetic() {
        let names = |add: &[&str], drop: &[&str]| parse(add, drop).rights().capabilities.names();
        assert_eq!(names(&[], &["all"]), [""; 0]);
        assert_eq!(names(&["chown"], &["ALL"]), ["CAP_CHOWN"]);
        assert!(!names(&["ALL"], &["chown"]).contains(&"CAP_CHOWN".to_owned()));
        assert!(names(&["ALL"], &["chown"]).contains(&"CAP_SYS_ADMIN".to_owned()));
        let tweaked = names(&["sys_time"], &["mknod"]);
        assert_eq!(tweaked.len(), 14);
        assert!(tweaked.contains(&"CAP_SYS_TIME".to_owned()));
        assert_eq!(names(&[], &[]), Capabilities::DEFAULT.names());
    }

    #[test]
    fn options_ask_for_what_can_be_had() {
        let nnp = |options: &[&str]| {
            let parsed = Security::parse(&[], &[], &texts(options));
            parsed.map(|security| security.rights().no_new_privileges)
        };
        assert_eq!(nnp(&[]), Ok(false));
        for on in [
            "no-new-privileges",
            "no-new-privileges:true",
            "no-new-privileges=1",
        ] {
            assert_eq!(nnp(&[on]), Ok(true), "{on}");
        }
        assert_eq!(
            nnp(&["no-new-privileges", "no-new-privileges:false"]),
            Ok(false)
        );
        assert_eq!(nnp(&["seccomp=unconfined", "label:disable"]), Ok(false));
        for bad in ["nope", "seccomp=/x", "no-new-privileges:maybe", ""] {
            assert!(nnp(&[bad]).is_err(), "{bad}");
        }
    }
}
