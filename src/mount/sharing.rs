//! `volume-sharing`: who else may have a volume mounted at the same time.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Access, Error};

/// Who else may have a volume mounted. A volume has one, a mount may ask for a stricter one; the
/// stricter counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// Everybody; a second writer is told of the first.
    #[default]
    Shared,
    /// Many that only read, or one that writes.
    Readers,
    /// Nobody.
    Exclusive,
}

impl Sharing {
    /// The word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Sharing::Shared => "shared",
            Sharing::Readers => "readers",
            Sharing::Exclusive => "exclusive",
        }
    }

    /// Whether a mount with this access stands for nobody beside it.
    pub fn is_alone(self, access: Access) -> bool {
        match self {
            Sharing::Shared => false,
            Sharing::Readers => access == Access::ReadWrite,
            Sharing::Exclusive => true,
        }
    }

    /// For records, which do not tell the usual.
    pub fn is_shared(&self) -> bool {
        *self == Sharing::Shared
    }
}

impl FromStr for Sharing {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Shared, Self::Readers, Self::Exclusive]
            .into_iter()
            .find(|sharing| sharing.word() == text)
            .ok_or_else(|| Error::Value {
                key: "volume-sharing".to_owned(),
                value: text.to_owned(),
                expected: "shared, readers or exclusive",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_others_refused() {
        for sharing in [Sharing::Shared, Sharing::Readers, Sharing::Exclusive] {
            assert_eq!(sharing.word().parse(), Ok(sharing));
        }
        for bad in ["", "Shared", "none", "exclusive "] {
            assert!(bad.parse::<Sharing>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_stricter_is_the_greater() {
        assert!(Sharing::Shared < Sharing::Readers && Sharing::Readers < Sharing::Exclusive);
    }

    #[test]
    fn who_stands_nobody_beside_him() {
        let alone = |sharing: Sharing| {
            [Access::ReadOnly, Access::ReadWrite].map(|access| sharing.is_alone(access))
        };
        assert_eq!(alone(Sharing::Shared), [false, false]);
        assert_eq!(alone(Sharing::Readers), [false, true]);
        assert_eq!(alone(Sharing::Exclusive), [true, true]);
    }
}
