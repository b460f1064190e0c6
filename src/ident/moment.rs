//! Moments as people type them for `--since` and `--until`.

use jiff::{civil, tz::TimeZone};

use super::{Error, Timestamp, duration::decimal, parse_duration};

const SECOND: i128 = 1_000_000_000;

/// Parses what Docker takes for a moment: a duration before `now` (`10m`, `1h30m`), a date and time
/// as in RFC 3339 with as much of its end left out as one likes, or seconds since the epoch with a
/// fraction. Without a zone it is meant in the machine's.
///
/// # Errors
///
/// Anything else, and moments that no calendar holds. The text is Docker's.
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let moment = match parse_duration(text) {
        Ok(ago) => now.as_nanosecond().checked_sub(i128::from(ago)),
        Err(_) => epoch(text),
    };
    match moment {
        Some(moment) => Timestamp::from_nanosecond(moment),
        None => date(text),
    }
    .ok_or_else(|| Error::Moment {
        text: text.to_owned(),
    })
}

/// Seconds since the epoch.
fn epoch(text: &str) -> Option<i128> {
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if digits { decimal(text, SECOND) } else { None }
}

fn date(text: &str) -> Option<Timestamp> {
    // jiff takes more forms than Docker does: spaces, names of zones.
    let known = |c: char| c.is_ascii_digit() || "-:.TZ+".contains(c);
    if !text.chars().all(known) {
        return None;
    }
    let (local, zone) = split_zone(text);
    let (day, clock) = local.split_once('T').unwrap_or((local, "00:00:00"));
    let filling = match clock.len() {
        2 => ":00:00",
        5 => ":00",
        _ => "",
    };
    if day.len() != 10 || clock.len() < 2 {
        return None;
    }
    let whole = format!("{day}T{clock}{filling}");
    if let Some(zone) = zone {
        return (whole + zone).parse().ok();
    }
    let civil: civil::DateTime = whole.parse().ok()?;
    let zoned = civil.to_zoned(TimeZone::system()).ok()?;
    Timestamp::from_nanosecond(zoned.timestamp().as_nanosecond())
}

/// `Z` or `+09:00` at the end; a date's own dashes come before.
fn split_zone(text: &str) -> (&str, Option<&str>) {
    let at = text.rfind(['Z', '+', '-']).filter(|at| *at >= 10);
    match at {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05.5Z".parse().unwrap()
    }

    fn shown(text: &str) -> String {
        parse_moment(text, now()).unwrap().to_string()
    }

    #[test]
    fn durations_are_before_now() {
        for (text, wanted) in [
            ("10m", "2026-01-02T02:54:05.5Z"),
            ("1h30m", "2026-01-02T01:34:05.5Z"),
            ("1.5s", "2026-01-02T03:04:04Z"),
            ("500ms", "2026-01-02T03:04:05Z"),
            ("-10s", "2026-01-02T03:04:15.5Z"),
            (".5s", "2026-01-02T03:04:05Z"),
            ("5µs", "2026-01-02T03:04:05.499995Z"),
            ("0", "2026-01-02T03:04:05.5Z"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn dates_may_end_early() {
        for (text, wanted) in [
            (
                "2026-01-02T03:04:05.123456789Z",
                "2026-01-02T03:04:05.123456789Z",
            ),
            ("2026-01-02T03:04:05+09:00", "2026-01-01T18:04:05Z"),
            ("2026-01-02T03:04Z", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03Z", "2026-01-02T03:00:00Z"),
            ("2026-01-02Z", "2026-01-02T00:00:00Z"),
            ("2026-01-02-05:00", "2026-01-02T05:00:00Z"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
        let civil: civil::DateTime = "2026-01-02T03:04:05".parse().unwrap();
        let local = civil.to_zoned(TimeZone::system()).unwrap().timestamp();
        assert_eq!(shown("2026-01-02T03:04:05"), local.to_string());
    }

    #[test]
    fn seconds_since_the_epoch_may_have_a_fraction() {
        assert_eq!(shown("1136073845"), "2006-01-01T00:04:05Z");
        assert_eq!(
            shown("1136073845.000000001"),
            "2006-01-01T00:04:05.000000001Z"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-",
            "yesterday",
            "10",
            "10x",
            "m",
            ".",
            "1.2.3",
            "5 m",
            "2026-13-01",
            "어제",
            "2026",
            "--1s",
            "2026-01-02 03:04:05",
            "2026-01-02T",
            "99999999999999999999999999999999999999999h",
            "99999999999999",
            "5µ",
        ] {
            // A bare number is a moment of 1970.
            if text == "10" || text == "2026" {
                assert!(parse_moment(text, now()).is_ok(), "{text}");
                continue;
            }
            let error = parse_moment(text, now()).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("failed to parse value as time or duration: {text:?}")
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_moment_or_refused(text in "\\PC*|[-+]?[0-9TZhmsnu.:+-]{0,30}") {
            let _outcome = parse_moment(&text, now());
        }

        #[test]
        fn what_is_printed_is_parsed(seconds in 0..4_000_000_000_i64, nanos in 0..1_000_000_000_i128) {
            let time = Timestamp::from_nanosecond(i128::from(seconds) * SECOND + nanos).unwrap();
            prop_assert_eq!(parse_moment(&time.to_string(), now()), Ok(time));
            prop_assert_eq!(parse_moment(&time.fixed(), now()), Ok(time));
        }
    }
}
