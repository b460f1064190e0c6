//! A look at a container's root from outside, mounted for a moment.

use std::{
    os::fd::OwnedFd,
    path::{Component, Path},
};

use super::{Error, Snapshot};
use crate::{
    mount::{Action, Stage},
    sys::{
        Dir, FileKind, Result as SysResult, RootDir,
        fork::{self, Namespaces},
        metadata_of,
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
/// Costs a call for each layer in place of a mount. Where a link or a file is on the way, only the union
/// itself can tell.
pub fn has_directory(snapshot: &Snapshot, target: &Path) -> Result<bool, Error> {
    let probe = || -> SysResult<bool> {
        let mut parts = target.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => None,
        });
        let Some(first) = parts.next() else {
            return Ok(true);
        };
        let base = Dir::open(&snapshot.overlay.base)?;
        // The init layer has nothing that an image has not.
        let lowers = snapshot.overlay.lowers.iter().skip(1);
        let mut step = step(lowers.map(|lower| base.handle_below(&lower.join(first))))?;
        for part in parts {
            let Step::Below(dirs) = step else { break };
            step = self::step(dirs.iter().map(|dir| dir.handle_below(Path::new(part))))?;
        }
        Ok(!matches!(step, Step::Absent))
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

/// What layers, topmost first, have at a place.
fn step(places: impl Iterator<Item = SysResult<Option<OwnedFd>>>) -> SysResult<Step> {
    let mut below = Vec::new();
    for place in places {
        let Some(place) = place? else { continue };
        let found = metadata_of(&place)?;
        match found.kind() {
            FileKind::Directory => below.push(Dir::from_fd(place)),
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
