//! What limits are compared with: the CPUs and memory nodes that are there.

use std::{collections::BTreeSet, fs};

/// CPUs and memory nodes by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// CPUs that are online.
    pub cpus: Vec<u32>,
    /// Memory nodes that are online.
    pub nodes: Vec<u32>,
}

impl Machine {
    /// Asks sysfs. A kernel without memory nodes has the node 0.
    pub fn read() -> Self {
        let online = |what| {
            let file = format!("/sys/devices/system/{what}/online");
            let text = fs::read_to_string(file).unwrap_or_default();
            let found = numbers(text.trim()).filter(|found| !found.is_empty());
            found.unwrap_or_else(|| vec![0])
        };
        Self {
            cpus: online("cpu"),
            nodes: online("node"),
        }
    }

    /// How many CPUs there are.
    pub fn cpu_count(&self) -> u32 {
        u32::try_from(self.cpus.len()).unwrap_or(u32::MAX)
    }
}

/// More than any kernel has; a range beyond it is a slip of the hand.
const MOST: u32 = 1 << 16;

/// The numbers of a list such as `0-2,4` (cpuset(7)).
pub(super) fn numbers(text: &str) -> Option<Vec<u32>> {
    let number = |text: &str| -> Option<u32> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number: &u32| *number < MOST);
        number.filter(|_| digits)
    };
    let mut found = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        found.extend(first..=last);
    }
    Some(found.into_iter().collect())
}

/// Sorted numbers as such a list.
pub(super) fn list(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let texts: Vec<_> = ranges
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_numbers_are_read_and_shown() {
        for (text, shown) in [("0", "0"), ("0-2,4", "0-2,4"), ("4,1,0,1", "0-1,4")] {
            assert_eq!(list(&numbers(text).unwrap()), shown);
        }
        for text in [
            "",
            ",",
            "1-",
            "-1",
            "2-1",
            "a",
            "0-99999999999",
            "0,",
            "+1",
            "1 ",
            "0-65536",
        ] {
            assert_eq!(numbers(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_a_cpu_and_memory() {
        let machine = Machine::read();
        assert!(machine.cpu_count() > 0 && !machine.nodes.is_empty());
    }
}
