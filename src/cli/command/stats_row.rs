//! A container as a line of `stats`.

use std::time::Instant;

use cowshed::{container::LiveUsage, sys::process_table::memory_total};
use serde_json::{Value, json};

use crate::cli::{
    template::{Labels, Row},
    text,
};

/// Fields in the order of Docker's JSON, and what stands above their columns.
pub(crate) const HEADERS: [(&str, &str); 9] = [
    ("BlockIO", "BLOCK I/O"),
    ("CPUPerc", "CPU %"),
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("MemPerc", "MEM %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("Name", "NAME"),
    ("NetIO", "NET I/O"),
    ("PIDs", "PIDS"),
];

/// One reading.
#[derive(Debug)]
pub(crate) struct Sample {
    taken: Instant,
    /// `None` where it does not run.
    pub(crate) usage: Option<LiveUsage>,
}

impl Sample {
    pub(crate) fn new(usage: Option<LiveUsage>) -> Self {
        let taken = Instant::now();
        Self { taken, usage }
    }

    /// CPU time since another reading as a part of the time that went by; 100 is one CPU.
    fn cpu_percent(&self, before: Option<&Self>) -> Option<f64> {
        let cpu = |sample: &Self| sample.usage.as_ref()?.group.cpu_nanoseconds;
        let before = before?;
        let elapsed = self.taken.duration_since(before.taken).as_secs_f64();
        // It was started anew where it has used less.
        let used = cpu(self)?.checked_sub(cpu(before)?)?;
        #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
        let used = used as f64 / 1e9;
        (elapsed > 0.0).then_some(used / elapsed * 100.0)
    }
}

/// `given`, id and name; what this machine cannot tell is `--`, as in Docker.
pub(crate) fn row(
    (given, id, name): (&str, &str, &str),
    before: Option<&Sample>,
    now: &Sample,
) -> Row {
    let values = match &now.usage {
        Some(usage) => running(usage, now.cpu_percent(before)),
        None => [
            json!("0B / 0B"),
            json!("0.00%"),
            json!(given),
            json!(id),
            json!("0.00%"),
            json!("0B / 0B"),
            json!(name),
            json!("0B / 0B"),
            json!("0"),
        ],
    };
    let names = HEADERS.iter().map(|(field, _)| (*field).to_owned());
    let mut fields: serde_json::Map<String, Value> = names.zip(values).collect();
    for (field, value) in [("Container", given), ("ID", id), ("Name", name)] {
        fields.insert(field.to_owned(), json!(value));
    }
    Row {
        fields,
        labels: Labels::Of(std::collections::BTreeMap::new()),
    }
}

fn running(usage: &LiveUsage, cpu: Option<f64>) -> [Value; 9] {
    let group = &usage.group;
    let unknown = || "--".to_owned();
    let pair = |one: Option<String>, other: Option<String>| {
        let (one, other) = (one.unwrap_or_else(unknown), other.unwrap_or_else(unknown));
        json!(format!("{one} / {other}"))
    };
    let bytes = |count: u64| text::size(count, 3);
    let total = memory_total();
    let limit = match (group.memory_limit, total) {
        (Some(limit), Some(total)) => Some(limit.min(total)),
        (limit, total) => limit.or(total),
    };
    let percent = |value: Option<f64>| {
        let shown = value.map(|value| format!("{value:.2}%"));
        json!(shown.unwrap_or_else(unknown))
    };
    #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
    let memory = match (group.memory_bytes, limit) {
        (Some(used), Some(limit)) if limit > 0 => Some(used as f64 / limit as f64 * 100.0),
        _ => None,
    };
    [
        pair(group.read_bytes.map(bytes), group.write_bytes.map(bytes)),
        percent(cpu),
        Value::Null,
        Value::Null,
        percent(memory),
        pair(
            group.memory_bytes.map(text::memory),
            limit.map(text::memory),
        ),
        Value::Null,
        pair(Some(bytes(usage.network.0)), Some(bytes(usage.network.1))),
        json!(group.pids.map_or_else(unknown, |pids| pids.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cowshed::cgroup::Usage;

    use super::*;

    fn sample(seconds: u64, cpu: Option<u64>) -> Sample {
        let group = Usage {
            cpu_nanoseconds: cpu,
            memory_bytes: Some(1_572_864),
            memory_limit: Some(6_291_456),
            pids: Some(3),
            read_bytes: Some(1200),
            write_bytes: Some(0),
            ..Usage::default()
        };
        let network = (1234, 0);
        Sample {
            taken: Instant::now() + Duration::from_secs(seconds),
            usage: Some(LiveUsage { group, network }),
        }
    }

    #[test]
    fn a_line_is_dockers() {
        let before = sample(0, Some(1_000_000_000));
        let now = Sample {
            taken: before.taken + Duration::from_secs(2),
            ..sample(0, Some(4_000_000_000))
        };
        let row = row(("web", "0123", "web"), Some(&before), &now);
        let text = serde_json::to_string(&row.fields).unwrap();
        let wanted = concat!(
            r#"{"BlockIO":"1.2kB / 0B","CPUPerc":"150.00%","Container":"web","ID":"0123","#,
            r#""MemPerc":"25.00%","MemUsage":"1.5MiB / 6MiB","Name":"web","#,
            r#""NetIO":"1.23kB / 0B","PIDs":"3"}"#
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn what_is_unknown_is_not_made_up() {
        let fields =
            |before: Option<&Sample>, now: &Sample| row(("a", "b", "c"), before, now).fields;
        let percent =
            |before: Option<&Sample>, now: &Sample| fields(before, now)["CPUPerc"].clone();
        assert_eq!(percent(None, &sample(1, Some(5))), "--");
        // Started anew.
        assert_eq!(
            percent(Some(&sample(0, Some(9))), &sample(1, Some(5))),
            "--"
        );
        assert_eq!(percent(Some(&sample(0, None)), &sample(1, None)), "--");
        let stopped = fields(None, &Sample::new(None));
        assert_eq!(
            (&stopped["CPUPerc"], &stopped["PIDs"]),
            (&json!("0.00%"), &json!("0"))
        );
        assert_eq!(stopped["MemUsage"], "0B / 0B");
        let bare = Sample::new(Some(LiveUsage::default()));
        let bare = fields(None, &bare);
        assert_eq!(
            (&bare["BlockIO"], &bare["PIDs"]),
            (&json!("-- / --"), &json!("--"))
        );
    }
}
