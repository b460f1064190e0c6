//! What an archive says about itself: its head, a line for each file, its tail. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    super::{VolumeRecord, redacted},
    FORMAT,
};
use crate::{
    ident::{Digest, Hasher, Timestamp},
    layer::{ContentDigest, EntryMetadata, Item, ItemKind, PathBytes},
    mount::Sharing,
    sys::FileKind,
};

/// Which volume an archive is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format's number; a reader refuses one that it does not know.
    pub format: u32,
    /// The volume's name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// When the volume was made.
    pub created: Timestamp,
    /// When the backup began.
    pub taken: Timestamp,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its driver's options, without their secrets: an archive goes anywhere.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who may have it mounted at the same time.
    #[serde(default, skip_serializing_if = "Sharing::is_shared")]
    pub sharing: Sharing,
}

impl Head {
    /// Of a volume, now.
    pub fn of(record: &VolumeRecord) -> Self {
        Self {
            format: FORMAT,
            name: record.name.to_string(),
            driver: record.driver.clone(),
            created: record.created,
            taken: Timestamp::now(),
            labels: record.labels.clone().unwrap_or_default(),
            options: redacted(&record.options.clone().unwrap_or_default()),
            description: record.description.clone(),
            sharing: record.sharing,
        }
    }
}

/// The type of a file in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum FileType {
    File,
    Directory,
    Symlink,
    HardLink,
    Fifo,
    CharDevice,
    BlockDevice,
}

/// One file of the volume. Bytes that are not UTF-8 or would drive a terminal are `\xNN`, a
/// backslash is `\\`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLine {
    /// Its path below the volume's top; the top itself is empty.
    pub path: PathBytes,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// Its size in bytes, holes included; of files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its content; of files only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ContentDigest>,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<PathBytes>,
    /// Major and minor number of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<(u64, u64)>,
    /// Permission bits, written in octal; none for a hard link, whose inode has a line already.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "octal")]
    pub mode: Option<u32>,
    /// Owner and group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
    /// Modification time, seconds since the epoch and nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime: Option<(i64, i64)>,
    /// SHA-256 of the extended attributes, ACLs among them, where there are any: of each, in the
    /// order of the names, name and value with their lengths before them, eight bytes each, little
    /// end first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Digest>,
    /// It was written to while it was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
}

mod octal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it so"
    )]
    pub(super) fn serialize<S: Serializer>(
        mode: &Option<u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:04o}", mode.unwrap_or(0)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u32>, D::Error> {
        let text = String::deserialize(deserializer)?;
        u32::from_str_radix(&text, 8)
            .map(Some)
            .map_err(D::Error::custom)
    }
}

impl From<Item> for FileLine {
    fn from(item: Item) -> Self {
        let Item {
            path,
            kind,
            metadata,
            changed,
        } = item;
        let is_link = matches!(kind, ItemKind::HardLink(_));
        let known = (!is_link).then_some(&metadata);
        let mut line = Self {
            path,
            kind: FileType::Directory,
            size: None,
            digest: None,
            target: None,
            device: None,
            mode: known.map(|metadata| metadata.mode),
            owner: known.map(|metadata| (metadata.uid, metadata.gid)),
            mtime: known.map(|metadata| metadata.mtime),
            attributes: known.and_then(attributes),
            changed,
        };
        match kind {
            ItemKind::Directory => {}
            ItemKind::File { size, digest } => {
                line.kind = FileType::File;
                (line.size, line.digest) = (Some(size), Some(digest));
            }
            ItemKind::Symlink(target) => {
                line.kind = FileType::Symlink;
                line.target = Some(PathBytes::new(target));
            }
            ItemKind::HardLink(target) => {
                (line.kind, line.target) = (FileType::HardLink, Some(target));
            }
            ItemKind::Node { kind, device } => {
                line.kind = match kind {
                    FileKind::CharDevice => FileType::CharDevice,
                    FileKind::BlockDevice => FileType::BlockDevice,
                    FileKind::File
                    | FileKind::Directory
                    | FileKind::Symlink
                    | FileKind::Fifo
                    | FileKind::Socket => FileType::Fifo,
                };
                line.device = (kind != FileKind::Fifo).then_some(device);
            }
        }
        line
    }
}

fn attributes(metadata: &EntryMetadata) -> Option<Digest> {
    if metadata.xattrs.is_empty() {
        return None;
    }
    let mut sorted: Vec<_> = metadata.xattrs.iter().collect();
    sorted.sort();
    let mut hasher = Hasher::new();
    for (name, value) in sorted {
        for part in [name.as_bytes(), value] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Some(hasher.finish())
}

impl FileLine {
    /// In what two lines about one path differ, in words; none where they are the same. Whether
    /// one was written to meanwhile says nothing about what was read.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.kind != other.kind {
            return Some("type");
        }
        if self.size != other.size {
            return Some("size");
        }
        if self.digest != other.digest {
            return Some("content");
        }
        if self.target != other.target {
            return Some("target");
        }
        if self.device != other.device {
            return Some("device number");
        }
        if self.owner != other.owner {
            return Some("owner");
        }
        if self.mode != other.mode {
            return Some("mode");
        }
        if self.attributes != other.attributes {
            return Some("extended attributes");
        }
        (self.mtime != other.mtime).then_some("time")
    }
}

/// The list's last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tail {
    /// How many lines came before.
    pub entries: u64,
    /// The sum of the files' sizes in bytes.
    pub bytes: u64,
    /// How many files were written to while they were read.
    pub changed: u64,
}

impl Tail {
    /// Counts one line.
    pub fn add(&mut self, line: &FileLine) {
        self.entries += 1;
        self.bytes += line.size.unwrap_or(0);
        self.changed += u64::from(line.changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileLine {
        FileLine::from(Item {
            path: PathBytes::new(path.as_bytes()),
            kind: ItemKind::File {
                size: 1,
                digest: ContentDigest {
                    sha256: Digest::of(b"a"),
                    zeros: 0,
                },
            },
            metadata: EntryMetadata {
                xattrs: vec![(PathBytes::new(*b"user.a"), b"1".to_vec())],
                ..EntryMetadata::default()
            },
            changed: false,
        })
    }

    #[test]
    fn an_archive_tells_no_secret_of_a_driver() {
        let record = serde_json::json!({
            "name": "share", "driver": "local", "created": "2026-01-02T03:04:05Z",
            "labels": null, "origin": null,
            "options": { "type": "cifs", "o": "username=kim,password=s3cret" },
        });
        let head = Head::of(&serde_json::from_value(record).unwrap());
        assert_eq!(head.options["o"], "username=kim,password=********");
    }

    #[test]
    fn lines_are_read_back() {
        for path in ["한국어", "a\\b\n", ""] {
            let line = file(path);
            let text = serde_json::to_string(&line).unwrap();
            assert!(!text.contains('\n'));
            assert_eq!(serde_json::from_str::<FileLine>(&text).unwrap(), line);
        }
        let directory = FileLine {
            kind: FileType::Directory,
            size: None,
            digest: None,
            ..file("d")
        };
        let text = serde_json::to_string(&directory).unwrap();
        assert_eq!(serde_json::from_str::<FileLine>(&text).unwrap(), directory);
    }

    #[test]
    fn every_field_counts_but_changed() {
        let line = file("a");
        let other = |change: fn(&mut FileLine)| {
            let mut other = line.clone();
            change(&mut other);
            line.difference(&other)
        };
        assert_eq!(other(|_| ()), None);
        assert_eq!(other(|line| line.changed = true), None);
        assert_eq!(other(|line| line.mode = Some(1)), Some("mode"));
        assert_eq!(other(|line| line.size = Some(2)), Some("size"));
        assert_eq!(other(|line| line.digest = None), Some("content"));
        assert_eq!(
            other(|line| line.attributes = None),
            Some("extended attributes")
        );
        assert_eq!(other(|line| line.mtime = Some((1, 1))), Some("time"));
    }
}
