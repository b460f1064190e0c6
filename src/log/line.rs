//! A line of the log, read.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Entry, Lost, Stream, base64};
use crate::ident::Timestamp;

/// Keys that others have put there do not matter.
#[derive(Debug, Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    log: Cow<'l, str>,
    #[serde(borrow, default)]
    stream: Cow<'l, str>,
    #[serde(borrow)]
    time: Cow<'l, str>,
    #[serde(borrow, default)]
    raw: Option<Cow<'l, str>>,
    #[serde(default)]
    lost: Option<u64>,
    #[serde(borrow, default)]
    cause: Option<Cow<'l, str>>,
}

/// `None` where a line is torn or somebody else's.
pub(super) fn parse(line: &[u8]) -> Option<Entry> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let time: Timestamp = line.time.parse().ok()?;
    let stream = match &*line.stream {
        "stderr" => Stream::Stderr,
        _ => Stream::Stdout,
    };
    let cause = line.cause.map(Cow::into_owned).unwrap_or_default();
    let lost = line.lost.map(|count| Lost::Bytes { count, cause });
    let raw = line.raw.and_then(|raw| base64::decode(raw.as_bytes()));
    let bytes = raw.unwrap_or_else(|| line.log.into_owned().into_bytes());
    Some(Entry {
        stream,
        time,
        bytes,
        lost,
    })
}

#[derive(Debug, Deserialize)]
struct Numbered {
    file: Option<u64>,
}

/// The number of the file that begins with this line.
pub(super) fn number(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Numbered>(line).ok()?.file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_docker_is_read() {
        let line = br#"{"log":"\u003chi\u003e\u2028\n","stream":"stderr","attrs":{"a":"b"},"time":"2026-01-02T03:04:05.1Z"}"#;
        let entry = parse(line).unwrap();
        assert_eq!(entry.bytes, "<hi>\u{2028}\n".as_bytes());
        assert_eq!((entry.stream, entry.lost), (Stream::Stderr, None));
        assert_eq!(entry.time.to_string(), "2026-01-02T03:04:05.1Z");
    }

    #[test]
    fn anything_else_is_none() {
        for line in [
            &b""[..],
            b"text",
            b"{}",
            b"{\"log\":\"x\"}",
            b"null",
            b"[]",
            b"\xff\xfe",
            b"\0\0\0\0",
            br#"{"log":"x\n","stream":"stdout","time":"never"}"#,
            br#"{"log":"x\n","stream":"stdout","time":"2026-01-02T03:04:05"#,
            br#"{"log":"a{"log":"x\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
        ] {
            assert_eq!(parse(line), None, "{}", line.escape_ascii());
        }
    }
}
