//! What processes use, one by one, from /proc (proc(5)).

use std::fs;

/// The sum over some processes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ProcessUsage {
    pub(super) cpu_nanoseconds: u64,
    pub(super) memory_bytes: u64,
    pub(super) threads: u64,
    pub(super) read_bytes: u64,
    pub(super) write_bytes: u64,
}

/// Nanoseconds of a clock tick: USER_HZ is 100 on all machines this program is built for.
const TICK: u64 = 10_000_000;

impl ProcessUsage {
    /// Processes that are gone count as nothing. Memory is left out where nobody asks: it is the
    /// costly part.
    pub(super) fn of(pids: &[i32], with_memory: bool) -> Self {
        let mut sum = Self::default();
        for pid in pids {
            let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
            if let Some((ticks, threads)) = read("stat").and_then(|text| stat(&text)) {
                sum.cpu_nanoseconds += ticks.saturating_mul(TICK);
                sum.threads += threads;
            }
            if with_memory {
                let shared_out = read("smaps_rollup").and_then(|text| proportional(&text));
                let resident = || read("statm").and_then(|text| resident(&text));
                sum.memory_bytes += shared_out.or_else(resident).unwrap_or(0);
            }
            if let Some(text) = read("io") {
                sum.read_bytes += labelled(&text, "read_bytes:").unwrap_or(0);
                sum.write_bytes += labelled(&text, "write_bytes:").unwrap_or(0);
            }
        }
        sum
    }
}

/// Ticks in user and kernel mode, and threads. The second field may hold anything.
fn stat(text: &str) -> Option<(u64, u64)> {
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let number = |from_first: usize| fields.get(from_first - 3)?.parse::<u64>().ok();
    Some((number(14)? + number(15)?, number(20)?))
}

/// Memory with that shared by several processes divided among them.
fn proportional(text: &str) -> Option<u64> {
    labelled(text, "Pss:").map(|kibibytes| kibibytes * 1024)
}

fn resident(text: &str) -> Option<u64> {
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * crate::sys::process::page_size())
}

fn labelled(text: &str, label: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_the_last_parenthesis() {
        let text = "7 (a) R 1 (b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 3 0 999 0 0\n";
        assert_eq!(stat(text), Some((42, 3)));
        assert_eq!(stat("7 (a"), None);
        let text = "55d0-7ffe ---p 0 00:00 0 [rollup]\nRss:  12 kB\nPss:  8 kB\nPss_Anon: 1 kB\n";
        assert_eq!(proportional(text), Some(8192));
        assert_eq!(
            labelled("read_bytes: 5\nwrite_bytes: 6\n", "write_bytes:"),
            Some(6)
        );
    }

    #[test]
    fn this_process_uses_something_and_one_that_is_gone_nothing() {
        let own = i32::try_from(std::process::id()).unwrap();
        let usage = ProcessUsage::of(&[own], true);
        assert!(
            usage.memory_bytes > 100_000 && usage.threads > 0,
            "{usage:?}"
        );
        assert_eq!(ProcessUsage::of(&[own], false).memory_bytes, 0);
        assert_eq!(ProcessUsage::of(&[i32::MAX], true), ProcessUsage::default());
    }
}
