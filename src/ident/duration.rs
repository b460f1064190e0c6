//! Durations as Go reads and writes them: `1h30m`, `1.5s`, `500ms`.

use super::Error;

const SECOND: i128 = 1_000_000_000;

/// Units of a duration in nanoseconds; longer names first where one begins like another.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1000),
    ("µs", 1000),
    ("μs", 1000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

/// Parses a duration; nanoseconds.
///
/// # Errors
///
/// Anything else, and more than 292 years. The texts are Go's.
pub fn parse_duration(text: &str) -> Result<i64, Error> {
    let failed = |why: String| Error::Duration {
        text: text.to_owned(),
        why,
    };
    let invalid = || failed("invalid".to_owned());
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() || rest == "0" {
        return if rest == "0" { Ok(0) } else { Err(invalid()) };
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        // A second point begins no unit.
        let part = |unit| decimal(number, unit).ok_or_else(invalid);
        part(1)?;
        let name = &tail[..tail.find(is_number).unwrap_or(tail.len())];
        let Some((_, unit)) = UNITS.iter().find(|(known, _)| *known == name) else {
            return Err(match name {
                "" => failed("missing unit in".to_owned()),
                name => failed(format!("unknown unit {name:?} in")),
            });
        };
        total = total.checked_add(part(*unit)?).ok_or_else(invalid)?;
        rest = &tail[name.len()..];
    }
    i64::try_from(sign * total).map_err(|_| invalid())
}

/// `1.5` of a unit; either side of the point may be missing, not both.
pub(super) fn decimal(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse().ok()
        }
    };
    // More digits are below a nanosecond.
    let fraction = fraction.get(..15).unwrap_or(fraction);
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let whole: i128 = digits(whole)?;
    let part: i128 = digits(fraction)?;
    whole.checked_mul(unit)?.checked_add(part * unit / scale)
}

/// Nanoseconds as Go prints a duration: `1m30s`, `1.5s`, `500ms`, `0s`.
pub fn show_duration(nanoseconds: i64) -> String {
    let total = i128::from(nanoseconds).abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let of = |unit: i128, name: &str| format!("{sign}{}{name}", fraction(total, unit));
    match total {
        0 => "0s".to_owned(),
        1..1000 => of(1, "ns"),
        1000..1_000_000 => of(1000, "µs"),
        1_000_000..SECOND => of(1_000_000, "ms"),
        _ => {
            let (minutes, rest) = (total / (60 * SECOND), total % (60 * SECOND));
            let seconds = fraction(rest, SECOND);
            let (hours, minutes) = (minutes / 60, minutes % 60);
            match (hours, minutes) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// So many of a unit, with what is below it behind a point.
fn fraction(total: i128, unit: i128) -> String {
    let (whole, rest) = (total / unit, total % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.to_string().len() - 1;
    let digits = format!("{rest:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_printed_as_go_does() {
        for (text, nanoseconds, shown) in [
            ("30s", 30_000_000_000, "30s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("90s", 90_000_000_000, "1m30s"),
            ("4.5s", 4_500_000_000, "4.5s"),
            (".5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("-10ms", -10_000_000, "-10ms"),
            ("+1us", 1000, "1µs"),
            ("1500µs", 1_500_000, "1.5ms"),
            ("0", 0, "0s"),
            ("7ns", 7, "7ns"),
        ] {
            assert_eq!(parse_duration(text), Ok(nanoseconds), "{text}");
            assert_eq!(show_duration(nanoseconds), shown);
        }
        assert_eq!(show_duration(i64::MIN), "-2562047h47m16.854775808s");
    }

    #[test]
    fn what_is_no_duration_has_gos_texts() {
        for (text, wanted) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("soon", "time: invalid duration \"soon\""),
            ("5", "time: missing unit in duration \"5\""),
            ("1s5", "time: missing unit in duration \"1s5\""),
            ("5d", "time: unknown unit \"d\" in duration \"5d\""),
            ("5초", "time: unknown unit \"초\" in duration \"5초\""),
            ("1.2.3s", "time: invalid duration \"1.2.3s\""),
            ("9999999h", "time: invalid duration \"9999999h\""),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), wanted);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed(nanoseconds in any::<i64>()) {
            prop_assert_eq!(parse_duration(&show_duration(nanoseconds)), Ok(nanoseconds));
        }

        #[test]
        fn any_text_is_a_duration_or_refused(text in "\\PC*|[-+]?[0-9hmnsuµ.]{0,30}") {
            let _outcome = parse_duration(&text);
        }
    }
}
