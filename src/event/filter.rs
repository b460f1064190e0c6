//! `Filter`: which events are wanted. Values of one key are alternatives, keys all must fit.

use super::{Error, Event, Kind};

/// See the head of this file.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    kinds: Vec<Kind>,
    actions: Vec<String>,
    containers: Vec<String>,
    images: Vec<String>,
    volumes: Vec<String>,
    labels: Vec<String>,
}

/// Actions whose name goes on behind a colon.
const OPEN: [&str; 3] = ["exec_create", "exec_start", "health_status"];

impl Filter {
    /// Parses every `--filter KEY=VALUE`.
    pub fn parse(texts: &[String]) -> Result<Self, Error> {
        let mut filter = Self::default();
        for text in texts {
            let bad = || Error::Filter { text: text.clone() };
            let (key, value) = text.split_once('=').ok_or_else(bad)?;
            let value = value.trim().to_owned();
            match key.trim().to_lowercase().as_str() {
                "type" => filter.kinds.push(value.parse()?),
                "event" => filter.actions.push(value),
                "container" => filter.containers.push(value),
                "image" => filter.images.push(value),
                "volume" => filter.volumes.push(value),
                "label" => filter.labels.push(value),
                _ => return Err(bad()),
            }
        }
        Ok(filter)
    }

    /// Whether an event is wanted.
    pub fn fits(&self, event: &Event) -> bool {
        let any = |list: &[String], fits: &dyn Fn(&str) -> bool| {
            list.is_empty() || list.iter().any(|wanted| fits(wanted))
        };
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && any(&self.actions, &|wanted| is_action(&event.action, wanted))
            && any(&self.containers, &|wanted| {
                is_named(event, Kind::Container, wanted)
            })
            && any(&self.volumes, &|wanted| {
                is_named(event, Kind::Volume, wanted)
            })
            && any(&self.images, &|wanted| is_of_image(event, wanted))
            && self.labels.iter().all(|wanted| has_label(event, wanted))
    }
}

fn is_action(action: &str, wanted: &str) -> bool {
    let open = OPEN.contains(&wanted) && action.starts_with(wanted);
    open || action == wanted
}

/// By the beginning of its id or name, as Docker does.
fn is_named(event: &Event, kind: Kind, wanted: &str) -> bool {
    let actor = &event.actor;
    let name = actor.attributes.get("name");
    event.kind == kind
        && (actor.id.starts_with(wanted) || name.is_some_and(|name| name.starts_with(wanted)))
}

/// The image itself, with or without its tag, or what was made of it.
fn is_of_image(event: &Event, wanted: &str) -> bool {
    let key = match event.kind {
        Kind::Image => "name",
        Kind::Container | Kind::Volume | Kind::Network | Kind::Plugin => "image",
    };
    let name = event.actor.attributes.get(key).map_or("", String::as_str);
    [event.actor.id.as_str(), name].into_iter().any(|name| {
        let hex = name.strip_prefix("sha256:").unwrap_or_default();
        // An id of some length: nobody calls an image by fewer digits.
        let by_id = wanted.len() >= 12 && hex.starts_with(wanted);
        name == wanted || without_tag(name) == wanted || by_id
    })
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        // A port is before a slash.
        Some((rest, tag)) if !tag.contains('/') => rest,
        _ => name,
    }
}

fn has_label(event: &Event, wanted: &str) -> bool {
    let attributes = &event.actor.attributes;
    match wanted.split_once('=') {
        Some((key, value)) => attributes.get(key).is_some_and(|label| label == value),
        None => attributes.contains_key(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Actor, ident::Timestamp};

    fn event(kind: Kind, action: &str, id: &str, attributes: &[(&str, &str)]) -> Event {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Event {
            time: Timestamp::now(),
            kind,
            action: action.to_owned(),
            actor: Actor {
                id: id.to_owned(),
                attributes: attributes.iter().map(pair).collect(),
            },
        }
    }

    fn fits(filters: &[&str], event: &Event) -> bool {
        let filters: Vec<_> = filters.iter().map(ToString::to_string).collect();
        Filter::parse(&filters).unwrap().fits(event)
    }

    #[test]
    fn one_key_is_alternatives_and_keys_are_all_needed() {
        let attributes = [("name", "web"), ("image", "alpine:3"), ("tier", "front")];
        let event = event(Kind::Container, "exec_create: sh", "abc123", &attributes);
        for good in [
            &[][..],
            &["type=container"],
            &["type=volume", "type=container"],
            &["container=web"],
            &["container=abc"],
            &["image=alpine"],
            &["image=alpine:3"],
            &["event=exec_create"],
            &["event=die", "event=exec_create: sh"],
            &["label=tier", "label=tier=front"],
            &["container=web", "type=container", "image=alpine"],
        ] {
            assert!(fits(good, &event), "{good:?}");
        }
        for bad in [
            &["type=volume"][..],
            &["container=bc"],
            &["volume=abc"],
            &["image=alp"],
            &["event=exec"],
            &["label=tier=back"],
            &["label=tier", "label=other"],
            &["container=web", "type=image"],
        ] {
            assert!(!fits(bad, &event), "{bad:?}");
        }
    }

    #[test]
    fn images_are_named_with_and_without_their_tag() {
        let id = format!("sha256:{}", "ab".repeat(32));
        let tag = event(Kind::Image, "tag", &id, &[("name", "host:5000/team/app:1")]);
        for good in [
            "host:5000/team/app:1",
            "host:5000/team/app",
            &id,
            &"ab".repeat(6),
        ] {
            assert!(fits(&[&format!("image={good}")], &tag), "{good}");
        }
        assert!(!fits(&["image=host"], &tag));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in ["container", "colour=red", "type=house", "=", "상자=1"] {
            assert!(Filter::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
