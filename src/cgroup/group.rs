//! `Group`: the control group of one container, in as many hierarchies as its limits need.

use std::os::fd::{AsFd as _, BorrowedFd};

use nix::errno::Errno;

use super::{
    Error, Hierarchies, Hierarchy, Limits, Machine, Setting,
    place::{self, Place},
    setting::settings,
};
use crate::sys::{Dir, SysError, control};

/// A container's control group. Dropping it removes nothing: groups outlive who made them.
///
/// On a machine without control groups it is in no hierarchy: it holds nothing, and there is
/// nothing to remove.
#[derive(Debug)]
pub struct Group {
    pub(super) id: String,
    pub(super) hierarchies: Hierarchies,
    /// The primary one first; at most one for each hierarchy.
    pub(super) places: Vec<Place>,
}

impl Group {
    /// Makes the group and sets its limits. What was made is removed again on failure.
    ///
    /// [`Error::Exists`] where a killed supervisor left one of this name in any of the hierarchies
    /// needed: whoever knows that nothing of it runs can open, kill and remove it first.
    pub fn create(hierarchies: &Hierarchies, id: &str, limits: &Limits) -> Result<Self, Error> {
        check_id(id)?;
        let settings = checked(hierarchies, limits)?;
        let mut group = Self {
            id: id.to_owned(),
            hierarchies: hierarchies.clone(),
            places: Vec::new(),
        };
        let mut make = || -> Result<(), Error> {
            if let Some(primary) = hierarchies.primary() {
                group.place_in(primary)?;
            }
            group.apply(&settings).map(drop)
        };
        match make() {
            Ok(()) => Ok(group),
            Err(error) => {
                group.remove().ok();
                Err(error)
            }
        }
    }

    /// Finds a group in all hierarchies.
    pub fn open(hierarchies: &Hierarchies, id: &str) -> Result<Self, Error> {
        check_id(id)?;
        let mut places = Vec::new();
        // The primary one is not the first to be mounted.
        let primary = hierarchies.primary();
        let rest = hierarchies.all().filter(|one| Some(*one) != primary);
        for hierarchy in primary.into_iter().chain(rest) {
            places.extend(Place::find(hierarchies, hierarchy, id)?);
        }
        if places.is_empty() {
            return Err(Error::NotFound { id: id.to_owned() });
        }
        Ok(Self {
            id: id.to_owned(),
            hierarchies: hierarchies.clone(),
            places,
        })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The directory in version 2, for clone3(2) with `CLONE_INTO_CGROUP`.
    pub fn unified_fd(&self) -> Option<BorrowedFd<'_>> {
        self.place(Hierarchy::Unified)
            .map(|place| place.dir.as_fd())
    }

    /// Whether it is in a hierarchy of version 1, which clone3(2) knows nothing of.
    pub fn is_legacy(&self) -> bool {
        self.places
            .iter()
            .any(|place| place.hierarchy != Hierarchy::Unified)
    }

    /// Moves a process that clone3(2) has put into version 2 into the others.
    pub fn join(&self, pid: i32) -> Result<(), Error> {
        let legacy = |place: &&Place| place.hierarchy != Hierarchy::Unified;
        self.move_into(self.places.iter().filter(legacy), pid)
    }

    /// Moves a process into all hierarchies, version 2 included; its children to come as well.
    pub fn join_all(&self, pid: i32) -> Result<(), Error> {
        self.move_into(self.places.iter(), pid)
    }

    fn move_into<'a>(
        &self,
        places: impl Iterator<Item = &'a Place>,
        pid: i32,
    ) -> Result<(), Error> {
        for place in places {
            control::write(&place.dir, "cgroup.procs", &pid.to_string())
                .map_err(self.failed(&format!("move process {pid} into")))?;
        }
        Ok(())
    }

    /// Sets limits of a group with processes in it; those that are `None` stay as they are.
    ///
    /// Hierarchies that the group was not in are entered, with all processes.
    pub fn update(&mut self, limits: &Limits) -> Result<(), Error> {
        let settings = checked(&self.hierarchies, limits)?;
        for place in self.apply(&settings)? {
            self.move_all(place)?;
        }
        Ok(())
    }

    /// Writes settings; returns the places that are new.
    fn apply(&mut self, settings: &[Setting]) -> Result<Vec<usize>, Error> {
        let before = self.places.len();
        for setting in settings {
            self.prepare(setting)?;
        }
        let mut waiting = Vec::new();
        for setting in settings {
            if !self.placed(setting)?.set(setting)? {
                waiting.push(setting);
            }
        }
        // Memory, and memory and swap, check each other: which goes first depends on what was set.
        for setting in waiting {
            if !self.placed(setting)?.set(setting)? {
                let file = setting.choices.first().map_or("", |(file, _)| file);
                let source = SysError::new("write", file, Errno::EINVAL);
                return Err(place::refused(setting, source));
            }
        }
        Ok((before..self.places.len()).collect())
    }

    /// The directory is there, and the controller's files are in it.
    fn prepare(&mut self, setting: &Setting) -> Result<(), Error> {
        self.place_in(setting.hierarchy)?;
        let place = self.placed(setting)?;
        match self.hierarchies.mount_point(setting.hierarchy) {
            Some(mount) if setting.hierarchy == Hierarchy::Unified => {
                place.enable(mount, setting.controller)
            }
            _ => Ok(()),
        }
    }

    fn placed(&self, setting: &Setting) -> Result<&Place, Error> {
        self.place(setting.hierarchy)
            .ok_or_else(|| Error::NotFound {
                id: self.id.clone(),
            })
    }

    /// The group in one hierarchy, made where it is missing; its number, and whether it is new.
    pub(super) fn place_in(&mut self, hierarchy: Hierarchy) -> Result<(usize, bool), Error> {
        let there = |place: &Place| place.hierarchy == hierarchy;
        if let Some(number) = self.places.iter().position(there) {
            return Ok((number, false));
        }
        let place = Place::make(&self.hierarchies, hierarchy, &self.id)?;
        // Whoever removed the group meanwhile did not know of this part of it.
        if self.is_gone() {
            place.remove(&self.id).map_err(self.failed("remove"))?;
            let id = self.id.clone();
            return Err(Error::NotFound { id });
        }
        self.places.push(place);
        let number = self.places.len() - 1;
        if self.hierarchies.of_controller("cpuset") == Some(hierarchy)
            && hierarchy != Hierarchy::Unified
            && let Some(mount) = self.hierarchies.mount_point(hierarchy)
        {
            self.places[number].inherit_cpuset(mount)?;
        }
        Ok((number, true))
    }

    /// Whether it was somewhere, and is there no more.
    fn is_gone(&self) -> bool {
        let is_there = |place: &Place| matches!(place.dir.find("cgroup.procs"), Ok(Some(_)));
        !self.places.is_empty() && !self.places.iter().any(is_there)
    }

    /// Moves all processes into one place, until none is left that was forked meanwhile.
    pub(super) fn move_all(&self, number: usize) -> Result<(), Error> {
        let Some(place) = self.places.get(number) else {
            return Ok(());
        };
        loop {
            let there = super::processes::of(&place.dir).map_err(self.failed("list"))?;
            let all = self.processes()?;
            let missing: Vec<_> = all.iter().filter(|pid| !there.contains(pid)).collect();
            if missing.is_empty() {
                return Ok(());
            }
            for pid in missing {
                match control::write(&place.dir, "cgroup.procs", &pid.to_string()) {
                    Err(error) if error.errno() == Some(Errno::ESRCH) => {}
                    moved => moved.map_err(self.failed(&format!("move process {pid} into")))?,
                }
            }
        }
    }

    pub(super) fn place(&self, hierarchy: Hierarchy) -> Option<&Place> {
        self.places.iter().find(|one| one.hierarchy == hierarchy)
    }

    /// The directory that a controller's files are in.
    pub(super) fn controlled(&self, controller: &str) -> Option<&Dir> {
        let hierarchy = self.hierarchies.of_controller(controller)?;
        self.place(hierarchy).map(|place| &place.dir)
    }

    pub(super) fn failed(&self, what: &str) -> impl FnOnce(SysError) -> Error {
        let what = format!("{what} control group {}", self.id);
        move |source| Error::System { what, source }
    }
}

/// The settings of limits that agree with each other and with the machine.
fn checked(hierarchies: &Hierarchies, limits: &Limits) -> Result<Vec<Setting>, Error> {
    if limits.is_empty() {
        return Ok(Vec::new());
    }
    limits.check(&Machine::read())?;
    settings(limits, hierarchies)
}

/// One word, so that it is one directory and never a file of the kernel's.
pub(super) fn check_id(id: &str) -> Result<(), Error> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let starts = id
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts && id.len() <= 255 && id.bytes().all(inner) && id != "tasks" {
        return Ok(());
    }
    let id = id.to_owned();
    Err(Error::Id { id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_word() {
        for id in ["a", "0123abc", "web_1-x", &"a".repeat(255)] {
            assert!(check_id(id).is_ok(), "{id}");
        }
        for id in [
            "",
            ".",
            "..",
            "a/b",
            "-a",
            "cgroup.procs",
            "tasks",
            "한글",
            "a\nb",
            &"a".repeat(256),
        ] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }

    #[test]
    fn without_hierarchies_a_group_holds_nothing_and_limits_nothing() {
        let none = Hierarchies::default();
        let mut group = Group::create(&none, "a", &Limits::default()).unwrap();
        assert!(group.unified_fd().is_none());
        assert_eq!(group.processes().unwrap(), [0; 0]);
        group.join_all(1).unwrap();
        group.kill_all().unwrap();
        assert!(matches!(group.freeze(), Err(Error::Unsupported { .. })));
        let limits = Limits {
            pids: Some(3),
            ..Limits::default()
        };
        assert!(matches!(
            group.update(&limits),
            Err(Error::Unsupported { .. })
        ));
        group.remove().unwrap();
        assert!(matches!(
            Group::open(&none, "a"),
            Err(Error::NotFound { .. })
        ));
    }
}
