//! A look at a container's root from outside, mounted for a moment.

use std::{
    ffi::{OsStr, OsString},
    path::{Component, Path},
};

use super::{Error, Snapshot};
use crate::{
    mount::{Action, Stage},
    sys::{
        Dir, FileKind, Result as SysResult, RootDir,
        fork::{self, Namespaces},
    },
};

/// Mounts the snapshot in a child's own mount namespace and runs `look` there; its answer comes
/// back, the mount goes with the child.
///
/// The calling process must have one thread.
pub fn with_view(
    snapshot: &Snapshot,
    look: impl FnOnce(&RootDir) -> SysResult<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let overlay = &snapshot.overlay;
    let work = || {
        let mut stage = Stage::new(overlay.merged_path());
        stage.apply(&Action::Isolate)?;
        stage.apply(&Action::Furnish(Vec::new()))?;
        stage.apply(&Action::Overlay(overlay.clone()))?;
        look(stage.root()?)
    };
    fork::run_in(Namespaces::MOUNT, work).map_err(|source| Error::System {
        what: "look into the container's root".to_owned(),
        source,
    })
}

/// Whether the union might have a directory at `target`: `false` is certain, `true` is not.
///
/// Costs some opens in place of a mount. Where a link or a file is on the way, only the union
/// itself can tell.
pub fn has_directory(snapshot: &Snapshot, target: &Path) -> Result<bool, Error> {
    let probe = || -> SysResult<bool> {
        // The init layer has nothing that an image has not.
        let lowers = snapshot.lower_paths();
        let open = lowers.iter().skip(1).map(|lower| Dir::open(lower));
        let mut dirs = open.collect::<SysResult<Vec<_>>>()?;
        let parts: Vec<&OsStr> = target
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                Component::Prefix(_)
                | Component::RootDir
                | Component::CurDir
                | Component::ParentDir => None,
            })
            .collect();
        for part in parts {
            match step(dirs, part)? {
                Step::Below(next) => dirs = next,
                Step::Absent => return Ok(false),
                Step::Unclear => return Ok(true),
            }
        }
        Ok(true)
    };
    probe().map_err(|source| Error::System {
        what: "look into the layers".to_owned(),
        source,
    })
}

enum Step {
    /// A directory in these layers, topmost first.
    Below(Vec<Dir>),
    /// In none.
    Absent,
    /// A link or file decides.
    Unclear,
}

fn step(dirs: Vec<Dir>, name: &OsStr) -> SysResult<Step> {
    let mut below = Vec::new();
    for dir in dirs {
        let Some(found) = dir.find(OsString::from(name))? else {
            continue;
        };
        match found.kind() {
            FileKind::Directory => below.push(dir.open_dir(name)?),
            FileKind::CharDevice if found.is_whiteout() => break,
            FileKind::File
            | FileKind::Symlink
            | FileKind::CharDevice
            | FileKind::BlockDevice
            | FileKind::Fifo
            | FileKind::Socket => return Ok(Step::Unclear),
        }
    }
    Ok(if below.is_empty() {
        Step::Absent
    } else {
        Step::Below(below)
    })
}
