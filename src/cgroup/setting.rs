//! From limits to what is written where, as values in the order of writing.

use std::collections::BTreeMap;

use super::{Device, DeviceRate, Error, Hierarchies, Hierarchy, Limits};

/// One value to be written into one file of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// In which hierarchy.
    pub hierarchy: Hierarchy,
    /// Which controller the file belongs to.
    pub controller: &'static str,
    /// Files that will do, with what to write: the first that this kernel has is taken.
    pub choices: Vec<(&'static str, String)>,
    /// The flag that asked for it; `None` where nobody did, and a missing file is no error.
    pub flag: Option<&'static str>,
}

/// What has to be written for `limits` on this machine. Only paths of devices are looked up.
pub fn settings(limits: &Limits, hierarchies: &Hierarchies) -> Result<Vec<Setting>, Error> {
    settings_with(limits, hierarchies, Device::number)
}

type Lookup = fn(&Device) -> Result<(u64, u64), Error>;

fn settings_with(
    limits: &Limits,
    hierarchies: &Hierarchies,
    number: Lookup,
) -> Result<Vec<Setting>, Error> {
    let mut list = List {
        hierarchies,
        settings: Vec::new(),
    };
    list.memory(limits)?;
    list.cpu(limits)?;
    list.cpuset(limits)?;
    if let Some(most) = limits.pids {
        let most = if most > 0 {
            most.to_string()
        } else {
            "max".to_owned()
        };
        list.add("--pids-limit", "pids", "pids.max", &most)?;
    }
    list.devices(limits, number)?;
    list.weight(limits)?;
    Ok(list.settings)
}

struct List<'a> {
    hierarchies: &'a Hierarchies,
    settings: Vec<Setting>,
}

impl List<'_> {
    fn holder(&self, flag: &'static str, controller: &str) -> Result<Hierarchy, Error> {
        let found = self.hierarchies.of_controller(controller);
        found.ok_or_else(|| Error::Unsupported {
            flag,
            missing: format!("the {controller} controller is in no control group hierarchy"),
        })
    }

    fn is_unified(&self, flag: &'static str, controller: &str) -> Result<bool, Error> {
        Ok(self.holder(flag, controller)? == Hierarchy::Unified)
    }

    fn add(
        &mut self,
        flag: &'static str,
        controller: &'static str,
        file: &'static str,
        value: &impl ToString,
    ) -> Result<(), Error> {
        self.add_choices(flag, controller, vec![(file, value.to_string())])
    }

    fn add_choices(
        &mut self,
        flag: &'static str,
        controller: &'static str,
        choices: Vec<(&'static str, String)>,
    ) -> Result<(), Error> {
        let hierarchy = self.holder(flag, controller)?;
        self.settings.push(Setting {
            hierarchy,
            controller,
            choices,
            flag: Some(flag),
        });
        Ok(())
    }

    /// The file's name in version 2, or the one in version 1.
    fn file(
        &self,
        flag: &'static str,
        controller: &str,
        [unified, legacy]: [&'static str; 2],
    ) -> Result<&'static str, Error> {
        Ok(match self.holder(flag, controller)? {
            Hierarchy::Unified => unified,
            Hierarchy::Legacy(_) => legacy,
        })
    }

    fn memory(&mut self, limits: &Limits) -> Result<(), Error> {
        let set = |bytes: Option<u64>| bytes.filter(|bytes| *bytes > 0);
        let memory = set(limits.memory);
        if let Some(bytes) = memory {
            let files = ["memory.max", "memory.limit_in_bytes"];
            let file = self.file("--memory", "memory", files)?;
            self.add("--memory", "memory", file, &bytes)?;
        }
        self.swap(limits, memory)?;
        if let Some(bytes) = set(limits.memory_reservation) {
            let flag = "--memory-reservation";
            let file = self.file(flag, "memory", ["memory.low", "memory.soft_limit_in_bytes"])?;
            self.add(flag, "memory", file, &bytes)?;
        }
        if let Some(percent) = limits.memory_swappiness {
            let flag = "--memory-swappiness";
            self.only_legacy(flag, "memory.swappiness")?;
            self.add(flag, "memory", "memory.swappiness", &percent)?;
        }
        if let Some(disable) = limits.oom_kill_disable {
            let flag = "--oom-kill-disable";
            // To want what is so anyway needs nothing.
            if disable || !self.is_unified(flag, "memory").unwrap_or(true) {
                self.only_legacy(flag, "memory.oom_control")?;
                self.add(flag, "memory", "memory.oom_control", &u8::from(disable))?;
            }
        }
        Ok(())
    }

    fn only_legacy(&self, flag: &'static str, file: &str) -> Result<(), Error> {
        if !self.is_unified(flag, "memory")? {
            return Ok(());
        }
        Err(Error::Unsupported {
            flag,
            missing: format!("control groups of version 2 have no {file}"),
        })
    }

    /// Memory and swap together in version 1, swap alone in version 2.
    fn swap(&mut self, limits: &Limits, memory: Option<u64>) -> Result<(), Error> {
        const FLAG: &str = "--memory-swap";
        let total = match (limits.memory_swap.filter(|total| *total != 0), memory) {
            (Some(total), _) => u64::try_from(total).ok(),
            // Docker's default: as much swap as memory.
            (None, Some(bytes)) => Some(bytes.saturating_mul(2)),
            (None, None) => return Ok(()),
        };
        if self.is_unified(FLAG, "memory")? {
            let swap = total.map(|total| total.saturating_sub(memory.unwrap_or(0)));
            let swap = swap.map_or("max".to_owned(), |bytes| bytes.to_string());
            self.add(FLAG, "memory", "memory.swap.max", &swap)?;
        } else {
            let total = total.map_or("-1".to_owned(), |bytes| bytes.to_string());
            self.add(FLAG, "memory", "memory.memsw.limit_in_bytes", &total)?;
        }
        if limits.memory_swap.is_none_or(|total| total == 0)
            && let Some(setting) = self.settings.last_mut()
        {
            setting.flag = None;
        }
        Ok(())
    }

    fn cpu(&mut self, limits: &Limits) -> Result<(), Error> {
        if let Some(shares) = limits.cpu_shares.filter(|shares| *shares > 0) {
            let flag = "--cpu-shares";
            if self.is_unified(flag, "cpu")? {
                self.add(flag, "cpu", "cpu.weight", &weight_of_shares(shares))?;
            } else {
                self.add(flag, "cpu", "cpu.shares", &shares)?;
            }
        }
        let period = limits.cpu_period.filter(|period| *period > 0);
        let quota = limits.cpu_quota.filter(|quota| *quota != 0);
        let (flag, period, quota) = match limits.cpus.filter(|cpus| *cpus > 0) {
            Some(cpus) => {
                let quota = u128::from(cpus) * u128::from(PERIOD) / 1_000_000_000;
                ("--cpus", Some(PERIOD), i64::try_from(quota).ok())
            }
            None if quota.is_some() => ("--cpu-quota", period, quota),
            None => ("--cpu-period", period, quota),
        };
        if period.is_none() && quota.is_none() {
            return Ok(());
        }
        if self.is_unified(flag, "cpu")? {
            let quota = quota.and_then(|quota| u64::try_from(quota).ok());
            let quota = quota.map_or("max".to_owned(), |quota| quota.to_string());
            let both = format!("{quota} {}", period.unwrap_or(PERIOD));
            return self.add(flag, "cpu", "cpu.max", &both);
        }
        if let Some(period) = period {
            self.add(flag, "cpu", "cpu.cfs_period_us", &period)?;
        }
        if let Some(quota) = quota {
            self.add(flag, "cpu", "cpu.cfs_quota_us", &quota)?;
        }
        Ok(())
    }

    fn cpuset(&mut self, limits: &Limits) -> Result<(), Error> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(cpus) = given(&limits.cpuset_cpus) {
            self.add("--cpuset-cpus", "cpuset", "cpuset.cpus", &cpus)?;
        }
        if let Some(nodes) = given(&limits.cpuset_mems) {
            self.add("--cpuset-mems", "cpuset", "cpuset.mems", &nodes)?;
        }
        Ok(())
    }

    fn devices(&mut self, limits: &Limits, number: Lookup) -> Result<(), Error> {
        let mut lines: BTreeMap<(u64, u64), (&'static str, Vec<String>)> = BTreeMap::new();
        let unified = self.hierarchies.of_controller("io") == Some(Hierarchy::Unified);
        for (flag, key, file, rates) in throttles(limits) {
            for DeviceRate { device, rate } in rates {
                let (major, minor) = number(device)?;
                if unified {
                    let rate = Some(*rate).filter(|rate| *rate > 0);
                    let rate = rate.map_or("max".to_owned(), |rate| rate.to_string());
                    let line = lines.entry((major, minor)).or_insert((flag, Vec::new()));
                    line.1.push(format!("{key}={rate}"));
                } else {
                    self.add(flag, "blkio", file, &format!("{major}:{minor} {rate}"))?;
                }
            }
        }
        for ((major, minor), (flag, rates)) in lines {
            let line = format!("{major}:{minor} {}", rates.join(" "));
            self.add(flag, "io", "io.max", &line)?;
        }
        Ok(())
    }

    fn weight(&mut self, limits: &Limits) -> Result<(), Error> {
        const FLAG: &str = "--blkio-weight";
        let Some(weight) = limits.blkio_weight.filter(|weight| *weight > 0) else {
            return Ok(());
        };
        if self.hierarchies.of_controller("io") != Some(Hierarchy::Unified) {
            let choices = ["blkio.weight", "blkio.bfq.weight"];
            let choices = choices.map(|file| (file, weight.to_string())).to_vec();
            return self.add_choices(FLAG, "blkio", choices);
        }
        // Two schedulers weigh, each with a file and a scale of its own.
        let cost = format!("default {}", io_weight(weight));
        let choices = vec![("io.bfq.weight", weight.to_string()), ("io.weight", cost)];
        self.add_choices(FLAG, "io", choices)
    }
}

/// Microseconds; the kernel's own period.
const PERIOD: u64 = 100_000;

type Throttle<'a> = (&'static str, &'static str, &'static str, &'a [DeviceRate]);

/// Flag, key of `io.max`, file of version 1, values.
fn throttles(limits: &Limits) -> [Throttle<'_>; 4] {
    [
        (
            "--device-read-bps",
            "rbps",
            "blkio.throttle.read_bps_device",
            &limits.device_read_bps,
        ),
        (
            "--device-write-bps",
            "wbps",
            "blkio.throttle.write_bps_device",
            &limits.device_write_bps,
        ),
        (
            "--device-read-iops",
            "riops",
            "blkio.throttle.read_iops_device",
            &limits.device_read_iops,
        ),
        (
            "--device-write-iops",
            "wiops",
            "blkio.throttle.write_iops_device",
            &limits.device_write_iops,
        ),
    ]
}

/// Shares of version 1 (2 to 262144) as a weight of version 2 (1 to 10000): the curve through both
/// ends on which the defaults, 1024 and 100, meet.
fn weight_of_shares(shares: u64) -> u64 {
    const ENDS: (u64, u64) = (2, 262_144);
    let shares = shares.clamp(ENDS.0, ENDS.1);
    #[expect(clippy::cast_precision_loss, reason = "at most 18 bits")]
    let power = (shares as f64).log2();
    let exponent = (power * power + 125.0 * power) / 612.0 - 7.0 / 34.0;
    // Less than a billionth above a whole number is that number.
    let weight = (10_f64.powf(exponent) - 1e-9).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the clamp says 1 to 10000"
    )]
    let weight = weight.clamp(1.0, 10_000.0) as u64;
    weight
}

/// 10 to 1000 spread over 1 to 10000.
fn io_weight(weight: u16) -> u32 {
    1 + (u32::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mountinfo;

    const UNIFIED: &str = "31 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    const LEGACY: &str = "\
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
38 31 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    fn machine(mounts: &str, offered: &str) -> Hierarchies {
        Hierarchies::new(&mountinfo::parse(mounts.as_bytes()), offered)
    }

    /// What is written, a line for each; what may be missing has a question mark.
    fn lines(limits: &Limits, machine: &Hierarchies) -> Vec<String> {
        let number: Lookup = |device| match device {
            Device::Path(path) => Ok((8, u64::from(path.ends_with('b')) * 16)),
            Device::Number { major, minor } => Ok((*major, *minor)),
        };
        let settings = settings_with(limits, machine, number).unwrap();
        let text = |setting: &Setting| {
            let choices = setting.choices.iter();
            let choices: Vec<_> = choices
                .map(|(file, value)| format!("{file}={value}"))
                .collect();
            let mark = if setting.flag.is_some() { "" } else { "?" };
            format!("{mark}{}", choices.join(" or "))
        };
        settings.iter().map(text).collect()
    }

    fn everything() -> Limits {
        let rate = |text: &str| text.parse::<DeviceRate>().unwrap();
        Limits {
            memory: Some(64 << 20),
            memory_swap: Some(96 << 20),
            memory_reservation: Some(32 << 20),
            cpus: Some(1_500_000_000),
            cpu_shares: Some(512),
            cpuset_cpus: Some("0".to_owned()),
            cpuset_mems: Some("0".to_owned()),
            pids: Some(10),
            device_read_bps: vec![rate("/dev/a:1m"), rate("/dev/b:2m")],
            device_write_bps: vec![rate("8:0:3m")],
            device_read_iops: vec![rate("/dev/a:0")],
            device_write_iops: vec![rate("/dev/a:7")],
            blkio_weight: Some(500),
            ..Limits::default()
        }
    }

    #[test]
    fn version_1_gets_memory_before_memory_and_swap_and_the_period_before_the_quota() {
        let limits = Limits {
            memory_swappiness: Some(0),
            oom_kill_disable: Some(true),
            ..everything()
        };
        let wanted = [
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=100663296",
            "memory.soft_limit_in_bytes=33554432",
            "memory.swappiness=0",
            "memory.oom_control=1",
            "cpu.shares=512",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=150000",
            "cpuset.cpus=0",
            "cpuset.mems=0",
            "pids.max=10",
            "blkio.throttle.read_bps_device=8:0 1048576",
            "blkio.throttle.read_bps_device=8:16 2097152",
            "blkio.throttle.write_bps_device=8:0 3145728",
            "blkio.throttle.read_iops_device=8:0 0",
            "blkio.throttle.write_iops_device=8:0 7",
            "blkio.weight=500 or blkio.bfq.weight=500",
        ];
        assert_eq!(lines(&limits, &machine(LEGACY, "hugetlb")), wanted);
    }

    #[test]
    fn version_2_gets_swap_alone_and_one_line_a_device() {
        let wanted = [
            "memory.max=67108864",
            "memory.swap.max=33554432",
            "memory.low=33554432",
            "cpu.weight=59",
            "cpu.max=150000 100000",
            "cpuset.cpus=0",
            "cpuset.mems=0",
            "pids.max=10",
            "io.max=8:0 rbps=1048576 wbps=3145728 riops=max wiops=7",
            "io.max=8:16 rbps=2097152",
            "io.bfq.weight=500 or io.weight=default 4950",
        ];
        let machine = machine(UNIFIED, "cpuset cpu io memory pids");
        assert_eq!(lines(&everything(), &machine), wanted);
    }

    #[test]
    fn swap_is_twice_the_memory_where_nobody_said_how_much() {
        let limits = |memory_swap| Limits {
            memory: Some(8 << 20),
            memory_swap,
            ..Limits::default()
        };
        let (one, two) = (machine(LEGACY, ""), machine(UNIFIED, "memory"));
        for (given, legacy, unified) in [
            (
                None,
                "?memory.memsw.limit_in_bytes=16777216",
                "?memory.swap.max=8388608",
            ),
            (
                Some(0),
                "?memory.memsw.limit_in_bytes=16777216",
                "?memory.swap.max=8388608",
            ),
            (
                Some(-1),
                "memory.memsw.limit_in_bytes=-1",
                "memory.swap.max=max",
            ),
            (
                Some(8 << 20),
                "memory.memsw.limit_in_bytes=8388608",
                "memory.swap.max=0",
            ),
        ] {
            assert_eq!(lines(&limits(given), &one)[1], legacy);
            assert_eq!(lines(&limits(given), &two)[1], unified);
        }
    }

    #[test]
    fn values_without_limit_are_said_in_the_files_words() {
        let limits = Limits {
            pids: Some(-1),
            cpu_quota: Some(-1),
            cpu_period: Some(50_000),
            ..Limits::default()
        };
        let two = machine(UNIFIED, "cpu pids");
        assert_eq!(lines(&limits, &two), ["cpu.max=max 50000", "pids.max=max"]);
        let wanted = [
            "cpu.cfs_period_us=50000",
            "cpu.cfs_quota_us=-1",
            "pids.max=max",
        ];
        assert_eq!(lines(&limits, &machine(LEGACY, "")), wanted);
    }

    #[test]
    fn nothing_limited_is_nothing_written() {
        assert_eq!(lines(&Limits::default(), &Hierarchies::default()), [""; 0]);
        let zeroes = Limits {
            memory: Some(0),
            cpus: Some(0),
            cpu_quota: Some(0),
            blkio_weight: Some(0),
            cpuset_cpus: Some(String::new()),
            ..Limits::default()
        };
        assert_eq!(lines(&zeroes, &Hierarchies::default()), [""; 0]);
    }

    #[test]
    fn what_the_machine_cannot_limit_is_named() {
        let none = Hierarchies::default();
        let two = machine(UNIFIED, "memory");
        let some = Limits::default;
        #[rustfmt::skip]
        let cases = [
            (Limits { memory: Some(1), ..some() }, &none, "--memory", "memory"),
            (Limits { memory_swap: Some(-1), ..some() }, &none, "--memory-swap", "memory"),
            (Limits { cpus: Some(1), ..some() }, &two, "--cpus", "cpu"),
            (Limits { cpu_quota: Some(1), ..some() }, &two, "--cpu-quota", "cpu"),
            (Limits { cpu_period: Some(1), ..some() }, &two, "--cpu-period", "cpu"),
            (Limits { pids: Some(1), ..some() }, &two, "--pids-limit", "pids"),
            (Limits { cpuset_mems: Some("0".into()), ..some() }, &two, "--cpuset-mems", "cpuset"),
            (Limits { blkio_weight: Some(10), ..some() }, &two, "--blkio-weight", "blkio"),
            (Limits { device_read_iops: vec!["8:0:1".parse().unwrap()], ..some() }, &two, "--device-read-iops", "blkio"),
            (Limits { memory_swappiness: Some(1), ..some() }, &two, "--memory-swappiness", "memory.swappiness"),
            (Limits { oom_kill_disable: Some(true), ..some() }, &two, "--oom-kill-disable", "memory.oom_control"),
        ];
        for (limits, machine, named, part) in cases {
            match settings(&limits, machine) {
                Err(Error::Unsupported { flag, missing }) => {
                    assert_eq!(flag, named);
                    assert!(missing.contains(part), "{missing}");
                }
                other => panic!("{limits:?}: {other:?}"),
            }
        }
        let keep = Limits {
            oom_kill_disable: Some(false),
            ..some()
        };
        assert_eq!(lines(&keep, &none), [""; 0]);
    }

    #[test]
    fn weights_keep_both_ends_and_the_default() {
        for (shares, weight) in [
            (1, 1),
            (2, 1),
            (1024, 100),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
        let weights: Vec<_> = (2..4096).map(weight_of_shares).collect();
        assert!(weights.is_sorted());
        assert_eq!([10, 1000].map(io_weight), [1, 10_000]);
    }
}
