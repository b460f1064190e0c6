//! The journal of events: whether it can be read, and which containers it tells of.

use std::collections::BTreeSet;

use super::{Error, Finding, Remedy};
use crate::{
    event::{self, Kind},
    store::{EVENTS, EVENTS_OLD, Store},
    sys::Lines,
};

#[derive(Debug, Default)]
pub(super) struct JournalFacts {
    /// Lines that can be read.
    pub(super) lines: u64,
    /// In which file how many cannot.
    torn: Vec<(&'static str, u64)>,
    /// Ids of containers.
    pub(super) containers: BTreeSet<String>,
}

impl JournalFacts {
    pub(super) fn gather(store: &Store) -> Result<Self, Error> {
        let mut facts = Self::default();
        for name in [EVENTS_OLD, EVENTS] {
            let file = match store.root().open_file(name) {
                Err(error) if error.errno() == Some(nix::errno::Errno::ENOENT) => continue,
                file => file?,
            };
            let (mut lines, mut torn) = (Lines::new(file, 0), 0);
            while let Some(line) = lines.next_line()? {
                let Some(event) = event::parse_line(line) else {
                    torn += 1;
                    continue;
                };
                facts.lines += 1;
                if event.kind == Kind::Container && !event.actor.id.is_empty() {
                    facts.containers.insert(event.actor.id);
                }
            }
            torn += lines.passed_over();
            facts.torn.extend((torn > 0).then_some((name, torn)));
        }
        Ok(facts)
    }

    pub(super) fn decide(&self) -> Vec<Finding> {
        let finding = |(name, count): &(&'static str, u64)| {
            let what = match count {
                1 => "1 line cannot be read".to_owned(),
                count => format!("{count} lines cannot be read"),
            };
            let object = format!("the journal {name}");
            Finding::leftover(object, what, Remedy::MendJournal(name))
        };
        self.torn.iter().map(finding).collect()
    }
}
