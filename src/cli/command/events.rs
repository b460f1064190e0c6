//! `cowshed events`

use std::{io, os::fd::AsFd as _, process::ExitCode, time::Duration};

use clap::Args;
use cowshed::{
    container::Engine,
    event::{Event, Filter, Kind, Span},
    ident::Timestamp,
};

use super::moment_arg::moment;
use crate::cli::{
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// From then on: 2026-01-02T15:04:05Z, seconds since 1970, or 10m ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then; left out, until interrupted
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// container=NAME, event=ACTION, image=NAME, label=KEY[=VALUE], type=TYPE or volume=NAME
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Output format: json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Line,
    Json,
}

impl Format {
    /// The one place that chooses it: templates come here.
    fn parse(text: Option<&str>) -> Result<Self, Exit> {
        match text.map(str::trim) {
            None | Some("") => Ok(Self::Line),
            Some("json" | "{{json .}}" | "{{ json . }}") => Ok(Self::Json),
            Some(other) => {
                let message = format!("--format {other:?}: only json is known in this version");
                Err(Exit::usage(message).or_code(1))
            }
        }
    }

    fn print(self, event: &Event) -> io::Result<()> {
        match self {
            Self::Line => output::line(&line(event)),
            Self::Json => output::json(&object(event)),
        }
    }
}

pub(crate) fn run(engine: &Engine, args: &EventsArgs) -> Outcome {
    let span = Span {
        since: moment("since", args.since.as_ref())?,
        until: moment("until", args.until.as_ref())?,
    };
    let format = Format::parse(args.format.as_deref())?;
    let mut events = engine.events(span, Filter::parse(&args.filter)?)?;
    let stdout = io::stdout();
    loop {
        // Before reading: what came until then is read after it.
        let left = span.until.map(left_until);
        while let Some(event) = events.read_available()? {
            format.print(&event)?;
        }
        if left == Some(Duration::ZERO) {
            return Ok(ExitCode::SUCCESS);
        }
        let longest = left.unwrap_or(HOUR).min(HOUR);
        // Rounded up: poll counts milliseconds.
        let reader_gone = events.wait(stdout.as_fd(), longest + Duration::from_millis(1))?;
        if reader_gone {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

const HOUR: Duration = Duration::from_hours(1);

fn left_until(until: Timestamp) -> Duration {
    let left = until.as_nanosecond() - Timestamp::now().as_nanosecond();
    Duration::from_nanos(u64::try_from(left.max(0)).unwrap_or(u64::MAX))
}

/// Docker's line: `TIME container create ID (image=…, name=…)`.
fn line(event: &Event) -> String {
    let Event {
        time,
        kind,
        action,
        actor,
    } = event;
    let time = time.local_fixed();
    let head = format!("{time} {kind} {action} {}", actor.id);
    let attributes: Vec<_> = actor
        .attributes
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if attributes.is_empty() {
        return head;
    }
    format!("{head} ({})", attributes.join(", "))
}

/// Docker's keys, the old ones of containers and images first.
fn object(event: &Event) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    let mut put = |key: &str, value: serde_json::Value| object.insert(key.to_owned(), value);
    let image = event.actor.attributes.get("image");
    if matches!(event.kind, Kind::Container | Kind::Image) {
        put("status", event.action.clone().into());
        put("id", event.actor.id.clone().into());
    }
    if let Some(image) = image.filter(|_| event.kind == Kind::Container) {
        put("from", image.clone().into());
    }
    put("Type", event.kind.to_string().into());
    put("Action", event.action.clone().into());
    put(
        "Actor",
        serde_json::json!({"ID": event.actor.id, "Attributes": event.actor.attributes}),
    );
    put("scope", "local".into());
    put("time", event.time.as_second().into());
    let nanoseconds = i64::try_from(event.time.as_nanosecond()).unwrap_or(i64::MAX);
    put("timeNano", nanoseconds.into());
    object.into()
}

#[cfg(test)]
mod tests {
    use cowshed::event::Actor;

    use super::*;

    fn event(kind: Kind, attributes: &[(&str, &str)]) -> Event {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Event {
            time: "2026-01-02T03:04:05.12Z".parse().unwrap(),
            kind,
            action: "create".to_owned(),
            actor: Actor {
                id: "abc".to_owned(),
                attributes: attributes.iter().map(pair).collect(),
            },
        }
    }

    #[test]
    fn lines_are_dockers() {
        let one = event(Kind::Container, &[("name", "웹"), ("image", "alpine")]);
        let (time, rest) = line(&one)
            .split_once(' ')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        assert_eq!(rest, "container create abc (image=alpine, name=웹)");
        assert_eq!(time.parse::<Timestamp>().unwrap(), one.time);
        assert!(time.contains(".120000000"), "{time}");
        assert!(line(&event(Kind::Volume, &[])).ends_with(" volume create abc"));
    }

    #[test]
    fn json_has_dockers_keys_in_its_order() {
        let keys = |event: &Event| {
            object(event)
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(",")
        };
        let one = event(Kind::Container, &[("image", "alpine")]);
        assert_eq!(
            keys(&one),
            "status,id,from,Type,Action,Actor,scope,time,timeNano"
        );
        assert_eq!(
            keys(&event(Kind::Image, &[])),
            "status,id,Type,Action,Actor,scope,time,timeNano"
        );
        assert_eq!(
            keys(&event(Kind::Volume, &[])),
            "Type,Action,Actor,scope,time,timeNano"
        );
        assert_eq!(object(&one)["timeNano"], 1_767_323_045_120_000_000_i64);
    }
}
