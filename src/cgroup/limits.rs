//! What a container may use at most: values as Docker keeps them, and whether they agree.

use serde::{Deserialize, Serialize};

use super::{DeviceRate, Error, Machine};

/// The limits of one container. What is `None` or empty is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Bytes of memory and swap together, -1 without limit. Twice the memory where it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<i64>,
    /// Bytes of memory that are left to the container when memory is short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u64>,
    /// How gladly its memory is swapped, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swappiness: Option<u8>,
    /// Whether processes wait for memory instead of being killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kill_disable: Option<bool>,
    /// CPU time in billionths of a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u64>,
    /// Weight of its CPU time beside others'; 1024 is what everybody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<u64>,
    /// Microseconds that [`Limits::cpu_quota`] is counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_period: Option<u64>,
    /// Microseconds of CPU time in each period; -1 without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<i64>,
    /// CPUs it runs on, such as `0-2,4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes it allocates from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_mems: Option<String>,
    /// Processes and threads; 0 and -1 without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
    /// Bytes a second read from devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_read_bps: Vec<DeviceRate>,
    /// Bytes a second written to devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_write_bps: Vec<DeviceRate>,
    /// Reads a second from devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_read_iops: Vec<DeviceRate>,
    /// Writes a second to devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_write_iops: Vec<DeviceRate>,
    /// Weight of its disk time beside others', 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_weight: Option<u16>,
}

/// The least memory that Docker limits a container to.
const LEAST_MEMORY: u64 = 6 << 20;

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the values agree with each other and fit the machine; the texts are Docker's.
    pub fn check(&self, machine: &Machine) -> Result<(), Error> {
        self.check_memory()?;
        self.check_cpu()?;
        self.check_machine(machine)?;
        match self.blkio_weight {
            Some(weight) if weight != 0 && !(10..=1000).contains(&weight) => {
                rule("Range of blkio weight is from 10 to 1000")
            }
            _ => Ok(()),
        }
    }

    fn check_memory(&self) -> Result<(), Error> {
        let set = |value: Option<u64>| value.filter(|bytes| *bytes > 0);
        let swap = self.memory_swap.and_then(|swap| u64::try_from(swap).ok());
        let (memory, swap) = (set(self.memory), set(swap));
        let reservation = set(self.memory_reservation);
        if memory.is_some_and(|bytes| bytes < LEAST_MEMORY) {
            return rule("Minimum memory limit allowed is 6MB");
        }
        match (memory, swap) {
            (Some(memory), Some(swap)) if swap < memory => {
                rule("Minimum memoryswap limit should be larger than memory limit, see usage")?;
            }
            (None, Some(_)) => rule(
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            )?,
            _ => {}
        }
        if self.memory_swappiness.is_some_and(|percent| percent > 100) {
            let given = self.memory_swappiness.unwrap_or_default();
            return rule(format!(
                "invalid value: {given}. Valid memory swappiness range is 0-100"
            ));
        }
        match (memory, reservation) {
            (_, Some(least)) if least < LEAST_MEMORY => {
                rule("Minimum memory reservation allowed is 6MB")
            }
            (Some(most), Some(least)) if most < least => rule(
                "Minimum memory limit can not be less than memory reservation limit, see usage",
            ),
            _ => Ok(()),
        }
    }

    fn check_cpu(&self) -> Result<(), Error> {
        let period = self.cpu_period.unwrap_or(0);
        let quota = self.cpu_quota.unwrap_or(0);
        let cpus = self.cpus.unwrap_or(0);
        if cpus > 0 && period > 0 {
            return rule("Conflicting options: Nano CPUs and CPU Period cannot both be set");
        }
        if cpus > 0 && quota > 0 {
            return rule("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
        }
        if period != 0 && !(1000..=1_000_000).contains(&period) {
            return rule(
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. \
                 1000000)",
            );
        }
        if quota > 0 && quota < 1000 {
            return rule("CPU cfs quota can not be less than 1ms (i.e. 1000)");
        }
        Ok(())
    }

    fn check_machine(&self, machine: &Machine) -> Result<(), Error> {
        let count = machine.cpu_count();
        let range = 10_000_000..=u64::from(count).saturating_mul(1_000_000_000);
        if self
            .cpus
            .is_some_and(|cpus| cpus > 0 && !range.contains(&cpus))
        {
            return rule(format!(
                "range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
            ));
        }
        let cpus = (&self.cpuset_cpus, &machine.cpus, "CPUs", "cpus");
        let nodes = (&self.cpuset_mems, &machine.nodes, "memory nodes", "mems");
        for (asked, there, what, name) in [cpus, nodes] {
            let Some(text) = asked.as_deref().filter(|text| !text.is_empty()) else {
                continue;
            };
            let Some(asked) = super::machine::numbers(text) else {
                return rule(format!("Invalid value {text} for cpuset {name}"));
            };
            if !asked.iter().all(|number| there.contains(number)) {
                let there = super::machine::list(there);
                return rule(format!(
                    "Requested {what} are not available - requested {text}, available: {there}"
                ));
            }
        }
        Ok(())
    }

    /// These limits with others laid over them, as `docker update` does it.
    pub fn updated(&self, changes: &Self) -> Result<Self, Error> {
        let raised = changes.memory.filter(|bytes| *bytes > 0);
        let swap = changes.memory_swap.filter(|swap| *swap != 0);
        let had = self.memory_swap.and_then(|swap| u64::try_from(swap).ok());
        let had = had.filter(|swap| *swap > 0);
        if let (Some(memory), None, Some(had)) = (raised, swap, had)
            && memory > had
        {
            return rule(
                "Memory limit should be smaller than already set memoryswap limit, update the \
                 memoryswap at the same time",
            );
        }
        let mut merged = self.clone();
        merged.lay_over(changes);
        // The newer way to say how much CPU time replaces the older one.
        if changes.cpus.is_some() {
            (merged.cpu_period, merged.cpu_quota) = (None, None);
        } else if changes.cpu_period.is_some() || changes.cpu_quota.is_some() {
            merged.cpus = None;
        }
        Ok(merged)
    }

    fn lay_over(&mut self, changes: &Self) {
        macro_rules! options {
            ($($field:ident),+) => {
                $(if changes.$field.is_some() { self.$field.clone_from(&changes.$field); })+
            };
        }
        macro_rules! lists {
            ($($field:ident),+) => {
                $(if !changes.$field.is_empty() { self.$field.clone_from(&changes.$field); })+
            };
        }
        options!(
            memory,
            memory_swap,
            memory_reservation,
            memory_swappiness,
            oom_kill_disable,
            cpus,
            cpu_shares,
            cpu_period,
            cpu_quota,
            cpuset_cpus,
            cpuset_mems,
            pids,
            blkio_weight
        );
        lists!(
            device_read_bps,
            device_write_bps,
            device_read_iops,
            device_write_iops
        );
    }
}

fn rule<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::Rule { text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            cpus: vec![0, 1],
            nodes: vec![0],
        }
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused_with_dockers_texts() {
        let some = Limits::default;
        #[rustfmt::skip]
        let cases = [
            (Limits { memory: Some(6 << 20), ..some() }, ""),
            (Limits { memory: Some((6 << 20) - 1), ..some() }, "Minimum memory limit allowed is 6MB"),
            (Limits { memory: Some(8 << 20), memory_swap: Some(7 << 20), ..some() }, "Minimum memoryswap limit should be larger"),
            (Limits { memory_swap: Some(7 << 20), ..some() }, "You should always set the Memory limit"),
            (Limits { memory_swap: Some(-1), ..some() }, ""),
            (Limits { memory_swappiness: Some(101), ..some() }, "invalid value: 101. Valid"),
            (Limits { memory_reservation: Some(1), ..some() }, "Minimum memory reservation"),
            (Limits { memory: Some(8 << 20), memory_reservation: Some(9 << 20), ..some() }, "Minimum memory limit can not be less"),
            (Limits { cpus: Some(1), cpu_period: Some(1000), ..some() }, "Conflicting options: Nano CPUs and CPU Period"),
            (Limits { cpus: Some(1), cpu_quota: Some(1000), ..some() }, "Conflicting options: Nano CPUs and CPU Quota"),
            (Limits { cpu_period: Some(999), ..some() }, "CPU cfs period can not"),
            (Limits { cpu_quota: Some(999), ..some() }, "CPU cfs quota can not"),
            (Limits { cpu_quota: Some(-1), ..some() }, ""),
            (Limits { cpus: Some(2_000_000_000), ..some() }, ""),
            (Limits { cpus: Some(2_000_000_001), ..some() }, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
            (Limits { cpus: Some(9_999_999), ..some() }, "range of CPUs"),
            (Limits { cpuset_cpus: Some("0-1".into()), cpuset_mems: Some("0".into()), ..some() }, ""),
            (Limits { cpuset_cpus: Some("1,5".into()), ..some() }, "Requested CPUs are not available - requested 1,5, available: 0-1"),
            (Limits { cpuset_mems: Some("1".into()), ..some() }, "Requested memory nodes are not available - requested 1, available: 0"),
            (Limits { cpuset_cpus: Some("한".into()), ..some() }, "Invalid value 한 for cpuset cpus"),
            (Limits { blkio_weight: Some(9), ..some() }, "Range of blkio weight is from 10 to 1000"),
        ];
        for (limits, wanted) in cases {
            let text = limits
                .check(&machine())
                .err()
                .map_or(String::new(), |error| error.to_string());
            assert_eq!(text.is_empty(), wanted.is_empty(), "{limits:?}: {text}");
            assert!(text.starts_with(wanted), "{limits:?}: {text}");
        }
    }

    #[test]
    fn a_record_holds_only_what_is_limited_and_nothing_unknown() {
        let limits = Limits {
            memory: Some(512 << 20),
            pids: Some(-1),
            device_write_bps: vec!["/dev/loop0:1mb".parse().unwrap()],
            ..Limits::default()
        };
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(
            text,
            r#"{"memory":536870912,"pids":-1,"device_write_bps":[{"device":"/dev/loop0","rate":1048576}]}"#
        );
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
        assert_eq!(
            serde_json::from_str::<Limits>("{}").unwrap(),
            Limits::default()
        );
        assert!(serde_json::from_str::<Limits>(r#"{"memry":1}"#).is_err());
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let had = Limits {
            memory: Some(8 << 20),
            memory_swap: Some(16 << 20),
            cpu_quota: Some(5000),
            pids: Some(9),
            ..Limits::default()
        };
        let more = |memory, memory_swap| Limits {
            memory: Some(memory),
            memory_swap,
            cpus: Some(1),
            ..Limits::default()
        };
        assert!(had.updated(&more(32 << 20, None)).is_err());
        let updated = had.updated(&more(32 << 20, Some(-1))).unwrap();
        assert_eq!((updated.memory_swap, updated.pids), (Some(-1), Some(9)));
        assert_eq!((updated.cpus, updated.cpu_quota), (Some(1), None));
        assert_eq!(had.updated(&Limits::default()).unwrap(), had);
    }
}
