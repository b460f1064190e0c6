//! Killing all of a group: `cgroup.kill` of version 2 (Linux 5.14), else one by one.

use std::{
    fs::File,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::errno::Errno;

use super::{Error, Group, Hierarchy, processes::value};
use crate::sys::{control, process};

/// What waits for a disk dies when the disk answers.
const MOST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

impl Group {
    /// Kills every process of the group, frozen or not, and waits until none is left.
    pub fn kill_all(&self) -> Result<(), Error> {
        let end = Instant::now() + MOST;
        let emptied = if self.kill_unified()? {
            self.wait_unified(end)?
        } else {
            self.kill_one_by_one(end)?
        };
        if emptied {
            return Ok(());
        }
        Err(Error::Late {
            what: "kill the processes of",
            id: self.id.clone(),
            seconds: MOST.as_secs(),
        })
    }

    /// Whether the kernel does it at one stroke, so that none can fork away.
    fn kill_unified(&self) -> Result<bool, Error> {
        let Some(place) = self.place(Hierarchy::Unified) else {
            return Ok(false);
        };
        match control::write(&place.dir, "cgroup.kill", "1") {
            Ok(()) => {
                // A freezer of version 1 would keep the signal waiting.
                self.thaw_legacy();
                Ok(true)
            }
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
            // The group is gone already.
            Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(true),
            Err(error) => Err(self.failed("kill the processes of")(error)),
        }
    }

    fn wait_unified(&self, end: Instant) -> Result<bool, Error> {
        const FILE: &str = "cgroup.events";
        let Some(place) = self.place(Hierarchy::Unified) else {
            return Ok(true);
        };
        let Ok(mut events) = place.dir.open_file(FILE) else {
            return Ok(true);
        };
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match populated(&mut events) {
                Some(false) | None => return Ok(true),
                Some(true) if left.is_zero() => return Ok(false),
                Some(true) => control::wait_for_change(&events, left)
                    .map_err(self.failed("kill the processes of"))?,
            }
        }
    }

    /// Frozen first, so that none forks between the list and the signal.
    fn kill_one_by_one(&self, end: Instant) -> Result<bool, Error> {
        loop {
            if let Some(place) = self.place(Hierarchy::Unified) {
                control::write(&place.dir, "cgroup.freeze", "1").ok();
            }
            if let Some(dir) = self.controlled("freezer") {
                control::write(dir, "freezer.state", "FROZEN").ok();
            }
            let processes = self.processes()?;
            for pid in &processes {
                process::kill(*pid);
            }
            self.thaw()?;
            self.thaw_legacy();
            if processes.is_empty() || Instant::now() > end {
                return Ok(processes.is_empty());
            }
            sleep(PAUSE);
        }
    }

    fn thaw_legacy(&self) {
        if let Some(dir) = self.controlled("freezer") {
            control::write(dir, "freezer.state", "THAWED").ok();
        }
    }
}

/// `None` where the group went away.
fn populated(events: &mut File) -> Option<bool> {
    let text = control::read_open(events, "cgroup.events").ok()?;
    value(&text, "populated").map(|count| count > 0)
}
