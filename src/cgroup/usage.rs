//! What a group uses, from the controllers that hold it, else from its processes.

use super::{Error, Group, Hierarchy, Machine, process_usage::ProcessUsage, processes::value};
use crate::sys::{self, Dir, control};

/// What a group uses. `None` is what this machine cannot tell.
///
/// | field | version 2 | version 1 | without the controller |
/// |---|---|---|---|
/// | CPU time | `cpu.stat`, always there | `cpuacct.usage` | /proc/PID/stat of the living |
/// | memory | `memory.current` | `memory.usage_in_bytes` | /proc/PID/smaps_rollup, else statm |
/// | processes | `pids.current` | `pids.current` | /proc/PID/stat, threads |
/// | bytes | `io.stat` | `blkio.throttle.io_service_bytes_recursive` | /proc/PID/io of the living |
///
/// What is taken from processes forgets those that have ended, and misses those that end while they
/// are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time in nanoseconds.
    pub cpu_nanoseconds: Option<u64>,
    /// Bytes of memory without the file cache that is easily given back, as `docker stats` counts.
    pub memory_bytes: Option<u64>,
    /// Bytes of memory allowed; `None` without limit.
    pub memory_limit: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// How many of them are allowed; `None` without limit.
    pub pids_limit: Option<u64>,
    /// Bytes read from block devices.
    pub read_bytes: Option<u64>,
    /// Bytes written to block devices.
    pub write_bytes: Option<u64>,
    /// CPUs that are online.
    pub online_cpus: u32,
}

/// Version 1 says "no limit" with the largest number of whole pages.
const LEGACY_UNLIMITED: u64 = 1 << 62;

impl Group {
    /// What it uses now.
    pub fn usage(&self) -> Result<Usage, Error> {
        let mut usage = self.controlled_usage().map_err(self.failed("look at"))?;
        usage.online_cpus = Machine::read().cpu_count();
        let complete = usage.cpu_nanoseconds.is_some()
            && usage.memory_bytes.is_some()
            && usage.pids.is_some()
            && usage.read_bytes.is_some();
        if !complete && !self.places.is_empty() {
            let sum = ProcessUsage::of(&self.processes()?, usage.memory_bytes.is_none());
            usage.cpu_nanoseconds.get_or_insert(sum.cpu_nanoseconds);
            usage.memory_bytes.get_or_insert(sum.memory_bytes);
            usage.pids.get_or_insert(sum.threads);
            usage.read_bytes.get_or_insert(sum.read_bytes);
            usage.write_bytes.get_or_insert(sum.write_bytes);
        }
        Ok(usage)
    }

    /// How many of its processes were killed for want of memory. 0 where no limit of memory was set.
    pub fn oom_kills(&self) -> Result<u64, Error> {
        let Some((dir, unified)) = self.held_by("memory") else {
            return Ok(0);
        };
        let file = if unified {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        let text = control::find(dir, file).map_err(self.failed("look at"))?;
        Ok(text.and_then(|text| value(&text, "oom_kill")).unwrap_or(0))
    }

    fn controlled_usage(&self) -> sys::Result<Usage> {
        let mut usage = Usage {
            cpu_nanoseconds: self.cpu()?,
            ..Usage::default()
        };
        if let Some((dir, unified)) = self.held_by("memory") {
            (usage.memory_bytes, usage.memory_limit) = memory(dir, unified)?;
        }
        if let Some((dir, _)) = self.held_by("pids") {
            usage.pids = number(dir, "pids.current")?;
            usage.pids_limit = number(dir, "pids.max")?;
        }
        let transferred = match (self.held_by("io"), self.held_by("blkio")) {
            (Some((dir, true)), _) => control::find(dir, "io.stat")?.map(|text| unified_io(&text)),
            (_, Some((dir, false))) => {
                let file = "blkio.throttle.io_service_bytes_recursive";
                control::find(dir, file)?.map(|text| legacy_io(&text))
            }
            _ => None,
        };
        (usage.read_bytes, usage.write_bytes) = transferred.unzip();
        Ok(usage)
    }

    /// Version 2 counts CPU time for every group, with the controller or without.
    fn cpu(&self) -> sys::Result<Option<u64>> {
        if let Some(place) = self.place(Hierarchy::Unified) {
            let text = control::find(&place.dir, "cpu.stat")?.unwrap_or_default();
            let microseconds = value(&text, "usage_usec");
            return Ok(microseconds.map(|usage| usage.saturating_mul(1000)));
        }
        match self.held_by("cpuacct") {
            Some((dir, _)) => number(dir, "cpuacct.usage"),
            None => Ok(None),
        }
    }

    fn held_by(&self, controller: &str) -> Option<(&Dir, bool)> {
        let unified = self.hierarchies.of_controller(controller) == Some(Hierarchy::Unified);
        self.controlled(controller).map(|dir| (dir, unified))
    }
}

/// A file with one number in it; `None` for `max`, and where the controller was not passed on.
fn number(dir: &Dir, file: &str) -> sys::Result<Option<u64>> {
    let text = control::find(dir, file)?;
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

fn memory(dir: &Dir, unified: bool) -> sys::Result<(Option<u64>, Option<u64>)> {
    let (used, limit, inactive) = if unified {
        ("memory.current", "memory.max", "inactive_file")
    } else {
        (
            "memory.usage_in_bytes",
            "memory.limit_in_bytes",
            "total_inactive_file",
        )
    };
    let Some(used) = number(dir, used)? else {
        return Ok((None, None));
    };
    let text = control::find(dir, "memory.stat")?.unwrap_or_default();
    let cache = value(&text, inactive).unwrap_or(0);
    let limit = number(dir, limit)?.filter(|bytes| *bytes < LEGACY_UNLIMITED);
    Ok((Some(used.saturating_sub(cache)), limit))
}

/// `io.stat`: a line for each device, `8:0 rbytes=1 wbytes=2 rios=…`.
fn unified_io(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        let pairs = text
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        let values = pairs.filter(|(name, _)| *name == key);
        values
            .filter_map(|(_, value)| value.parse::<u64>().ok())
            .sum()
    };
    (sum("rbytes"), sum("wbytes"))
}

/// `8:0 Read 1` and the like, and `Total 3` at the end.
fn legacy_io(text: &str) -> (u64, u64) {
    let sum = |what: &str| {
        let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let values = lines.filter_map(|words| match words[..] {
            [_, operation, value] if operation == what => value.parse::<u64>().ok(),
            _ => None,
        });
        values.sum()
    };
    (sum("Read"), sum("Write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_all_devices_are_added() {
        let text = "8:0 rbytes=100 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n\
                    7:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n8:16 \n";
        assert_eq!(unified_io(text), (101, 22));
        assert_eq!(unified_io(""), (0, 0));
        let text = "8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:0 Async 0\n8:0 Discard 0\n\
                    8:0 Total 120\n7:0 Read 1\n7:0 Write 2\nTotal 123\n";
        assert_eq!(legacy_io(text), (101, 22));
        assert_eq!(legacy_io("Total 0\n"), (0, 0));
    }
}
