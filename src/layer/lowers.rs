//! What the layers below show at a path, by overlayfs's rules.

use super::PathBytes;
use crate::sys::{Dir, Metadata, Result, xattr};

/// Something visible.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) metadata: Metadata,
    /// Open, where it is a directory: the topmost of those that are merged.
    pub(super) dir: Option<Dir>,
}

enum Look {
    Found(Found),
    /// The same, and nothing of the layers below it.
    Alone(Found),
    /// This layer says that there is nothing.
    Hidden,
    /// This layer says nothing.
    Missing,
}

/// Looks a path up in `lowers`, topmost first. `None` where nothing is visible.
pub(super) fn find(lowers: &[Dir], path: &PathBytes) -> Result<Option<Found>> {
    for lower in lowers {
        match look(lower, path)? {
            Look::Found(found) | Look::Alone(found) => return Ok(Some(found)),
            Look::Hidden => return Ok(None),
            Look::Missing => {}
        }
    }
    Ok(None)
}

/// The layers, by number, whose directories at a path are merged, topmost first. None where
/// something else is visible there.
pub(super) fn directories(lowers: &[Dir], path: &PathBytes) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    for (number, lower) in lowers.iter().enumerate() {
        match look(lower, path)? {
            Look::Found(Found { dir: Some(_), .. }) => found.push(number),
            Look::Alone(Found { dir: Some(_), .. }) => {
                found.push(number);
                break;
            }
            Look::Found(_) | Look::Alone(_) | Look::Hidden => break,
            Look::Missing => {}
        }
    }
    Ok(found)
}

/// The layer, by number, whose inode is visible at a path.
pub(super) fn topmost(lowers: &[Dir], path: &PathBytes) -> Result<Option<usize>> {
    for (number, lower) in lowers.iter().enumerate() {
        match look(lower, path)? {
            Look::Found(_) | Look::Alone(_) => return Ok(Some(number)),
            Look::Hidden => return Ok(None),
            Look::Missing => {}
        }
    }
    Ok(None)
}

fn look(lower: &Dir, path: &PathBytes) -> Result<Look> {
    let mut here = lower.try_clone()?;
    let mut found = Found {
        metadata: here.own_metadata()?,
        dir: None,
    };
    let mut is_opaque = false;
    for name in path.components() {
        if !found.metadata.is_dir() {
            return Ok(Look::Hidden);
        }
        let Some(metadata) = here.find(name)? else {
            return Ok(if is_opaque {
                Look::Hidden
            } else {
                Look::Missing
            });
        };
        if metadata.is_whiteout() {
            return Ok(Look::Hidden);
        }
        if metadata.is_dir() {
            here = here.open_dir(name)?;
            is_opaque |= xattr::is_opaque(&here);
        }
        found.metadata = metadata;
    }
    if found.metadata.is_dir() {
        found.dir = Some(here);
    }
    Ok(if is_opaque {
        Look::Alone(found)
    } else {
        Look::Found(found)
    })
}
