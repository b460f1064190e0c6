//! How mounts made later travel between host and container.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::sys::mount::{Depth, PropagationType};

/// One of Docker's six propagations (mount_namespaces(7), "Shared subtrees"); `r` is for the
/// mounts below, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are mount(8)'s")]
pub enum Propagation {
    Private,
    #[default]
    RPrivate,
    Slave,
    RSlave,
    Shared,
    RShared,
}

impl Propagation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Private,
        Self::RPrivate,
        Self::Slave,
        Self::RSlave,
        Self::Shared,
        Self::RShared,
    ];

    /// As typed and as `inspect` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::RPrivate => "rprivate",
            Self::Slave => "slave",
            Self::RSlave => "rslave",
            Self::Shared => "shared",
            Self::RShared => "rshared",
        }
    }

    /// The same in the kernel's terms.
    pub fn to_kernel(self) -> (PropagationType, Depth) {
        match self {
            Self::Private => (PropagationType::Private, Depth::Top),
            Self::RPrivate => (PropagationType::Private, Depth::Recursive),
            Self::Slave => (PropagationType::Slave, Depth::Top),
            Self::RSlave => (PropagationType::Slave, Depth::Recursive),
            Self::Shared => (PropagationType::Shared, Depth::Top),
            Self::RShared => (PropagationType::Shared, Depth::Recursive),
        }
    }
}

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Propagation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| Error::Propagation {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_parse_and_json_agree() {
        for one in Propagation::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
            let json = serde_json::to_string(&one).unwrap();
            assert_eq!(json, format!("\"{one}\""));
            assert_eq!(serde_json::from_str::<Propagation>(&json).unwrap(), one);
        }
    }

    #[test]
    fn other_words_are_refused_with_dockers_text() {
        let error = "unbindable".parse::<Propagation>().unwrap_err();
        assert_eq!(error.to_string(), "invalid propagation mode: unbindable");
    }

    #[test]
    fn the_r_means_the_mounts_below_too() {
        for one in Propagation::ALL {
            let (_, depth) = one.to_kernel();
            assert_eq!(depth == Depth::Recursive, one.as_str().starts_with('r'));
        }
    }
}
