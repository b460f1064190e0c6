//! Numbers and times as Docker writes them for people.

use cowshed::ident::Timestamp;

/// Decimal units, as many significant digits as asked for: `4.27MB`.
pub(crate) fn size(bytes: u64, digits: usize) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    scaled(bytes, 1000.0, &UNITS, digits)
}

/// Binary units with four significant digits, as Docker writes memory: `1.945GiB`.
pub(crate) fn memory(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    scaled(bytes, 1024.0, &UNITS, 4)
}

fn scaled(bytes: u64, base: f64, units: &[&str], digits: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with four digits at most")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= base && unit < units.len() - 1 {
        value /= base;
        unit += 1;
    }
    let whole_digits = if value >= 1000.0 {
        4
    } else if value >= 100.0 {
        3
    } else if value >= 10.0 {
        2
    } else {
        1
    };
    let decimals = digits.saturating_sub(whole_digits);
    let mut text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{text}{}", units[unit])
}

/// Text of a stranger's image must not drive the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A path of a stranger's tree: whatever is not printable, or no UTF-8, is escaped (`\x1b`).
pub(crate) fn path(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    cowshed::layer::PathBytes::new(path.as_os_str().as_bytes()).to_string()
}

/// Columns that a terminal gives a text: two for Korean and other wide characters.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    let wide = matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3
        | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f | 0x20000..=0x3fffd);
    if wide { 2 } else { 1 }
}

/// At most so many columns, the last one an ellipsis where something was cut off.
pub(crate) fn ellipsis(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += char_width(*c);
        used <= columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// `2 weeks`, as in "2 weeks ago".
pub(crate) fn duration(seconds: i64) -> String {
    const STEPS: [(i64, i64, &str); 6] = [
        (60, 1, "seconds"),
        (3600, 60, "minutes"),
        (48 * 3600, 3600, "hours"),
        (14 * 86400, 86400, "days"),
        (60 * 86400, 7 * 86400, "weeks"),
        (2 * 365 * 86400, 30 * 86400, "months"),
    ];
    let seconds = seconds.max(0);
    match seconds {
        0 => return "Less than a second".to_owned(),
        1 => return "1 second".to_owned(),
        60..=119 => return "About a minute".to_owned(),
        3600..=7199 => return "About an hour".to_owned(),
        _ => {}
    }
    match STEPS.iter().find(|(limit, _, _)| seconds < *limit) {
        Some((_, unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{} years", seconds / (365 * 86400)),
    }
}

/// `2 weeks ago`; `N/A` for what has no time.
pub(crate) fn ago(then: Option<Timestamp>) -> String {
    then.map_or("N/A".to_owned(), |then| {
        format!(
            "{} ago",
            duration(Timestamp::now().as_second() - then.as_second())
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        for (bytes, digits, wanted) in [
            (0, 3, "0B"),
            (330, 4, "330B"),
            (1000, 3, "1kB"),
            (4_265_000, 3, "4.26MB"),
            (7_800_000, 4, "7.8MB"),
            (104_857_600, 4, "104.9MB"),
            (851_600_000, 4, "851.6MB"),
        ] {
            assert_eq!(size(bytes, digits), wanted);
        }
        for (bytes, wanted) in [
            (0, "0B"),
            (1_572_864, "1.5MiB"),
            (1_072_693_248, "1023MiB"),
            (2_088_763_392, "1.945GiB"),
        ] {
            assert_eq!(memory(bytes), wanted);
        }
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        for (text, wanted) in [
            ("short", "short"),
            ("exactly-ten", "exactly-t…"),
            ("0123456789", "0123456789"),
            ("한국어이름", "한국어이름"),
            ("한국어이름표", "한국어이…"),
            ("", ""),
        ] {
            assert_eq!(ellipsis(text, 10), wanted);
            assert!(width(wanted) <= 10);
        }
    }

    #[test]
    fn durations_are_dockers() {
        for (seconds, wanted) in [
            (0, "Less than a second"),
            (59, "59 seconds"),
            (61, "About a minute"),
            (7300, "2 hours"),
            (3 * 86400, "3 days"),
            (15 * 86400, "2 weeks"),
            (70 * 86400, "2 months"),
            (800 * 86400, "2 years"),
        ] {
            assert_eq!(duration(seconds), wanted);
        }
    }
}
