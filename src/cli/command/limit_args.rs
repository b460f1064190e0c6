//! The flags that limit what a container may use, shared by `run`, `create` and `update`.

use clap::Args;
use cowshed::{
    cgroup::{self, DeviceRate, Limits},
    error::Failure,
    process::Ulimit,
};

use crate::cli::report::Exit;

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Memory, at least 6m
    #[arg(short, long, value_name = "BYTES", allow_hyphen_values = true)]
    memory: Option<String>,
    /// Memory and swap together; -1 for swap without limit
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Memory that is left to the container when memory is short
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_reservation: Option<String>,
    /// How gladly its memory is swapped, 0 to 100; -1 as elsewhere
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true)]
    memory_swappiness: Option<String>,
    /// CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    cpus: Option<String>,
    /// Weight of its CPU time beside others'; 1024 is what everybody has
    #[arg(short, long, value_name = "NUMBER", allow_hyphen_values = true)]
    cpu_shares: Option<String>,
    /// Microseconds of a period of --cpu-quota
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_period: Option<String>,
    /// Microseconds of CPU time in each period; -1 without limit
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<String>,
    /// CPUs it runs on, such as 0-2,4
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes it allocates from
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Processes and threads; -1 without limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<String>,
    /// Bytes a second read from a device
    #[arg(long, value_name = "DEVICE:BYTES")]
    device_read_bps: Vec<String>,
    /// Bytes a second written to a device
    #[arg(long, value_name = "DEVICE:BYTES")]
    device_write_bps: Vec<String>,
    /// Reads a second from a device
    #[arg(long, value_name = "DEVICE:NUMBER")]
    device_read_iops: Vec<String>,
    /// Writes a second to a device
    #[arg(long, value_name = "DEVICE:NUMBER")]
    device_write_iops: Vec<String>,
    /// Weight of its disk time beside others', 10 to 1000
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    blkio_weight: Option<String>,
    /// Let processes wait for memory instead of killing them
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    oom_kill_disable: Option<bool>,
    /// Limit of each process, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
}

impl LimitArgs {
    /// The limits of the container, each well-formed; nothing is looked up.
    pub(crate) fn limits(&self) -> Result<Limits, Exit> {
        let shares = |text: &str| cgroup::parse_count(text, "CPU shares");
        let period = |text: &str| cgroup::parse_count(text, "CPU period");
        let quota = |text: &str| cgroup::parse_integer(text).map(Some);
        let quota = one("--cpu-quota", self.cpu_quota.as_ref(), quota)?;
        let pids = |text: &str| cgroup::parse_integer(text).map(Some);
        let swap = cgroup::parse_memory_swap;
        let reservation = self.memory_reservation.as_ref();
        let swappiness = self.memory_swappiness.as_ref();
        let words = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Limits {
            memory: one("-m, --memory", self.memory.as_ref(), cgroup::parse_memory)?,
            memory_swap: one("--memory-swap", self.memory_swap.as_ref(), swap)?,
            memory_reservation: one("--memory-reservation", reservation, cgroup::parse_memory)?,
            memory_swappiness: one("--memory-swappiness", swappiness, cgroup::parse_swappiness)?,
            oom_kill_disable: self.oom_kill_disable,
            cpus: one("--cpus", self.cpus.as_ref(), cgroup::parse_cpus)?,
            cpu_shares: one("-c, --cpu-shares", self.cpu_shares.as_ref(), shares)?,
            cpu_period: one("--cpu-period", self.cpu_period.as_ref(), period)?,
            cpu_quota: quota.filter(|quota| *quota != 0),
            cpuset_cpus: words(&self.cpuset_cpus),
            cpuset_mems: words(&self.cpuset_mems),
            pids: one("--pids-limit", self.pids_limit.as_ref(), pids)?,
            device_read_bps: each("--device-read-bps", &self.device_read_bps, bytes)?,
            device_write_bps: each("--device-write-bps", &self.device_write_bps, bytes)?,
            device_read_iops: each("--device-read-iops", &self.device_read_iops, operations)?,
            device_write_iops: each("--device-write-iops", &self.device_write_iops, operations)?,
            blkio_weight: one(
                "--blkio-weight",
                self.blkio_weight.as_ref(),
                cgroup::parse_weight,
            )?,
        })
    }

    /// The limits of each process; of two with one name the last counts.
    pub(crate) fn ulimits(&self) -> Result<Vec<Ulimit>, Exit> {
        let mut ulimits: Vec<Ulimit> = Vec::new();
        for ulimit in each("--ulimit", &self.ulimit, str::parse::<Ulimit>)? {
            ulimits.retain(|earlier| earlier.name != ulimit.name);
            ulimits.push(ulimit);
        }
        Ok(ulimits)
    }
}

fn bytes(text: &str) -> Result<DeviceRate, cgroup::Error> {
    text.parse()
}

fn operations(text: &str) -> Result<DeviceRate, cgroup::Error> {
    DeviceRate::parse_operations(text)
}

fn one<T, E: Failure>(
    flag: &str,
    text: Option<&String>,
    parse: impl Fn(&str) -> Result<Option<T>, E>,
) -> Result<Option<T>, Exit> {
    let parsed = text.map(|text| parse(text).map_err(|error| invalid(flag, text, &error)));
    parsed.transpose().map(Option::flatten)
}

fn each<T, E: Failure>(
    flag: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Exit> {
    texts
        .iter()
        .map(|text| parse(text).map_err(|error| invalid(flag, text, &error)))
        .collect()
}

/// Docker's sentence about a flag's value.
fn invalid(flag: &str, text: &str, error: &dyn Failure) -> Exit {
    Exit::usage(format!(
        "invalid argument {text:?} for \"{flag}\" flag: {error}"
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    #[command(name = "cowshed")]
    struct Line {
        #[command(flatten)]
        limits: LimitArgs,
    }

    fn parse(line: &str) -> LimitArgs {
        let words = std::iter::once("cowshed").chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().limits
    }

    #[test]
    fn every_flag_becomes_a_limit() {
        let line = "-m 512m --memory-swap -1 --memory-reservation 64m --memory-swappiness 0 \
                    --cpus 1.5 -c 512 --cpu-period 50000 --cpu-quota -1 --cpuset-cpus 0-1 \
                    --cpuset-mems 0 --pids-limit -1 --device-read-bps /dev/a:1mb \
                    --device-write-bps /dev/a:2mb --device-read-iops 8:0:3 \
                    --device-write-iops /dev/a:4 --device-write-iops /dev/b:5 --blkio-weight 500 \
                    --oom-kill-disable --ulimit nofile=1:2 --ulimit core=0 --ulimit nofile=3";
        let args = parse(line);
        let operations = |text: &str| DeviceRate::parse_operations(text).unwrap();
        let wanted = Limits {
            memory: Some(512 << 20),
            memory_swap: Some(-1),
            memory_reservation: Some(64 << 20),
            memory_swappiness: Some(0),
            oom_kill_disable: Some(true),
            cpus: Some(1_500_000_000),
            cpu_shares: Some(512),
            cpu_period: Some(50_000),
            cpu_quota: Some(-1),
            cpuset_cpus: Some("0-1".to_owned()),
            cpuset_mems: Some("0".to_owned()),
            pids: Some(-1),
            device_read_bps: vec!["/dev/a:1mb".parse().unwrap()],
            device_write_bps: vec!["/dev/a:2mb".parse().unwrap()],
            device_read_iops: vec![operations("8:0:3")],
            device_write_iops: vec![operations("/dev/a:4"), operations("/dev/b:5")],
            blkio_weight: Some(500),
        };
        assert_eq!(args.limits().unwrap(), wanted);
        let texts: Vec<_> = args
            .ulimits()
            .unwrap()
            .iter()
            .map(Ulimit::to_string)
            .collect();
        assert_eq!(texts, ["core=0:0", "nofile=3:3"]);
    }

    #[test]
    fn no_flag_and_zeroes_limit_nothing() {
        assert!(parse("").limits().unwrap().is_empty());
        let zeroes = "-m 0 --memory-swap 0 --cpus 0 -c 0 --cpu-period 0 --cpu-quota 0 \
                      --blkio-weight 0 --memory-swappiness -1 --cpuset-cpus=";
        assert!(parse(zeroes).limits().unwrap().is_empty());
        assert!(parse("").ulimits().unwrap().is_empty());
    }

    #[test]
    fn a_bad_value_is_named_with_its_flag() {
        for (line, wanted) in [
            (
                "-m abc",
                "invalid argument \\\"abc\\\" for \\\"-m, --memory\\\" flag: invalid size: 'abc'",
            ),
            (
                "--memory -1",
                "for \\\"-m, --memory\\\" flag: invalid size: '-1'",
            ),
            ("--cpus x", "failed to parse x as a rational number"),
            ("--pids-limit x", "strconv.ParseInt"),
            (
                "--device-read-iops /dev/a:1m",
                "invalid rate for device: /dev/a:1m",
            ),
        ] {
            let said = format!("{:?}", parse(line).limits().unwrap_err());
            assert!(said.contains(wanted), "{said}");
        }
        let said = format!("{:?}", parse("--ulimit x=1").ulimits().unwrap_err());
        assert!(said.contains("invalid ulimit type: x"), "{said}");
    }
}
