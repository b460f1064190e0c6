//! `Listing`: the files that an instruction copies, as far as they matter. Pure.
//!
//! It is what the cache compares: names, kinds, modes, contents, extended attributes, and owners
//! where they are kept. Times do not count.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ident::Digest, layer::PathBytes};

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Directory,
    File { size: u64, content: Digest },
    Symlink { target: PathBytes },
    Fifo,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// From the top of the tree.
    pub(super) path: PathBytes,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    /// Where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<(u32, u32)>,
    /// The digest of all of them; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) xattrs: Option<Digest>,
}

/// One source, after patterns were replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// As it was named; the last part names the copy.
    pub(super) name: PathBytes,
    /// Where it is, links followed.
    pub(super) path: PathBytes,
    /// What is in it is copied, without itself.
    pub(super) is_directory: bool,
    /// In it, a directory before what is in that; or the one thing itself.
    pub(super) entries: Vec<Entry>,
}

/// All sources of an instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    pub(super) sources: Vec<Source>,
    /// What was left out, and why.
    #[serde(skip)]
    pub(super) remarks: Vec<String>,
}

impl Listing {
    /// The same files give the same bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// `file`, `dir` or `multi`, as Docker's history calls them.
    pub(super) fn kind(&self) -> &'static str {
        match &self.sources[..] {
            [one] if one.is_directory => "dir",
            [_] => "file",
            _ => "multi",
        }
    }

    /// Files, links and directories.
    pub(super) fn count(&self) -> usize {
        self.sources.iter().map(|source| source.entries.len()).sum()
    }

    fn by_path(&self) -> BTreeMap<&PathBytes, &Entry> {
        let entries = self.sources.iter().flat_map(|source| &source.entries);
        entries.map(|entry| (&entry.path, entry)).collect()
    }

    /// What is not as it was, in few words; the first of them by name.
    pub(super) fn difference(&self, before: &Self) -> String {
        let (old, new) = (before.by_path(), self.by_path());
        let mut found = Vec::new();
        for (path, entry) in &new {
            match old.get(path) {
                None => found.push((*path, format!("{} was added", shown(entry)))),
                Some(was) if *was == *entry => {}
                Some(was) => found.push((*path, changed(was, entry))),
            }
        }
        for (path, entry) in &old {
            if !new.contains_key(path) {
                found.push((*path, format!("{} is gone", shown(entry))));
            }
        }
        found.sort_by(|one, other| one.0.cmp(other.0));
        match found.len() {
            0 => "the sources are in another order".to_owned(),
            1 => found.remove(0).1,
            count => format!("{}, and {} more", found.remove(0).1, count - 1),
        }
    }
}

fn shown(entry: &Entry) -> String {
    let word = match entry.kind {
        Kind::Directory => "directory",
        Kind::File { .. } => "file",
        Kind::Symlink { .. } => "link",
        Kind::Fifo => "fifo",
    };
    format!("{word} {}", entry.path)
}

fn changed(was: &Entry, now: &Entry) -> String {
    if was.kind != now.kind {
        return format!("{} changed", shown(now));
    }
    if was.mode != now.mode {
        return format!(
            "{} changed its mode from {:04o} to {:04o}",
            shown(now),
            was.mode,
            now.mode
        );
    }
    if was.owner != now.owner {
        return format!("{} changed its owner", shown(now));
    }
    format!("{} changed its extended attributes", shown(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &str) -> Entry {
        Entry {
            path: PathBytes::new(path),
            kind: Kind::File {
                size: content.len() as u64,
                content: Digest::of(content.as_bytes()),
            },
            mode: 0o644,
            owner: None,
            xattrs: None,
        }
    }

    fn listing(entries: Vec<Entry>) -> Listing {
        let source = Source {
            name: PathBytes::new("src"),
            path: PathBytes::new("src"),
            is_directory: true,
            entries,
        };
        Listing {
            sources: vec![source],
            remarks: Vec::new(),
        }
    }

    #[test]
    fn what_changed_is_told_by_its_name() {
        let before = listing(vec![file("src/a", "1"), file("src/b", "1")]);
        let told = |entries| listing(entries).difference(&before);
        let (a, b) = (file("src/a", "1"), file("src/b", "1"));
        assert_eq!(
            told(vec![a.clone(), file("src/b", "2")]),
            "file src/b changed"
        );
        assert_eq!(told(vec![a.clone()]), "file src/b is gone");
        let c = file("src/c", "1");
        assert_eq!(
            told(vec![a.clone(), b.clone(), c.clone()]),
            "file src/c was added"
        );
        assert_eq!(told(vec![c]), "file src/a is gone, and 2 more");
        let mut mode = b.clone();
        mode.mode = 0o755;
        assert_eq!(
            told(vec![a.clone(), mode]),
            "file src/b changed its mode from 0644 to 0755"
        );
        let mut owner = b;
        owner.owner = Some((1, 1));
        assert_eq!(told(vec![a, owner]), "file src/b changed its owner");
    }

    #[test]
    fn names_that_are_no_text_come_back() {
        let mut odd = listing(vec![file("x", "1")]);
        odd.sources[0].entries[0].path = PathBytes::new(b"\xff\n\\x".to_vec());
        let back = Listing::from_bytes(&odd.to_bytes()).unwrap();
        assert_eq!(back, odd);
        assert_eq!(odd.kind(), "dir");
    }
}
