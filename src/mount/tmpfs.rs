//! tmpfs options, and `--tmpfs TARGET[:OPTIONS]`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Access, Error, MountRequest, Propagation, RequestKind, TmpfsSize, path, size::ram_bytes,
};
use crate::sys::mount::Attributes;

/// Permissions of the root of a tmpfs that says nothing about them.
const DEFAULT_MODE: u32 = 0o1777;

/// How a tmpfs is made (tmpfs(5)); [`Default`] is Docker's `rw,nosuid,nodev,noexec,relatime`.
///
/// Prints and parses as the option list of `--tmpfs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "mount(8) has these as switches"
)]
pub struct TmpfsOptions {
    /// Whether the container may write; the same as the request's.
    pub access: Access,
    /// Whether set-user-id bits count.
    pub suid: bool,
    /// Whether device files work.
    pub dev: bool,
    /// Whether programs may be run.
    pub exec: bool,
    /// When access times are kept.
    pub atime: AccessTime,
    /// Keep no access times of directories.
    pub no_dir_atime: bool,
    /// How big it may grow; `None` leaves it to the kernel: half of the memory.
    pub size: Option<TmpfsSize>,
    /// The same in pages; at most one of the two is given.
    pub nr_blocks: Option<u64>,
    /// How many inodes it may hold; 0 is without limit.
    pub nr_inodes: Option<u64>,
    /// Permissions of its root; `None` is 1777.
    pub mode: Option<u32>,
    /// Owner of its root; `None` is root.
    pub uid: Option<u32>,
    /// Group of its root; `None` is root.
    pub gid: Option<u32>,
    /// Huge pages; `None` leaves it to the kernel.
    pub huge: Option<HugePages>,
    /// Its pages never go to the swap area (Linux 6.4).
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_swap: bool,
    /// Every write waits for the device, which there is none of: shown by the kernel, and that is all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sync: bool,
    /// The same for directories.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dir_sync: bool,
    /// How mounts below it travel; `None` is as for any mount of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation: Option<Propagation>,
    /// Memory policy of NUMA nodes, as tmpfs(5) has it; the kernel checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// It begins with what the image has at its place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub copy_up: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// When access times are kept (mount(8)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessTime {
    /// `relatime`: once a day, or after a change.
    #[default]
    Relative,
    /// `noatime`
    Never,
    /// `strictatime`: always.
    Strict,
}

/// `huge=` (tmpfs(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are tmpfs(5)'s")]
pub enum HugePages {
    Never,
    Always,
    WithinSize,
    Advise,
}

impl HugePages {
    const ALL: [(&'static str, Self); 4] = [
        ("never", Self::Never),
        ("always", Self::Always),
        ("within_size", Self::WithinSize),
        ("advise", Self::Advise),
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::WithinSize => "within_size",
            Self::Advise => "advise",
        }
    }
}

/// Parses `--tmpfs`.
pub fn parse_tmpfs_flag(text: &str) -> Result<MountRequest, Error> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let target = path::target(target)?;
    // Linux has no mandatory locks since 5.15.
    let ignored = options.split(',').filter(|word| *word == "mand");
    let ignored = ignored.map(str::to_owned).collect();
    let options: TmpfsOptions = options.parse()?;
    Ok(MountRequest {
        target,
        access: options.access,
        kind: RequestKind::Tmpfs(options),
        mode: String::new(),
        from_tmpfs_flag: true,
        from_mount_flag: false,
        ignored,
    })
}

impl TmpfsOptions {
    /// Keys and values for fsconfig(2) of a `tmpfs`; the mode is always there.
    pub fn data(&self) -> Vec<(String, String)> {
        let mode = self.mode.unwrap_or(DEFAULT_MODE);
        let mut pairs = self.sizes_and_owners();
        pairs.push(("mode", format!("{mode:04o}")));
        let owned = |(key, value): (&str, String)| (key.to_owned(), value);
        pairs.into_iter().map(owned).collect()
    }

    /// The attributes of the mount.
    pub fn attributes(&self) -> Attributes {
        let atime = match self.atime {
            AccessTime::Relative => Attributes::NONE,
            AccessTime::Never => Attributes::NO_ATIME,
            AccessTime::Strict => Attributes::STRICT_ATIME,
        };
        [
            (self.access == Access::ReadOnly, Attributes::READ_ONLY),
            (!self.suid, Attributes::NO_SUID),
            (!self.dev, Attributes::NO_DEV),
            (!self.exec, Attributes::NO_EXEC),
            (self.no_dir_atime, Attributes::NO_DIR_ATIME),
        ]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .fold(atime, |all, (_, one)| all.with(one))
    }

    fn sizes_and_owners(&self) -> Vec<(&'static str, String)> {
        [
            ("size", self.size.map(|size| size.to_string())),
            ("nr_blocks", self.nr_blocks.map(|count| count.to_string())),
            ("nr_inodes", self.nr_inodes.map(|count| count.to_string())),
            ("uid", self.uid.map(|id| id.to_string())),
            ("gid", self.gid.map(|id| id.to_string())),
            ("huge", self.huge.map(|huge| huge.as_str().to_owned())),
            ("mpol", self.policy.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }

    /// Words without a value for fsconfig(2).
    pub fn switches(&self) -> impl Iterator<Item = &'static str> {
        let switches = [
            (self.no_swap, "noswap"),
            (self.sync, "sync"),
            (self.dir_sync, "dirsync"),
        ];
        let wanted = switches.into_iter().filter(|(wanted, _)| *wanted);
        wanted.map(|(_, word)| word)
    }

    fn flags(&self) -> Vec<&'static str> {
        let pick = |on: bool, yes, no| if on { yes } else { no };
        let mut flags = vec![
            pick(self.access == Access::ReadOnly, "ro", "rw"),
            pick(self.suid, "suid", "nosuid"),
            pick(self.dev, "dev", "nodev"),
            pick(self.exec, "exec", "noexec"),
            match self.atime {
                AccessTime::Relative => "relatime",
                AccessTime::Never => "noatime",
                AccessTime::Strict => "strictatime",
            },
        ];
        flags.extend(self.no_dir_atime.then_some("nodiratime"));
        flags.extend(self.switches());
        flags.extend(self.propagation.map(Propagation::as_str));
        flags.extend(self.copy_up.then_some("tmpcopyup"));
        flags
    }

    /// Takes a word without a value; `false` where there is no such word.
    fn set_flag(&mut self, word: &str) -> Result<bool, Error> {
        match word {
            "ro" => self.access = Access::ReadOnly,
            "rw" => self.access = Access::ReadWrite,
            "suid" | "nosuid" => self.suid = word == "suid",
            "dev" | "nodev" => self.dev = word == "dev",
            "exec" | "noexec" => self.exec = word == "exec",
            "noatime" => self.atime = AccessTime::Never,
            "atime" | "relatime" | "norelatime" | "nostrictatime" => {
                self.atime = AccessTime::Relative;
            }
            "strictatime" => self.atime = AccessTime::Strict,
            "diratime" | "nodiratime" => self.no_dir_atime = word == "nodiratime",
            "noswap" => self.no_swap = true,
            "tmpcopyup" => self.copy_up = true,
            "sync" | "async" => self.sync = word == "sync",
            "dirsync" => self.dir_sync = true,
            // What holds anyway, and what no kernel has any more.
            "defaults" | "nomand" | "mand" => {}
            "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => {
                self.propagation = Some(word.parse()?);
            }
            "unbindable" | "runbindable" => {
                return Err(Error::Unsupported {
                    what: format!("tmpfs option '{word}'"),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes `name=value`, where `key` is what the user typed for `name`; `false` where there is
    /// no such name.
    pub(super) fn set_value(&mut self, name: &str, key: &str, value: &str) -> Result<bool, Error> {
        let refused = |expected| Error::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            expected,
        };
        let count = || ram_bytes(value).ok_or_else(|| refused("a number such as 1024 or 1k"));
        let id = || number(value, 10, u32::MAX - 1).ok_or_else(|| refused("a numeric id"));
        match name {
            "size" => {
                let size = value.parse();
                let expected = "a size such as 64m or 50%, or 0 for no limit";
                self.size = Some(size.map_err(|_| refused(expected))?);
                self.nr_blocks = None;
            }
            "nr_blocks" => {
                self.nr_blocks = Some(count()?);
                self.size = None;
            }
            "nr_inodes" => self.nr_inodes = Some(count()?),
            "mode" => {
                let mode = number(value, 8, 0o7777);
                self.mode = Some(mode.ok_or_else(|| refused("octal, 0 to 7777"))?);
            }
            "uid" => self.uid = Some(id()?),
            "gid" => self.gid = Some(id()?),
            "huge" => {
                let found = HugePages::ALL.into_iter().find(|(word, _)| *word == value);
                let (_, huge) =
                    found.ok_or_else(|| refused("never, always, within_size or advise"))?;
                self.huge = Some(huge);
            }
            "mpol" => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":=-_".contains(&byte);
                if value.is_empty() || !value.bytes().all(plain) {
                    return Err(refused("a memory policy such as interleave or bind:0-3"));
                }
                self.policy = Some(value.to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Only digits, so that neither a sign nor a space is taken.
fn number(text: &str, radix: u32, most: u32) -> Option<u32> {
    let digits = text.chars().all(|c| c.is_digit(radix));
    let value = u32::from_str_radix(text, radix).ok();
    value.filter(|value| digits && *value <= most)
}

impl fmt::Display for TmpfsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.flags().join(","))?;
        for (key, value) in self.sizes_and_owners() {
            write!(f, ",{key}={value}")?;
        }
        match self.mode {
            Some(mode) => write!(f, ",mode={mode:04o}"),
            None => Ok(()),
        }
    }
}

impl FromStr for TmpfsOptions {
    type Err = Error;

    /// The later of two words wins; all unknown words are named at once.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut unknown = Vec::new();
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let known = match word.split_once('=') {
                Some((key, value)) => options.set_value(key, key, value)?,
                None => options.set_flag(word)?,
            };
            if !known {
                unknown.extend(word.splitn(2, '=').map(str::to_owned));
            }
        }
        if unknown.is_empty() {
            Ok(options)
        } else {
            Err(Error::TmpfsOption { unknown })
        }
    }
}

#[cfg(test)]
#[path = "tmpfs_tests.rs"]
mod tests;
