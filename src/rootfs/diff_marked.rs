//! What a container changed whose mount leaves marks in its upper dir: a directory that was renamed by
//! one is gone at its old place and new, with everything in it, at the other.
//!
//! The changes are those that a layer of them would hold, each looked at beside the layers below.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Change, ChangeKind, Error, Snapshot, commit::with_changes};
use crate::{
    layer::{self, Listed, ListedChange, PathBytes},
    sys::{Dir, FileKind, Metadata, RootDir, SysError},
};

/// The changes in a snapshot's upper dir, parents before children.
pub(super) fn diff(snapshot: &Snapshot) -> Result<Vec<Change>, Error> {
    with_changes(snapshot, None, &[], |changes| {
        let listed = layer::list_changes(changes).map_err(|source| Error::Commit { source })?;
        let compared = compare(listed, changes.lowers);
        compared.map_err(|source| Error::System {
            what: "compare upper dir".to_owned(),
            source,
        })
    })
}

/// `None` stands for a directory in which something may have changed.
type Found = BTreeMap<Vec<Vec<u8>>, Option<ChangeKind>>;

fn compare(listed: Vec<ListedChange>, lowers: &[Dir]) -> Result<Vec<Change>, SysError> {
    let mut found = Found::new();
    let mut shown = BTreeSet::new();
    let mut opaque = Vec::new();
    for ListedChange { path, what } in listed {
        let below = layer::find_below(lowers, &path)?;
        let kind = match (what, below) {
            (Listed::Opaque, _) => {
                opaque.push(path);
                continue;
            }
            (Listed::Whiteout, None) => continue,
            (Listed::Whiteout, Some(_)) => Some(ChangeKind::Deleted),
            (Listed::Inode(..), None) => Some(ChangeKind::Added),
            (Listed::Inode(now, target), Some(before)) => {
                let link = link_below(lowers, &path, &before)?;
                if differs(&before, &now) || target != link {
                    Some(ChangeKind::Modified)
                } else if now.is_dir() {
                    None
                } else {
                    continue;
                }
            }
        };
        if kind != Some(ChangeKind::Deleted) {
            shown.insert(path.clone());
        }
        found.insert(key(&path), kind);
    }
    for path in opaque {
        found.insert(key(&path), Some(kind_of(lowers, &path)?));
        hidden_children(lowers, &path, &shown, &mut found)?;
    }
    Ok(settled(&found))
}

fn kind_of(lowers: &[Dir], path: &PathBytes) -> Result<ChangeKind, SysError> {
    let below = layer::find_below(lowers, path)?;
    Ok(below.map_or(ChangeKind::Added, |_| ChangeKind::Modified))
}

/// What the layers below have in a directory that hides it, if nothing took its place.
fn hidden_children(
    lowers: &[Dir],
    path: &PathBytes,
    shown: &BTreeSet<PathBytes>,
    found: &mut Found,
) -> Result<(), SysError> {
    for lower in lowers {
        let tree = RootDir::new(lower.try_clone()?);
        let Ok(dir) = tree.open_dir_without_links(path.as_path()) else {
            continue;
        };
        for name in dir.entries()? {
            let child = path.join(&name);
            if !shown.contains(&child) && layer::find_below(lowers, &child)?.is_some() {
                found.insert(key(&child), Some(ChangeKind::Deleted));
            }
        }
    }
    Ok(())
}

fn link_below(
    lowers: &[Dir],
    path: &PathBytes,
    before: &Metadata,
) -> Result<Option<Vec<u8>>, SysError> {
    if before.kind() != FileKind::Symlink {
        return Ok(None);
    }
    let (above, name) = path.split();
    let above = PathBytes::new(above);
    for lower in lowers {
        let tree = RootDir::new(lower.try_clone()?);
        let link = tree
            .open_dir_without_links(above.as_path())
            .and_then(|dir| dir.read_symlink(name));
        if let Ok(link) = link {
            return Ok(Some(link.into_encoded_bytes()));
        }
    }
    Ok(None)
}

fn differs(before: &Metadata, now: &Metadata) -> bool {
    let all = |one: &Metadata| (one.kind(), one.mode(), one.uid(), one.gid(), one.rdev());
    let size = |one: &Metadata| (one.kind() == FileKind::File).then(|| one.size());
    all(before) != all(now) || before.mtime() != now.mtime() || size(before) != size(now)
}

/// Components, so that what is in a directory comes right after it.
fn key(path: &PathBytes) -> Vec<Vec<u8>> {
    let names = path.components();
    names.map(|name| name.as_encoded_bytes().to_vec()).collect()
}

/// Directories in which nothing changed are no change.
fn settled(found: &Found) -> Vec<Change> {
    let ways: BTreeSet<&[Vec<u8>]> = found
        .iter()
        .filter(|(_, kind)| kind.is_some())
        .flat_map(|(key, _)| (0..key.len()).map(|length| &key[..length]))
        .collect();
    let change = |(key, kind): (&Vec<Vec<u8>>, &Option<ChangeKind>)| {
        let on_the_way = ways.contains(&key[..]).then_some(ChangeKind::Modified);
        let mut path = PathBuf::from("/");
        for name in key {
            path.push(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name));
        }
        Some(Change {
            path,
            kind: kind.or(on_the_way)?,
        })
    };
    found.iter().filter_map(change).collect()
}
