//! Taking groups away, and finding those that were left behind.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    Error, Group, Hierarchies,
    place::{PARENT, existing, gone},
    processes::subgroups,
};
use crate::sys::{self, Dir};

/// A process leaves its group a moment after its parent hears of its end.
const MOST: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_micros(200);
const DEPTH: u32 = 64;

impl Group {
    /// Removes the group and what its processes made in it, everywhere. Gone already is fine.
    ///
    /// Processes in it are an error after a moment: see [`Group::kill_all`].
    pub fn remove(&self) -> Result<(), Error> {
        let end = Instant::now() + MOST;
        for place in &self.places {
            while !place.remove(&self.id).map_err(self.failed("remove"))? {
                remove_below(&place.dir, DEPTH).map_err(self.failed("remove"))?;
                if Instant::now() > end {
                    return Err(Error::InUse {
                        id: self.id.clone(),
                        processes: super::processes::of(&place.dir).unwrap_or_default(),
                    });
                }
                sleep(PAUSE);
            }
        }
        Ok(())
    }
}

/// Removes the groups in a group, the deepest first; those in use stay.
fn remove_below(dir: &Dir, depth: u32) -> sys::Result<()> {
    for name in subgroups(dir)? {
        if gone(dir.remove_dir(&name))? || depth == 0 {
            continue;
        }
        if let Some(below) = existing(dir.open_dir(&name))? {
            remove_below(&below, depth - 1)?;
        }
        gone(dir.remove_dir(&name))?;
    }
    Ok(())
}

/// The ids of all groups, in whichever hierarchy, sorted. Some may belong to containers that run.
pub fn children(hierarchies: &Hierarchies) -> Result<Vec<String>, Error> {
    let mut found = BTreeSet::new();
    for parent in parents(hierarchies)? {
        let names = subgroups(&parent).map_err(listing)?;
        found.extend(
            names
                .into_iter()
                .filter_map(|name| OsString::into_string(name).ok()),
        );
    }
    Ok(found.into_iter().collect())
}

/// Removes the directories that hold all groups where they are empty, as before the first container.
pub fn remove_empty_parents(hierarchies: &Hierarchies) -> Result<(), Error> {
    for hierarchy in hierarchies.all() {
        let mount = hierarchies.mount_point(hierarchy).map(Dir::open);
        if let Some(root) = mount.transpose().map_err(listing)? {
            gone(root.remove_dir(PARENT)).map_err(|source| Error::System {
                what: format!("remove control group {PARENT}"),
                source,
            })?;
        }
    }
    Ok(())
}

fn parents(hierarchies: &Hierarchies) -> Result<Vec<Dir>, Error> {
    let mut parents = Vec::new();
    for hierarchy in hierarchies.all() {
        if let Some(mount) = hierarchies.mount_point(hierarchy) {
            parents.extend(existing(Dir::open(&mount.join(PARENT))).map_err(listing)?);
        }
    }
    Ok(parents)
}

fn listing(source: sys::SysError) -> Error {
    Error::System {
        what: "list control groups".to_owned(),
        source,
    }
}
