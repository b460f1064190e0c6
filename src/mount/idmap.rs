//! `bind-idmap`: whose files on the host appear as whose in the container (mount_setattr(2),
//! "ID-mapped mounts").

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;

/// What `bind-idmap` asks for; prints and parses as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum IdMap {
    /// Files of the source's owner appear as the container's user, and what that user makes is the
    /// owner's.
    MatchUser {
        /// `USER[:GROUP]` in place of the container's user: names of the image, or numbers.
        user: Option<String>,
    },
    /// By the container's user namespace.
    UserNamespace,
}

const MATCH_USER: &str = "match-user";
const USERNS: &str = "userns";

impl fmt::Display for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatchUser { user: None } => f.write_str(MATCH_USER),
            Self::MatchUser { user: Some(user) } => write!(f, "{MATCH_USER}:{user}"),
            Self::UserNamespace => f.write_str(USERNS),
        }
    }
}

impl FromStr for IdMap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once(':').unwrap_or((text, "")) {
            (MATCH_USER, "") if text == MATCH_USER => Ok(Self::MatchUser { user: None }),
            (MATCH_USER, user) if !user.is_empty() => Ok(Self::MatchUser {
                user: Some(user.to_owned()),
            }),
            (USERNS, "") if text == USERNS => Ok(Self::UserNamespace),
            _ => Err(Error::Value {
                key: "bind-idmap".to_owned(),
                value: text.to_owned(),
                expected: "match-user, match-user:USER[:GROUP] or userns",
            }),
        }
    }
}

impl TryFrom<String> for IdMap {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<IdMap> for String {
    fn from(map: IdMap) -> String {
        map.to_string()
    }
}

/// One id of the disk that appears as another one through a mount, as the content of
/// `/proc/PID/uid_map` or `gid_map`.
///
/// All other ids stay as they are, but for `seen` itself: two ids of the disk must not look the
/// same, and a swap would let `disk` in the container make files of `seen` on the host, such as a
/// set-user-id program of root. It appears as the overflow id, and `disk` can make nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// On disk.
    pub disk: u32,
    /// In the container.
    pub seen: u32,
}

/// One after the largest id: `u32::MAX` means "none" (chown(2)).
const END: u32 = u32::MAX;

impl Mapping {
    /// The lines of the map: disk, seen, count.
    pub fn lines(self) -> String {
        let Self { disk, seen } = self;
        let (low, high) = (disk.min(seen), disk.max(seen));
        let mut ranges = vec![(disk, seen, 1)];
        let mut identity = |from: u32, to: u32| {
            if from < to {
                ranges.push((from, from, to - from));
            }
        };
        identity(0, low);
        identity(low.saturating_add(1), high);
        identity(high.saturating_add(1), END);
        let line = |(disk, seen, count): &(u32, u32, u32)| format!("{disk} {seen} {count}\n");
        ranges.iter().map(line).collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn print_parse_and_json_agree() {
        for text in [
            "match-user",
            "match-user:app",
            "match-user:1000:100",
            "userns",
        ] {
            let map: IdMap = text.parse().unwrap();
            assert_eq!(map.to_string(), text);
            let json = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::from_str::<IdMap>(&json).unwrap(), map);
        }
        for text in [
            "",
            "match-user:",
            "userns:",
            "userns:x",
            "0:1000:1",
            "MATCH-USER",
        ] {
            let message = text.parse::<IdMap>().unwrap_err().to_string();
            assert!(
                message.starts_with("invalid value for bind-idmap"),
                "{message}"
            );
        }
    }

    #[test]
    fn the_owner_appears_as_the_user_and_everybody_else_as_himself() {
        let lines = |disk, seen| Mapping { disk, seen }.lines();
        assert_eq!(lines(1000, 0), "1000 0 1\n1 1 999\n1001 1001 4294966294\n");
        assert_eq!(lines(0, 1000), "0 1000 1\n1 1 999\n1001 1001 4294966294\n");
        assert_eq!(lines(0, 0), "0 0 1\n1 1 4294967294\n");
    }

    proptest! {
        /// What the kernel demands of a map: no id twice on either side, nothing past the end.
        #[test]
        fn no_id_is_mapped_twice(disk in 0..END, seen in 0..END) {
            let text = Mapping { disk, seen }.lines();
            let ranges: Vec<Vec<u64>> = text
                .lines()
                .map(|line| line.split(' ').map(|word| word.parse().unwrap()).collect())
                .collect();
            prop_assert!(ranges.len() <= 4);
            for side in [0, 1] {
                let mut spans: Vec<_> =
                    ranges.iter().map(|one| (one[side], one[side] + one[2])).collect();
                spans.sort_unstable();
                prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
                prop_assert!(spans.iter().all(|span| span.0 < span.1 && span.1 <= u64::from(END)));
            }
            prop_assert_eq!(&ranges[0], &vec![u64::from(disk), u64::from(seen), 1]);
        }
    }
}
