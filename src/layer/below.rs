//! A directory as the layers below have it, for whoever writes it whole.

use std::ffi::OsStr;

use super::PathBytes;
use crate::sys::{Dir, Metadata, Result, xattr};

/// A directory of the layers below.
#[derive(Default)]
pub(super) struct Old {
    pub(super) path: PathBytes,
    /// Which of them have it, topmost first.
    pub(super) layers: Vec<usize>,
}

/// [`Old`], open.
pub(super) struct Below {
    pub(super) path: PathBytes,
    pub(super) dirs: Vec<(usize, Dir)>,
}

impl Below {
    pub(super) fn old(&self) -> Old {
        Old {
            path: self.path.clone(),
            layers: self.dirs.iter().map(|(layer, _)| *layer).collect(),
        }
    }

    /// The topmost layer that says something of a name.
    pub(super) fn find(&self, name: &OsStr) -> Result<Option<(&Dir, Metadata)>> {
        for (_, dir) in &self.dirs {
            if let Some(found) = dir.find(name)? {
                return Ok(Some((dir, found)));
            }
        }
        Ok(None)
    }

    /// The layers whose directories of this name are merged.
    pub(super) fn child(&self, name: &OsStr) -> Result<Old> {
        let mut layers = Vec::new();
        for (layer, dir) in &self.dirs {
            match dir.find(name)? {
                None => {}
                Some(found) if found.is_dir() => {
                    layers.push(*layer);
                    if xattr::is_opaque(dir.open_dir(name)?) {
                        break;
                    }
                }
                Some(_) => break,
            }
        }
        let path = self.path.join(name);
        Ok(Old { path, layers })
    }
}
