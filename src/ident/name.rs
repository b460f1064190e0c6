//! Container ids, container names and volume names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;

/// The longest name that is also a directory entry everywhere.
const NAME_MAX: usize = 255;

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

/// 64 hexadecimal digits, as Docker's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(String);

impl ContainerId {
    /// An id made of 32 random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(super::digest::hex(&bytes))
    }

    /// The first twelve digits, as tables show it.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for ContainerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::ContainerId {
                text: text.to_owned(),
            })
        }
    }
}

text_newtype!(ContainerId);

/// A container's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, one leading `/` forgiven as Docker does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(String);

impl FromStr for ContainerName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.strip_prefix('/').unwrap_or(text);
        if is_name(name) && (2..=NAME_MAX).contains(&name.len()) {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::ContainerName {
                text: text.to_owned(),
            })
        }
    }
}

text_newtype!(ContainerName);

/// A volume's name: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VolumeName(String);

impl VolumeName {
    /// The name of an anonymous volume: 64 hexadecimal digits.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(ContainerId::from_random(bytes).0)
    }
}

impl FromStr for VolumeName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() == 1 {
            return Err(Error::VolumeNameShort);
        }
        if is_name(text) && text.len() <= NAME_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::VolumeName {
                text: text.to_owned(),
            })
        }
    }
}

text_newtype!(VolumeName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_names_follow_docker() {
        for good in ["my-volume", "a1", "prod-mysql-data", "A_b.c"] {
            assert_eq!(good.parse::<VolumeName>().unwrap().as_str(), good);
        }
        assert_eq!("x".parse::<VolumeName>(), Err(Error::VolumeNameShort));
        let long = "v".repeat(256);
        for bad in [
            "",
            "-a",
            ".a",
            "../a",
            "a/b",
            "a b",
            "볼륨",
            "a\n",
            long.as_str(),
        ] {
            assert!(
                matches!(bad.parse::<VolumeName>(), Err(Error::VolumeName { .. })),
                "{bad}"
            );
        }
    }

    #[test]
    fn container_names_forgive_one_leading_slash() {
        assert_eq!("/web".parse::<ContainerName>().unwrap().as_str(), "web");
        assert!("//web".parse::<ContainerName>().is_err());
        assert!("a".parse::<ContainerName>().is_err());
    }

    #[test]
    fn container_ids_are_64_hex_digits() {
        let id = ContainerId::from_random([0xab; 32]);
        assert_eq!(id.as_str().parse::<ContainerId>().unwrap(), id);
        assert_eq!(id.short(), "abababababab");
        assert!("AB".repeat(32).parse::<ContainerId>().is_err());
    }
}
