//! `user[:group]` and the texts of passwd and group to numbers.
//!
//! All digits are a number and never a name; what is not known is an error and never root
//! (CVE-2024-40635).

use crate::error::{ErrorKind, Failure};

/// Whom a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, the primary one first.
    pub groups: Vec<u32>,
    /// From passwd; `/` where the user has no entry.
    pub home: String,
}

/// A user or group that cannot be resolved; the texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// No such name in passwd.
    #[error("unable to find user {name}: no matching entries in passwd file")]
    NoUser {
        /// As asked for.
        name: String,
    },
    /// No such name in group.
    #[error("unable to find group {name}: no matching entries in group file")]
    NoGroup {
        /// As asked for.
        name: String,
    },
    /// A number that is no id.
    #[error("uids and gids must be in range 0-2147483647: {text}")]
    Range {
        /// As asked for.
        text: String,
    },
}

impl Failure for UserError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    fn hint(&self) -> Option<String> {
        Some("use a number, or a name of the image's /etc/passwd and /etc/group".to_owned())
    }
}

/// Resolves `user[:group]` with the texts of an image's `/etc/passwd` and `/etc/group`.
pub fn resolve(user: &str, passwd: &str, group: &str) -> Result<Identity, UserError> {
    let (user, wanted_group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (user, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = number(user)?;
    let entry = passwd
        .lines()
        .filter_map(passwd_entry)
        .find(|entry| match number {
            Some(uid) => entry.uid == uid,
            None => entry.name == user,
        });
    let uid = match (number, &entry) {
        (Some(uid), _) => uid,
        (None, Some(entry)) => entry.uid,
        (None, None) => {
            return Err(UserError::NoUser {
                name: user.to_owned(),
            });
        }
    };
    let home = entry.as_ref().map_or("/", |entry| entry.home).to_owned();
    let gid = match wanted_group {
        Some(wanted) => self::group(wanted, group)?,
        None => entry.as_ref().map_or(0, |entry| entry.gid),
    };
    let mut groups = vec![gid];
    // A group that was named alone is all there is (moby, GetExecUser).
    if let (Some(entry), None) = (&entry, wanted_group) {
        let member = |line: &&str| {
            line.split(':')
                .nth(3)
                .is_some_and(|members| members.split(',').any(|member| member == entry.name))
        };
        groups.extend(
            group
                .lines()
                .filter(member)
                .filter_map(group_id)
                .filter(|id| *id != gid),
        );
    }
    Ok(Identity {
        uid,
        gid,
        groups,
        home,
    })
}

fn group(wanted: &str, group: &str) -> Result<u32, UserError> {
    if let Some(gid) = number(wanted)? {
        return Ok(gid);
    }
    let named = |line: &&str| line.split(':').next() == Some(wanted);
    let found = group.lines().filter(named).find_map(group_id);
    found.ok_or_else(|| UserError::NoGroup {
        name: wanted.to_owned(),
    })
}

struct PasswdEntry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn passwd_entry(line: &str) -> Option<PasswdEntry<'_>> {
    let fields: Vec<_> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else {
        return None;
    };
    let home = if home.is_empty() { "/" } else { home };
    Some(PasswdEntry {
        name,
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home,
    })
}

fn group_id(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

/// All digits: an id, in Docker's range. Anything else: not a number.
fn number(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<i32>() {
        Ok(id) => Ok(Some(id.cast_unsigned())),
        Err(_) => Err(UserError::Range {
            text: text.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n\
        1234:x:77:77:::\nbroken\nbad:x:notanumber:0::/:\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\nwheel:x:10:app,other\ndisk:x:6:app\n";

    #[test]
    fn names_and_numbers_find_their_entries() {
        let app = resolve("app", PASSWD, GROUP).unwrap();
        assert_eq!(
            (app.uid, app.gid, app.home.as_str()),
            (1000, 1001, "/home/app")
        );
        assert_eq!(app.groups, [1001, 10, 6]);
        assert_eq!(resolve("1000", PASSWD, GROUP).unwrap(), app);
        assert_eq!(resolve("", PASSWD, GROUP).unwrap().home, "/root");
    }

    #[test]
    fn a_named_group_replaces_all_others() {
        let user = resolve("app:wheel", PASSWD, GROUP).unwrap();
        assert_eq!((user.gid, user.groups.as_slice()), (10, [10].as_slice()));
        assert_eq!(resolve("5:6", "", "").unwrap().gid, 6);
    }

    #[test]
    fn digits_are_never_a_name() {
        assert_eq!(resolve("1234", PASSWD, GROUP).unwrap().uid, 1234);
    }

    #[test]
    fn what_is_not_known_is_never_root() {
        for text in [
            "nobody2",
            "0x0",
            "+1",
            "-1",
            " 1",
            "1 ",
            "app:nogroup",
            "bad",
        ] {
            assert!(resolve(text, PASSWD, GROUP).is_err(), "{text}");
        }
        for text in [
            "4294967295",
            "4294967296",
            "2147483648",
            "99999999999999999999",
        ] {
            let error = resolve(text, PASSWD, GROUP).unwrap_err();
            assert!(matches!(error, UserError::Range { .. }), "{text}");
        }
    }
}
