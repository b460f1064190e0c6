//! What /proc tells about processes (proc(5)): whose they are, since when, and what they were
//! started as.

use std::{fs, os::unix::fs::MetadataExt as _, time::Duration};

/// Clock ticks of a second: USER_HZ is 100 on all machines this program is built for.
const TICKS: u64 = 100;

/// Major numbers of terminals in /dev/pts.
const PTS_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// A process as `ps -f` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Its number, as we see it.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Effective user id.
    pub uid: u32,
    /// Its terminal without `/dev/`.
    pub terminal: Option<String>,
    /// When it began, counted from the boot of the machine.
    pub began: Duration,
    /// CPU time that it took.
    pub cpu: Duration,
    /// Its arguments, each ended by a zero byte; empty for a zombie.
    pub arguments: Vec<u8>,
    /// The name of its program, fifteen bytes at most.
    pub name: Vec<u8>,
    /// It has ended, and nobody has asked how.
    pub is_zombie: bool,
}

impl ProcessStatus {
    /// `None` where there is no such process any more.
    pub fn of(pid: i32) -> Option<Self> {
        let dir = format!("/proc/{pid}");
        // The directory of a process that nobody may trace is root's, so it is asked for in words.
        let status = fs::read(format!("{dir}/status")).ok()?;
        let stat = fs::read(format!("{dir}/stat")).ok()?;
        let arguments = fs::read(format!("{dir}/cmdline")).unwrap_or_default();
        let found = parse(pid, &stat, arguments)?;
        let uid = effective_uid(&String::from_utf8_lossy(&status))?;
        Some(Self { uid, ..found })
    }
}

fn parse(pid: i32, stat: &[u8], arguments: Vec<u8>) -> Option<ProcessStatus> {
    // The name may hold anything, parentheses included.
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(close + 1..)?).ok()?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    // proc_pid_stat(5) counts from one, and the state is the third.
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = |number: usize| field(number)?.parse::<u64>().ok().map(duration);
    Some(ProcessStatus {
        pid,
        parent: field(4)?.parse().ok()?,
        uid: 0,
        terminal: terminal(field(7)?.parse().ok()?),
        began: ticks(22)?,
        cpu: ticks(14)?.saturating_add(ticks(15)?),
        arguments,
        name: stat.get(open + 1..close)?.to_vec(),
        is_zombie: field(3)? == "Z",
    })
}

fn duration(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1000 / TICKS))
}

/// `Uid:` holds the real, effective, saved and file system user.
fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The name of a terminal's device number; 0 is none.
fn terminal(device: i32) -> Option<String> {
    let device = u64::from(device.cast_unsigned());
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let (major, minor) = (u32::try_from(major).ok()?, u32::try_from(minor).ok()?);
    match major {
        0 => None,
        4 if minor < 64 => Some(format!("tty{minor}")),
        4 => Some(format!("ttyS{}", minor - 64)),
        5 if minor == 1 => Some("console".to_owned()),
        major if PTS_MAJORS.contains(&major) => {
            let before = (major - PTS_MAJORS.start()) << 20;
            Some(format!("pts/{}", before + minor))
        }
        _ => Some(format!("{major}:{minor}")),
    }
}

/// The processes in the same pid namespace as `pid`, by number. One whose namespace we may not see
/// is in none.
pub fn in_pid_namespace_of(pid: i32) -> Vec<i32> {
    let namespace = |pid: i32| {
        let found = fs::metadata(format!("/proc/{pid}/ns/pid")).ok()?;
        Some((found.dev(), found.ino()))
    };
    let Some(own) = namespace(pid) else {
        return Vec::new();
    };
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<i32> = pids.filter(|pid| namespace(*pid) == Some(own)).collect();
    found.sort_unstable();
    found
}

/// How long the machine runs.
pub fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split_whitespace().next().map(str::parse::<f64>);
    let seconds = seconds.and_then(Result::ok).unwrap_or_default();
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Bytes received and sent by the interfaces that a process sees, loopback left out; `None` where
/// it is gone.
pub fn network_bytes(pid: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).ok()?;
    Some(transferred(&text))
}

fn transferred(text: &str) -> (u64, u64) {
    let mut sum = (0_u64, 0_u64);
    for (name, counters) in text.lines().filter_map(|line| line.split_once(':')) {
        let mut counters = counters.split_whitespace().map(str::parse::<u64>);
        let received = counters.next().and_then(Result::ok);
        let sent = counters.nth(7).and_then(Result::ok);
        if let (Some(received), Some(sent)) = (received, sent)
            && name.trim() != "lo"
        {
            sum = (sum.0.saturating_add(received), sum.1.saturating_add(sent));
        }
    }
    sum
}

/// Bytes of memory of the machine.
pub fn memory_total() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = b"7 (a) R (\xff\n) S 3 7 7 34817 7 4194304 9 0 0 0 120 30 0 0 20 0 1 0 4200 9 9";
        let found = parse(7, stat, b"sh\0-c\0".to_vec()).unwrap();
        assert_eq!(found.name, b"a) R (\xff\n");
        assert_eq!((found.parent, found.is_zombie), (3, false));
        assert_eq!(found.terminal.as_deref(), Some("pts/1"));
        assert_eq!(found.began, Duration::from_secs(42));
        assert_eq!(found.cpu, Duration::from_millis(1500));
        assert_eq!(parse(7, b"7 (a) S 3", Vec::new()), None);
        assert_eq!(parse(7, b"", Vec::new()), None);
    }

    #[test]
    fn terminals_have_names() {
        assert_eq!(terminal(0), None);
        assert_eq!(terminal(0x0401).as_deref(), Some("tty1"));
        assert_eq!(terminal(0x0440).as_deref(), Some("ttyS0"));
        assert_eq!(terminal(0x0501).as_deref(), Some("console"));
        assert_eq!(terminal(0x8800).as_deref(), Some("pts/0"));
        assert_eq!(terminal(0x0010_8801).as_deref(), Some("pts/257"));
    }

    #[test]
    fn the_effective_user_is_the_second() {
        assert_eq!(effective_uid("Name:\tx\nUid:\t1\t2\t3\t4\n"), Some(2));
        assert_eq!(effective_uid("Name:\tUid: 5\n"), None);
    }

    #[test]
    fn interfaces_are_added_and_loopback_is_not() {
        let text = "Inter-|   Receive  | Transmit\n face |bytes packets|bytes\n    lo: 9 1 0 0 0 0 0 0 9 1 \
                    0 0 0 0 0 0\n  eth0:100 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n  eth1: 1 1 0 0 0 0 0 0 2 \
                    1 0 0 0 0 0 0\n";
        assert_eq!(transferred(text), (101, 22));
        assert_eq!(transferred(""), (0, 0));
    }

    #[test]
    fn this_process_is_told_of() {
        let own = i32::try_from(std::process::id()).unwrap();
        let found = ProcessStatus::of(own).unwrap();
        assert_eq!(found.uid, nix::unistd::geteuid().as_raw());
        assert!(!found.arguments.is_empty() && found.began <= uptime());
        assert!(in_pid_namespace_of(own).contains(&own));
        assert!(ProcessStatus::of(i32::MAX).is_none() && in_pid_namespace_of(i32::MAX).is_empty());
        assert!(memory_total() > Some(1 << 20) && network_bytes(own).is_some());
    }
}
