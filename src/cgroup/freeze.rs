//! Freezing: `cgroup.freeze` of version 2 (Linux 5.2), the freezer controller of version 1.

use std::{
    fs::File,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    Error, Group, Hierarchy,
    place::{Place, existing},
    processes::value,
};
use crate::sys::{Dir, control};

/// As long as Docker's runtime waits. What waits for a dead disk cannot be frozen.
const MOST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

/// How often to look whether it is there still.
const LOOK: Duration = Duration::from_millis(50);

impl Group {
    /// Stops every process of the group where it is, and waits until all have stopped.
    ///
    /// A group that is in no hierarchy with a freezer enters one, with all its processes. What
    /// cannot be frozen in time runs on.
    pub fn freeze(&mut self) -> Result<(), Error> {
        self.enter_freezer()?;
        let done = match self.freezer() {
            Some(Freezer::Unified(dir)) => self.freeze_unified(dir)?,
            Some(Freezer::Legacy(dir)) => self.freeze_legacy(dir)?,
            None => {
                return Err(Error::Unsupported {
                    flag: "pause",
                    missing: "there is neither a freezer hierarchy nor cgroup.freeze".to_owned(),
                });
            }
        };
        if done {
            return Ok(());
        }
        self.thaw()?;
        Err(Error::Late {
            what: "freeze",
            id: self.id.clone(),
            seconds: MOST.as_secs(),
        })
    }

    /// Lets them go on. A group that is gone has nobody to wait for it.
    pub fn thaw(&self) -> Result<(), Error> {
        let written = match self.freezer() {
            Some(Freezer::Unified(dir)) => control::write(dir, "cgroup.freeze", "0"),
            Some(Freezer::Legacy(dir)) => control::write(dir, "freezer.state", "THAWED"),
            None => Ok(()),
        };
        existing(written).map(drop).map_err(self.failed("thaw"))
    }

    /// Whether all of them have stopped.
    pub fn is_frozen(&self) -> Result<bool, Error> {
        let state = match self.freezer() {
            Some(Freezer::Unified(dir)) => control::find(dir, "cgroup.events")
                .map(|text| text.is_some_and(|text| value(&text, "frozen") == Some(1))),
            Some(Freezer::Legacy(dir)) => control::find(dir, "freezer.state")
                .map(|text| text.is_some_and(|text| text.trim() == "FROZEN")),
            None => Ok(false),
        };
        state.map_err(self.failed("look at"))
    }

    fn enter_freezer(&mut self) -> Result<(), Error> {
        // One of version 2 without the file has gone.
        if self.freezer().is_none()
            && self.place(Hierarchy::Unified).is_none()
            && let Some(hierarchy) = self.hierarchies.of_controller("freezer")
            && !self.places.is_empty()
        {
            let (number, _) = self.place_in(hierarchy)?;
            self.move_all(number)?;
        }
        Ok(())
    }

    fn freezer(&self) -> Option<Freezer<'_>> {
        // Where the group is in both, who froze it may have found either: version 2 is asked first
        // by all.
        let has = |place: &&Place| {
            place
                .dir
                .find("cgroup.freeze")
                .is_ok_and(|file| file.is_some())
        };
        let unified = self.place(Hierarchy::Unified).filter(has);
        match unified {
            Some(place) => Some(Freezer::Unified(&place.dir)),
            None => self.controlled("freezer").map(Freezer::Legacy),
        }
    }

    fn freeze_unified(&self, dir: &Dir) -> Result<bool, Error> {
        const FILE: &str = "cgroup.events";
        let end = Instant::now() + MOST;
        control::write(dir, "cgroup.freeze", "1").map_err(self.failed("freeze"))?;
        let mut events: File = dir.open_file(FILE).map_err(self.failed("freeze"))?;
        loop {
            let text = control::read_open(&mut events, FILE).map_err(self.failed("freeze"))?;
            if value(&text, "frozen") == Some(1) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Nobody is woken when the group goes.
            control::wait_for_change(&events, left.min(LOOK)).map_err(self.failed("freeze"))?;
        }
    }

    /// A process that forks while it is being frozen can keep the state at FREEZING: it is told
    /// again.
    fn freeze_legacy(&self, dir: &Dir) -> Result<bool, Error> {
        const FILE: &str = "freezer.state";
        let end = Instant::now() + MOST;
        loop {
            control::write(dir, FILE, "FROZEN").map_err(self.failed("freeze"))?;
            let state = control::read(dir, FILE).map_err(self.failed("freeze"))?;
            if state.trim() == "FROZEN" {
                return Ok(true);
            }
            if Instant::now() > end {
                return Ok(false);
            }
            sleep(PAUSE);
        }
    }
}

enum Freezer<'a> {
    Unified(&'a Dir),
    Legacy(&'a Dir),
}
