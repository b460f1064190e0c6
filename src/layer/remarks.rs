//! `Remarks`: what a user should know about a copy that went through.

use serde::{Deserialize, Serialize};

/// As many lines as are kept; the rest is counted.
const LINES_MAX: usize = 20;

/// Lines about entries that could not be copied as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remarks {
    lines: Vec<String>,
    more: u64,
}

impl Remarks {
    pub(super) fn add(&mut self, line: String) {
        if self.lines.len() < LINES_MAX {
            self.lines.push(line);
        } else {
            self.more += 1;
        }
    }

    /// All of them, ending with how many are not told.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_remarks_take_no_memory() {
        let mut remarks = Remarks::default();
        for number in 0..1_000_000 {
            remarks.add(number.to_string());
        }
        let lines = remarks.into_lines();
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert_eq!(lines[LINES_MAX], "and 999980 more");
    }
}
