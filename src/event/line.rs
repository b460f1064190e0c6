//! An event as a line of the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Actor, Event};
use crate::ident::Timestamp;

/// A line is shorter, its newline included.
pub(super) const LINE_MAX: usize = 4096;

/// How every line begins. Inside of one it cannot be: quotes are escaped there.
const HEAD: &[u8] = b"{\"time\":";

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    time: i64,
    #[serde(rename = "type")]
    kind: String,
    action: String,
    id: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// The line with its newline; the largest attributes are left out where it would be too long. `None`
/// where even that does not help.
pub(super) fn print(event: &Event) -> Option<Vec<u8>> {
    let mut line = Line {
        time: i64::try_from(event.time.as_nanosecond()).ok()?,
        kind: event.kind.to_string(),
        action: event.action.clone(),
        id: event.actor.id.clone(),
        attributes: event.actor.attributes.clone(),
    };
    loop {
        let mut text = serde_json::to_vec(&line).ok()?;
        text.push(b'\n');
        if text.len() < LINE_MAX {
            return Some(text);
        }
        let size = |(key, value): &(&String, &String)| key.len() + value.len();
        let largest = line.attributes.iter().max_by_key(size)?.0.clone();
        line.attributes.remove(&largest);
    }
}

/// Reads a line of the journal; `None` for what is torn or not ours.
///
/// A full disk can leave half a line, and the next writer's after it: that one is whole.
pub fn parse(text: &[u8]) -> Option<Event> {
    let begin = memchr::memmem::rfind(text, HEAD)?;
    let line: Line = serde_json::from_slice(&text[begin..]).ok()?;
    Some(Event {
        time: Timestamp::from_nanosecond(i128::from(line.time))?,
        kind: line.kind.parse().ok()?,
        action: line.action,
        actor: Actor {
            id: line.id,
            attributes: line.attributes,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Kind;

    fn event(attributes: BTreeMap<String, String>) -> Event {
        Event {
            time: "2026-01-02T03:04:05.123456789Z".parse().unwrap(),
            kind: Kind::Volume,
            action: "create".to_owned(),
            actor: Actor {
                id: "data".to_owned(),
                attributes,
            },
        }
    }

    #[test]
    fn half_a_line_does_not_take_the_next_one_with_it() {
        let whole = print(&event(BTreeMap::new())).unwrap();
        let torn = [&whole[..20], &whole[..whole.len() - 1]].concat();
        assert_eq!(parse(&torn), Some(event(BTreeMap::new())));
        assert_eq!(parse(&whole[..20]), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn large_attributes_are_left_out() {
        let mut attributes = BTreeMap::from([("name".to_owned(), "web".to_owned())]);
        attributes.insert("label".to_owned(), "x".repeat(5000));
        let line = print(&event(attributes)).unwrap();
        assert!(line.len() < LINE_MAX);
        let left = parse(&line).unwrap().actor.attributes;
        assert_eq!(
            left,
            BTreeMap::from([("name".to_owned(), "web".to_owned())])
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed(attributes in prop::collection::btree_map("\\PC{0,9}", "[\\PC\n\"{:]{0,40}", 0..9)) {
            let event = event(attributes);
            let line = print(&event).unwrap();
            prop_assert_eq!(memchr::memchr_iter(b'\n', &line).count(), 1);
            prop_assert_eq!(parse(&line[..line.len() - 1]), Some(event));
        }
    }
}
