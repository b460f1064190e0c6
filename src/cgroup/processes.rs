//! Who is in a group, its own groups included.

use super::{Error, Group, Hierarchy, place::existing};
use crate::sys::{self, Dir, FileKind, control};

/// Deeper than this nobody nests groups; it keeps us from running out of descriptors.
const DEPTH: u32 = 64;

impl Group {
    /// The processes in the group and in groups that they made in it, by number.
    pub fn processes(&self) -> Result<Vec<i32>, Error> {
        let Some(primary) = self.places.first() else {
            return Ok(Vec::new());
        };
        of(&primary.dir).map_err(self.failed("list"))
    }

    /// Whether any process is in it. A zombie is none.
    pub fn is_populated(&self) -> Result<bool, Error> {
        match self.places.first() {
            Some(primary) if primary.hierarchy == Hierarchy::Unified => {
                let events = control::find(&primary.dir, "cgroup.events");
                let events = events.map_err(self.failed("look at"))?;
                Ok(events.is_some_and(|text| value(&text, "populated") == Some(1)))
            }
            _ => Ok(!self.processes()?.is_empty()),
        }
    }
}

/// The value of a key in a flat keyed file (cgroup-v2, "Interface Files").
pub(super) fn value(text: &str, key: &str) -> Option<u64> {
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let found = pairs.clone().find(|(name, _)| *name == key);
    found.and_then(|(_, value)| value.trim().parse().ok())
}

/// The processes in one directory and below, sorted.
pub(super) fn of(dir: &Dir) -> sys::Result<Vec<i32>> {
    let mut found = Vec::new();
    collect(dir, DEPTH, &mut found)?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn collect(dir: &Dir, depth: u32, found: &mut Vec<i32>) -> sys::Result<()> {
    let text = control::find(dir, "cgroup.procs")?.unwrap_or_default();
    // 0 is a process outside of our pid namespace.
    let pids = text.lines().filter_map(|line| line.parse::<i32>().ok());
    found.extend(pids.filter(|pid| *pid > 0));
    if depth == 0 {
        return Ok(());
    }
    for name in subgroups(dir)? {
        if let Some(below) = existing(dir.open_dir(&name))? {
            collect(&below, depth - 1, found)?;
        }
    }
    Ok(())
}

/// The directories in a group's directory.
pub(super) fn subgroups(dir: &Dir) -> sys::Result<Vec<std::ffi::OsString>> {
    let entries = existing(dir.typed_entries())?.unwrap_or_default();
    let dirs = entries
        .into_iter()
        .filter(|(_, kind)| *kind == Some(FileKind::Directory));
    Ok(dirs.map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_files_are_read() {
        let text = "populated 1\nfrozen 0\nbad\nworse x\n";
        assert_eq!(value(text, "populated"), Some(1));
        assert_eq!(value(text, "frozen"), Some(0));
        assert_eq!(value(text, "worse"), None);
        assert_eq!(value(text, "pop"), None);
    }
}
